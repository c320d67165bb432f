"""Run the safety net now: one at a time, and not again within ten minutes (R54)."""

from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy.ext.asyncio import AsyncEngine

from upbridge.domain.shop import Shop, ShopState
from upbridge.engine.scheduler import start_reconciliation
from upbridge.store.runs import RunPurpose, is_running
from upbridge.store.shops import hold_reconciled

#: How long "run now" rests after the safety net was started.
REST = timedelta(minutes=10)


class RunNow(StrEnum):
    """The outcome of "run now"."""

    STARTED = "started"
    RESTS = "rests"
    """It runs, or was started within `REST`."""
    STOPPED = "stopped"
    """The shop is not active."""


def rests_until(reconciled_at: datetime | None, now: datetime) -> datetime | None:
    """Until when the safety net rests that was last started at *reconciled_at*; None if it may be started."""
    until = None if reconciled_at is None else reconciled_at + REST
    return until if until is not None and until > now else None


async def run_now(engine: AsyncEngine, shop: Shop, *, now: datetime) -> RunNow:
    """Start the safety net, if it may be started. Two calls at once start one."""
    if shop.state is not ShopState.ACTIVE:
        return RunNow.STOPPED
    async with engine.begin() as tx:
        last = await hold_reconciled(tx, shop.id)
        if rests_until(last.at, now) or await is_running(tx, shop.id, RunPurpose.SAFETY_NET):
            return RunNow.RESTS
        await start_reconciliation(tx, shop.id, now=now)
    return RunNow.STARTED
