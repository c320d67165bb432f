"""The next page of a first import is asked for while the one before it is stored.

    page 1 ──► asked for ──► stored ─────────┐
    page 2                   asked for ──► stored ─────────┐
    page 3                                 asked for ──► stored

One page ahead, within one slice of a lane, which no other worker has meanwhile. What was asked for is taken only
if the walk asks for just that when its turn comes, of the shop as it stood then. Else it is let go, and read
again.

A refusal of a page that is let go is not passed on, and that hides nothing. What concerns the shop, a refused
login or calls that are used up, the ledger has kept when the answer came (`rate_limits/record_response`), and
every call is in the log: the next call of the shop is held back or refused likewise. What concerns the page alone
is met when the page is read again.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, TypeVar

from upbridge.domain.order import Order
from upbridge.domain.product import Product
from upbridge.domain.shop import Shop
from upbridge.domain.shop_id import ShopId
from upbridge.domain.walk_by_place import PlaceWalk
from upbridge.engine.planner import ReadBatch
from upbridge.systems.platform import Page

Ask = Callable[[], Coroutine[Any, Any, Page[Product] | None]]


T = TypeVar("T", Order, Product)


@dataclass(frozen=True, slots=True)
class Answered(Generic[T]):
    """A page of a list, and when it was asked for."""

    at: datetime
    page: Page[T]
    newer: Collection[str] = ()
    """What was read again since, by key: what the page says of it is out of date."""


@dataclass(slots=True)
class _Asked:
    shop: Shop
    run_id: int
    walk: PlaceWalk
    at: datetime
    task: asyncio.Task[Page[Product] | None]
    newer: set[str] = field(default_factory=set)


@dataclass(slots=True)
class Slice:
    """What one slice of a lane has asked for before its turn: one page at most."""

    more: bool = True
    """Whether it has time for another page."""
    reads: int = 0
    """So often products were read and stored."""
    _asked: _Asked | None = None

    @property
    def holds(self) -> bool:
        """Whether a page waits for its turn."""
        return self._asked is not None

    def ask(self, shop: Shop, run_id: int, walk: PlaceWalk, ask: Ask, *, now: datetime) -> None:
        """Have *ask* ask for the page that *walk* wants next, if there is time for it and none waits."""
        if self.more and self._asked is None:
            self._asked = _Asked(shop, run_id, walk, now, asyncio.create_task(ask()))

    def bring(
        self, shop: Shop, run_id: int, walk: PlaceWalk, page: Page[Product], *, asked_at: datetime, reads: int
    ) -> None:
        """A *page* that is here already, because a count was read from it, is what *walk* wants first. There had
        been so many *reads* when it was asked for; if there were more since, one may be newer."""

        async def at_hand() -> Page[Product]:
            return page

        if reads == self.reads:
            self.ask(shop, run_id, walk, at_hand, now=asked_at)

    async def take(self, shop: Shop, run_id: int, walk: PlaceWalk) -> Answered[Product] | None:
        """The page that *walk* asks for, if it was asked for; None if not, or if the run was paused by then.

        Raises what the call raised, as if it was made now.
        """
        asked = self._asked
        if asked is None or asked.run_id != run_id:
            return None
        if (asked.shop, asked.walk) != (shop, walk):
            await self.let_go()
            return None
        self._asked = None
        page = await asked.task
        return None if page is None else Answered(asked.at, page, asked.newer)

    def was_read(self, read: ReadBatch) -> None:
        """This was read just now, and the page that waits is older."""
        if read.kind != "product":
            return
        self.reads += 1
        if self._asked is not None:
            self._asked.newer.update(read.keys)

    async def let_go(self) -> None:
        """End what was asked for and is not wanted."""
        asked, self._asked = self._asked, None
        if asked is not None:
            asked.task.cancel()
            await asyncio.wait([asked.task])
            if not asked.task.cancelled():
                asked.task.exception()  # not passed on, and hides nothing: see the module


@dataclass(frozen=True, slots=True)
class ReadAhead:
    """The slices that a process works on, by shop: no two work on the same."""

    _slices: dict[ShopId, Slice] = field(default_factory=dict)

    @asynccontextmanager
    async def slice(self, shop_id: ShopId) -> AsyncIterator[Slice]:
        """A slice of the shop's own lane, as long as the block lasts."""
        one = self._slices[shop_id] = Slice()
        try:
            yield one
        finally:
            del self._slices[shop_id]
            await one.let_go()

    def of(self, shop_id: ShopId) -> Slice:
        """The slice that works on the shop now; outside of one nothing is asked for early."""
        return self._slices.get(shop_id) or Slice(more=False)
