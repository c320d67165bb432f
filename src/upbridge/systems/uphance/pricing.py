"""What each piece of goods on an order is worth after every discount, to the last hundredth. Pure.

Sets are exploded into their parts, discount lines lower their parent, discounts on the whole order are spread
over the goods of their VAT level, and what is larger than the goods comes off shipping (section 15.1).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from upbridge.domain.order import LineType, Order, OrderLine
from upbridge.systems.uphance.money import hellers, spread
from upbridge.systems.uphance.order_totals import Families, Reading, side, taken_off


@dataclass(slots=True)
class Position:
    """Goods to deliver: a line of the shop and what its pieces cost together, in hundredths."""

    line: OrderLine
    value: int
    vat: Decimal
    family: frozenset[str]
    """The uuids of the lines that a discount may name to mean these goods: its own and its set's."""


@dataclass(frozen=True, slots=True)
class Priced:
    """The goods with their final values, what shipping, payment and services cost, and what found no place."""

    positions: Sequence[Position]
    charges: int
    left_over: int
    """Discount that is larger than goods and shipping together; anything but 0 means: do not send."""


def price(
    order: Order, reading: Reading, *, with_tax: bool, services: Callable[[OrderLine], bool] = lambda _: False
) -> Priced:
    """Every position of *order* with its value under *reading*, discounts taken off.

    *with_tax* says which of the shop's two figures counts, *services* which lines are no goods: what they cost
    goes with shipping. A negative price of shipping, payment or a service is a discount at its VAT level. Values
    may be negative only where the shop's line itself is; callers refuse those.
    """
    everything = _positions(order, reading, with_tax=with_tax)
    positions = [one for one in everything if not services(one.line)]
    by_level: dict[Decimal, int] = {}
    for parent, money in taken_off(order):
        amount = abs(hellers(side(money, with_tax=with_tax)))
        if parent is not None:
            amount = _take(amount, [one for one in positions if parent in one.family])
        by_level[money.vat] = by_level.get(money.vat, 0) + amount
    charges = 0
    costs = [(hellers(side(one.amount, with_tax=with_tax)), one.amount.vat) for one in order.charges()]
    costs += [(one.value, one.vat) for one in everything if services(one.line)]
    for cost, vat in costs:
        charges += max(cost, 0)
        by_level[vat] = by_level.get(vat, 0) - min(cost, 0)
    rest = 0
    for vat, amount in by_level.items():
        # A level without goods (loyalty points at 0 %, say) has nothing of its own to lower: it lowers all.
        rest += _take(amount, [one for one in positions if one.vat == vat] or positions)
    off_charges = min(rest, charges)
    return Priced(positions, charges - off_charges, _take(rest - off_charges, positions))


def _positions(order: Order, reading: Reading, *, with_tax: bool) -> list[Position]:
    families = Families(order)

    def worth(line: OrderLine) -> int:
        return hellers(side(line.total, with_tax=with_tax)) if reading.counts(line, families) else 0

    positions: list[Position] = []
    for line in order.lines:
        if line.type is LineType.DISCOUNT or families.set_of(line) is not None:
            continue
        parts = families.parts_of(line)
        if line.type is not LineType.SET or not parts:
            positions.append(Position(line, worth(line), line.total.vat, _uuids(line)))
            continue
        for part, share in zip(parts, _shares(worth(line), parts, with_tax=with_tax), strict=True):
            value = share + worth(part)
            # The VAT level is that of the line which carries the money: the discounts are stated per that level.
            vat = line.total.vat if share else part.total.vat
            positions.append(Position(part, value, vat, _uuids(line, part)))
    return positions


def _shares(total: int, parts: Sequence[OrderLine], *, with_tax: bool) -> list[int]:
    """A set's price over its parts, in proportion to their own prices, else the same for each piece."""
    weights = [max(hellers(side(part.total, with_tax=with_tax)), 0) for part in parts]
    if not any(weights):
        weights = [max(hellers(part.quantity), 0) for part in parts]
    sign = -1 if total < 0 else 1
    return [sign * share for share in spread(abs(total), weights)]


def _take(amount: int, positions: Sequence[Position]) -> int:
    """Lower *positions* by *amount* in proportion to their values; returns what is larger than all of them."""
    values = [max(one.value, 0) for one in positions]
    taken = min(amount, sum(values))
    if taken:
        for position, share in zip(positions, spread(taken, values), strict=True):
            position.value -= share
    return amount - taken


def _uuids(*lines: OrderLine) -> frozenset[str]:
    return frozenset(line.uuid for line in lines if line.uuid is not None)
