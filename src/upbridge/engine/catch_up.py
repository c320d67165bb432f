"""What is done at once when the database turns out to be older than the world, or no worker was there for long.

A restored backup and a replica that took over have forgotten what was announced meanwhile, and what was announced
while no process was there was not taken. So every shop's safety net starts now and reaches back to the one before;
its webhooks are compared; and until the orders are read, no stock is written (`runs.is_catching_up`).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from upbridge.domain.shop_id import ShopId
from upbridge.store import heartbeat
from upbridge.store.heartbeat import Beat

log = structlog.get_logger(__name__)

AWAY = timedelta(minutes=10)
"""A worker that starts after a pause of this length catches up. A new version is there sooner."""


@dataclass(slots=True)
class LastBeat:
    """What this process noted last: a database that has an older beat was put back."""

    at: datetime | None = None


async def why_catch_up(
    tx: AsyncConnection, last: LastBeat, *, now: datetime
) -> tuple[datetime | None, str | None]:
    """Note that a worker is there; returns when one was there before (None: never), and why the shops have to be
    looked at now (None: they need not)."""
    before, this = await heartbeat.beat(tx, now=now)
    first, noted = last.at is None, last.at
    last.at = now
    if before is None:
        return None, None
    why = None
    if noted is not None and before.at < noted:
        why = "the database was put back"
    elif _is_another(before, this):
        why = "the database is another one"
    elif first and now - before.at > AWAY:
        why = "no worker was there"
    return before.at, why


def _is_another(before: Beat, this: Beat) -> bool:
    return bool(before.identity and this.identity) and before.identity != this.identity


def report(why: str, shop_ids: list[ShopId]) -> None:
    """Say so in the log."""
    log.warning("catching_up", reason=why, shops=len(shop_ids))
