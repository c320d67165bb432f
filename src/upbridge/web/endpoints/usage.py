"""API usage: gauge, the last 24 hours by purpose, when the import ends, whether packages would help."""

from fastapi import APIRouter, Response

from upbridge.domain.purpose import Purpose
from upbridge.domain.shop import ShopState
from upbridge.web.charts import columns, share
from upbridge.web.dependencies import PageRoute, Session
from upbridge.web.queries.usage import usage_of

router = APIRouter(prefix="/s/{session}", route_class=PageRoute)


@router.get("/usage")
async def usage(here: Session) -> Response:
    """What the shop's API still allows and who used it."""
    pages, now = here.pages, here.pages.clock()
    snapshot = await pages.ledger.snapshot(here.shop.id)
    moving = here.shop.state is ShopState.ACTIVE
    view = await usage_of(
        pages.engine,
        here.shop.id,
        snapshot,
        targets=pages.systems.taking("order"),
        import_ends_at=await pages.views.import_ends_at(here.shop.id) if moving else None,
        now=now,
    )
    stacked = [
        (here.texts.hour(hour), {purpose.name.lower(): parts.get(purpose, 0) for purpose in Purpose})
        for hour, parts in view.hours
    ]
    limits = snapshot.limits
    return await here.page(
        "usage",
        view=view,
        snapshot=snapshot,
        chart=columns(stacked),
        purposes=Purpose,
        hour=here.texts.hour,
        hour_share=share(limits.hour - snapshot.hour_remaining, limits.hour) if limits else 0.0,
        day_share=share(view.day_limit - snapshot.day_remaining, view.day_limit),
    )
