"""The fuse: never a fifth failed login in an hour, over all shops (R56; contract, section 5).

Upgates locks an address that failed to log in five times within an hour, and all shops share ours. So:

    failures of the last hour   a shop whose login succeeded within the hour   any other shop
    0 or 1                      calls, without waiting for anybody             one such call at a time, over all
    2 or 3                      calls, at most 4 - failures in flight          waits
    4                           waits                                          waits

A call in flight counts as a failure to come wherever that matters, and turns into one, or into nothing, in the
transaction that ends it. Doubts: a shop in good standing may lose its access while three of its calls are under
way; that makes three failures at once, and two such shops within the same second would make six. A call that
nobody answers is no failed login here: Upgates judges the login first, so what hangs has passed it or never came.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from sqlalchemy import DateTime, bindparam, text
from sqlalchemy.ext.asyncio import AsyncConnection

from upbridge.schema import ShopId

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
class Standing:
    """What the fuse knows: moments of failed logins, newest first, and calls that may become some."""

    failures: tuple[datetime, ...]
    succeeded_at: datetime | None
    in_flight: int = 0
    first_in_flight: bool = False

    def good(self, now: datetime) -> bool:
        """Whether this shop's login succeeded within the last hour."""
        return self.succeeded_at is not None and self.succeeded_at > now - WINDOW


def judge(standing: Standing, now: datetime) -> Pass | datetime:
    """Whether a call may be made, or from when on it may."""
    good, failures = standing.good(now), len(standing.failures)
    bound = BLOWN if good else CAREFUL
    if failures >= bound:
        return standing.failures[bound - 1] + WINDOW
    if not good:
        return Pass.BUSY if standing.first_in_flight else Pass.FIRST
    if failures >= CAREFUL and failures + standing.in_flight >= BLOWN:
        return Pass.BUSY
    return Pass.FREE


async def admit(connection: AsyncConnection, shop_id: ShopId, now: datetime) -> Pass | datetime:
    """Judge a call of this shop; a pass holds until the transaction that asked has put its lease or gone back.

    With no more than one failure, a shop in good standing takes no lock and waits for nobody.
    """
    moment = {"shop": shop_id, "now": now, "since": now - WINDOW, "most": BLOWN}
    row = (await connection.execute(_QUICK, moment)).one()
    standing = Standing(tuple(row.failures), row.succeeded_at)
    if standing.good(now) and len(standing.failures) < CAREFUL:
        return Pass.FREE
    await connection.execute(_LOCK, {"turn": _TURN})
    row = (await connection.execute(_CAREFUL, moment)).one()
    return judge(Standing(tuple(row.failures), row.succeeded_at, row.in_flight, row.first_in_flight), now)


_MOMENTS = tuple(bindparam(name, type_=DateTime(timezone=True)) for name in ("now", "since"))

_QUICK = text("""
    SELECT ARRAY(SELECT at FROM failed_logins WHERE at > :since ORDER BY at DESC LIMIT :most) AS failures,
           (SELECT succeeded_at FROM budgets WHERE shop_id = :shop) AS succeeded_at
""").bindparams(_MOMENTS[1])

_LOCK = text("SELECT pg_advisory_xact_lock(:turn)")

#: One snapshot: a call that fails between two statements would be seen neither in flight nor failed. A first call
#: whose process died stops being one when its lease has expired.
_CAREFUL = text("""
    SELECT ARRAY(SELECT at FROM failed_logins WHERE at > :since ORDER BY at DESC LIMIT :most) AS failures,
           (SELECT succeeded_at FROM budgets WHERE shop_id = :shop) AS succeeded_at,
           (SELECT count(*) FROM leases WHERE expires_at > :now) AS in_flight,
           EXISTS (SELECT FROM leases WHERE first AND expires_at > :now) AS first_in_flight
""").bindparams(*_MOMENTS)
