"""What a day costs, simulated: for `upbridge plan`; and when a long run will be done. Pure arithmetic.

The simulated day has our own habits: announcements are gathered for some seconds and read in batches of 100, stock
and shipments are written once per poll, the safety net runs once. What the budget refuses waits and goes in larger
batches later, exactly as `rate_limits/windows.py` decides it. Announcements are spread as an ordinary shop's day
spreads them, and deterministically: the same numbers give the same plan.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from typing import TypeAlias

from upbridge.core.clock import PRAGUE
from upbridge.domain.purpose import Purpose
from upbridge.rate_limits.pace import GATHERED, is_free, not_before
from upbridge.rate_limits.snapshot import BudgetSnapshot, take_snapshot
from upbridge.rate_limits.windows import HOUR, MAX_PACKAGES, BudgetState, Limits, limits_of

Pace: TypeAlias = Callable[[BudgetState, datetime], datetime]

#: Orders, or products, that one call reads; items that one call writes (R53).
PAGE = 100
#: The delay that nearly every order should stay under.
GOAL = timedelta(minutes=5)

#: An ordinary Tuesday; days of 23 and 25 hours are not worth a plan of their own.
_MIDNIGHT = datetime(2026, 11, 24, tzinfo=PRAGUE).astimezone(UTC)
_DAY = timedelta(days=1)
#: How busy an e-shop is, hour by hour: little at night, most in the evening.
_SHOPPERS = (2, 1, 1, 1, 1, 2, 3, 5, 6, 7, 7, 7, 6, 6, 6, 6, 6, 6, 7, 8, 9, 8, 6, 4)
#: When its staff edits products and sends parcels.
_STAFF = (0, 0, 0, 0, 0, 0, 1, 4, 8, 9, 8, 7, 5, 7, 8, 7, 5, 3, 1, 1, 0, 0, 0, 0)
#: How often an order is heard of: received, paid, sent.
_MARKS_PER_ORDER = 3
_SKUS_PER_ORDER = 2
#: Facts, rights and webhooks, read once a day.
_FACTS = 8
_ORDER_DAYS = 30


@dataclass(frozen=True, slots=True)
class ForecastDelay:
    """How long things waited, from the announcement to the call."""

    median: timedelta
    p95: timedelta
    longest: timedelta


@dataclass(frozen=True, slots=True)
class DayForecast:
    """A simulated day."""

    limits: Limits | None
    """None: no tariff, the cap of 60,000 calls a day."""
    calls: Mapping[Purpose, int]
    orders: ForecastDelay
    products: ForecastDelay
    packages_to_buy: int | None
    """How many more packages bring the orders' p95 under `GOAL`; None if all that can be bought do not."""
    import_calls: int
    """What the first import costs, once."""
    import_time: timedelta
    """How long it takes beside a day like this one."""

    @property
    def calls_total(self) -> int:
        """Calls of the day, the first import aside."""
        return sum(self.calls.values())


def plan(
    tariff: str | None,
    packages: int = 0,
    *,
    products: int,
    orders_per_day: int,
    product_changes_per_day: int,
    coalesce: timedelta = timedelta(seconds=10),
    poll: timedelta = timedelta(minutes=15),
    pace: Pace = not_before,
) -> DayForecast:
    """Simulate a day; *pace* tells when the next gathered call may be made.

    Raises `ValueError` for what cannot be bought or is negative.
    """
    if min(products, orders_per_day, product_changes_per_day) < 0:
        raise ValueError("a shop has no negative numbers of products, orders or changes")
    demand = _demand(orders_per_day, product_changes_per_day, poll)
    limits = limits_of(tariff, packages)
    calls, waited = _simulate(limits, demand, coalesce, pace)
    import_calls = _pages(products) + _pages(orders_per_day * _ORDER_DAYS)
    snapshot = take_snapshot(BudgetState.fresh(limits, _MIDNIGHT), _MIDNIGHT, calls=calls)
    return DayForecast(
        limits=limits,
        calls=calls,
        orders=_delay(waited[Purpose.ORDERS]),
        products=_delay(waited[Purpose.PRODUCTS]),
        packages_to_buy=_packages_to_buy(tariff, packages, demand, coalesce),
        import_calls=import_calls,
        import_time=finish_time(import_calls, snapshot, _MIDNIGHT) - _MIDNIGHT,
    )


def finish_time(
    calls_needed: int,
    snapshot: BudgetSnapshot,
    now: datetime,
    *,
    purpose: Purpose = Purpose.IMPORT,
    seconds_per_call: float = 1.0,
) -> datetime:
    """When *purpose* will have made so many calls, if the more urgent ones go on as in the last 24 hours.

    Raises `ValueError` if the limits allow no call at all.
    """
    state, moment, pace = snapshot.state, now.astimezone(UTC), timedelta(seconds=seconds_per_call)
    if state.limits is not None and not state.limits.total:
        raise ValueError("the limits allow no call")
    urgent = sum(count for other, count in snapshot.calls_by_purpose.items() if other < purpose)
    others_per_hour = -(-urgent // 24)
    while calls_needed > 0:
        moment = max(moment, state.closed_until) if state.closed_until else moment
        later = state.at(moment)
        if later.hour_at != state.hour_at:
            later = later.spend(min(others_per_hour, max(later.left - later.kept(purpose) - 1, 0)))
        state = later
        room = state.room(purpose, moment)
        if room:
            in_this_hour = (state.hour_at + HOUR - moment) // pace + 1 if pace else room
            taken = min(room, calls_needed, in_this_hour)
            state, moment, calls_needed = state.spend(taken), moment + taken * pace, calls_needed - taken
        else:
            moment = state.free_at(purpose, moment)
    return moment


def _packages_to_buy(
    tariff: str | None, packages: int, demand: Mapping[Purpose, Sequence[timedelta]], coalesce: timedelta
) -> int | None:
    def good(count: int) -> bool:
        _, waited = _simulate(limits_of(tariff, count), demand, coalesce, not_before)
        return _delay(waited[Purpose.ORDERS]).p95 < GOAL

    if good(packages):
        return 0
    if tariff is None or not good(MAX_PACKAGES):
        return None
    low, high = packages, MAX_PACKAGES  # low is too few, high is enough
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if good(middle) else (middle, high)
    return high - packages


# --- what comes in ------------------------------------------------------------------------------------------


def _demand(orders: int, changes: int, poll: timedelta) -> Mapping[Purpose, Sequence[timedelta]]:
    """When things come up during the day, per purpose, in order; each is one item of a batch."""
    received = list(_spread(orders, _SHOPPERS))
    parcels = list(_spread(orders, _STAFF))
    follow_ups = list(_spread(orders * (_MARKS_PER_ORDER - 1), _STAFF))
    sold = [moment for moment in received for _ in range(_SKUS_PER_ORDER)]
    night = timedelta(hours=3)
    return {
        Purpose.LIFECYCLE: [night] * (_FACTS * PAGE),
        Purpose.ORDERS: sorted(received + follow_ups + _polled(parcels, poll)),
        Purpose.STOCK: _polled(sold, poll),
        Purpose.PRODUCTS: list(_spread(changes, _STAFF)),
        Purpose.SAFETY: [night] * (orders + changes + 2 * PAGE),
    }


def _spread(count: int, weights: Sequence[int]) -> Iterator[timedelta]:
    """*count* moments of a day, as dense as *weights* say for each hour."""
    sums = [0, *accumulate(weights)]
    for number in range(count):
        mark = (number + 0.5) / count * sums[-1]
        hour = bisect_right(sums, mark) - 1
        yield timedelta(hours=hour + (mark - sums[hour]) / weights[hour])


def _polled(moments: Sequence[timedelta], poll: timedelta) -> list[timedelta]:
    """The same things, noticed at the next poll."""
    return [-(-moment // poll) * poll for moment in moments]


# --- the day ------------------------------------------------------------------------------------------------


def _simulate(
    limits: Limits | None, demand: Mapping[Purpose, Sequence[timedelta]], coalesce: timedelta, pace: Pace
) -> tuple[dict[Purpose, int], dict[Purpose, list[timedelta]]]:
    """Calls made and waiting times, per purpose; after the day's end until nothing waits (for a day at most)."""
    state = BudgetState.fresh(limits, _MIDNIGHT)
    queues = {purpose: _Queue(demand[purpose]) for purpose in sorted(demand)}
    calls = dict.fromkeys(Purpose, 0)
    moment = timedelta(0)
    while moment < 2 * _DAY:
        coming = [at for queue in queues.values() if (at := queue.next()) is not None]
        if not coming:
            break
        moment = max(min(coming), moment)
        now = _MIDNIGHT + moment
        state = state.at(now)
        for purpose, queue in queues.items():
            due = queue.due(moment)
            if due and purpose in GATHERED and (until := pace(state, now)) > now:
                queue.refused_until = until - _MIDNIGHT
                continue
            if due and purpose in GATHERED and queue.begins(moment, coalesce) and not is_free(state, now):
                continue
            made = min(_pages(due), state.room(purpose, now)) if due else 0
            if made:
                state = state.spend(made)
                calls[purpose] += made
                queue.serve(min(due, made * PAGE), moment)
                queue.gathers_until = moment + (coalesce if purpose in GATHERED else timedelta(0))
            elif due:
                queue.refused_until = state.free_at(purpose, now) - _MIDNIGHT
    for queue in queues.values():
        queue.serve(queue.waiting, moment)
    return calls, {purpose: queue.waited for purpose, queue in queues.items()}


@dataclass(slots=True)
class _Queue:
    """What comes up for one purpose, in order, and how long it waited."""

    moments: Sequence[timedelta]
    waited: list[timedelta] = field(default_factory=list)
    refused_until: timedelta = timedelta(0)
    gathers_until: timedelta = timedelta(0)

    @property
    def waiting(self) -> int:
        return len(self.moments) - len(self.waited)

    def next(self) -> timedelta | None:
        """When the next one can be served; None if there is none."""
        return max(self.oldest, self.refused_until, self.gathers_until) if self.waiting else None

    @property
    def oldest(self) -> timedelta:
        """When the one came up that waits longest."""
        return self.moments[len(self.waited)]

    def begins(self, moment: timedelta, coalesce: timedelta) -> bool:
        """Whether a gathering begins: the oldest came up after the last one, and others may share its call."""
        if self.oldest < self.gathers_until or self.oldest + coalesce <= moment:
            return False
        self.gathers_until = self.oldest + coalesce
        return True

    def due(self, moment: timedelta) -> int:
        """How many are to be served now."""
        served = len(self.waited)
        return (
            0
            if moment < max(self.refused_until, self.gathers_until)
            else bisect_right(self.moments, moment, lo=served) - served
        )

    def serve(self, count: int, moment: timedelta) -> None:
        """Serve the *count* oldest."""
        served = len(self.waited)
        self.waited += [max(moment - came, timedelta(0)) for came in self.moments[served : served + count]]


def _pages(count: int) -> int:
    return -(-count // PAGE)


def _delay(waited: Sequence[timedelta]) -> ForecastDelay:
    if not waited:
        return ForecastDelay(timedelta(0), timedelta(0), timedelta(0))
    longest = sorted(waited)
    last = len(longest) - 1
    return ForecastDelay(median=longest[last // 2], p95=longest[-(-last * 95 // 100)], longest=longest[-1])
