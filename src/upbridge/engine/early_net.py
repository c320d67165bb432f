"""The safety net before its time: a shop announced more than is read record by record (docs/decisions/0019).

Nets of a flooded shop keep their distance, and each reads what changed since the last complete one. So what is
announced costs the shop a few calls each time, and what did change is there some minutes later.
"""

from datetime import timedelta

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from upbridge.core.clock import Clock
from upbridge.domain.platform import PLATFORM
from upbridge.domain.shop import Shop
from upbridge.engine.connected_systems import ConnectedSystems
from upbridge.engine.scheduler import start_reconciliation
from upbridge.store import changes, runs
from upbridge.store.changes import Change
from upbridge.store.runs import RunPurpose, RunState

log = structlog.get_logger(__name__)

APART = timedelta(minutes=10)
"""Between the beginnings of two safety nets of a shop."""
_UNDER_WAY = timedelta(minutes=1)
"""How soon a net is asked after that is under way: it may have read its pages before what is announced now."""


async def start_early(
    engine: AsyncEngine, clock: Clock, connected: ConnectedSystems, shop: Shop, chunk: list[Change]
) -> None:
    """Begin a safety net, or wait for the end of one that is under way. Makes no call."""
    targets = await connected.target_connections(shop)
    async with engine.begin() as tx:
        now = clock()
        newest = [await runs.newest(tx, shop.id, kind, RunPurpose.SAFETY_NET) for kind in ("order", "product")]
        waits = [
            now + _UNDER_WAY if run.state is RunState.RUNNING else run.started_at + APART
            for run in newest
            if run is not None
        ]
        until = max(waits, default=now)
        if until > now:
            for change in chunk:
                await changes.put_off(tx, shop.id, PLATFORM, change.kind, [change.key], until=until)
            return
        if targets:  # else nothing wants what it finds
            await start_reconciliation(tx, shop.id, now=now)
        await changes.done(tx, shop.id, PLATFORM, chunk)
    log.info("safety_net_early", shop_id=str(shop.id))
