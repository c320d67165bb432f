"""What was to be sent, and none of the keys opens any more: it is made again from where it came."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from upbridge.domain.lane import Lane
from upbridge.domain.platform import PLATFORM
from upbridge.domain.shop import Shop
from upbridge.store.changes import Kind, Origin, mark_changed
from upbridge.systems.base import Systems

log = structlog.get_logger(__name__)

READ_AGAIN = {"product": Kind.PRODUCT, "order": Kind.ORDER}
"""What the platform can be asked for again by its key, by the kind of its documents and problems."""


async def make_again(
    tx: AsyncConnection,
    systems: Systems,
    shop: Shop,
    lane: Lane,
    lost: Sequence[Any],
    *,
    now: datetime,
) -> None:
    """Have the products and orders of *lost* (rows with kind and parent) read again; have what flows back to the
    shop computed again. One line of the log says how many there were, because each has left the outbox."""
    if not lost:
        return
    log.error(
        "documents_unreadable",
        shop_id=str(shop.id),
        target=lane.system,
        documents=len(lost),
        see="UPBRIDGE_ENCRYPTION_KEYS",
    )
    for name, kind in READ_AGAIN.items():
        parents = sorted({row.parent for row in lost if row.kind == name})
        if parents and lane.system != PLATFORM:
            await mark_changed(tx, shop.id, PLATFORM, kind, parents, origin=Origin.SETTINGS, now=now)
    if lane.system == PLATFORM:
        for write_back in systems.write_backs.values():
            await write_back.settings_changed(tx, shop.id, shop.settings, shop.settings, now=now)
