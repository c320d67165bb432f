"""How many pages one session, and one shop, may open, so that the other shops' pages and all webhooks keep the
processor.

A person does not come near it, and neither do all people of a shop. Who is over waits for the turn; who would wait
too long gets 429.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, nullcontext

from upbridge.core.allowance import Allowance, ByName, Meter
from upbridge.core.errors import TooOften
from upbridge.domain.shop_id import ShopId

PAGES = Allowance(burst=100, rate=10)
"""A page costs the processor some ten milliseconds: a tenth of it for long."""
PAGES_OF_SHOP = Allowance(burst=300, rate=20)
"""A shop may have any number of sessions: who may open the add-on opens one more."""
AT_ONCE = 4
"""Pages of one session that are made at the same time: a webhook waits for no more of them."""
LONGEST_WAIT = 5.0
"""Seconds."""


class _Turns:
    """The turns of one session, or of one shop."""

    def __init__(self, allowance: Allowance, seconds: Callable[[], float]) -> None:
        self._seconds = seconds
        self._meter = Meter(allowance, seconds())

    def waits(self) -> float:
        """The seconds until the turn of one more page. Raises `TooOften`."""
        wait = self._meter.take(1, self._seconds())
        if wait > LONGEST_WAIT:
            self._meter.take(-1, self._seconds())
            raise TooOften
        return wait

    def unused(self) -> bool:
        return self._meter.full(self._seconds())


class _Session(_Turns):
    def __init__(self, seconds: Callable[[], float]) -> None:
        super().__init__(PAGES, seconds)
        self._places = asyncio.Semaphore(AT_ONCE)
        self._here = 0

    @asynccontextmanager
    async def opens(self, *, form: bool = False) -> AsyncIterator[None]:
        """A page is opened when it is its turn, and is made while the block lasts. Raises `TooOften`.

        A *form* takes no place: its sender may be slow, and what answers it is no page.
        """
        self._here += 1
        try:
            if wait := self.waits():
                await asyncio.sleep(wait)
            async with nullcontext() if form else self._place(LONGEST_WAIT - wait):
                yield
        finally:
            self._here -= 1

    @asynccontextmanager
    async def _place(self, longest: float) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(longest):
                await self._places.acquire()
        except TimeoutError:
            raise TooOften from None
        try:
            yield
        finally:
            self._places.release()

    def unused(self) -> bool:
        return not self._here and super().unused()


class Visits(ByName[str, _Session]):
    """The sessions of one process, by the secret in their addresses, whether they live or have ended; and the
    shops of those that live."""

    def __init__(self, *, seconds: Callable[[], float] = time.monotonic) -> None:
        super().__init__(lambda: _Session(seconds))
        self.shops: ByName[ShopId, _Turns] = ByName(lambda: _Turns(PAGES_OF_SHOP, seconds))
