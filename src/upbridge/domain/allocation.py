"""Which item of an order costs what: the total of `totals.OrderTotals`, divided. Pure.

Two targets see an order differently. One counts what was sold: products, sets as a whole, gifts. The other counts
what leaves the stock: of a set its parts, each with its share of every discount, so that all pieces together are
worth exactly what the shop charged.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from upbridge.domain.money import amount_of, hundredths, rounded, rounded_together, spread, unit_prices
from upbridge.domain.order import LineType, OrderLine
from upbridge.domain.sku import code_key
from upbridge.domain.totals import OrderTotals, PartOf

# --- what was sold ------------------------------------------------------------------------------------------


def sold_items(totals: OrderTotals) -> Iterator[tuple[OrderLine, Decimal]]:
    """The products, sets and gifts with a positive quantity, each with the price of one piece with VAT.

    A gift costs 0 here, also where the shop charged it. A set that shows no price costs what its parts cost.
    No price has a share of discounts or shipping.
    """
    for place, line in enumerate(totals.order.lines):
        if line.type in (LineType.SET_PART, LineType.DISCOUNT, LineType.UNKNOWN) or line.quantity <= 0:
            continue
        if line.type is LineType.GIFT:
            yield line, Decimal(0)
        elif line.type is LineType.SET and not line.unit.with_vat:
            parts = [totals.order.lines[part].total.with_vat for part in totals.families.parts_of(place)]
            yield line, rounded(sum(parts, Decimal(0)) / line.quantity)
        else:
            yield line, line.unit.with_vat


# --- what leaves the stock ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Goods:
    """Goods to deliver: a line of the shop, and what all its pieces cost together after every discount."""

    line: OrderLine
    value: Decimal
    prices: Sequence[tuple[Decimal, int]]
    """(unit price, pieces) of at most two lines whose sum is the value; none if the quantity is not whole or not
    above 0."""


@dataclass(frozen=True, slots=True)
class AllocatedOrder:
    """The goods of an order with their values, what the rest costs, and what found no place."""

    goods: Sequence[Goods]
    services: Sequence[OrderLine]
    """The lines that are no goods; their prices are among the charges."""
    charges: Decimal
    """Shipping, payment and services together, after discounts."""
    charged: Decimal
    """What the shop charged (`OrderTotals.charged`), summed straight from the order."""
    left_over: Decimal
    """Discount that is larger than goods and charges together; anything but 0 means: do not send."""
    below_zero: Decimal
    """The sum of the goods with a negative value; anything but 0 means: do not send."""


@dataclass(slots=True)
class _Position:
    """Goods while the discounts are taken off."""

    line: OrderLine
    value: int
    """In hundredths."""
    vat: Decimal
    uuids: frozenset[str]
    """The lines that a discount may name to mean these goods: their own and their set's."""


def delivered_goods(totals: OrderTotals, *, with_vat: bool, services: Iterable[str] = ()) -> AllocatedOrder:
    """The goods of an order, worth together with the charges exactly what was charged.

    *with_vat* says which of the shop's two amounts count, *services* which lines are no goods, by code or title:
    their price is a charge. Sets become their parts. A discount on a line lowers that line, one on the order the
    goods of its VAT level. A negative price of shipping, payment or a service is a discount at its VAT level. What
    is larger than the goods lowers the charges. A value is negative only where the shop's own line is.
    """
    rounded_parts = rounded_together([part.side(with_vat=with_vat) for part in totals.parts])
    amounts = list(zip(totals.parts, rounded_parts, strict=True))
    worth = {part.place: amount for part, amount in amounts if part.place is not None}
    named = {code_key(name) for name in services} - {None}
    positions: list[_Position] = []
    extras: list[_Position] = []
    for one in _positions(totals, worth, with_vat=with_vat):
        is_service = not named.isdisjoint({code_key(one.line.code), code_key(one.line.title)})
        (extras if is_service else positions).append(one)
    costs = [(part.vat, amount) for part, amount in amounts if part.of in (PartOf.SHIPPING, PartOf.PAYMENT)]
    costs += [(one.vat, one.value) for one in extras]
    off: dict[Decimal, int] = {}
    for part, amount in amounts:
        if part.of is PartOf.DISCOUNTS:
            rest = _take(-amount, [one for one in positions if part.lowers in one.uuids])
            off[part.vat] = off.get(part.vat, 0) + rest
    for vat, cost in costs:
        off[vat] = off.get(vat, 0) - min(cost, 0)
    charges = sum(max(cost, 0) for _, cost in costs)
    rest = _take_by_level(off, positions)
    off_charges = min(rest, charges)
    left_over = _take(rest - off_charges, positions)
    return AllocatedOrder(
        goods=[_priced(one) for one in positions],
        services=[one.line for one in extras],
        charges=amount_of(charges - off_charges),
        charged=totals.charged(with_vat=with_vat),
        left_over=amount_of(left_over),
        below_zero=amount_of(sum(one.value for one in positions if one.value < 0)),
    )


def _priced(position: _Position) -> Goods:
    quantity = position.line.quantity
    whole = quantity > 0 and not quantity % 1
    prices = unit_prices(position.value, int(quantity)) if whole else []
    return Goods(
        position.line, amount_of(position.value), [(amount_of(price), pieces) for price, pieces in prices]
    )


def _positions(totals: OrderTotals, worth: Mapping[int, int], *, with_vat: bool) -> list[_Position]:
    """What leaves the stock, before discounts; *worth* has the lines that were charged."""
    lines, families = totals.order.lines, totals.families
    found: list[_Position] = []
    for place, line in enumerate(lines):
        if line.type is LineType.DISCOUNT or families.set_of(place) is not None:
            continue
        parts = families.parts_of(place)
        if not parts:
            found.append(_Position(line, worth.get(place, 0), line.total.vat, _uuids(line)))
            continue
        shares = _shares(worth.get(place, 0), [lines[part] for part in parts], with_vat=with_vat)
        for part, share in zip(parts, shares, strict=True):
            # The VAT level is that of the line which carries the money: the discounts are stated per that level.
            vat = line.total.vat if share else lines[part].total.vat
            value = share + worth.get(part, 0)
            found.append(_Position(lines[part], value, vat, _uuids(line, lines[part])))
    return found


def _shares(total: int, parts: Sequence[OrderLine], *, with_vat: bool) -> list[int]:
    """A set's price over its parts, in proportion to their own prices, else the same for each piece."""
    weights = [max(hundredths(part.total.side(with_vat=with_vat)), 0) for part in parts]
    if not any(weights):
        weights = [max(hundredths(part.quantity), 0) for part in parts]
    sign = -1 if total < 0 else 1
    return [sign * share for share in spread(abs(total), weights)]


def _take_by_level(off: Mapping[Decimal, int], goods: Sequence[_Position]) -> int:
    """Lower the goods of each VAT level by what is off at it; returns what is larger than them.

    What is off at a level without goods (loyalty points at 0 %, say) has nothing of its own to lower: it
    lowers all, after the others.
    """
    rest = nowhere = 0
    for vat, amount in off.items():
        own = [one for one in goods if one.vat == vat]
        if own:
            rest += _take(amount, own)
        else:
            nowhere += amount
    return rest + _take(nowhere, goods)


def _take(amount: int, goods: Sequence[_Position]) -> int:
    """Lower *goods* by *amount* in proportion to their values; returns what is larger than all of them."""
    values = [max(one.value, 0) for one in goods]
    taken = min(amount, sum(values))
    if taken:
        for one, share in zip(goods, spread(taken, values), strict=True):
            one.value -= share
    return amount - taken


def _uuids(*lines: OrderLine) -> frozenset[str]:
    return frozenset(line.uuid for line in lines if line.uuid is not None)
