"""GET /ui/…: what the shop's staff see inside the admin (docs/reference/http.md).

What the pages need is the container's `pages`, a `Pages`. No cookie is set or read: the session travels in the
path, so nothing may ever log a path (there is no access log). Each page of the navigation has a module of its own.
"""

import re
from http import HTTPStatus

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from upbridge.core.errors import NotFound
from upbridge.core.i18n import LANGUAGES
from upbridge.web.dependencies import PageRoute, PagesHere, Posted, Session, SessionEnded
from upbridge.web.endpoints import (
    connections,
    costs,
    decision,
    dry_run,
    find,
    history,
    mail,
    net,
    order,
    orders,
    pair,
    pause,
    problems,
    products,
    question,
    rules,
    start,
    support,
    undo,
    usage,
)
from upbridge.web.forms import one
from upbridge.web.sessions import Ended

#: An address below that of the session, as our pages have them.
_OURS = re.compile(r"[a-z-]+(?:/[a-z-]+)*(?:\?[!-~]*)?")

router = APIRouter(prefix="/ui", tags=["pages"], route_class=PageRoute, default_response_class=HTMLResponse)


@router.get("/static/{name}")
async def static(name: str, request: Request, pages: PagesHere) -> Response:
    """A static file. Its address changes with its content, so that it may be kept for ever."""
    asset = pages.rendering.assets.get(name)
    if asset is None:
        raise NotFound
    current = request.query_params.get("v") == asset.version
    headers = {
        "Cache-Control": "public, max-age=31536000, immutable" if current else "no-cache",
        "ETag": f'"{asset.version}"',
    }
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    return Response(asset.body, media_type=asset.media_type, headers=headers)


@router.get("/open/{ticket}")
async def enter(ticket: str, pages: PagesHere) -> Response:
    """Exchange a ticket for a session. HEAD is not served here: looking does not use a ticket up."""
    entry = await pages.sessions.redeem(ticket)
    if isinstance(entry, Ended):
        raise SessionEnded(entry)
    return RedirectResponse(f"/ui/s/{entry.session}/", HTTPStatus.SEE_OTHER)


@router.post("/s/{session}/language")
async def speak(session: str, here: Session, form: Posted) -> Response:
    """Go on in another language, on the same page."""
    language, address = one(form, "language"), one(form, "address")
    if language in LANGUAGES:
        await here.pages.sessions.speak(session, language)
    return RedirectResponse(here.home + (address if _OURS.fullmatch(address) else ""), HTTPStatus.SEE_OTHER)


for _page in (
    start,
    net,
    orders,
    order,
    connections,
    rules,
    problems,
    decision,
    question,
    dry_run,
    find,
    products,
    history,
    usage,
    mail,
    pair,
    pause,
    undo,
    costs,
    support,
):
    router.include_router(_page.router)


@router.post("/s/{session}/end")
async def leave(session: str, here: Session, form: Posted) -> Response:
    """End this session: its address opens nothing any more."""
    del form
    await here.pages.sessions.leave(session)
    raise SessionEnded(Ended(here.visitor.language))


_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"]


@router.api_route("", methods=_METHODS)
@router.api_route("/{rest:path}", methods=_METHODS)
async def anything_else() -> Response:
    """There is no such page."""
    raise NotFound
