"""Overview: is all well, and if not, what to do. And the safety net, to be run now (guarded, R54)."""

from dataclasses import dataclass
from math import floor

from fastapi import APIRouter, Response

from upbridge.operations.reconcile import RunNow, run_now
from upbridge.web.charts import Columns, columns
from upbridge.web.dependencies import PageContext, PageRoute, Posted, Session
from upbridge.web.queries.overview import DAYS, Delay, Overviews

router = APIRouter(prefix="/s/{session}", route_class=PageRoute)


@router.get("/overview")
async def overview(here: Session) -> Response:
    """A light per flow, the proof of completeness, what waits and since when."""
    pages = here.pages
    overviews = Overviews(pages.systems, pages.engine, pages.connections, pages.ledger)
    view = await overviews.of(here.shop, pages.clock())
    return here.page(
        "overview",
        view=view,
        period=DAYS,
        day=here.texts.day,
        # Never 100 % as long as anything was missed.
        coverage_share=floor((view.coverage.share or 0) * 1000) / 10,
        charts=[_chart(here, system, days) for system, days in view.delays.items()],
    )


@dataclass(frozen=True, slots=True)
class DelayChart:
    """The delays to one system, in the unit that suits them; the sum of both series is the 95 % mark."""

    system: str
    unit: str
    days: tuple[Delay, ...]
    columns: Columns

    def amount(self, seconds: float) -> float:
        """*seconds* in this chart's unit, to a tenth."""
        return round(seconds / UNITS[self.unit], 1)

    @property
    def last(self) -> Delay:
        """The newest day with anything on it."""
        return next(one for one in reversed(self.days) if one.count)


#: Units of time and their seconds, the smallest first.
UNITS = {"seconds": 1, "minutes": 60, "hours": 3600}
_READABLE = 120


def _chart(here: PageContext, system: str, days: tuple[Delay, ...]) -> DelayChart:
    longest = max(one.p95 for one in days)
    unit = next((name for name, size in UNITS.items() if longest < _READABLE * size), "hours")
    size = UNITS[unit]
    shapes = [
        (here.texts.day(one.day), {"median": one.median / size, "p95": (one.p95 - one.median) / size})
        for one in days
    ]
    return DelayChart(system, unit, days, columns(shapes))


_SAID = {RunNow.STARTED: "net_cast", RunNow.RESTS: "net_rests", RunNow.STOPPED: "net_stopped"}


@router.post("/overview/run")
async def run_safety_net(here: Session, form: Posted) -> Response:  # noqa: ARG001 - Posted guards
    """Start the safety net, unless it runs or was started within the last ten minutes. Two clicks start one."""
    came = await run_now(here.pages.engine, here.shop, now=here.pages.clock())
    return here.go("overview", _SAID[came])
