"""An even pace for hints: never late where there is plenty, spread where there is not."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.clock import NOON
from upbridge.domain.purpose import Purpose
from upbridge.rate_limits import forecast
from upbridge.rate_limits.pace import BURST, not_before
from upbridge.rate_limits.windows import HOUR, BudgetState, Limits, limits_of

GOLD = Limits(50, 600)


def spent(calls: int, limits: Limits | None = GOLD) -> BudgetState:
    return BudgetState.fresh(limits, NOON).spend(calls)


@pytest.mark.parametrize("calls", [0, 5, 9])
def test_who_spends_little_is_never_delayed(calls: int) -> None:
    assert not_before(spent(calls), NOON) == NOON


def test_without_limits_nothing_is_spread() -> None:
    assert not_before(spent(3_000, None), NOON) == NOON


def test_who_runs_ahead_waits_for_the_clock_and_not_for_the_next_hour() -> None:
    moment = not_before(spent(20), NOON)

    assert NOON < moment < NOON + HOUR / 4
    assert not_before(spent(20), moment) == moment
    assert not_before(spent(21), NOON) > moment


def test_the_pool_s_part_of_the_hour_is_spent_as_well() -> None:
    poor = not_before(spent(40, Limits(50, 0)), NOON)

    assert not_before(spent(40), NOON) < poor


def test_with_an_empty_hour_the_pool_lasts_until_midnight() -> None:
    state = replace(spent(0), hour_used=50, day_used=500)

    assert NOON < not_before(state, NOON) <= NOON + HOUR
    assert not_before(replace(state, day_used=0), NOON) == NOON


@given(
    hour=st.integers(0, 200),
    day=st.integers(0, 3_000),
    calls=st.integers(0, 400),
    minutes=st.integers(0, 59),
)
def test_it_is_never_in_the_past_nor_later_than_the_next_hour(
    *, hour: int, day: int, calls: int, minutes: int
) -> None:
    now = NOON + timedelta(minutes=minutes)

    assert now <= not_before(spent(calls, Limits(hour, day)), now) <= NOON + HOUR


@given(hour=st.integers(5, 200), day=st.integers(0, 3_000), every=st.integers(5, 120))
def test_a_shop_that_calls_as_often_as_it_may_spends_what_the_hour_holds(
    *, hour: int, day: int, every: int
) -> None:
    """Nothing is kept back: what was delayed comes in time to be spent."""
    limits = Limits(hour, day)
    state, now, made = BudgetState.fresh(limits, NOON), NOON, 0
    while now < NOON + HOUR:
        if not_before(state, now) <= now and state.room(Purpose.ORDERS, now):
            state, made = state.spend(), made + 1
        now += timedelta(seconds=every)

    possible = HOUR // timedelta(seconds=every)
    assert made >= min(possible, hour) * (1 - BURST) - 1


def at_once(_state: BudgetState, now: datetime) -> datetime:
    """The pace of a shop that spreads nothing."""
    return now


@pytest.mark.parametrize(("tariff", "orders", "changes"), [("gold", 600, 3_000), ("silver", 300, 1_000)])
def test_a_busy_shop_s_orders_wait_minutes_and_not_the_rest_of_the_hour(
    tariff: str, orders: int, changes: int
) -> None:
    spread, hurried = (
        forecast.plan(tariff, products=1_000, orders_per_day=orders, product_changes_per_day=changes, pace=pace)
        for pace in (not_before, at_once)
    )

    assert hurried.orders.p95 > timedelta(minutes=40)
    assert spread.orders.p95 < timedelta(minutes=10)
    assert spread.orders.longest < hurried.orders.longest
    assert spread.products.p95 < hurried.products.p95
    assert spread.calls_total <= hurried.calls_total


@pytest.mark.parametrize("tariff", ["bronze", "gold", None])
def test_a_shop_with_plenty_has_the_same_day_as_without(tariff: str | None) -> None:
    spread, hurried = (
        forecast.plan(tariff, products=500, orders_per_day=15, product_changes_per_day=40, pace=pace)
        for pace in (not_before, at_once)
    )

    assert hurried == spread
    assert limits_of(tariff) == spread.limits
