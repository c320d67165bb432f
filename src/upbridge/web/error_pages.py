"""The pages that say what went wrong, in the visitor's language as far as it is known."""

from http import HTTPStatus
from urllib.parse import quote

from fastapi import Request
from fastapi.responses import HTMLResponse

from upbridge.core.errors import NotFound, TooOften, UpbridgeError
from upbridge.core.i18n import Texts
from upbridge.store.sessions import SessionPurpose
from upbridge.web.context import Pages
from upbridge.web.navigation import PLACES
from upbridge.web.rendering import preferred
from upbridge.web.visits import LONGEST_WAIT

#: Where a page could not be had in time, it is worth another try after these seconds.
RETRY_SECONDS = 30


def failure(pages: Pages, request: Request, error: UpbridgeError) -> HTMLResponse:
    """What went wrong, as a page."""
    texts, session = _texts(pages, request), _session_of(pages, request)
    home = _home_of(session) if session else None
    if isinstance(error, NotFound):
        return pages.rendering.render("not_found.html", texts, status=HTTPStatus.NOT_FOUND, home=home)
    page = pages.rendering.render(
        "failed.html", texts, status=error.status, reason=texts.get(error.merchant), home=home
    )
    if isinstance(error, TooOften):
        page.headers["Retry-After"] = str(int(LONGEST_WAIT))
    return page


def not_now(pages: Pages, request: Request) -> HTMLResponse:
    """The database did not answer in time: what that means and how to try again. The visitor may be unknown."""
    session, form = str(request.path_params.get("session", "")), request.method == "POST"
    again = None
    if session:
        # An empty address is that of the page itself; that of a form leads to the page on which it stands.
        again = _place_of(request, session) if form else ""
    page = pages.rendering.render(
        "not_now.html", _texts(pages, request), status=HTTPStatus.SERVICE_UNAVAILABLE, form=form, again=again
    )
    page.headers["Retry-After"] = str(RETRY_SECONDS)
    return page


def _home_of(session: str) -> str:
    return f"/ui/s/{quote(session, safe='')}/"


def _session_of(pages: Pages, request: Request) -> str | None:
    """The session in the address, also in one that names no page; None if this service never made it. Whether it
    still lives the page says to which it leads."""
    session = request.path_params.get("session") or request.url.path.removeprefix("/ui/s/").partition("/")[0]
    return session if pages.sessions.made(session, SessionPurpose.SESSION) else None


def _place_of(request: Request, session: str) -> str:
    home = _home_of(session)
    place = request.url.path.removeprefix(home).partition("/")[0]
    return home + (place if place in PLACES[1:] else "")


def _texts(pages: Pages, request: Request) -> Texts:
    """The visitor's language; as long as the database does not tell it, the one that this process last saw there,
    then the browser's."""
    session = _session_of(pages, request)
    known = getattr(request.state, "language", None) or (pages.sessions.language(session) if session else None)
    return Texts(known or preferred(request.headers.get("accept-language", "")))
