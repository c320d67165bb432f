"""Amounts of money: added up exactly, rounded once, and divided so that the parts add up again. Pure.

An amount is a `Decimal`. A sum that is sent is a number of whole hundredths (`int`), because only whole
numbers can be divided without a rest that gets lost.
"""

from collections.abc import Sequence
from decimal import ROUND_FLOOR, ROUND_HALF_UP, Decimal

CENT = Decimal("0.01")

#: How far two totals of one order may lie apart and still count as the same: the shop and Uphance round the VAT of
#: each part by itself.
TOLERANCE = Decimal("0.05")


def same_total(one: Decimal, other: Decimal) -> bool:
    """Whether both are the total of one order, give or take the rounding of VAT."""
    return abs(one - other) <= TOLERANCE


def rounded(amount: Decimal) -> Decimal:
    """*amount* with two decimals, halves away from zero, as Upgates (PHP's `round`) does."""
    return amount.quantize(CENT, ROUND_HALF_UP)


def hundredths(amount: Decimal) -> int:
    """*amount* in hundredths, rounded like `rounded`."""
    return int((amount * 100).to_integral_value(ROUND_HALF_UP))


def amount_of(number: int) -> Decimal:
    """The amount of *number* hundredths, with two decimals."""
    return (Decimal(number) / 100).quantize(CENT)


def rounded_together(amounts: Sequence[Decimal]) -> list[int]:
    """*amounts* in hundredths whose sum is their exact sum, rounded once.

    Each is less than one hundredth away from its amount, so an amount of whole hundredths stays what it is.
    What the sum needs goes to the amounts with the largest fractions, to the earlier one of equals.
    """
    exact = [amount * 100 for amount in amounts]
    whole = [int(amount.to_integral_value(ROUND_FLOOR)) for amount in exact]
    by_fraction = sorted(range(len(exact)), key=lambda place: (whole[place] - exact[place], place))
    for place in by_fraction[: hundredths(sum(amounts, Decimal(0))) - sum(whole)]:
        whole[place] += 1
    return whole


def spread(total: int, weights: Sequence[int]) -> list[int]:
    """*total* (>= 0) divided in proportion to *weights* (>= 0) by largest remainder: the parts sum to *total*.

    Without any weight the parts are as equal as they can be. No part exceeds its weight while *total* does not
    exceed the sum of the weights. Ties go to the earlier part. Raises `ValueError` if there are no weights.
    """
    if not weights:
        raise ValueError("nothing to divide among")
    whole = sum(weights)
    if whole == 0:
        weights, whole = [1] * len(weights), len(weights)
    parts = [total * weight // whole for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda place: (-(total * weights[place] % whole), place))
    for place in by_remainder[: total - sum(parts)]:
        parts[place] += 1
    return parts


def unit_prices(total: int, quantity: int) -> list[tuple[int, int]]:
    """(unit price, pieces) of at most two lines whose sum is exactly *total* (>= 0) for *quantity* (> 0) pieces.

    The two prices differ by one hundredth: 100 for 3 pieces is 2 at 33 and 1 at 34.
    """
    price, dearer = divmod(total, quantity)
    lines = [(price, quantity - dearer), (price + 1, dearer)]
    return [(price, pieces) for price, pieces in lines if pieces]
