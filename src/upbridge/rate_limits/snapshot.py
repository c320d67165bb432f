"""What a shop's budget looks like from here: for `upbridge shops budget`, the page and the forecast."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from upbridge.domain.purpose import Purpose
from upbridge.rate_limits.windows import HOUR, BudgetState, Limits, day_start, hour_start

#: How far a snapshot looks ahead.
HOURS = 24


@dataclass(frozen=True, slots=True)
class Hour:
    """What a coming hour holds: its own calls, and the day's pool if no call uses it before."""

    at: datetime
    calls: int
    pool: int


@dataclass(frozen=True, slots=True)
class BudgetSnapshot:
    """A shop's budget now and in the next 24 hours."""

    state: BudgetState
    """The budget at this moment."""
    learned_at: datetime | None
    """When an answer's headers last taught the limits; None: they come from the chosen tariff, or are the cap."""
    hours: tuple[Hour, ...]
    """This hour and the 23 that follow."""
    calls_by_purpose: Mapping[Purpose, int] = field(default_factory=dict)
    """Calls made in the last 24 hours; whole clock hours."""

    @property
    def limits(self) -> Limits | None:
        """Calls an hour and a day; None: unknown, the cap of 60,000 a day holds."""
        return self.state.limits

    @property
    def hour_remaining(self) -> int:
        """Calls left in this hour."""
        return self.state.hour_left

    @property
    def day_remaining(self) -> int:
        """Calls left in the day's extra pool, or under the cap."""
        return self.state.day_left

    @property
    def closed_until(self) -> datetime | None:
        """Until when Upgates wants no calls; None if it takes them."""
        return self.state.closed_until

    @property
    def calls_today(self) -> int:
        """Own calls since midnight in Prague, to hold against 60,000 (R50)."""
        return self.state.calls_today

    @property
    def next_24_hours(self) -> int:
        """Calls that these hours hold, other software aside."""
        days = {day_start(hour.at): hour.pool for hour in self.hours}
        return sum(hour.calls for hour in self.hours) + sum(days.values())


def take_snapshot(
    state: BudgetState,
    now: datetime,
    *,
    learned_at: datetime | None = None,
    calls: Mapping[Purpose, int] | None = None,
) -> BudgetSnapshot:
    """The snapshot of *state* (of any earlier moment) at *now*."""
    state = state.at(now)
    if not state.closed(now):
        state = replace(state, closed_until=None)
    limits, opens_at = state.limits, state.closed_until or now
    hours = []
    for ahead in range(HOURS):
        at = hour_start(now) + ahead * HOUR
        later = state.at(at)
        closed = opens_at >= at + HOUR
        hours.append(Hour(at=at, calls=0 if closed else later.hour_left, pool=later.day_left))
    return BudgetSnapshot(
        state=state,
        learned_at=learned_at if limits is not None else None,
        hours=tuple(hours),
        calls_by_purpose=dict(calls or {}),
    )
