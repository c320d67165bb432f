"""What is divided adds up again."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upbridge.domain.money import (
    amount_of,
    hundredths,
    rounded_together,
    same_total,
    spread,
    unit_prices,
)

AMOUNTS = st.integers(0, 10**9)
FINE = st.integers(-(10**9), 10**9).map(lambda number: Decimal(number) / 100_000)


@given(st.lists(FINE, max_size=50))
def test_amounts_are_added_up_before_they_are_rounded(amounts: list[Decimal]) -> None:
    parts = rounded_together(amounts)

    assert sum(parts) == hundredths(sum(amounts, Decimal(0)))
    assert all(abs(part - amount * 100) < 1 for part, amount in zip(parts, amounts, strict=True))


@given(st.lists(st.integers(-(10**6), 10**6)), st.permutations(range(8)))
def test_whole_hundredths_stay_what_they_are(numbers: list[int], order: list[int]) -> None:
    fine = [Decimal(number) / 1000 for number in order]

    assert rounded_together([amount_of(number) for number in numbers] + fine)[: len(numbers)] == numbers


def test_forty_times_a_little_more_than_a_haler_is_not_lost() -> None:
    assert sum(rounded_together([Decimal("10.004")] * 40)) == 400_16


@given(AMOUNTS, st.lists(AMOUNTS, min_size=1, max_size=12))
def test_what_is_spread_adds_up_and_each_part_is_within_one_of_its_share(total: int, weights: list[int]) -> None:
    parts = spread(total, weights)

    whole = sum(weights) or len(weights)
    shares = weights if sum(weights) else [1] * len(weights)
    assert sum(parts) == total
    assert all(abs(part * whole - total * share) < whole for part, share in zip(parts, shares, strict=True))


@given(st.data(), st.lists(AMOUNTS, min_size=1, max_size=12).filter(any))
def test_no_part_is_larger_than_what_it_is_taken_from(data: st.DataObject, weights: list[int]) -> None:
    total = data.draw(st.integers(0, sum(weights)))

    assert all(part <= weight for part, weight in zip(spread(total, weights), weights, strict=True))


def test_there_has_to_be_something_to_spread_over() -> None:
    with pytest.raises(ValueError, match="nothing"):
        spread(1, [])


@given(AMOUNTS, st.integers(1, 10_000))
def test_a_line_of_pieces_is_exact_with_at_most_two_prices_a_haler_apart(total: int, quantity: int) -> None:
    lines = unit_prices(total, quantity)

    assert sum(price * pieces for price, pieces in lines) == total
    assert sum(pieces for _, pieces in lines) == quantity
    assert 1 <= len(lines) <= 2
    assert lines[-1][0] - lines[0][0] == len(lines) - 1


@given(AMOUNTS)
def test_an_amount_survives_being_counted_in_hundredths(number: int) -> None:
    assert hundredths(amount_of(number)) == number


@pytest.mark.parametrize(
    ("other", "same"), [("99.95", True), ("100.05", True), ("100.051", False), ("99.94", False)]
)
def test_totals_are_the_same_within_five_hundredths(other: str, same: bool) -> None:
    assert same_total(Decimal(100), Decimal(other)) is same
