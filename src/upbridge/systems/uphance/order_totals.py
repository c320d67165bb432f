"""Do the shop's figures add up, and is what we would send worth exactly what the shop charged? Pure.

Two things are not published (Upgates API v2, `orders[].products[]`): whether a set or its parts carry the
money, and whether a gift may have a price that was charged. Both are found out by trying: the reading under
which the order adds up to its own `order_total_before_round` is the right one.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from itertools import product

from upbridge.domain.order import LineType, Money, Order, OrderLine
from upbridge.systems.uphance.money import amount_of, hellers

#: How far the sum of an order's parts may be from its total: VAT is rounded part by part (section 15.1).
TOLERANCE = 5
_ROUNDING_TOLERANCE = 1


class Carrier(StrEnum):
    """Who carries the money of a set when both the set and its parts show prices."""

    SET = "set"
    PARTS = "parts"
    BOTH = "both"


@dataclass(frozen=True, slots=True)
class Reading:
    """One way to read an order's lines."""

    carrier: Carrier
    gifts_charged: bool

    def counts(self, line: OrderLine, family: "Families") -> bool:
        """Whether this line's price was charged."""
        match line.type:
            case LineType.GIFT:
                return self.gifts_charged
            case LineType.SET if family.parts_of(line):
                return self._of(family, line) is not Carrier.PARTS
            case LineType.SET_PART if (head := family.set_of(line)) is not None:
                return self._of(family, head) is not Carrier.SET
            case _:
                return True

    def _of(self, family: "Families", head: OrderLine) -> Carrier:
        """A set that has no price, or whose parts have none, leaves nothing to choose."""
        if not any(part.total.with_vat for part in family.parts_of(head)):
            return Carrier.SET
        return self.carrier if head.total.with_vat else Carrier.PARTS


class Families:
    """Which set has which parts."""

    def __init__(self, order: Order) -> None:
        self._sets = {
            line.uuid: line for line in order.lines if line.type is LineType.SET and line.uuid is not None
        }
        self._parts: dict[str | None, list[OrderLine]] = {}
        for line in order.lines:
            if line.type is LineType.SET_PART and line.parent_uuid in self._sets:
                self._parts.setdefault(line.parent_uuid, []).append(line)

    def parts_of(self, line: OrderLine) -> list[OrderLine]:
        """The parts of a set, in the order's order."""
        return self._parts.get(line.uuid, []) if line.uuid is not None else []

    def set_of(self, line: OrderLine) -> OrderLine | None:
        """The set of a part; None for a part whose set is not on the order."""
        return self._sets.get(line.parent_uuid) if line.parent_uuid is not None else None


@dataclass(frozen=True, slots=True)
class Sums:
    """The parts of an order's total, in hundredths. Discounts and discount lines are positive: taken off."""

    lines: int
    shipping: int
    payment: int
    discounts: int

    @property
    def total(self) -> int:
        """What is left to pay."""
        return self.lines + self.shipping + self.payment - self.discounts


@dataclass(frozen=True, slots=True)
class Parity:
    """The reading that fits an order best, and the control sum under it."""

    order: Order
    reading: Reading
    control: Sums

    @property
    def adds_up(self) -> bool:
        """Whether the order's own figures agree with one another.

        The sign of `order_total_rest` is not published, so only its size is compared.
        """
        expected = hellers(self.order.total_before_round)
        rounded = hellers(self.order.total) - expected
        return (
            abs(self.control.total - expected) <= TOLERANCE
            and abs(abs(rounded) - abs(hellers(self.order.rounding))) <= _ROUNDING_TOLERANCE
        )

    def figure(self, *, with_tax: bool) -> int:
        """What the shop charged, with or without VAT, summed straight from the order: nothing of the mapping."""
        return _sums(self.order, self.reading, Families(self.order), with_tax=with_tax).total

    def arithmetic(self, **more: int) -> Mapping[str, str]:
        """The control sum as a person would check it, amounts as text."""
        expected = hellers(self.order.total_before_round)
        figures = {
            "lines": self.control.lines,
            "shipping": self.control.shipping,
            "payment": self.control.payment,
            "discounts": self.control.discounts,
            "sum": self.control.total,
            "expected": expected,
            "difference": self.control.total - expected,
            "rounding": hellers(self.order.rounding),
            "total": hellers(self.order.total),
            **more,
        }
        return {name: str(amount_of(value)) for name, value in figures.items()} | {"currency": self.order.currency}


def parity(order: Order) -> Parity:
    """The reading of *order* whose control sum (with VAT) is nearest to its total before rounding.

    A tie goes to the simpler reading: sets carry their price, gifts are free.
    """
    families = Families(order)
    expected = hellers(order.total_before_round)
    readings = [Reading(carrier, charged) for charged, carrier in product((False, True), Carrier)]
    tried = [Parity(order, reading, _sums(order, reading, families, with_tax=True)) for reading in readings]
    return min(tried, key=lambda one: abs(one.control.total - expected))


def side(money: Money, *, with_tax: bool) -> Decimal:
    """The amount with or without VAT."""
    return money.with_vat if with_tax else money.without_vat


def taken_off(order: Order) -> Iterator[tuple[str | None, Money]]:
    """Every discount of *order* with the uuid of the line that it lowers, if it names one.

    The sign of a discount line's price is not published: it is taken for what it is named.
    """
    for line in order.lines:
        if line.type is LineType.DISCOUNT:
            yield line.parent_uuid, line.total
    for discount in order.discounts:
        yield None, discount.amount


def _sums(order: Order, reading: Reading, families: Families, *, with_tax: bool) -> Sums:
    def worth(money: Money | None) -> int:
        return 0 if money is None else hellers(side(money, with_tax=with_tax))

    return Sums(
        lines=sum(
            worth(line.total)
            for line in order.lines
            if line.type is not LineType.DISCOUNT and reading.counts(line, families)
        ),
        shipping=worth(order.shipping.amount if order.shipping else None),
        payment=worth(order.payment.amount if order.payment else None),
        discounts=sum(abs(worth(money)) for _, money in taken_off(order)),
    )
