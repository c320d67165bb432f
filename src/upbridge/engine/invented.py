"""Webhooks may name anything: what was never there costs the shop few calls (docs/decisions/0019).

A webhook is not signed. A person who knows its address can name orders that do not exist, and each would be looked
for five times within an hour (`second_look`), because a genuine one may be late. So only so many are looked for at
a time. While that many are, what is announced and was never seen is left to the safety net.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncEngine

from upbridge.domain.platform import PLATFORM
from upbridge.domain.shop import Shop
from upbridge.engine.second_look import ever_seen
from upbridge.store import changes, first_looks
from upbridge.store.changes import Change, Kind, Origin
from upbridge.store.first_looks import LookedAt, Taken
from upbridge.store.session import reading

MOST = 500
"""Orders and products of a shop that were announced, never seen, and may still appear: five calls a look."""
_ANNOUNCED = frozenset({Origin.WEBHOOK, Origin.DELETION})


async def worth_asking(
    engine: AsyncEngine, shop: Shop, entity: Taken, chunk: Sequence[Change], *, now: datetime
) -> list[Change]:
    """*chunk* without what is left to the safety net. *entity*: order or product."""
    announced = [change.key for change in chunk if change.origin in _ANNOUNCED]
    if not announced:
        return list(chunk)
    async with reading(engine) as tx:
        missing = await first_looks.count_missing(tx, shop.id, most=MOST)
    if missing < MOST:
        return list(chunk)
    async with engine.begin() as tx:
        seen = await ever_seen(tx, shop.id, entity, announced)
        looked_for = await first_looks.of_keys(tx, shop.id, announced)
        left = [
            change
            for change in chunk
            if change.origin in _ANNOUNCED
            and change.key not in seen
            and LookedAt(entity, change.key) not in looked_for
        ]
        if left:
            await changes.mark_changed(
                tx,
                shop.id,
                PLATFORM,
                Kind.EVERYTHING,
                ["everything"],
                origin=Origin.WEBHOOK,
                now=now,
            )
            await changes.done(tx, shop.id, PLATFORM, left)
    return [change for change in chunk if change not in left]
