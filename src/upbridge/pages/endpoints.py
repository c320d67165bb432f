"""GET /ui/…: what the shop's staff see inside the admin (contract, section 3).

What the pages need is `app.state.pages`, a `Pages`. No cookie is set or read: the session travels in the path, so
nothing may ever log a path (there is no access log).
"""

from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse
from fastapi.routing import APIRoute

from upbridge.errors import NotFound
from upbridge.pages.headers import protect
from upbridge.pages.service import Pages, preferred
from upbridge.pages.sessions import Ended, Visitor
from upbridge.pages.views import SYSTEMS, StartView
from upbridge.pages.words import live, problem_words
from upbridge.texts import Texts

_LONGEST_SECRET = 100
#: Should the admin sandbox our frame, its origin is `null` and its own polling is a cross-origin request. Nothing
#: is given away: there are no cookies, and whoever asks has to know the address, which is the secret.
_ANY_ORIGIN = {"Access-Control-Allow-Origin": "*"}


class _PageRoute(APIRoute):
    """Every answer carries the page headers."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def protected(request: Request) -> Response:
            pages: Pages = request.app.state.pages
            return protect(await handle(request), pages.headers)

        return protected


router = APIRouter(prefix="/ui", tags=["pages"], route_class=_PageRoute, default_response_class=HTMLResponse)


async def _pages(request: Request) -> Pages:
    pages: Pages = request.app.state.pages
    return pages


PagesHere = Annotated[Pages, Depends(_pages)]


@router.get("/static/{name}")
async def static(name: str, request: Request, pages: PagesHere) -> Response:
    """A static file. Its address changes with its content, so that it may be kept for ever."""
    asset = pages.assets.get(name)
    if asset is None:
        return _not_found(pages, request)
    current = request.query_params.get("v") == asset.version
    headers = {
        "Cache-Control": "public, max-age=31536000, immutable" if current else "no-cache",
        "ETag": f'"{asset.version}"',
    }
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    return Response(asset.body, media_type=asset.media_type, headers=headers)


@router.get("/open/{ticket}")
async def enter(ticket: str, request: Request, pages: PagesHere) -> Response:
    """Exchange a ticket for a session. HEAD is not served here: looking does not use a ticket up."""
    entry = Ended(None) if _impossible(ticket) else await pages.sessions.redeem(ticket)
    if isinstance(entry, Ended):
        return pages.ended(entry, request)
    return RedirectResponse(f"/ui/s/{entry.session}/", HTTPStatus.SEE_OTHER)


@router.get("/s/{session}", include_in_schema=False)
@router.get("/s/{session}/")
async def start(session: str, request: Request, pages: PagesHere) -> Response:
    """The start page: the shop, the steps, the first import, what waits, what needs a person."""
    visitor = Ended(None) if _impossible(session) else await pages.sessions.enter(session)
    if isinstance(visitor, Ended):
        return pages.ended(visitor, request)
    view = await _view(pages, visitor)
    if view is None:
        return pages.ended(Ended(visitor.language), request)
    texts = Texts(visitor.language)
    return pages.render(
        "start.html",
        texts,
        view=view,
        live=live(view, texts, now=pages.clock()),
        systems=SYSTEMS,
        problem=lambda one: problem_words(one, texts),
        moment=texts.moment,
        progress_url=f"/ui/s/{session}/progress",
    )


@router.get("/s/{session}/progress")
async def progress(session: str, pages: PagesHere) -> JSONResponse:
    """The moving parts of the start page. A page that polls is nobody's activity: the session goes on ageing."""
    visitor = Ended(None) if _impossible(session) else await pages.sessions.enter(session, active=False)
    view = None if isinstance(visitor, Ended) else await _view(pages, visitor)
    if view is None or isinstance(visitor, Ended):
        gone = {"error": "gone", "detail": "the session has ended"}
        return JSONResponse(gone, HTTPStatus.GONE, headers=_ANY_ORIGIN)
    return JSONResponse(live(view, Texts(visitor.language), now=pages.clock()), headers=_ANY_ORIGIN)


@router.get("/{rest:path}")
async def anything_else(rest: str, request: Request, pages: PagesHere) -> Response:  # noqa: ARG001
    """There is no such page."""
    return _not_found(pages, request)


async def _view(pages: Pages, visitor: Visitor) -> StartView | None:
    try:
        return await pages.views.start(visitor.shop_id)
    except NotFound:  # erased a moment ago
        return None


def _not_found(pages: Pages, request: Request) -> Response:
    texts = Texts(preferred(request.headers.get("accept-language", "")))
    return pages.render("not_found.html", texts, status=HTTPStatus.NOT_FOUND)


def _impossible(secret: str) -> bool:
    """Whether *secret* is none of ours by its looks (and may hold what no database takes)."""
    return len(secret) > _LONGEST_SECRET or not secret.isascii()
