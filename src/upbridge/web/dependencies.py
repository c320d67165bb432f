"""What each page needs: the visitor, the language, what a form says, and the next page.

    GET  → `PageContext` (a living session, its shop, its words) → a template
    POST → `PageContext` after `Posted`: not from another site → one call → 303 to a page that says what happened

An error on the way is a page too, in the visitor's language (docs/reference/http.md). So is a database that
hangs: nobody waits for it longer than `Pages.patience`. What a form calls elsewhere, and a worker whose bite it
waits for, have time-outs of their own and do not count; a change is one transaction, which then is not committed.
"""

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Annotated, Any
from urllib.parse import parse_qs, quote, urlencode

import structlog
from fastapi import Depends, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.routing import APIRoute
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from upbridge.core.deadline import with_deadline
from upbridge.core.errors import BadRequest, NotFound, NotReady, TooLarge, UpbridgeError
from upbridge.core.i18n import Texts
from upbridge.core.parsing import whole
from upbridge.domain.shop import Shop
from upbridge.web.context import Pages, preferred
from upbridge.web.security_headers import protect
from upbridge.web.sessions import Ended, Visitor

log = structlog.get_logger(__name__)

#: The pages in the order of the navigation: the last part of their address and of their texts' keys.
PLACES = ("start", "overview", "connections", "rules", "problems", "find", "products", "usage")

#: Where a page could not be had in time, it is worth another try after these seconds.
RETRY_SECONDS = 30

_LONGEST_SECRET = 100
_LARGEST_FORM = 64 * 1024
_MOST_FIELDS = 2_000
_LONGEST_COUNT = 6


class SessionEnded(Exception):
    """There is no such session (any more)."""

    def __init__(self, ended: Ended) -> None:
        super().__init__()
        self.ended = ended


class PageRoute(APIRoute):
    """Every answer carries the page headers, and every failure is a page."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def protected(request: Request) -> Response:
            pages: Pages = request.app.state.pages
            try:
                response = await with_deadline(pages.patience, handle(request), own=True)
            except SessionEnded as gone:
                response = pages.ended(gone.ended, request)
            except RequestValidationError:
                response = failure(pages, request, BadRequest())
            except (DBAPIError, PoolTimeout, TimeoutError) as error:
                log.warning("database_failed", error=type(error).__name__)
                response = not_now(pages, request)
            except NotReady as error:
                log.warning("not_ready", reason=str(error))
                response = not_now(pages, request)
            except UpbridgeError as error:
                log.info("page_refused", code=error.code)
                response = failure(pages, request, error)
            except Exception as error:
                # A defect of ours: who asked gets a page in the frame all the same, the log gets all of it.
                log.exception("request_failed", error=type(error).__name__)
                response = failure(pages, request, UpbridgeError())
            return protect(response, pages.headers)

        return protected


def failure(pages: Pages, request: Request, error: UpbridgeError) -> HTMLResponse:
    """What went wrong, as a page."""
    texts = _texts(pages, request)
    if isinstance(error, NotFound):
        return pages.render("not_found.html", texts, status=HTTPStatus.NOT_FOUND)
    home = getattr(request.state, "home", None)
    return pages.render("failed.html", texts, status=error.status, reason=texts.get(error.merchant), home=home)


def not_now(pages: Pages, request: Request) -> HTMLResponse:
    """The database did not answer in time: what that means and how to try again, though nobody knows who asks."""
    session, form = str(request.path_params.get("session", "")), request.method == "POST"
    again = None
    if session:
        # An empty address is that of the page itself; that of a form leads to the page on which it stands.
        again = _place_of(request, session) if form else ""
    page = pages.render(
        "not_now.html", _texts(pages, request), status=HTTPStatus.SERVICE_UNAVAILABLE, form=form, again=again
    )
    page.headers["Retry-After"] = str(RETRY_SECONDS)
    return page


def _place_of(request: Request, session: str) -> str:
    home = f"/ui/s/{quote(session, safe='')}/"
    place = request.url.path.removeprefix(home).partition("/")[0]
    return home + (place if place in PLACES else "")


def _texts(pages: Pages, request: Request) -> Texts:
    """The visitor's language; as long as the database does not tell it, the one that this process last saw there,
    then the browser's."""
    session = str(request.path_params.get("session", ""))
    known = getattr(request.state, "language", None) or (
        None if impossible(session) else pages.sessions.language(session)
    )
    return Texts(known or preferred(request.headers.get("accept-language", "")))


@dataclass(frozen=True, slots=True)
class PageContext:
    """A visitor in front of a page."""

    pages: Pages
    visitor: Visitor
    shop: Shop
    texts: Texts
    home: str = field(repr=False)
    """The address of the start page; all others are below it. It is the secret, so it is never logged."""
    query: Mapping[str, str] = field(repr=False)

    def page(
        self, place: str, *, template: str | None = None, status: int = HTTPStatus.OK, **values: Any
    ) -> HTMLResponse:
        """The page *place* with the frame around it; *template*: another one that belongs there."""
        return self.pages.render(
            f"{template or place}.html",
            self.texts,
            status=status,
            home=self.home,
            place=place,
            places=PLACES,
            shop=self.shop,
            said=self._said(),
            **values,
        )

    def go(self, place: str, said: str | None = None, count: int | None = None, **more: str) -> RedirectResponse:
        """After a form: to *place*, which says `ui.said.<said>`; *more* stands in its query."""
        query = {**more, "said": said} if said else more
        if count is not None:
            query["n"] = str(count)
        address = self.home + ("" if place == "start" else place) + (f"?{urlencode(query)}" if query else "")
        return RedirectResponse(address, HTTPStatus.SEE_OTHER)

    def _said(self) -> str | None:
        """The message after a form: a text of the catalogue, an address cannot make a page say anything else."""
        said = self.query.get("said", "")
        if not self.texts.has(f"ui.said.{said}"):
            return None
        count = whole(self.query.get("n", ""), longest=_LONGEST_COUNT)
        return self.texts.get(f"ui.said.{said}", count=count or 0)


async def pages_here(request: Request) -> Pages:
    """The pages' collaborators."""
    pages: Pages = request.app.state.pages
    return pages


PagesHere = Annotated[Pages, Depends(pages_here)]


async def _here(session: str, request: Request, pages: PagesHere) -> PageContext:
    visitor = Ended(None) if impossible(session) else await pages.sessions.enter(session)
    if isinstance(visitor, Ended):
        raise SessionEnded(visitor)
    request.state.language = visitor.language
    request.state.home = f"/ui/s/{session}/"
    try:
        shop = await pages.shops.get(visitor.shop_id)
    except NotFound:  # erased a moment ago
        raise SessionEnded(Ended(visitor.language)) from None
    return PageContext(pages, visitor, shop, Texts(visitor.language), request.state.home, request.query_params)


async def _posted(request: Request, pages: PagesHere) -> dict[str, list[str]]:
    """The fields of a form that one of our own pages sent.

    The address of a session is the secret that a forged form would have to know (docs/decisions/0004); a browser
    that says outright that the form comes from elsewhere is refused as well. An opaque origin (`null`) is what a
    page without a referrer, or in a sandboxed frame, has.
    """
    origin, site = request.headers.get("origin"), request.headers.get("sec-fetch-site")
    foreign = origin not in {None, "null", pages.origin}
    if foreign or (site in {"cross-site", "same-site"} and origin != "null"):
        raise Foreign
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _LARGEST_FORM:
            raise TooLarge
    try:
        return parse_qs(body.decode(), keep_blank_values=True, max_num_fields=_MOST_FIELDS, errors="strict")
    except ValueError:
        raise BadRequest from None


class Foreign(BadRequest):
    """The form was sent by a page of another site."""

    status = 403
    code = "foreign_form"


Session = Annotated[PageContext, Depends(_here)]
Posted = Annotated[dict[str, list[str]], Depends(_posted)]


def one(form: Mapping[str, list[str]], name: str) -> str:
    """The field *name*, without the spaces around it; empty if it is missing."""
    return as_typed(form, name).strip()


def as_typed(form: Mapping[str, list[str]], name: str) -> str:
    """The field *name* with the spaces around it, which may be part of a password."""
    return form.get(name, [""])[-1].replace("\x00", "")


def impossible(secret: str) -> bool:
    """Whether *secret* is none of ours by its looks (and may hold what no database takes)."""
    return len(secret) > _LONGEST_SECRET or not secret.isascii()
