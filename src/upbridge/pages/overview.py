"""Overview: is all well, and if not, what to do. And the safety net, to be run now (guarded, R54)."""

from fastapi import APIRouter, Response
from sqlalchemy import text

from upbridge.pages.charts import columns
from upbridge.pages.door import PageRoute, Posted, Session
from upbridge.pages.views.overview import DAYS, REST, Overviews
from upbridge.shops.shop import ShopState
from upbridge.sync.runs import RunPurpose, RunState
from upbridge.sync.schedule import cast_net

router = APIRouter(prefix="/s/{session}", route_class=PageRoute)


@router.get("/overview")
async def overview(here: Session) -> Response:
    """A light per flow, the proof of completeness, what waits and since when."""
    pages = here.pages
    view = await Overviews(pages.engine, pages.connections, pages.ledger).of(here.shop, pages.clock())
    return here.page(
        "overview",
        view=view,
        period=DAYS,
        day=here.texts.day,
        chart=columns([((here.texts.day(day)), {"orders": number}) for day, number in view.days]),
    )


@router.post("/overview/run")
async def run_now(here: Session, form: Posted) -> Response:  # noqa: ARG001 - Posted guards
    """Cast the safety net, unless one is out or was cast within the last ten minutes. Two clicks cast one."""
    now = here.pages.clock()
    if here.shop.state is not ShopState.ACTIVE:
        return here.go("overview", "net_stopped")
    async with here.pages.engine.begin() as connection:
        free = await connection.scalar(
            text(
                """
                SELECT (reconciled_at IS NULL OR reconciled_at <= :before) AND NOT EXISTS (
                  SELECT FROM runs WHERE shop_id = :id AND purpose = :purpose AND state = :running)
                FROM shops WHERE id = :id FOR UPDATE
                """
            ),
            {
                "id": here.shop.id,
                "before": now - REST,
                "purpose": RunPurpose.SAFETY_NET,
                "running": RunState.RUNNING,
            },
        )
        if free:
            await cast_net(connection, here.shop.id, now=now)
    return here.go("overview", "net_cast" if free else "net_rests")
