"""What a person can do about things of which no system asks anything: have them compared with the shop again."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy.ext.asyncio import AsyncEngine

from upbridge.core.clock import Clock, begin_of_day
from upbridge.domain.history import Way, What
from upbridge.domain.lane import Lane, Wake
from upbridge.domain.platform import PLATFORM
from upbridge.domain.shop import Shop
from upbridge.store import history, orders
from upbridge.store.changes import Kind, Origin, mark_changed
from upbridge.store.history import NewEntry


@dataclass(frozen=True, slots=True)
class SendAgain:
    """Has things of the shop read again: what a system should hold of them and does not is sent."""

    engine: AsyncEngine
    clock: Clock
    way: Way
    wake: Wake

    async def order(self, shop: Shop, number: str) -> None:
        """Read the order *number* again."""
        await self._read(shop, Kind.ORDER, [number], number)

    async def product(self, shop: Shop, number: str) -> None:
        """Read the product with the shop's id *number* again."""
        await self._read(shop, Kind.PRODUCT, [number], number)

    async def day(self, shop: Shop, day: date) -> int:
        """Read all known orders again that were made on *day*, as Prague counts days; returns how many."""
        async with self.engine.connect() as tx:
            since, until = begin_of_day(day), begin_of_day(day + timedelta(days=1))
            numbers = await orders.numbers_between(tx, shop.id, since, until)
        await self._read(shop, Kind.ORDER, numbers, day.isoformat())
        return len(numbers)

    async def _read(self, shop: Shop, kind: Kind, keys: Sequence[str], subject: str) -> None:
        now = self.clock()
        async with self.engine.begin() as tx:
            await mark_changed(tx, shop.id, PLATFORM, kind, keys, origin=Origin.SETTINGS, now=now)
            entry = NewEntry(What.SENT_AGAIN, subject, details={"kind": str(kind), "count": len(keys)})
            await history.record(tx, shop.id, self.way, [entry], now=now)
        await self.wake(Lane.pull(shop.id, PLATFORM))
