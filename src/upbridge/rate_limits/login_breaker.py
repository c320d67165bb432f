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

from sqlalchemy import DateTime, bindparam, text
from sqlalchemy.ext.asyncio import AsyncConnection

from upbridge.domain.shop_id import ShopId

WINDOW = timedelta(hours=1)
#: From here on only shops in good standing are called.
CAREFUL = 2
#: From here on nobody is called.
BLOWN = 4

#: The key of the advisory lock under which the careful ones are let through, one after the other.
_TURN = 0x75706662


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
    moment = {"shop": shop_id, "now": now, "since": now - WINDOW, "most": BLOWN}
    row = (await tx.execute(_QUICK, moment)).one()
    standing = LoginHistory(tuple(row.failures), row.succeeded_at)
    if standing.good(now) and not standing.failures:
        return Pass.FREE
    await tx.execute(_LOCK, {"turn": _TURN})
    row = (await tx.execute(_CAREFUL, moment)).one()
    standing = LoginHistory(tuple(row.failures), row.succeeded_at, row.first, row.own, row.busiest, row.in_flight)
    return breaker_decision(standing, now)


_MOMENTS = tuple(bindparam(name, type_=DateTime(timezone=True)) for name in ("now", "since"))

_QUICK = text("""
    SELECT ARRAY(SELECT at FROM failed_logins WHERE at > :since ORDER BY at DESC LIMIT :most) AS failures,
           (SELECT succeeded_at FROM budgets WHERE shop_id = :shop) AS succeeded_at
""").bindparams(_MOMENTS[1])

_LOCK = text("SELECT pg_advisory_xact_lock(:turn)")

#: One snapshot: a call that fails between two statements would be seen neither in flight nor failed. A first call
#: whose process died stops being one when its lease has expired.
_CAREFUL = text("""
    WITH busy AS (
        SELECT shop_id, count(*) AS calls, count(*) FILTER (WHERE first) AS first
        FROM call_leases WHERE expires_at > :now GROUP BY shop_id
    )
    SELECT ARRAY(SELECT at FROM failed_logins WHERE at > :since ORDER BY at DESC LIMIT :most) AS failures,
           (SELECT succeeded_at FROM budgets WHERE shop_id = :shop) AS succeeded_at,
           coalesce(sum(first), 0)::int > 0 AS first,
           coalesce(sum(calls - first) FILTER (WHERE shop_id = :shop), 0)::int AS own,
           coalesce(max(calls - first), 0)::int AS busiest,
           coalesce(sum(calls), 0)::int AS in_flight
    FROM busy
""").bindparams(*_MOMENTS)
