"""The safety net, to be run now (guarded, R54); and the address that the overview had."""

from http import HTTPStatus

from fastapi import APIRouter, Response
from fastapi.responses import RedirectResponse

from upbridge.operations.reconcile import RunNow, run_now
from upbridge.web.dependencies import PageRoute, Posted, Session

router = APIRouter(prefix="/s/{session}", route_class=PageRoute)

_SAID = {RunNow.STARTED: "net_cast", RunNow.RESTS: "net_rests", RunNow.STOPPED: "net_stopped"}


@router.get("/start")
@router.get("/overview")
async def formerly(here: Session) -> Response:
    """Lead to the first page, which has what these pages had."""
    return RedirectResponse(here.home, HTTPStatus.SEE_OTHER)


@router.post("/overview/run")
async def run_safety_net(here: Session, form: Posted) -> Response:  # noqa: ARG001 - Posted guards
    """Start the safety net, unless it runs or was started within the last ten minutes. Two clicks start one."""
    came = await run_now(here.pages.engine, here.shop, now=here.pages.clock())
    return here.go("start", _SAID[came])
