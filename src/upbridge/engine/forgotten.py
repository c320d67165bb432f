"""What was sent after a backup is forgotten when it is put back: no link proves what the target has by now.

    backup: A sent ──► changed to B, B sent ──► changed back to A ──► the backup is put back: "A was sent"

So what has changed since is sent again as it is, also where it looks as if it had been. That is done only for
flows whose system takes the same thing as often as it is sent (`Flow.repeatable`), by the first safety net that
reads everything.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from upbridge.domain.delivery import LinkState
from upbridge.domain.platform import PLATFORM
from upbridge.domain.shop_id import ShopId
from upbridge.engine.planner import ReadBatch
from upbridge.store import cursors, link_queries, links
from upbridge.store.runs import Run, RunPurpose
from upbridge.systems.base import Systems

_CLOCKS_DIFFER = timedelta(minutes=5)


def _cursor(kind: str) -> str:
    return f"forgotten.{kind}"


async def remember(tx: AsyncConnection, shop_id: ShopId, kinds: Iterable[str], since: datetime) -> None:
    """Note that links may lack what was sent from *since* on."""
    for kind in kinds:
        told = await cursors.get(tx, shop_id, PLATFORM, _cursor(kind))
        first = since if told is None else min(since, datetime.fromisoformat(told))
        await cursors.put(tx, shop_id, PLATFORM, _cursor(kind), first.isoformat())


async def doubt(
    tx: AsyncConnection, systems: Systems, shop_id: ShopId, run: Run, read: ReadBatch, *, now: datetime
) -> set[str]:
    """Have the entities of *read*, a page of *run*, that changed since then sent again; returns their keys."""
    if run.purpose is not RunPurpose.SAFETY_NET:
        return set()
    told = await cursors.get(tx, shop_id, PLATFORM, _cursor(run.kind))
    if told is None:
        return set()
    since = datetime.fromisoformat(told) - _CLOCKS_DIFFER
    keys = [entity.key for entity in read.entities if entity.updated_at is None or entity.updated_at >= since]
    repeatable = {system.name for system, flow in systems.flows if flow.kind == run.kind and flow.repeatable}
    for target in sorted(repeatable):
        found = await link_queries.links_of(tx, shop_id, target, parents=keys)
        sent = [place for place, link in found.items() if link.state is LinkState.DELIVERED]
        await links.take_back(tx, shop_id, target, sent, now=now)
    return set(keys)


async def read_again(tx: AsyncConnection, shop_id: ShopId, run: Run, *, complete: bool) -> None:
    """End the doubt if *run* has read everything."""
    if run.purpose is RunPurpose.SAFETY_NET and complete:
        await cursors.forget(tx, shop_id, PLATFORM, _cursor(run.kind))
