"""The windows: hour first, then the day; who may take the last calls; when to come back; days of 25 hours."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.clock import NOON
from upbridge.core.clock import PRAGUE
from upbridge.domain.purpose import Purpose
from upbridge.rate_limits.windows import (
    CAP_PER_DAY,
    HOUR,
    KEEPS,
    RELEASE,
    TARIFFS,
    BudgetState,
    Limits,
    day_start,
    hour_start,
    limits_of,
    next_day,
)

LOWER = [purpose for purpose in Purpose if KEEPS[purpose]]
URGENT = [purpose for purpose in Purpose if not KEEPS[purpose]]

#: Around both changes of the clock, and an ordinary day.
MOMENTS = st.builds(
    lambda start, seconds: start + timedelta(seconds=seconds),
    st.sampled_from(
        [
            datetime(2026, 3, 28, 20, tzinfo=UTC),
            datetime(2026, 10, 24, 20, tzinfo=UTC),
            datetime(2026, 11, 23, tzinfo=UTC),
        ]
    ),
    st.integers(0, 32 * 3600),
)
LIMITS = st.one_of(
    st.none(),
    st.sampled_from(list(TARIFFS.values())),
    st.builds(Limits, st.integers(0, 30), st.integers(0, 60)),
)


@dataclass
class Naive:
    """The published rule in the plainest words: a counter per hour, a counter per day."""

    limits: Limits
    hours: dict[datetime, int]
    days: dict[datetime, int]

    def take(self, now: datetime) -> bool:
        hour = now.astimezone(PRAGUE).astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        day = datetime.combine(now.astimezone(PRAGUE).date(), datetime.min.time(), PRAGUE).astimezone(UTC)
        if self.hours.get(hour, 0) < self.limits.hour:
            self.hours[hour] = self.hours.get(hour, 0) + 1
            return True
        if self.days.get(day, 0) < self.limits.day:
            self.days[day] = self.days.get(day, 0) + 1
            return True
        return False


@st.composite
def walks(draw: st.DrawFn) -> tuple[datetime, list[tuple[timedelta, Purpose]]]:
    steps = st.tuples(
        st.one_of(st.just(timedelta(0)), st.timedeltas(timedelta(0), timedelta(hours=2))), st.sampled_from(Purpose)
    )
    return draw(MOMENTS), draw(st.lists(steps, max_size=80))


@given(walk=walks(), limits=LIMITS)
def test_nothing_is_ever_overspent_and_nothing_urgent_refused_while_calls_are_left(
    walk: tuple[datetime, list[tuple[timedelta, Purpose]]], limits: Limits | None
) -> None:
    now, steps = walk
    state = BudgetState.fresh(limits, now)
    naive = Naive(limits or Limits(0, CAP_PER_DAY), {}, {})
    for wait, purpose in steps:
        now += wait
        state = state.at(now)
        if state.room(purpose, now):
            assert naive.take(now), "the published rule would have refused this call"
            state = state.spend()
        elif purpose in URGENT:
            assert not naive.take(now), "the published rule would have let this call through"


@given(walk=walks(), limits=LIMITS, purpose=st.sampled_from(Purpose), closed=st.none() | st.integers(0, 7200))
def test_no_call_waits_while_budget_is_free_for_it(
    walk: tuple[datetime, list[tuple[timedelta, Purpose]]],
    limits: Limits | None,
    purpose: Purpose,
    closed: int | None,
) -> None:
    now, steps = walk
    state = BudgetState.fresh(limits, now)
    for wait, spender in steps:
        now += wait
        state = state.at(now)
        if state.room(spender, now):
            state = state.spend()
    if closed is not None:
        state = replace(state, closed_until=now + timedelta(seconds=closed))

    until = state.free_at(purpose, now)

    assert until >= now
    if limits is None or limits.hour:
        assert state.room(purpose, until), "it comes back when it can be served"
        assert not state.closed(until)
    moment = now
    while moment < until:
        assert state.closed(moment) or not state.room(purpose, moment), "it could have been served before"
        moment += timedelta(minutes=1)


@given(state_used=st.integers(0, 130), limits=st.sampled_from(list(TARIFFS.values())), minute=st.integers(0, 59))
def test_the_less_urgent_never_take_the_last_calls_of_an_hour(
    state_used: int, limits: Limits, minute: int
) -> None:
    now = NOON + timedelta(minutes=minute)
    state = BudgetState.fresh(Limits(limits.hour, 0), now).spend(min(state_used, limits.hour))
    for purpose in LOWER:
        after = state.spend(state.room(purpose, now))
        reserve = 1 if now >= NOON + HOUR - RELEASE else -(-limits.hour * 20 // 100)
        assert after.left >= min(reserve, state.left)
        assert after.room(Purpose.ORDERS, now) == after.left


@given(
    used=st.integers(0, 120),
    pool=st.integers(0, 1600),
    limits=st.sampled_from(list(TARIFFS.values())),
    minute=st.integers(0, 59),
)
def test_the_more_urgent_has_never_less_room(used: int, pool: int, limits: Limits, minute: int) -> None:
    now = NOON + timedelta(minutes=minute)
    state = replace(BudgetState.fresh(limits, now), hour_used=used, day_used=pool)
    rooms = [state.room(purpose, now) for purpose in Purpose]
    assert rooms == sorted(rooms, reverse=True)


def test_the_less_urgent_get_the_rest_of_the_hour_in_its_last_minutes() -> None:
    state = BudgetState.fresh(Limits(100, 0), NOON)
    state = state.spend(state.room(Purpose.IMPORT, NOON))
    assert state.left == 40
    assert state.free_at(Purpose.IMPORT, NOON) == NOON + timedelta(minutes=50)
    assert state.room(Purpose.IMPORT, NOON + timedelta(minutes=50)) == 39


def test_the_day_s_pool_does_not_vanish_with_the_hour_and_is_not_released_with_it() -> None:
    late = NOON + timedelta(minutes=55)
    state = BudgetState.fresh(Limits(10, 20), late).spend(28)
    assert state.hour_left == 0
    assert state.left == 2
    assert state.room(Purpose.PRODUCTS, late) == 0
    midnight = datetime(2026, 11, 24, 22, 55, tzinfo=UTC)
    assert BudgetState.fresh(Limits(10, 20), midnight).spend(28).room(Purpose.PRODUCTS, midnight) == 1


def test_both_empty_means_the_next_full_hour() -> None:
    now = NOON + timedelta(minutes=17, seconds=3)
    state = BudgetState.fresh(Limits(10, 100), now).spend(110)
    assert state.room(Purpose.ORDERS, now) == 0
    assert state.free_at(Purpose.ORDERS, now) == NOON + HOUR
    assert state.at(NOON + HOUR).hour_left == 10
    assert state.at(NOON + HOUR).day_left == 0


def test_without_a_tariff_the_cap_holds_until_midnight_in_prague() -> None:
    state = BudgetState.fresh(None, NOON).spend(CAP_PER_DAY)
    assert state.room(Purpose.ORDERS, NOON) == 0
    assert state.free_at(Purpose.ORDERS, NOON) == datetime(2026, 11, 24, 23, tzinfo=UTC)


def test_a_clock_that_lags_behind_opens_no_window() -> None:
    state = BudgetState.fresh(Limits(10, 0), NOON).spend(10)
    assert state.at(NOON - timedelta(seconds=1)) == state
    assert state.room(Purpose.ORDERS, NOON - timedelta(seconds=1)) == 0


@pytest.mark.parametrize(
    ("day", "hours"),
    [((2026, 3, 29), 23), ((2026, 10, 25), 25), ((2026, 11, 24), 24)],
    ids=["spring", "autumn", "ordinary"],
)
def test_a_day_is_a_prague_day(day: tuple[int, int, int], hours: int) -> None:
    noon = datetime(*day, 12, tzinfo=PRAGUE)
    start = day_start(noon)
    assert start.astimezone(PRAGUE).date() == noon.date()
    assert next_day(noon) - start == timedelta(hours=hours)
    limits = Limits(1, 5)
    state, spent, moment = BudgetState.fresh(limits, start), 0, start
    while moment < next_day(noon):
        state = state.at(moment)
        if state.room(Purpose.ORDERS, moment):
            state, spent = state.spend(), spent + 1
        moment += timedelta(minutes=5)
    assert spent == hours * limits.hour + limits.day


@given(now=MOMENTS)
def test_every_midnight_in_prague_is_a_full_hour(now: datetime) -> None:
    assert hour_start(next_day(now)) == next_day(now)
    assert day_start(now) <= now < next_day(now)
    assert day_start(next_day(now)) == next_day(now)
    assert next_day(next_day(now) - timedelta(microseconds=1)) == next_day(now)


def test_the_limits_are_the_published_ones() -> None:
    totals = {name: limits.total for name, limits in TARIFFS.items()}
    assert totals == {"bronze": 340, "silver": 660, "gold": 1800, "platinum": 3900, "exclusive": 3900}
    assert limits_of("Bronze", 1) == Limits(35, 500)
    assert limits_of("platinum", 60) == Limits(1600, 25_500)
    assert limits_of(None) is None


@pytest.mark.parametrize(("tariff", "packages"), [("iron", 0), ("gold", 61), ("gold", -1), (None, 61)])
def test_what_cannot_be_bought_has_no_limits(tariff: str | None, packages: int) -> None:
    with pytest.raises(ValueError, match=r"tariff|packages"):
        limits_of(tariff, packages)
