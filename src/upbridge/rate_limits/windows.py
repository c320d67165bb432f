"""What a shop's API still allows, as plain arithmetic: no clock, no database (Upgates API v2, Rate limiting).

    an hour  ████████░░   `hour` calls, gone when the clock hour ends
    a day    ██████████   the extra pool: `day` more calls, taken from when the hour is empty
    both empty            wait for the next full hour

Hours are clock hours, days are Europe/Prague days (23 or 25 hours long twice a year, midnight is a full hour).
A verified add-on has no tariff and no published limit, but an alert at 60,000 calls a day (R50): until an answer's
headers say otherwise, that is the cap.

Who may take the last calls is decided by `Purpose`: the less urgent a purpose, the more it leaves of each hour.
`store/rate_limits.py` says the same in SQL; a property test holds the two together.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

from upbridge.core.clock import PRAGUE
from upbridge.domain.purpose import Purpose

HOUR = timedelta(hours=1)

#: Calls a day without known limits: Upgates' alert level for verified add-ons (R50).
CAP_PER_DAY = 60_000

#: How long before an hour's end the calls that were kept back for urgent purposes are let go, all but one: they
#: would vanish with the hour. An urgent call that comes in these minutes and needs more waits that long at most.
RELEASE = timedelta(minutes=10)


#: What each purpose leaves of an hour's calls to the more urgent ones, in percent. Only shipments, orders and
#: stock may use the last 20 %; the steps between the other purposes keep their order.
KEEPS: Mapping[Purpose, int] = MappingProxyType(
    {
        Purpose.LIFECYCLE: 0,
        Purpose.ORDERS: 0,
        Purpose.STOCK: 0,
        Purpose.PRODUCTS: 20,
        Purpose.SAFETY: 30,
        Purpose.IMPORT: 40,
    }
)


@dataclass(frozen=True, slots=True)
class Limits:
    """Calls an hour, and calls a day on top of them."""

    hour: int
    day: int

    @property
    def total(self) -> int:
        """Calls in a day of 24 hours, as the price list adds them up."""
        return 24 * self.hour + self.day


#: The basic limits per tariff (seed of the vendor's help page and API Blueprint, "Základní limit").
TARIFFS: Mapping[str, Limits] = MappingProxyType(
    {
        "bronze": Limits(10, 100),
        "silver": Limits(15, 300),
        "gold": Limits(50, 600),
        "platinum": Limits(100, 1500),
        "exclusive": Limits(100, 1500),
    }
)
#: What one package adds ("Individuální limit"), and how many may be bought.
PACKAGE = Limits(25, 400)
MAX_PACKAGES = 60


def limits_of(tariff: str | None, packages: int = 0) -> Limits | None:
    """The published limits; None for an add-on without a tariff. Raises `ValueError` for what cannot be bought."""
    if not 0 <= packages <= MAX_PACKAGES:
        raise ValueError(f"packages: 0 to {MAX_PACKAGES}")
    if tariff is None:
        return None
    base = TARIFFS.get(tariff.lower())
    if base is None:
        raise ValueError(f"tariff: one of {', '.join(TARIFFS)}")
    return Limits(base.hour + packages * PACKAGE.hour, base.day + packages * PACKAGE.day)


def hour_start(now: datetime) -> datetime:
    """The first moment of the clock hour, in UTC (Prague is off by whole hours, so its hours are the same)."""
    return now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def day_start(now: datetime) -> datetime:
    """The first moment of the Prague day, in UTC."""
    return _midnight(now.astimezone(PRAGUE))


def next_day(now: datetime) -> datetime:
    """The first moment of the next Prague day, in UTC: 23, 24 or 25 hours after this one's."""
    return _midnight(now.astimezone(PRAGUE) + timedelta(days=1))  # wall time: the same hour, a day later


def _midnight(local: datetime) -> datetime:
    return local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0).astimezone(UTC)


@dataclass(frozen=True, slots=True)
class BudgetState:
    """A shop's budget at the moment of the last entry (a row of `budgets`); `at` brings it to a later moment."""

    limits: Limits | None
    hour_at: datetime
    day_at: datetime
    hour_used: int = 0
    day_used: int = 0
    unconfirmed: int = 0
    """Own calls that the server's numbers do not hold yet: they come from the hour first, then from the day."""
    calls_today: int = 0
    closed_until: datetime | None = None

    @classmethod
    def fresh(cls, limits: Limits | None, now: datetime) -> "BudgetState":
        """A budget of which no call was spent."""
        return cls(limits=limits, hour_at=hour_start(now), day_at=day_start(now))

    def at(self, now: datetime) -> "BudgetState":
        """This budget at *now*: windows that ended meanwhile are new. A clock that lags behind opens nothing."""
        if now < self.hour_at + HOUR:
            return self
        hour, day = hour_start(now), max(self.day_at, day_start(now))
        same_day = day == self.day_at
        return replace(
            self,
            hour_at=hour,
            day_at=day,
            hour_used=0,
            day_used=self.day_used + self._from_day() if same_day else 0,
            unconfirmed=0,
            calls_today=self.calls_today if same_day else 0,
        )

    def _from_day(self) -> int:
        """How many of the unconfirmed calls the hour did not hold."""
        if self.limits is None:
            return 0
        return max(self.unconfirmed - max(self.limits.hour - self.hour_used, 0), 0)

    @property
    def hour_left(self) -> int:
        """Calls left in the hour (0 without limits: then there is only the day)."""
        return 0 if self.limits is None else max(self.limits.hour - self.hour_used - self.unconfirmed, 0)

    @property
    def day_left(self) -> int:
        """Calls left in the day's extra pool, or under the cap without limits."""
        if self.limits is None:
            return max(CAP_PER_DAY - self.calls_today, 0)
        return max(max(self.limits.day - self.day_used, 0) - self._from_day(), 0)

    @property
    def left(self) -> int:
        """Calls left at this moment, for the most urgent purpose."""
        return self.hour_left + self.day_left

    def kept(self, purpose: Purpose) -> int:
        """What *purpose* leaves to others: its share of an hour, one call at least, never the whole hour."""
        hour = CAP_PER_DAY // 24 if self.limits is None else self.limits.hour
        share = KEEPS[purpose]
        return min(max(-(-hour * share // 100), 1), max(hour - 1, 0)) if share else 0

    def room(self, purpose: Purpose, now: datetime) -> int:
        """How many calls *purpose* may make at *now*; closed or not is another question (`closed`)."""
        state = self.at(now)
        kept = state.kept(purpose)
        room = state.left - kept
        if now >= state.hour_at + HOUR - RELEASE:
            day_ends = state.hour_at + HOUR >= next_day(now)
            vanishing = state.left if day_ends else state.hour_left
            room = max(room, min(vanishing, state.left - min(kept, 1)))
        return max(room, 0)

    def closed(self, now: datetime) -> bool:
        """Whether the server has said "not before …" and that moment has not come."""
        return self.closed_until is not None and now < self.closed_until

    def free_at(self, purpose: Purpose, now: datetime) -> datetime:
        """The first moment from *now* on at which *purpose* may make a call if no other call is made before.

        The next full hour if there is no such moment (limits of 0).
        """
        moment = max(now, self.closed_until) if self.closed_until else now
        following = self.at(moment).hour_at + HOUR
        candidates = [moment, following - RELEASE, following]
        if self.limits is None or not self.limits.hour:
            candidates += [next_day(moment) - RELEASE, next_day(moment)]
        for candidate in candidates:
            if candidate >= moment and self.room(purpose, candidate):
                return candidate
        return following

    def spend(self, count: int = 1) -> "BudgetState":
        """After *count* more calls in the same hour."""
        return replace(self, unconfirmed=self.unconfirmed + count, calls_today=self.calls_today + count)
