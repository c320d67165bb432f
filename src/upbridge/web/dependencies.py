"""What each page needs: the visitor, the language, what a form says, and the next page.

    GET  → `PageContext` (a living session, its shop, its words) → a template
    POST → `PageContext` after `Posted`: not from another site → one call → 303 to a page that says what happened

An error on the way is a page too, in the visitor's language (docs/reference/http.md). So is a database that
hangs: a visitor waits no longer than `Pages.deadline`. Calls to other systems, and waiting for a worker's slice,
have time-outs of their own and do not count; a change is one transaction, which then is not committed.
"""

import asyncio
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

from upbridge.core.deadline import pause_deadline, with_deadline
from upbridge.core.errors import BadRequest, NotFound, NotReady, UpbridgeError
from upbridge.core.i18n import Texts
from upbridge.core.parsing import digits
from upbridge.core.telemetry.seldom import Seldom
from upbridge.domain.shop import Shop
from upbridge.store.sessions import SessionPurpose
from upbridge.web.context import Pages
from upbridge.web.error_pages import failure, not_now
from upbridge.web.formatting import alarm_words
from upbridge.web.forms import read_form
from upbridge.web.navigation import places_for
from upbridge.web.queries.health import ShopHealth, health_of
from upbridge.web.rule_forms import left_over
from upbridge.web.security_headers import protect
from upbridge.web.sessions import Ended, Visitor

log = structlog.get_logger(__name__)

_LONGEST_COUNT = 6
#: What of a query holds once.
_PASSING = frozenset({"said", "n", "of", "once", "permit"})


class _Container(Protocol):
    @property
    def pages(self) -> Pages: ...

    @property
    def seldom(self) -> Seldom: ...


class SessionEnded(Exception):
    """There is no such session (any more)."""

    def __init__(self, ended: Ended) -> None:
        super().__init__()
        self.ended = ended


def _say(seldom: Seldom, error: Exception) -> None:
    """Log a failure that was expected: a line a minute for each kind."""
    reason = str(error) if isinstance(error, NotReady) else type(error).__name__
    times = seldom.times(reason)
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
                lost = await _lost(pages, container.seldom, request, gone.ended)
                response = pages.rendering.ended(gone.ended, request, lost)
            except RequestValidationError:
                response = failure(pages, request, BadRequest())
            except (DBAPIError, PoolTimeout, TimeoutError, NotReady) as error:
                _say(container.seldom, error)
                response = not_now(pages, request)
            except UpbridgeError as error:
                _say(container.seldom, error)
                response = failure(pages, request, error)
            except Exception as error:
                # A defect of ours: who asked gets a page in the frame all the same, the log gets all of it.
                log.exception("request_failed", error=type(error).__name__)
                response = failure(pages, request, UpbridgeError())
            if isinstance(response, _After):
                await _permit(response, pages, container.seldom)
            return protect(response, pages.headers)

        return protected


@dataclass(slots=True)
class PageContext:
    """A visitor in front of a page."""

    pages: Pages
    visitor: Visitor
    shop: Shop
    texts: Texts
    home: str = field(repr=False)
    """The address of the start page; all others are below it. It is the secret, so it is never logged."""
    query: Mapping[str, str] = field(repr=False)
    address: str = field(repr=False)
    """The page itself, below *home*, with its query: where another language leads."""
    said: str | None
    """What a form has done, on the page after it and once."""
    _health: ShopHealth | None = field(default=None, repr=False)

    async def health(self) -> ShopHealth:
        """How the shop stands. Most forms lead on to another page, which asks for it: they do not."""
        if self._health is None:
            async with self.pages.engine.connect() as connection:
                tx = await connection.execution_options(isolation_level="AUTOCOMMIT")
                self._health = await health_of(tx, self.pages.systems, self.shop, now=self.pages.clock())
        return self._health

    async def page(
        self, place: str, *, template: str | None = None, status: int = HTTPStatus.OK, **values: Any
    ) -> HTMLResponse:
        """The page *place* with the frame around it; *template*: another one that belongs there."""
        health = await self.health()
        return self.pages.rendering.render(
            f"{template or place}.html",
            self.texts,
            status=status,
            home=self.home,
            place=place,
            places=places_for(health),
            shop=self.shop,
            health=health,
            alarms=[alarm_words(one, health, self.texts, self.pages.systems) for one in health.alarms],
            said=self.said,
            address=self.address,
            **{"renew": None, "keeps_typed": False, **values},
        )

    def go(self, place: str, said: str | None = None, count: int | None = None, **more: str) -> RedirectResponse:
        """After a form: to *place*, which says `ui.said.<said>` once; *more* stands in its query."""
        query = {"said": said} if said else {}
        if count is not None:
            query["n"] = str(count)
        address = self.home + ("" if place == "start" else place)
        return _After(address, more, query, self.visitor)


class _After(RedirectResponse):
    """The way to the page after a form. What that page says is permitted once: neither an invented address nor a
    page that is loaded again says that something was done."""

    def __init__(self, page: str, query: Mapping[str, str], said: Mapping[str, str], visitor: Visitor) -> None:
        super().__init__(_address(page, {**query, **said}), HTTPStatus.SEE_OTHER)
        self._page, self._query, self._said, self._visitor = page, query, said, visitor

    async def permit(self, pages: Pages) -> None:
        """Let the page say it."""
        if self._said:
            once = await pages.sessions.permit(self._visitor, _words_of({**self._query, **self._said}))
            self.headers["location"] = _address(self._page, {**self._query, "once": once, **self._said})


async def _lost(pages: Pages, seldom: Seldom, request: Request, ended: Ended) -> Mapping[str, str]:
    """The rules that were typed into a form of a session that has ended meanwhile."""
    if ended.language is None or request.method != "POST" or not request.url.path.endswith("/rules"):
        return {}
    try:
        form = await read_form(request, origin=pages.origin, bounds=pages.form_bounds)
    except UpbridgeError as error:
        _say(seldom, error)
        return {}
    return left_over(form, pages.systems.settings)


async def _permit(after: _After, pages: Pages, seldom: Seldom) -> None:
    """Let the page after a form say what was done. Where the database fails now it is done all the same, and the
    page only does not say so."""
    try:
        await with_deadline(pages.deadline, after.permit(pages))
    except (DBAPIError, PoolTimeout, TimeoutError) as error:
        _say(seldom, error)


def _address(page: str, query: Mapping[str, str]) -> str:
    return page + (f"?{urlencode(query)}" if query else "")


def _words_of(query: Mapping[str, str]) -> str:
    """What a page after a form is to say."""
    return " ".join(query.get(name, "") for name in ("said", "n", "of"))


async def _said(pages: Pages, query: Mapping[str, str], visitor: Visitor, texts: Texts) -> str | None:
    """What the page of this *query* says that a form has done; None if no form led there just now."""
    if not await pages.sessions.use(query.get("once", ""), visitor, _words_of(query)):
        return None
    said, count = query.get("said", ""), digits(query.get("n", ""), longest=_LONGEST_COUNT)
    if texts.has(f"ui.said.{said}"):
        of = digits(query.get("of", ""), longest=_LONGEST_COUNT)
        return texts.get(f"ui.said.{said}", count=count or 0, of=of or 0)
    what, _, system = said.rpartition("_")  # a system without a text of its own
    if system not in pages.systems.titles or not texts.has(f"ui.said.{what}"):
        return None
    return texts.get(f"ui.said.{what}", system=pages.systems.title(system))


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
    # One connection, and no transaction around what only reads: each would be two more questions to the database.
    async with pages.engine.connect() as connection:
        tx = await connection.execution_options(isolation_level="AUTOCOMMIT")
        visitor = await pages.sessions.visitor(tx, session, active=active)
        if isinstance(visitor, Ended):
            raise SessionEnded(visitor)
        request.state.language = visitor.language
        request.state.home = f"/ui/s/{session}/"
        turn = pages.visits.shops.of(visitor.shop_id).waits()
        try:
            shop = await pages.shops.read(tx, visitor.shop_id)
        except NotFound:  # erased a moment ago
            raise SessionEnded(Ended(visitor.language)) from None
        read = request.method == "GET"
        health = await health_of(tx, pages.systems, shop, now=pages.clock()) if read else None
    if turn:
        with pause_deadline():
            await asyncio.sleep(turn)
    texts = Texts(visitor.language)
    query = request.query_params
    return PageContext(
        pages=pages,
        visitor=visitor,
        shop=shop,
        texts=texts,
        home=request.state.home,
        query=query,
        address=_address_of(request) if active else "",
        said=await _said(pages, query, visitor, texts),
        _health=health,
    )


def _address_of(request: Request) -> str:
    """Where the page of *request* is found again; one that a form was answered with, under its first part."""
    place = request.url.path.removeprefix(request.state.home)
    if request.method == "POST":
        return place.partition("/")[0]
    lasting = [(name, value) for name, value in request.query_params.multi_items() if name not in _PASSING]
    return place + (f"?{urlencode(lasting)}" if lasting else "")


async def _posted(request: Request, pages: PagesHere) -> dict[str, list[str]]:
    return await read_form(request, origin=pages.origin, bounds=pages.form_bounds)


Session = Annotated[PageContext, Depends(_here)]
Watching = Annotated[PageContext, Depends(_watching)]
"""The same for a page that renews itself, which is no activity of a user."""
Posted = Annotated[dict[str, list[str]], Depends(_posted)]
