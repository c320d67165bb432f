"""What is divided adds up again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upbridge.systems.uphance.money import amount_of, hellers, spread, unit_prices

AMOUNTS = st.integers(0, 10**9)


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
def test_a_line_of_pieces_is_exact_with_at_most_two_prices_a_heller_apart(total: int, quantity: int) -> None:
    lines = unit_prices(total, quantity)

    assert sum(price * pieces for price, pieces in lines) == total
    assert sum(pieces for _, pieces in lines) == quantity
    assert 1 <= len(lines) <= 2
    assert lines[-1][0] - lines[0][0] == len(lines) - 1


@given(AMOUNTS)
def test_an_amount_survives_being_counted_in_hellers(hundredths: int) -> None:
    assert hellers(amount_of(hundredths)) == hundredths
