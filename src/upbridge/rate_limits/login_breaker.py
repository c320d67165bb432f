"""The login breaker: never a fifth failed login in an hour, over all shops (R56; docs/decisions/0003).

Upgates locks an address that failed to log in five times within an hour, and all shops share ours. So:

    failures of the last hour   a shop whose login succeeded within the hour   any other shop
    0                           calls, without waiting for anybody             one such call at a time, over all
    1                           calls; fewer at once if it must be             one such call at a time, over all
    2 or 3                      calls, at most 4 - failures in flight          waits
    4                           waits                                          waits

A call in flight counts as a failure to come wherever that matters, and turns into one, or into nothing, in the
transaction that ends it. So a shop in good standing may lose its access with three calls under way while strangers
fail as well, and it stays at four. Two such shops within the same second make six; nothing but one call at a time
for all would prevent that. A call that nobody answers is no failed login here: Upgates judges the login
first, so what hangs has passed it or never came.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from sqlalchemy.ext.asyncio import AsyncConnection

from upbridge.domain.shop_id import ShopId
from upbridge.store import rate_limits as store

WINDOW = timedelta(hours=1)
#: From here on only shops in good standing are called.
CAREFUL = 2
#: From here on nobody is called.
BLOWN = 4


class Pass(Enum):
    """What the fuse says to a call."""

    FREE = "free"
    """Go: the login is known to work."""
    FIRST = "first"
    """Go, alone: nobody knows whether the login works."""
    BUSY = "busy"
    """Somebody else is trying; ask again in a moment."""


@dataclass(frozen=True, slots=True)
class LoginHistory:
    """What the fuse knows: moments of failed logins, newest first, and calls that may become some."""

    failures: tuple[datetime, ...]
    succeeded_at: datetime | None
    first: bool = False
    """A first call is under way."""
    own: int = 0
    """Calls of this shop under way, the first one aside."""
    busiest: int = 0
    """The same of the shop that has most."""
    in_flight: int = 0
    """Calls of all shops under way."""

    def good(self, now: datetime) -> bool:
        """Whether this shop's login succeeded within the last hour."""
        return self.succeeded_at is not None and self.succeeded_at > now - WINDOW


def breaker_decision(standing: LoginHistory, now: datetime) -> Pass | datetime:
    """Whether a call may be made, or from when on it may."""
    good, failures = standing.good(now), len(standing.failures)
    bound = BLOWN if good else CAREFUL
    if failures >= bound:
        return standing.failures[bound - 1] + WINDOW
    if not good:
        fits = not standing.first and failures + 1 + standing.busiest <= BLOWN
        return Pass.FIRST if fits else Pass.BUSY
    at_risk = standing.in_flight if failures >= CAREFUL else standing.own + standing.first
    return Pass.FREE if failures + at_risk + 1 <= BLOWN else Pass.BUSY


async def admit(tx: AsyncConnection, shop_id: ShopId, now: datetime) -> Pass | datetime:
    """Judge a call of this shop; a pass holds until the transaction that asked has put its lease or gone back.

    Where no login failed, a shop in good standing takes no lock and waits for nobody.
    """
    known = await store.login_record(tx, shop_id, since=now - WINDOW, most=BLOWN)
    standing = LoginHistory(tuple(known.failures), known.succeeded_at)
    if standing.good(now) and not standing.failures:
        return Pass.FREE
    seen = await store.login_snapshot(tx, shop_id, since=now - WINDOW, most=BLOWN, now=now)
    standing = LoginHistory(
        tuple(seen.failures), seen.succeeded_at, seen.first, seen.own, seen.busiest, seen.in_flight
    )
    return breaker_decision(standing, now)
