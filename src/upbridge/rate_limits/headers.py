"""What an answer's headers say about the budget, without I/O (Upgates API v2, Rate limiting).

The server's numbers win: other software may draw on the same pot. They may be absent, partial or garbage, and the
answers of calls that were made side by side may arrive in another order than they were counted in.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from upbridge.core.parsing import http_date
from upbridge.rate_limits.windows import HOUR, BudgetState, Limits, hour_start

#: How long to wait after a 429 that comes although calls are left: too many at once, not too many at all. A second
#: one within a minute of the first waits longer.
BRIEF = timedelta(seconds=2)
LONGER = timedelta(minutes=1)

#: A server whose `Date` differs by more from our clock is not asked which hour it counted in.
_BELIEVABLE = timedelta(minutes=10)
_NUMBER = re.compile(r"-?[0-9]{1,9}")


@dataclass(frozen=True, slots=True)
class HeaderNumbers:
    """The numbers of one answer; None for what it did not say in a form that can be read."""

    hour: int | None = None
    day: int | None = None
    hour_left: int | None = None
    day_left: int | None = None
    total_left: int | None = None
    date: datetime | None = None

    def limits(self, known: Limits | None) -> Limits | None:
        """The limits after this answer; both are needed before one counts."""
        hour, day = self.hour, self.day
        if known is not None:
            hour, day = known.hour if hour is None else hour, known.day if day is None else day
        return known if hour is None or day is None else Limits(hour, day)

    def remaining(self, state: BudgetState) -> tuple[int, int] | None:
        """Calls left in the hour and in the day; what is missing is made up from the total or from *state*."""
        hour, day, total = self.hour_left, self.day_left, self.total_left
        if hour is None and day is None and total is None:
            return None
        if hour is None:
            if total is None:
                hour = state.hour_left
            else:
                hour = min(total, state.hour_left) if day is None else total - day
        hour = max(hour, 0)
        if day is None:
            day = state.day_left if total is None else total - hour
        if total is not None and total < hour + day:  # they contradict each other: the stricter one holds
            hour = min(hour, total)
            day = total - hour
        return max(hour, 0), max(day, 0)


def read(headers: Mapping[str, str], *, now: datetime) -> HeaderNumbers:
    """The budget's part of an answer's *headers* (any case)."""
    said = {name.lower(): value for name, value in headers.items()}
    return HeaderNumbers(
        hour=_limit(said.get("x-rate-limit-hour")),
        day=_limit(said.get("x-rate-limit-day")),
        hour_left=_left(said.get("x-rate-limit-hour-remaining")),
        day_left=_left(said.get("x-rate-limit-day-remaining")),
        total_left=_left(said.get("x-rate-limit-total-remaining")),
        date=_date(said.get("date"), now),
    )


@dataclass(frozen=True, slots=True)
class Learned:
    """The budget after an answer."""

    state: BudgetState
    counted: bool
    """The answer held a count of this hour, and so this call."""
    newest: bool
    """It is the newest count so far."""


def learn(
    state: BudgetState,
    reading: HeaderNumbers,
    *,
    same_hour: bool,
    overlapped: bool,
    in_flight: int,
    lost: int,
    now: datetime,
) -> Learned:
    """What an answer teaches.

    *same_hour*: the call was counted in the hour that *state* is in; a count of another hour says nothing here.
    *overlapped*: the call was already under way when the last count came, so this one may be the older of the two;
    counts only grow within an hour, so the larger is the newer. *in_flight*: other calls under way, which this
    count may not hold; *lost*: calls that ended uncounted since this one began, which it may not hold either.
    """
    state = replace(state, limits=reading.limits(state.limits))
    remaining = reading.remaining(state)
    counted_at = hour_start(reading.date or now)
    if state.limits is None or remaining is None or not same_hour or counted_at != state.hour_at:
        return Learned(state, counted=False, newest=False)
    hour_used = max(state.limits.hour - remaining[0], 0)
    day_used = max(state.limits.day - remaining[1], 0)
    newest = not overlapped or hour_used > state.hour_used or day_used > state.day_used
    if overlapped:
        hour_used, day_used = max(hour_used, state.hour_used), max(day_used, state.day_used)
    unconfirmed = max(min(state.unconfirmed - 1, in_flight + lost), 0)
    learned = replace(state, hour_used=hour_used, day_used=day_used, unconfirmed=unconfirmed)
    return Learned(learned, counted=True, newest=newest)


def closed_until(
    state: BudgetState, reading: HeaderNumbers, *, retry_at: datetime | None, learned: bool, now: datetime
) -> datetime:
    """Until when an answer that says "too many" closes the budget.

    *retry_at*, the moment that the server named, if it is still to come. Else shortly, if it named one or its own
    numbers say that calls are left (*learned*: they were read in this hour), for then it was the limit of three at
    a time; else until the next full hour.
    """
    if retry_at is not None and retry_at > now:
        return retry_at
    remaining = reading.remaining(state)
    left = sum(remaining) if remaining is not None else state.left if learned else 0
    if left > 0 or retry_at is not None:  # a moment that has passed already: their clock, or a slow answer
        return _shortly(state, now)
    return hour_start(now) + HOUR


def _shortly(state: BudgetState, now: datetime) -> datetime:
    again = state.closed_until is not None and now - state.closed_until < LONGER
    return now + (LONGER if again else BRIEF)


def _limit(value: str | None) -> int | None:
    number = _left(value)
    return number if value is not None and not value.strip().startswith("-") else None


def _left(value: str | None) -> int | None:
    if value is None or not _NUMBER.fullmatch(value.strip()):
        return None
    return max(int(value), 0)


def _date(value: str | None, now: datetime) -> datetime | None:
    moment = None if value is None else http_date(value)
    return moment if moment is not None and abs(moment - now) <= _BELIEVABLE else None
