"""The login breaker: never a fifth failed login in an hour, over all shops (R56; docs/decisions/0003).

Upgates locks an address that failed to log in five times within an hour, and all shops share ours. So:

    failures of the last hour   a shop whose login succeeded within the hour   any other shop
    0                           calls, without waiting                         one such call at a time, over all
    1                           calls; fewer at once if it must be             one such call at a time, over all
    2 or 3                      calls, at most 4 - failures in flight          waits, if two shops or more failed
    4                           waits                                          waits

No shop may keep the others waiting by failing again and again:

    its vain tries of the last hour   what the shop itself may do
    1                                 one call at a time if its login worked since, or if it was installed since;
                                      else it waits until the hour is over
    2 or more                         waits until the hour is over, unless its login worked since

Calls that were under way together are one try of the same credentials: such a shop does not fail again and again.
Upgates counts each of them, and so does the first table. Where one failure more would stop all shops, a shop that
was refused more than once waits.

Where the table counts failures, a call in flight counts as one, until the transaction that ends it records the
real outcome. So if a shop whose login works loses its access while it has three calls in flight and another shop
also fails, the total is still at most four. Two such shops within the same second make six; only one call at a
time for all shops would prevent that. A call without an answer is no failed login. Assumption: Upgates checks the
login first, so a call that hangs has passed the check or never arrived.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from sqlalchemy.ext.asyncio import AsyncConnection

from upbridge.domain.shop_id import ShopId
from upbridge.store import rate_limits as store
from upbridge.store.shops import active_since

WINDOW = timedelta(hours=1)
#: From this number of shops that failed on, only shops whose login works are called.
CAREFUL = 2
#: From this number of failures on, no shop is called.
BLOWN = 4


class Pass(Enum):
    """What the login breaker says to a call."""

    FREE = "free"
    """Go: the login is known to work."""
    FIRST = "first"
    """Go, alone: it is not known whether the login works."""
    BUSY = "busy"
    """Another first call is in flight; ask again in a moment."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A failed login: when its answer came, and when its call began."""

    at: datetime
    begun_at: datetime


@dataclass(frozen=True, slots=True)
class LoginHistory:
    """What the breaker knows: moments of failed logins, newest first, and calls in flight that may fail."""

    failures: tuple[datetime, ...]
    succeeded_at: datetime | None
    shops: tuple[datetime, ...] = ()
    """When each shop that failed did so last, newest first."""
    own_failures: tuple[Refusal, ...] = ()
    """Those of this shop, newest first."""
    active_since: datetime | None = None
    """When this shop was installed, or came back; None if it is not active."""
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

    def has_failed_enough(self) -> bool:
        """Whether another failure of this shop would be one too many of its own."""
        if not self.own_failures:
            return False
        begun_at = max(one.begun_at for one in self.own_failures)
        installed_since = self.active_since is not None and self.active_since > begun_at
        stops_all = len(self.own_failures) > 1 and len(self.failures) + 1 >= BLOWN
        return not installed_since or stops_all or self._tries() > 1

    def _tries(self) -> int:
        """How often this shop's login was tried in vain."""
        tries, known_at = 0, None
        for one in sorted(self.own_failures, key=lambda one: one.at):
            if known_at is None or one.begun_at >= known_at:
                tries, known_at = tries + 1, one.at
        return tries


def breaker_decision(history: LoginHistory, now: datetime) -> Pass | datetime:
    """Whether a call may be made, or from when on it may."""
    good, failures = history.good(now), len(history.failures)
    if failures >= BLOWN:
        return history.failures[BLOWN - 1] + WINDOW
    if not good:
        if history.has_failed_enough():
            return history.own_failures[0].at + WINDOW
        if len(history.shops) >= CAREFUL:
            return history.shops[CAREFUL - 1] + WINDOW
        at_risk = history.in_flight if failures >= CAREFUL else history.busiest
        fits = not history.first and failures + 1 + at_risk <= BLOWN
        return Pass.FIRST if fits else Pass.BUSY
    if history.own_failures and history.own:
        return Pass.BUSY
    at_risk = history.in_flight if failures >= CAREFUL else history.own + history.first
    return Pass.FREE if failures + at_risk + 1 <= BLOWN else Pass.BUSY


async def admit(tx: AsyncConnection, shop_id: ShopId, now: datetime) -> Pass | datetime:
    """Decide on a call of this shop. A pass holds until the asking transaction has written its lease or rolled
    back.

    If no login failed, a shop whose login works takes no lock and does not wait.
    """
    known = await store.login_record(tx, shop_id, since=now - WINDOW, most=BLOWN)
    history = LoginHistory(tuple(known.failures), known.succeeded_at)
    if history.good(now) and not history.failures:
        return Pass.FREE
    seen = await store.login_snapshot(tx, shop_id, since=now - WINDOW, most=BLOWN, now=now)
    history = LoginHistory(
        failures=tuple(seen.failures),
        succeeded_at=seen.succeeded_at,
        shops=tuple(seen.shops),
        own_failures=tuple(map(Refusal, seen.own_failures, seen.own_begun)),
        active_since=await active_since(tx, shop_id) if seen.own_failures else None,
        first=seen.first,
        own=seen.own,
        busiest=seen.busiest,
        in_flight=seen.in_flight,
    )
    return breaker_decision(history, now)
