"""The start page: thanks, the steps to a working add-on, how far the first import is, what waits."""

from http import HTTPStatus

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse

from upbridge.core.errors import NotFound
from upbridge.core.i18n import Texts
from upbridge.engine.runs import pause_imports, resume_imports
from upbridge.web.dependencies import PageRoute, PagesHere, Posted, Session
from upbridge.web.formatting import live, problem_words
from upbridge.web.sessions import Ended, impossible

router = APIRouter(prefix="/s/{session}", route_class=PageRoute)

#: Should the admin sandbox our frame, its origin is `null` and its own polling is a cross-origin request. Nothing
#: is given away: there are no cookies, and the caller has to know the address, which is the secret.
_ANY_ORIGIN = {"Access-Control-Allow-Origin": "*"}


@router.get("", include_in_schema=False)
@router.get("/")
async def start(here: Session) -> Response:
    """The shop, the steps, the first import, what waits, what needs a person."""
    view = await here.pages.views.start(here.shop.id)
    return here.page(
        "start",
        view=view,
        live=live(view, here.texts, now=here.pages.clock()),
        problem=lambda one: problem_words(one, here.texts, here.pages.systems),
        progress_url=f"{here.home}progress",
    )


@router.post("/import/pause")
async def pause(here: Session, form: Posted) -> Response:  # noqa: ARG001 - Posted guards
    """No calls for the first import until a user resumes it."""
    async with here.pages.engine.begin() as tx:
        paused = await pause_imports(tx, here.shop.id)
    return here.go("start", "import_paused" if paused else "import_still")


@router.post("/import/resume")
async def resume(here: Session, form: Posted) -> Response:  # noqa: ARG001 - Posted guards
    """Go on with the first import where it was paused."""
    async with here.pages.engine.begin() as tx:
        resumed = await resume_imports(tx, here.shop.id, now=here.pages.clock())
    return here.go("start", "import_resumed" if resumed else "import_still")


@router.get("/progress")
async def progress(session: str, pages: PagesHere) -> JSONResponse:
    """The moving parts of the start page. Polling is no activity of a user: the session goes on ageing."""
    visitor = Ended(None) if impossible(session) else await pages.sessions.enter(session, active=False)
    gone = {"error": "gone", "detail": "the session has ended"}
    if isinstance(visitor, Ended):
        return JSONResponse(gone, HTTPStatus.GONE, headers=_ANY_ORIGIN)
    try:
        view = await pages.views.start(visitor.shop_id)
    except NotFound:  # erased a moment ago
        return JSONResponse(gone, HTTPStatus.GONE, headers=_ANY_ORIGIN)
    return JSONResponse(live(view, Texts(visitor.language), now=pages.clock()), headers=_ANY_ORIGIN)
