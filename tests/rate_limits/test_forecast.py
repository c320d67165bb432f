"""The forecast: the same arithmetic as the ledger's, told as a day."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.clock import NOON
from upbridge.domain.purpose import Purpose
from upbridge.rate_limits.forecast import GOAL, PAGE, DayForecast, finish_time, plan
from upbridge.rate_limits.snapshot import take_snapshot
from upbridge.rate_limits.windows import TARIFFS, BudgetState, Limits, limits_of


def test_a_small_shop_fits_into_bronze() -> None:
    day = plan("bronze", products=500, orders_per_day=10, product_changes_per_day=50)
    assert day.limits == Limits(10, 100)
    assert day.orders.p95 <= timedelta(seconds=10)
    assert day.packages_to_buy == 0
    assert day.calls_total < 340
    assert day.import_calls == 5 + 3


def test_what_a_busy_shop_should_buy_is_enough_and_no_more() -> None:
    def silver(packages: int) -> DayForecast:
        return plan("silver", packages, products=5000, orders_per_day=200, product_changes_per_day=500)

    day = silver(0)
    assert day.orders.p95 >= GOAL
    assert day.packages_to_buy is not None
    assert day.packages_to_buy > 0
    assert silver(day.packages_to_buy).packages_to_buy == 0
    assert silver(day.packages_to_buy - 1).packages_to_buy == 1


def test_without_a_tariff_nothing_waits_but_to_be_gathered() -> None:
    day = plan(None, products=100_000, orders_per_day=2000, product_changes_per_day=5000)
    assert day.limits is None
    assert day.orders.longest <= timedelta(seconds=10)
    assert day.packages_to_buy == 0


def test_what_is_refused_goes_in_larger_batches_later() -> None:
    poor = plan("bronze", products=0, orders_per_day=1000, product_changes_per_day=0)
    rich = plan("platinum", 60, products=0, orders_per_day=1000, product_changes_per_day=0)
    assert poor.calls[Purpose.ORDERS] < rich.calls[Purpose.ORDERS]
    assert poor.orders.median > rich.orders.median


def test_a_shop_without_anything_costs_next_to_nothing() -> None:
    day = plan("bronze", products=0, orders_per_day=0, product_changes_per_day=0)
    assert day.calls_total == 8 + 2
    assert day.import_time == timedelta(0)


@pytest.mark.parametrize("numbers", [(-1, 0, 0), (0, -1, 0), (0, 0, -1)])
def test_negative_numbers_are_refused(numbers: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="negative"):
        plan("bronze", products=numbers[0], orders_per_day=numbers[1], product_changes_per_day=numbers[2])


@settings(max_examples=20, deadline=None)
@given(
    tariff=st.sampled_from(list(TARIFFS)),
    packages=st.integers(0, 3),
    orders=st.integers(0, 120),
    changes=st.integers(0, 200),
)
def test_a_simulated_day_never_spends_more_than_the_limits_hold(
    tariff: str, packages: int, orders: int, changes: int
) -> None:
    day = plan(tariff, packages, products=0, orders_per_day=orders, product_changes_per_day=changes)
    limits = limits_of(tariff, packages)
    assert limits is not None
    assert day.calls_total <= 2 * limits.total, "of the day and, if something waits, of the one after it"
    assert day.orders.median <= day.orders.p95 <= day.orders.longest
    assert day.calls[Purpose.ORDERS] >= orders * 3 // PAGE


def test_a_long_run_ends_when_its_last_call_is_made() -> None:
    idle = take_snapshot(BudgetState.fresh(Limits(10, 100), NOON), NOON)
    # 104 at once (IMPORT leaves 4 of 110, and the rest of the hour's tail at 12:50), one second each.
    assert finish_time(50, idle, NOON) == NOON + timedelta(seconds=50)
    assert finish_time(0, idle, NOON) == NOON
    later = finish_time(300, idle, NOON)
    assert NOON + timedelta(hours=12) < later < NOON + timedelta(hours=24)


def test_a_long_run_waits_until_a_closed_budget_opens_and_for_those_before_it() -> None:
    closed = BudgetState(
        limits=Limits(10, 0),
        hour_at=NOON,
        day_at=NOON - timedelta(hours=12),
        closed_until=NOON + timedelta(hours=2),
    )
    assert finish_time(1, take_snapshot(closed, NOON), NOON) == NOON + timedelta(hours=2, seconds=1)
    alone = take_snapshot(BudgetState.fresh(Limits(10, 0), NOON), NOON)
    beside = take_snapshot(BudgetState.fresh(Limits(10, 0), NOON), NOON, calls={Purpose.ORDERS: 24 * 4})
    assert finish_time(60, beside, NOON) > finish_time(60, alone, NOON)


def test_no_calls_at_all_never_end() -> None:
    with pytest.raises(ValueError, match="no call"):
        finish_time(1, take_snapshot(BudgetState.fresh(Limits(0, 0), NOON), NOON), NOON)
