"""What an order comes to, and which of its lines carry the money. Pure.

    order ─► OrderTotals.of ─► allocation.sold_items       what was sold: sets as a whole
                         └───► allocation.delivered_goods  what leaves the stock: sets as their parts

Upgates does not publish two things (API v2, `orders[].products[]`): whether a set or its parts carry the
money, and whether a gift that shows a price costs it. `OrderTotals.of` tries every reading and takes the one
under which the order adds up to its own `order_total_before_round`. All targets use that reading.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from itertools import product

from upbridge.domain.money import CENT, amount_of, hundredths, rounded, rounded_together, same_total
from upbridge.domain.order import LineType, Money, Order


class Carrier(StrEnum):
    """Who carries the money of a set."""

    SET = "set"
    PARTS = "parts"
    BOTH = "both"


class PartOf(StrEnum):
    """Under which heading an amount belongs to an order's total."""

    LINES = "lines"
    SHIPPING = "shipping"
    PAYMENT = "payment"
    DISCOUNTS = "discounts"


@dataclass(frozen=True, slots=True)
class ChargedPart:
    """One amount that was charged. A discount is negative."""

    of: PartOf
    with_vat: Decimal
    without_vat: Decimal
    vat: Decimal
    place: int | None = None
    """The index in `Order.lines` of the line that this is the amount of."""
    lowers: str | None = None
    """The uuid of the line that a discount is for; None: it is for the whole order."""

    def side(self, *, with_vat: bool) -> Decimal:
        """The amount with or without VAT."""
        return self.with_vat if with_vat else self.without_vat


@dataclass(frozen=True, slots=True)
class Reading:
    """One way to read an order's lines."""

    gifts_charged: bool
    carrier: Carrier
    """Of sets where both the set and its parts show prices."""


#: From the simplest to the least likely: gifts are free, sets carry their price.
READINGS = tuple(Reading(charged, carrier) for charged, carrier in product((False, True), Carrier))


class Families:
    """Which set has which parts; lines are named by their index in `Order.lines`."""

    def __init__(self, order: Order) -> None:
        sets = {
            line.uuid: place
            for place, line in enumerate(order.lines)
            if line.type is LineType.SET and line.uuid is not None
        }
        self._lines = order.lines
        self._parts: dict[int, list[int]] = {place: [] for place in sets.values()}
        self._head: dict[int, int] = {}
        for place, line in enumerate(order.lines):
            if line.type is LineType.SET_PART and line.parent_uuid in sets:
                self._head[place] = sets[line.parent_uuid]
                self._parts[self._head[place]].append(place)

    def parts_of(self, place: int) -> list[int]:
        """The parts of the set at *place*, in the order's order."""
        return self._parts.get(place, [])

    def set_of(self, place: int) -> int | None:
        """The set of the part at *place*; None for a part whose set is not on the order."""
        return self._head.get(place)

    def carrier(self, place: int, reading: Reading) -> Carrier:
        """Who carries the money of the set at *place*. A side without a price leaves nothing to choose."""
        if not any(self._lines[part].total.with_vat for part in self.parts_of(place)):
            return Carrier.SET
        return reading.carrier if self._lines[place].total.with_vat else Carrier.PARTS

    def counts(self, place: int, reading: Reading) -> bool:
        """Whether the price of the line at *place* was charged."""
        if self._lines[place].type is LineType.GIFT:
            return reading.gifts_charged
        if self.parts_of(place):
            return self.carrier(place, reading) is not Carrier.PARTS
        if (head := self.set_of(place)) is not None:
            return self.carrier(head, reading) is not Carrier.SET
        return True


@dataclass(frozen=True, slots=True)
class OrderTotals:
    """An order under the reading that fits it best: the amounts that were charged, and their exact sums."""

    order: Order
    families: Families
    reading: Reading
    parts: tuple[ChargedPart, ...]

    @classmethod
    def of(cls, order: Order) -> "OrderTotals":
        """*order* under the reading whose sum with VAT is nearest to its total before rounding; of equals the
        first.

        Where no reading adds up, the simplest one counts: the nearest is then an accident.
        """
        families, parts = Families(order), list(_parts(order))
        several = any(line.type in (LineType.SET, LineType.GIFT) for line in order.lines)
        tried = [
            cls(
                order,
                families,
                reading,
                tuple(one for one in parts if one.place is None or families.counts(one.place, reading)),
            )
            for reading in (READINGS if several else READINGS[:1])
        ]
        nearest = min(tried, key=lambda one: abs(one.difference))
        return nearest if nearest.adds_up else tried[0]

    def sum(self, *, with_vat: bool) -> Decimal:
        """All amounts together, exact."""
        return sum((part.side(with_vat=with_vat) for part in self.parts), Decimal(0))

    def charged(self, *, with_vat: bool) -> Decimal:
        """What the shop charged before it rounded the total, with two decimals."""
        return rounded(self.sum(with_vat=with_vat))

    @property
    def difference(self) -> Decimal:
        """By how much the amounts with VAT exceed the order's own total before rounding."""
        return self.sum(with_vat=True) - self.order.total_before_round

    @property
    def adds_up(self) -> bool:
        """Whether the amounts agree with the order's own total before rounding."""
        return same_total(self.sum(with_vat=True), self.order.total_before_round)

    @property
    def rounding_adds_up(self) -> bool:
        """Whether the rounding explains the total. Only its size is compared: Upgates publishes no sign for
        `order_total_rest`."""
        step = abs(self.order.total - self.order.total_before_round)
        return abs(step - abs(self.order.rounding)) <= CENT

    def net(self, *, vat_payer: bool) -> Decimal:
        """The total without VAT, with two decimals; the rounding of the total is no part of it.

        Where the order does not add up, it is an estimate: the total in the proportion of the amounts. Who pays no
        VAT has net = gross.
        """
        if not vat_payer:
            return self.order.total
        with_vat, without_vat = self.sum(with_vat=True), self.sum(with_vat=False)
        if self.adds_up:
            return rounded(without_vat)
        return rounded(self.order.total * without_vat / with_vat if with_vat else self.order.total)

    def arithmetic(self, **more: Decimal) -> Mapping[str, str]:
        """The sum with VAT as a person would check it, amounts as text with two decimals."""
        exact = [self._under(heading) for heading in PartOf]
        lines, shipping, payment, discounts = rounded_together(exact)
        total, expected = lines + shipping + payment + discounts, hundredths(self.order.total_before_round)
        figures = {
            "lines": lines,
            "shipping": shipping,
            "payment": payment,
            "discounts": -discounts,
            "sum": total,
            "expected": expected,
            "difference": total - expected,
            "rounding": hundredths(self.order.rounding),
            "total": hundredths(self.order.total),
            **{name: hundredths(amount) for name, amount in more.items()},
        }
        return {name: str(amount_of(value)) for name, value in figures.items()} | {"currency": self.order.currency}

    def _under(self, heading: PartOf) -> Decimal:
        return sum((part.with_vat for part in self.parts if part.of is heading), Decimal(0))


def _parts(order: Order) -> Iterator[ChargedPart]:
    """Every amount of *order*, as if all its lines were charged.

    Assumption: a discount takes off, whichever sign the shop gives it; Upgates publishes none.
    """
    for place, line in enumerate(order.lines):
        if line.type is LineType.DISCOUNT:
            yield _taken_off(line.total, line.parent_uuid)
        else:
            yield _part(PartOf.LINES, line.total, place)
    if order.shipping is not None:
        yield _part(PartOf.SHIPPING, order.shipping.amount)
    if order.payment is not None:
        yield _part(PartOf.PAYMENT, order.payment.amount)
    for discount in order.discounts:
        yield _taken_off(discount.amount, None)


def _part(of: PartOf, money: Money, place: int | None = None) -> ChargedPart:
    return ChargedPart(of, money.with_vat, money.without_vat, money.vat, place)


def _taken_off(money: Money, lowers: str | None) -> ChargedPart:
    return ChargedPart(PartOf.DISCOUNTS, -abs(money.with_vat), -abs(money.without_vat), money.vat, lowers=lowers)
