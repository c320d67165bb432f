"""Money in whole hundredths ("hellers"), so that what is divided adds up again. Pure."""

from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal

CENT = Decimal("0.01")


def hellers(amount: Decimal) -> int:
    """*amount* in hundredths, halves away from zero, as Upgates (PHP's `round`) does."""
    return int((amount * 100).to_integral_value(ROUND_HALF_UP))


def amount_of(hundredths: int) -> Decimal:
    """The amount of so many hundredths, with two decimals."""
    return (Decimal(hundredths) / 100).quantize(CENT)


def spread(total: int, weights: Sequence[int]) -> list[int]:
    """*total* (>= 0) divided in proportion to *weights* (>= 0) by largest remainder: the parts sum to *total*.

    Without any weight the parts are as equal as they can be. No part exceeds its weight while *total* does not
    exceed the sum of the weights. Ties go to the earlier part. Raises `ValueError` when there is nothing to
    divide among.
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
