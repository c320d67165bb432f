"""Wrong logins at other systems, of one shop: five in a quarter of an hour, however many processes try.

Without a bound, who may open the add-on could guess another person's password through us, and the system would
lock our address, which all shops share. An attempt is written down before it is made, in the shop's history, and
struck out if it was no wrong login: so a hundred at once are five.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncEngine

from upbridge.core.clock import Clock
from upbridge.core.errors import Conflict, LoginRefused
from upbridge.domain.history import Way, What
from upbridge.domain.shop import Shop
from upbridge.store import history
from upbridge.store.shops import Shops

MOST = 5
WITHIN = timedelta(minutes=15)


class TooManyLogins(Conflict):
    """There were too many wrong logins at this system."""

    status = 429
    code = "too_many_logins"
    merchant = "error.too_many_logins"


@dataclass(frozen=True, slots=True)
class LoginAttempts:
    """Counts the wrong logins of shops."""

    engine: AsyncEngine
    clock: Clock
    shops: Shops
    way: Way

    @asynccontextmanager
    async def attempt(self, shop: Shop, system: str) -> AsyncIterator[None]:
        """Try a login of *shop* at *system* within the block. Raises `TooManyLogins`, before anything is tried."""
        now = self.clock()
        async with self.engine.begin() as tx:
            await self.shops.hold(tx, shop.id)
            failed = await history.moments_about(
                tx, shop.id, What.WRONG_LOGIN, system, since=now - WITHIN, limit=MOST
            )
            if len(failed) >= MOST:
                again = failed[-1] + WITHIN
                raise TooManyLogins(
                    f"{MOST} wrong logins at {system} within {WITHIN.seconds // 60} minutes: again from"
                    f" {again.isoformat(timespec='seconds')} on"
                )
            entry = history.NewEntry(What.WRONG_LOGIN, system)
            [number] = await history.record(tx, shop.id, self.way, [entry], now=now)
        wrong = False
        try:
            yield
        except LoginRefused:
            wrong = True
            raise
        finally:
            if not wrong:
                async with self.engine.begin() as tx:
                    await history.strike_out(tx, shop.id, number)
