"""Orders as GET /orders lists them, read into the words of the trade.

Upgates API v2, "Objednávky". The explicit amounts with and without VAT came on 8 and 9 April 2025; older answers
have only `price` and `price_per_unit`, which are one or the other by `prices_with_vat_yn`. What is absent is
computed from the VAT rate.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import Literal

from upbridge.core.clock import PRAGUE
from upbridge.domain.order import Charge, Discount, LineType, Money, Order, OrderLine
from upbridge.domain.sku import real_ean
from upbridge.domain.unread import Unread
from upbridge.systems.upgates.customers import Customer, shopper
from upbridge.systems.upgates.errors import Unreadable
from upbridge.systems.upgates.fields import (
    Amount,
    Currency,
    Flag,
    Language,
    Many,
    Moment,
    Number,
    One,
    Rate,
    Raw,
    Whole,
    Wire,
    Words,
    cents,
    gross,
    key_of,
    net,
    path,
    read_tolerantly,
    required,
)

_FINE = Decimal("0.0001")
_ZERO = Decimal(0)
#: What a field that makes no sense is a part of; without any other field there is no order. A field that is part
#: of nothing ("unless") is read only where another one is absent (`_spared`).
_PARTS = {
    "order_id": "ids",
    "uuid": "ids",
    "external_order_number": "notes",
    "language_id": "language",
    "paid_date": "paid_on",
    "tracking_code": "notes",
    "internal_note": "notes",
    "statistics_yn": "statistics",
    "last_update_time": "updated_at",
    "variable_symbol": "notes",
    "admin_url": "notes",
    "products.product_id": "line.id",
    "products.option_set_id": "line.id",
    "products.type": "line.type",
    "products.ean": "line.ean",
    "products.title": "line.title",
    "products.recycling_fee": "line.recycling_fee",
    "products.price_per_unit": "line.unit",
    "products.price_per_unit_with_vat": "line.unit",
    "products.price_per_unit_without_vat": "line.unit",
    "products.vat": "line.vat",
    "discount_voucher.code": "notes",
    "quantity_discount.code": "notes",
    "loyalty_points.code": "notes",
    "shipment.id": "ids",
    "shipment.code": "ids",
    "prices_with_vat_yn": "unless",
    "deleted_yn": "unless",
    "deleted": "unless",
    "order_total_rest": "unless",
    "products.price": "unless",
}
_SHIPPING = frozenset({"name", "affiliate_id", "affiliate_name", "packeta_carrier_id"})
_PAYMENT = _SHIPPING | {"id", "code"}

_FREE = {LineType.GIFT, LineType.DISCOUNT, LineType.SET_PART}


class _Priced(Wire):
    price: Amount = None
    price_with_vat: Amount = None
    price_without_vat: Amount = None
    vat: Rate = None


class _ConfigurationValue(Wire):
    value: Words = None


class _Configuration(Wire):
    name: Words = None
    values: Many[_ConfigurationValue] = ()


class _Line(_Priced):
    product_id: Number = None
    option_set_id: Number = None
    type: Words = None
    uuid: Words = None
    parent_uuid: Words = None
    code: Words = None
    ean: Words = None
    title: Words = None
    quantity: Amount = None
    price_per_unit: Amount = None
    price_per_unit_with_vat: Amount = None
    price_per_unit_without_vat: Amount = None
    recycling_fee: Amount = None
    configurations: Many[_Configuration] = ()


class _Discounts(Wire):
    code: Words = None
    discounts: Many[_Priced] = ()


class _Charge(_Priced):
    id: Number = None
    code: Words = None
    name: Words = None
    affiliate_id: Words = None
    affiliate_name: Words = None
    packeta_carrier_id: Words = None


class _Order(Wire):
    order_number: Words = None
    order_id: Number = None
    uuid: Words = None
    external_order_number: Words = None
    language_id: Language = None
    currency_id: Currency = None
    prices_with_vat_yn: Flag = None
    status_id: Whole = None
    paid_date: Moment = None
    tracking_code: Words = None
    internal_note: Words = None
    statistics_yn: Flag = None
    last_update_time: Moment = None
    creation_time: Moment = None
    variable_symbol: Words = None
    order_total: Amount = None
    order_total_before_round: Amount = None
    order_total_rest: Amount = None
    origin: Words = None
    admin_url: Words = None
    deleted_yn: Flag = None
    deleted: Flag = None
    customer: One[Customer] = None
    products: Many[_Line] = ()
    discount_voucher: One[_Discounts] = None
    quantity_discount: One[_Discounts] = None
    loyalty_points: One[_Discounts] = None
    shipment: One[_Charge] = None
    payment: One[_Charge] = None


def _part_of(field: str) -> str | None:
    top, _, rest = field.partition(".")
    if top == "customer":
        return "shopper"
    if field.startswith("products.configurations"):
        return "line.configuration"
    if (top == "shipment" and rest in _SHIPPING) or (top == "payment" and rest in _PAYMENT):
        return "shipping" if top == "shipment" else "notes"
    return _PARTS.get(field)


def parse_order(raw: Raw) -> Order:
    """One order of GET /orders; raises `Unreadable`.

    A field that makes no sense is as if it were null, and noted in `Order.unread`, if some target can do without
    it; so is a line `type` that is not in `LineType`.

    Required: `order_number`, `currency_id`, `creation_time`, `order_total`, and at each line a quantity and, if
    it is a product or a set, some price. Absent `prices_with_vat_yn` and `statistics_yn` count as true, an
    absent `origin` as `frontend`, an absent VAT rate as 0, an absent line `type` as `product`.

    Assumption: a discount lowers the total with either sign of its amounts. Assumption: every voucher has its
    `discounts` per VAT level; one without is left out and shows in the sum of the order. `rounding` is the total
    less the total before rounding, with either sign of `order_total_rest`
    (docs/vendors/upgates.md#amounts-of-an-order).
    """
    key = key_of(raw, "order_number", "order_id", "uuid")
    wire, found = read_tolerantly(_Order, raw, key, _part_of)
    unread = tuple(_unread(wire, found, key))
    unknown = {place[1] for place, part in found.items() if part == "line.type"}
    with_vat = wire.prices_with_vat_yn is not False
    total = required(wire.order_total, key, "order_total")
    before = wire.order_total_before_round
    if before is None:
        before = total - (wire.order_total_rest or _ZERO)
    return Order(
        order_number=required(wire.order_number, key, "order_number").strip(),
        order_id=wire.order_id,
        uuid=wire.uuid,
        external_order_number=wire.external_order_number,
        language=wire.language_id,
        currency=required(wire.currency_id, key, "currency_id"),
        status_id=wire.status_id,
        paid_on=wire.paid_date.astimezone(PRAGUE).date().isoformat() if wire.paid_date else None,
        created_at=required(wire.creation_time, key, "creation_time"),
        updated_at=wire.last_update_time,
        origin=_origin(wire.origin),
        in_statistics=wire.statistics_yn is not False,
        total=total,
        total_before_round=before,
        rounding=total - before,
        variable_symbol=wire.variable_symbol,
        internal_note=wire.internal_note,
        admin_url=wire.admin_url,
        tracking_code=wire.tracking_code,
        shopper=shopper(wire.customer) if wire.customer else None,
        lines=tuple(
            _line(line, key, place, with_vat=with_vat, unknown=place in unknown)
            for place, line in enumerate(wire.products)
        ),
        discounts=tuple(_discounts(wire, with_vat=with_vat)),
        shipping=_charge(wire.shipment, with_vat=with_vat),
        payment=_charge(wire.payment, with_vat=with_vat),
        deleted=bool(wire.deleted_yn or wire.deleted),
        unread=unread,
    )


def _unread(wire: _Order, found: dict[tuple[str | int, ...], str], key: str) -> Iterator[Unread]:
    """What of *found* some target can do without; raises `Unreadable` for what an amount is computed from."""
    for place, part in found.items():
        line = wire.products[place[1]] if place[0] == "products" and isinstance(place[1], int) else None
        if not _spared(wire, line, place, part):
            raise Unreadable(key, f"{path(*place)} makes no sense")
        if part != "unless":
            yield Unread(part=part, place=path(*place) if line is None else _named(line, *place))
        # Without the rate, and without one of its own, the price of a piece is a guess.
        if part == "line.vat" and line is not None and not _stated(line, unit=True):
            yield Unread(part="line.unit", place=_named(line, *place))
    for number, line in enumerate(wire.products):
        if line.type is not None and _kind(line.type) is LineType.UNKNOWN:
            yield Unread(part="line.type", place=_named(line, "products", number, "type"))


def _spared(wire: _Order, line: _Line | None, place: tuple[str | int, ...], part: str) -> bool:
    """Whether all amounts, and what is sold, are known without the field at *place*."""
    if line is None:
        if place == ("order_total_rest",):
            return wire.order_total_before_round is not None
        priced = [*wire.products, *(one for one in (wire.shipment, wire.payment) if one is not None)]
        priced += [
            entry
            for source in (wire.discount_voucher, wire.quantity_discount, wire.loyalty_points)
            for entry in (source.discounts if source else ())
        ]
        return place != ("prices_with_vat_yn",) or all(_stated(one) for one in priced)
    match part:
        case "unless" | "line.vat":
            return _stated(line)
        case "line.unit":
            return line.price_with_vat is not None or line.price_without_vat is not None or line.price is not None
        case "line.id" | "line.ean":
            return line.code is not None
    return True


def _stated(priced: _Priced, *, unit: bool = False) -> bool:
    """Whether an amount is stated both ways, so that neither the shop's way nor a rate is needed."""
    if unit and isinstance(priced, _Line):
        return priced.price_per_unit_with_vat is not None and priced.price_per_unit_without_vat is not None
    return priced.price_with_vat is not None and priced.price_without_vat is not None


def _named(line: _Line, *place: str | int) -> str:
    name = line.code or line.title
    return f"{path(*place)} ({name})" if name else path(*place)


def _origin(written: str | None) -> str:
    """The origin as we spell it: the documents write `cash-register` with an en dash."""
    if written is None:
        return "frontend"
    return written.strip().lower().translate({0x2010: "-", 0x2011: "-", 0x2013: "-", 0x2014: "-", ord("_"): "-"})


def _money(
    given: Decimal | None,
    given_net: Decimal | None,
    stored: Decimal | None,
    vat: Decimal,
    *,
    with_vat: bool,
    places: Decimal,
) -> Money | None:
    """The amount both ways; what is absent is computed and rounded to *places*. None if nothing is given."""
    if given is None and given_net is None:
        if stored is None:
            return None
        given, given_net = (stored, None) if with_vat else (None, stored)
    if given is None:
        assert given_net is not None
        given = cents(gross(given_net, vat), places)
    if given_net is None:
        given_net = cents(net(given, vat), places)
    return Money(with_vat=given, without_vat=given_net, vat=vat)


def _total(wire: _Priced, *, with_vat: bool) -> Money | None:
    return _money(
        wire.price_with_vat,
        wire.price_without_vat,
        wire.price,
        wire.vat or _ZERO,
        with_vat=with_vat,
        places=Decimal("0.01"),
    )


def _line(wire: _Line, key: str, place: int, *, with_vat: bool, unknown: bool) -> OrderLine:
    kind = LineType.UNKNOWN if unknown else _kind(wire.type)
    quantity = wire.quantity
    if quantity is None:
        quantity = Decimal(1) if kind is LineType.DISCOUNT else required(None, key, "products", place, "quantity")
    unit, total = _unit_and_total(wire, quantity, with_vat=with_vat)
    if unit is None or total is None:
        if kind not in _FREE:
            raise Unreadable(key, f"{path('products', place, 'price')} is missing")
        unit = total = Money(with_vat=_ZERO, without_vat=_ZERO, vat=wire.vat or _ZERO)
    return OrderLine(
        type=kind,
        uuid=wire.uuid,
        parent_uuid=wire.parent_uuid,
        product_id=wire.product_id,
        variant_id=wire.option_set_id,
        code=wire.code,
        ean=real_ean(wire.ean),
        title=wire.title,
        quantity=quantity,
        unit=unit,
        total=total,
        recycling_fee=wire.recycling_fee,
        configuration=_configured(wire.configurations),
    )


def _kind(written: str | None) -> LineType:
    """The line's type; orders from before 22 April 2024 have none."""
    try:
        return LineType.PRODUCT if written is None else LineType(written.strip().lower())
    except ValueError:
        return LineType.UNKNOWN


def _unit_and_total(wire: _Line, quantity: Decimal, *, with_vat: bool) -> tuple[Money | None, Money | None]:
    """Both prices of a line; the one that is absent comes from the other. The unit keeps four decimals."""
    vat = wire.vat or _ZERO
    unit = _money(
        wire.price_per_unit_with_vat,
        wire.price_per_unit_without_vat,
        wire.price_per_unit,
        vat,
        with_vat=with_vat,
        places=_FINE,
    )
    total = _total(wire, with_vat=with_vat)
    if total is None and unit is not None:
        total = Money(
            with_vat=cents(unit.with_vat * quantity), without_vat=cents(unit.without_vat * quantity), vat=vat
        )
    if unit is None and total is not None and quantity:
        unit = Money(
            with_vat=cents(total.with_vat / quantity, _FINE),
            without_vat=cents(total.without_vat / quantity, _FINE),
            vat=vat,
        )
    return unit, total


def _configured(configurations: tuple[_Configuration, ...]) -> str | None:
    """What the shopper chose, as one line of text; its price is already in the line's."""
    chosen = [
        f"{entry.name}: {values}" if entry.name else values
        for entry in configurations
        if (values := ", ".join(value.value for value in entry.values if value.value))
    ]
    return "; ".join(chosen) or None


def _discounts(wire: _Order, *, with_vat: bool) -> Iterator[Discount]:
    sources: tuple[tuple[Literal["voucher", "quantity", "loyalty"], _Discounts | None], ...] = (
        ("voucher", wire.discount_voucher),
        ("quantity", wire.quantity_discount),
        ("loyalty", wire.loyalty_points),
    )
    for kind, source in sources:
        for entry in source.discounts if source else ():
            money = _total(entry, with_vat=with_vat)
            if source is None or money is None or not (money.with_vat or money.without_vat):
                continue
            amount = Money(with_vat=abs(money.with_vat), without_vat=abs(money.without_vat), vat=money.vat)
            yield Discount(kind=kind, code=source.code, amount=amount)


def _charge(wire: _Charge | None, *, with_vat: bool) -> Charge | None:
    """Shipping or payment; none if the object is empty, free if it has no price."""
    if wire is None or all(value is None for value in wire.__dict__.values()):
        return None
    free = Money(with_vat=_ZERO, without_vat=_ZERO, vat=wire.vat or _ZERO)
    return Charge(
        name=wire.name,
        code=wire.code,
        amount=_total(wire, with_vat=with_vat) or free,
        branch_id=wire.affiliate_id,
        branch_name=wire.affiliate_name,
        carrier_id=wire.packeta_carrier_id,
        id=wire.id,
    )
