"""What a person can do about an order of which no system asks anything: have it compared with the shop again."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncEngine

from upbridge.domain.lane import Lane, Wake
from upbridge.domain.platform import PLATFORM
from upbridge.domain.shop import Shop
from upbridge.store.changes import Kind, Origin, mark_changed


async def send_again(engine: AsyncEngine, wake: Wake, shop: Shop, number: str, *, now: datetime) -> None:
    """Read the order *number* of *shop* again: what a system should hold and does not is sent."""
    async with engine.begin() as tx:
        await mark_changed(tx, shop.id, PLATFORM, Kind.ORDER, [number], origin=Origin.SETTINGS, now=now)
    await wake(Lane.pull(shop.id, PLATFORM))
