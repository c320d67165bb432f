"""Spread the calls for changes over hour and day, so that the last order of an hour waits a minute and not forty.

With a fixed gathering time a busy shop on a small tariff spends the calls of an hour in its first quarter, and
later changes wait for the next hour. To gather longer costs no calls: one call asks for a hundred things (R53).
"""

from datetime import datetime, timedelta

from upbridge.domain.purpose import Purpose
from upbridge.rate_limits.windows import HOUR, BudgetState, next_day

_DAY = timedelta(days=1)
#: What is announced, and can be gathered a little longer. The others come in pages or by the clock.
GATHERED = frozenset({Purpose.ORDERS, Purpose.PRODUCTS})
#: The part of an hour's calls that may be spent as soon as it begins: who needs no more is never delayed.
BURST = 0.2


def not_before(state: BudgetState, now: datetime) -> datetime:
    """From when on a call for what was announced keeps an even pace; *now* where there is plenty.

    An hour holds its own calls and its part of what the day's pool has left. While the hour lasts, what was
    spent of it may be `BURST` ahead of the clock; then the pool may be as low as the day is old. Never later than
    the next full hour.
    """
    return _even(state, now, ahead=BURST)


def is_free(state: BudgetState, now: datetime) -> bool:
    """Whether the first announcement after a quiet time may have a call of its own, before others share it.

    It may while half of what may be spent ahead of the clock is left: the other half is for what is gathered.
    """
    return _even(state, now, ahead=BURST / 2) <= now


def _even(state: BudgetState, now: datetime, *, ahead: float) -> datetime:
    """When the clock reaches what is spent, less *ahead*, a part of an hour's calls."""
    state = state.at(now)
    limits = state.limits
    if limits is None or not limits.hour:
        return now
    end, midnight = state.hour_at + HOUR, next_day(now)
    if state.hour_left:
        part = state.day_left * (HOUR / (midnight - state.hour_at))
        spent = limits.hour - state.hour_left - ahead * limits.hour
        moment = state.hour_at + HOUR * max(spent / (limits.hour + part), 0)
    elif state.day_left:
        moment = midnight - _DAY * min(state.day_left / limits.day, 1)
    else:
        moment = now  # the budget itself says when
    return min(max(moment, now), end)
