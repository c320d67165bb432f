"""The arithmetic of stock that is written back, and the guard, against rules said in another way."""

import json
from collections.abc import Sequence
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from upbridge.domain.mass_change import SMALL
from upbridge.systems.uphance.stock_calculation import (
    GUARD,
    Level,
    QueuedNumber,
    StockComparison,
    StockPlan,
    Tally,
    needs_a_person,
    number,
)

QUANTITIES = st.integers(-50, 500)
PIECES = st.decimals(0, 50, places=1)
SAFETY = st.integers(0, 20)


def level(key: str = "v-1", shown: int = 5, quantity: int = 5) -> Level:
    return Level(key, f"C-{key}", Decimal(shown), quantity, int(key[2:]))


def compared(levels: Sequence[Level], comparison: StockComparison | None = None) -> StockPlan:
    made = comparison or StockComparison({}, 0)
    for one in levels:
        made.see(one)
    return made.plan()


@given(QUANTITIES, PIECES, SAFETY)
def test_a_number_is_never_below_zero_and_never_more_than_uphance_has(
    quantity: int, pieces: Decimal, safety: int
) -> None:
    shown = number(quantity, pieces, safety)

    assert 0 <= shown <= max(0, quantity)


@given(QUANTITIES, PIECES, SAFETY)
def test_what_is_shown_and_sold_and_kept_back_is_never_more_than_uphance_has(
    quantity: int, pieces: Decimal, safety: int
) -> None:
    shown = number(quantity, pieces, safety)

    if shown:
        assert shown + pieces + safety <= quantity < shown + pieces + safety + 1


@given(st.integers(0, 500), st.integers(0, 50), SAFETY)
def test_one_more_open_piece_shows_one_less(quantity: int, pieces: int, safety: int) -> None:
    before, after = (number(quantity, Decimal(open_), safety) for open_ in (pieces, pieces + 1))

    assert after == max(0, before - 1)


@given(st.lists(st.tuples(st.integers(0, 30), QUANTITIES), max_size=30), SAFETY)
def test_only_what_differs_is_written(rows: list[tuple[int, int]], safety: int) -> None:
    levels = [level(f"v-{place}", *row) for place, row in enumerate(rows)]

    plan = compared(levels, StockComparison({}, safety))

    wanted = {one.key: max(0, one.quantity - safety) for one in levels}
    assert {draft.key: json.loads(draft.body)["written"] for draft in plan.put} == {
        one.key: wanted[one.key] for one in levels if one.shown != wanted[one.key]
    }


@given(st.lists(st.tuples(st.integers(0, 30), QUANTITIES), max_size=30))
def test_once_written_nothing_is_left_to_write(rows: list[tuple[int, int]]) -> None:
    levels = [level(f"v-{place}", *row) for place, row in enumerate(rows)]
    written = {draft.key: json.loads(draft.body)["written"] for draft in compared(levels).put}

    again = [level(one.key, written.get(one.key, int(one.shown)), one.quantity) for one in levels]

    assert compared(again).put == []


def test_a_number_can_be_explained() -> None:
    comparison = StockComparison({"v-7": Decimal(3)}, 2, run="2026-11-24T11:00:00+00:00")
    plan = compared([level("v-7", shown=9, quantity=12)], comparison)

    assert json.loads(plan.put[0].body) == {
        "code": "C-v-7",
        "level": "variant",
        "written": 7,
        "uphance": 12,
        "open": 3,
        "safety": 2,
        "sku": 7,
        "shown": 9,
        "run": "2026-11-24T11:00:00+00:00",
    }


def test_the_same_number_for_another_reason_is_no_news() -> None:
    one = compared([level(shown=9, quantity=12)], StockComparison({"v-1": Decimal(5)}, 0)).put[0]
    other = compared([level(shown=9, quantity=8)], StockComparison({"v-1": Decimal(1)}, 0)).put[0]

    assert one.hash == other.hash


def test_a_number_that_was_let_pass_is_not_judged_again() -> None:
    levels = [level("v-1", 5, 0), level("v-2", 5, 0)]
    hashes = {draft.key: draft.hash for draft in compared(levels).put}
    waiting = {
        "v-1": QueuedNumber(hashes["v-1"], "waiting", None),
        "v-2": QueuedNumber(hashes["v-2"], "parked", GUARD),
        "v-3": QueuedNumber(b"old", "waiting", None),
    }

    plan = compared(levels, StockComparison({}, 0, waiting))

    assert plan.fresh == {"v-2"}
    assert plan.withdraw == {"v-3"}
    assert plan.tally == Tally(matched=2, in_stock=2, changed=1, zeroed=1)


def test_a_number_that_was_dismissed_is_not_proposed_again_until_it_changes() -> None:
    declined = {"v-1": compared([level(shown=5, quantity=0)]).put[0].hash}

    assert compared([level(shown=5, quantity=0)], StockComparison({}, 0, {}, declined)).put == []
    assert len(compared([level(shown=5, quantity=1)], StockComparison({}, 0, {}, declined)).put) == 1


TALLIES = st.builds(
    lambda matched, changed, zeroed: Tally(matched, matched, min(changed, matched), min(zeroed, changed, matched)),
    st.integers(SMALL, 5000),
    st.integers(0, 5000),
    st.integers(0, 5000),
)


@given(TALLIES, st.integers(1, 99))
def test_a_run_waits_when_its_share_is_above_the_limit(tally: Tally, percent: int) -> None:
    assert needs_a_person(tally, percent) is (tally.changed / tally.matched > percent / 100)


@given(TALLIES)
def test_the_ends_of_the_scale_hold_everything_and_nothing(tally: Tally) -> None:
    assert needs_a_person(tally, 0) is (tally.changed > 0)
    assert needs_a_person(tally, 100) is False


@given(TALLIES, st.integers(0, 100), st.integers(0, 100))
def test_a_higher_limit_never_holds_more(tally: Tally, one: int, other: int) -> None:
    low, high = sorted((one, other))

    assert needs_a_person(tally, low) or not needs_a_person(tally, high)


def test_in_a_small_catalogue_only_a_clear_out_waits() -> None:
    assert needs_a_person(Tally(matched=3, in_stock=3, changed=3, zeroed=3), 30)
    assert not needs_a_person(Tally(matched=3, in_stock=3, changed=3, zeroed=2), 30)
    assert not needs_a_person(Tally(matched=1, in_stock=1, changed=1, zeroed=1), 30)
    assert not needs_a_person(Tally(matched=9, in_stock=9, changed=9, zeroed=0), 30)
