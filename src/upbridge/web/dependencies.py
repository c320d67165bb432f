"""What each page needs: the visitor, the language, what a form says, and the next page.

    GET  → `PageContext` (a living session, its shop, its words) → a template
    POST → `PageContext` after `Posted`: not from another site → one call → 303 to a page that says what happened

An error on the way is a page too, in the visitor's language (docs/reference/http.md). So is a database that
hangs: a visitor waits no longer than `Pages.deadline`. Calls to other systems, and waiting for a worker's slice,
have time-outs of their own and do not count; a change is one transaction, which then is not committed.
"""

from collections.abc import Callable, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Annotated, Any, Protocol
from urllib.parse import urlencode

import structlog
from fastapi import Depends, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.routing import APIRoute
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from upbridge.core.deadline import with_deadline
from upbridge.core.errors import BadRequest, NotFound, NotReady, UpbridgeError
from upbridge.core.i18n import Texts
from upbridge.core.parsing import whole
from upbridge.core.telemetry.seldom import seldom_of
from upbridge.domain.shop import Shop
from upbridge.store.sessions import SessionPurpose
from upbridge.web.context import Pages
from upbridge.web.error_pages import failure, not_now
from upbridge.web.formatting import alarm_words
from upbridge.web.forms import read_form
from upbridge.web.navigation import places_for
from upbridge.web.queries.standing import Standing, standing_of
from upbridge.web.security_headers import protect
from upbridge.web.sessions import Ended, Visitor

log = structlog.get_logger(__name__)

_LONGEST_COUNT = 6


class _Container(Protocol):
    @property
    def pages(self) -> Pages: ...


class SessionEnded(Exception):
    """There is no such session (any more)."""

    def __init__(self, ended: Ended) -> None:
        super().__init__()
        self.ended = ended


def _say(request: Request, error: Exception) -> None:
    """Log a failure that was expected: a line a minute for each kind."""
    reason = str(error) if isinstance(error, NotReady) else type(error).__name__
    times = seldom_of(request).times(reason)
    if not times:
        return
    match error:
        case NotReady():
            log.warning("not_ready", reason=reason, times=times)
        case UpbridgeError():
            log.info("page_refused", code=error.code, times=times)
        case _:
            log.warning("database_failed", error=reason, times=times)


def _turn(pages: Pages, request: Request) -> AbstractAsyncContextManager[None]:
    """The turn of who comes with a session or ticket. Raises `SessionEnded` for one that this service never made,
    and, when it is entered, `TooOften`."""
    for purpose in (SessionPurpose.SESSION, SessionPurpose.TICKET):
        if (secret := request.path_params.get(purpose)) is not None:
            if not pages.sessions.made(secret, purpose):
                raise SessionEnded(Ended(None))
            return pages.visits.of(secret).opens(form=request.method == "POST")
    return nullcontext()


class PageRoute(APIRoute):
    """Every answer carries the page headers, and every failure is a page."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def protected(request: Request) -> Response:
            container: _Container = request.app.state.container
            pages = container.pages
            try:
                async with _turn(pages, request):
                    response = await with_deadline(pages.deadline, handle(request), own=True)
            except SessionEnded as gone:
                response = pages.ended(gone.ended, request)
            except RequestValidationError:
                response = failure(pages, request, BadRequest())
            except (DBAPIError, PoolTimeout, TimeoutError, NotReady) as error:
                _say(request, error)
                response = not_now(pages, request)
            except UpbridgeError as error:
                _say(request, error)
                response = failure(pages, request, error)
            except Exception as error:
                # A defect of ours: who asked gets a page in the frame all the same, the log gets all of it.
                log.exception("request_failed", error=type(error).__name__)
                response = failure(pages, request, UpbridgeError())
            return protect(response, pages.headers)

        return protected


@dataclass(frozen=True, slots=True)
class PageContext:
    """A visitor in front of a page."""

    pages: Pages
    visitor: Visitor
    shop: Shop
    texts: Texts
    standing: Standing
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
            places=places_for(self.standing),
            shop=self.shop,
            standing=self.standing,
            alarms=[
                alarm_words(one, self.standing, self.texts, self.pages.systems) for one in self.standing.alarms
            ],
            said=self._said(),
            **{"renew": None, "keeps_typed": False, **values},
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
        count = whole(self.query.get("n", ""), longest=_LONGEST_COUNT)
        if self.texts.has(f"ui.said.{said}"):
            of = whole(self.query.get("of", ""), longest=_LONGEST_COUNT)
            return self.texts.get(f"ui.said.{said}", count=count or 0, of=of or 0)
        what, _, system = said.rpartition("_")  # a system without a text of its own
        if system not in self.pages.systems.titles or not self.texts.has(f"ui.said.{what}"):
            return None
        return self.texts.get(f"ui.said.{what}", system=self.pages.systems.title(system))


async def pages_here(request: Request) -> Pages:
    """The pages' collaborators."""
    container: _Container = request.app.state.container
    return container.pages


PagesHere = Annotated[Pages, Depends(pages_here)]


async def _here(session: str, request: Request, pages: PagesHere) -> PageContext:
    return await _context(session, request, pages)


async def _watching(session: str, request: Request, pages: PagesHere) -> PageContext:
    return await _context(session, request, pages, active=False)


async def _context(session: str, request: Request, pages: Pages, *, active: bool = True) -> PageContext:
    visitor = await pages.sessions.enter(session, active=active)
    if isinstance(visitor, Ended):
        raise SessionEnded(visitor)
    request.state.language = visitor.language
    request.state.home = f"/ui/s/{session}/"
    try:
        shop = await pages.shops.get(visitor.shop_id)
    except NotFound:  # erased a moment ago
        raise SessionEnded(Ended(visitor.language)) from None
    standing = await standing_of(pages.engine, pages.systems, pages.connections, shop, now=pages.clock())
    texts = Texts(visitor.language)
    return PageContext(pages, visitor, shop, texts, standing, request.state.home, request.query_params)


async def _posted(request: Request, pages: PagesHere) -> dict[str, list[str]]:
    return await read_form(request, origin=pages.origin, bounds=pages.form_bounds)


Session = Annotated[PageContext, Depends(_here)]
Watching = Annotated[PageContext, Depends(_watching)]
"""The same for a page that renews itself, which is no activity of a user."""
Posted = Annotated[dict[str, list[str]], Depends(_posted)]
