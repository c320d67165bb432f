"""One switch pauses everything of the shop; a banner on every page says so and has the button that ends it."""

from fastapi import APIRouter, Response

from upbridge.web.dependencies import PageRoute, Posted, Session

router = APIRouter(prefix="/s/{session}", route_class=PageRoute)


@router.get("/pause")
async def ask(here: Session) -> Response:
    """Say what pausing means, and ask."""
    return await here.page("start", template="pause")


@router.post("/pause")
async def pause(here: Session, form: Posted) -> Response:  # noqa: ARG001 - Posted guards
    """Nothing is read or sent until a user resumes it."""
    return here.go("start", "paused" if await here.pages.act().pause.pause(here.shop) else "pause_still")


@router.post("/resume")
async def resume(here: Session, form: Posted) -> Response:  # noqa: ARG001 - Posted guards
    """Go on where everything was paused."""
    return here.go("start", "resumed" if await here.pages.act().pause.resume(here.shop) else "pause_still")
