"""An order of the shop as a draft sales order of Uphance, or the reason why it has to wait. Pure.

    order ─► OrderTotals ─► the goods with their values ─► their SKUs ─► SalesOrder
                                                                            └─► worth what the shop charged?

An order is sent whole or not at all, and never when the sum of what would be sent differs from what the shop
charged.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any, TypeAlias

from upbridge.core.clock import PRAGUE
from upbridge.domain.allocation import AllocatedOrder, Goods, delivered_goods
from upbridge.domain.delivery import Issue, ProblemKey
from upbridge.domain.money import rounded
from upbridge.domain.order import Address, Charge, LineType, Order, OrderLine, Shopper
from upbridge.domain.shop_settings import ShopSettings
from upbridge.domain.sku import Sku, code_key
from upbridge.domain.totals import OrderTotals
from upbridge.domain.unread import places
from upbridge.systems.base import Connection
from upbridge.systems.uphance.matching import Miss, Renamed

Resolve: TypeAlias = Callable[[OrderLine], Sku | Miss | Renamed]


#: Parts of an order without which it is not known what to send, to whom and how.
_NEEDED = frozenset(
    {"language", "shopper", "shipping", "line.type", "line.title", "line.configuration", "line.vat"}
)

#: The line of the internal notes by which a sales order is known even if its order has another number by now.
_UUID = "Upgates UUID"


@dataclass(frozen=True, slots=True)
class SalesLine:
    """Pieces of one SKU at one price (two decimals; with or without VAT as the order says)."""

    sku_id: int
    product_id: int
    variation_id: int | None
    season_id: int | None
    unit_price: Decimal
    quantity: int


@dataclass(frozen=True, slots=True)
class SalesOrder:
    """A sales order as Uphance understands one; `schemas.sales_order_body` spells it."""

    purchase_order_ref: str
    channel_id: int
    season_id: int
    lines: tuple[SalesLine, ...]
    shipping_cost: Decimal
    notes: str
    internal_notes: str
    shipping_instructions: str
    start_ship_date: date
    warehouse: str | None
    payment_term: str | None

    @property
    def total(self) -> Decimal:
        """Everything together, exact."""
        return sum((line.unit_price * line.quantity for line in self.lines), self.shipping_cost)

    def delivered_to(self, shopper: Shopper) -> "SalesOrder":
        """The same order with the shopper's delivery address in its shipping instructions.

        For a customer whose record in Uphance has another address, or who stands for all shoppers. Assumption: an
        order has no address of its own (docs/vendors/uphance.md#customers).
        """
        address = address_text(shopper.shipping or shopper.billing, phone=shopper.phone, email=shopper.email)
        instructions = "\n".join(text for text in (self.shipping_instructions, address) if text)
        return replace(self, shipping_instructions=instructions)


@dataclass(frozen=True, slots=True)
class NotYet:
    """The order cannot be judged before the shop's catalogue has been read; no person is needed."""

    reason: str
    names: str
    products: tuple[int, ...] = ()
    """What has to be read of the catalogue."""


def order_reference(shop_key: str, order_number: str) -> str:
    """The `purchase_order_ref` by which an order is found again.

    docs/vendors/uphance.md#creating-an-order-once
    """
    return f"UPG-{shop_key}-{order_number}"


def map_order(
    order: Order, resolve: Resolve, shop_settings: ShopSettings, connection: Connection
) -> SalesOrder | Issue | NotYet:
    """*order* as a sales order, or why it has to wait.

    Issues: `order.unreadable_field`, `order.totals_differ` (with the arithmetic), `order.unknown_sku` and
    `order.ambiguous_sku` (with the codes), `order.no_goods` and `order.manual_line` (with the titles),
    `order.quantity`, `order.no_channel`, `order.no_season`.
    """
    with_vat = shop_settings.yes("uphance.prices_with_tax")
    channel = unread_parts(order) or channel_for(order, shop_settings, connection)
    if isinstance(channel, Issue):
        return channel
    totals = OrderTotals.of(order)
    delivery = delivered_goods(totals, with_vat=with_vat, services=shop_settings.get("uphance.services"))
    if (issue := _refused(totals, delivery)) is not None:
        return issue
    skus = _matched(delivery.goods, resolve)
    if not isinstance(skus, list):
        return skus
    season = shop_settings.number("uphance.season") or next((sku.season_id for sku in skus if sku.season_id), None)
    if season is None:
        return Issue("order.no_season")
    sales_order = SalesOrder(
        purchase_order_ref=order_reference(connection.shop_key, order.order_number),
        channel_id=channel,
        season_id=season,
        lines=tuple(line for goods, sku in zip(delivery.goods, skus, strict=True) for line in _lines(goods, sku)),
        shipping_cost=delivery.charges,
        notes=_notes(order),
        internal_notes=_internal_notes(order, delivery.services),
        shipping_instructions=_shipping_instructions(order.shipping, shop_settings.get("uphance.carriers")),
        # The day on which it was ordered, in the shop's zone; no cancel date is ever set.
        start_ship_date=order.created_at.astimezone(PRAGUE).date(),
        warehouse=shop_settings.text("uphance.warehouse"),
        payment_term=_row(shop_settings.get("uphance.payment_terms"), order.payment)
        or shop_settings.text("uphance.payment_term"),
    )
    sent = sales_order.total
    if sent != delivery.charged:
        return Issue("order.totals_differ", totals.arithmetic(sent=sent, charged=delivery.charged))
    return sales_order


def unread_parts(order: Order) -> Issue | None:
    """What of *order* could not be read and has to be known to deliver it: `order.unreadable_field`."""
    fields = places(order.unread, _NEEDED.__contains__)
    return Issue("order.unreadable_field", {"fields": fields}) if fields else None


def channel_for(order: Order, shop_settings: ShopSettings, connection: Connection) -> int | Issue:
    """The channel of an order's market; none: `order.no_channel`."""
    channel = channel_of(order.language, order.currency, shop_settings, connection)
    if channel is not None:
        return channel
    return Issue("order.no_channel", {"currency": order.currency, "language": order.language or "—"})


def channel_of(
    language: str | None, currency: str, shop_settings: ShopSettings, connection: Connection
) -> int | None:
    """The channel of a language and currency: the chosen one, else the only one with the currency, else None.

    A channel of another currency is never taken, and nothing is converted. An Uphance that lists no channels at
    all (the list is not documented) leaves nothing to check: there the chosen number counts.
    """
    channels: Sequence[Mapping[str, Any]] = connection.facts.get("channels") or ()
    fitting = [int(channel["id"]) for channel in channels if channel.get("currency") == currency]
    chosen = (shop_settings.get("uphance.channels") or {}).get(f"{language}/{currency}")
    if chosen is not None:
        return int(chosen) if chosen in fitting or not channels else None
    return fitting[0] if len(fitting) == 1 else None


def _refused(totals: OrderTotals, delivery: AllocatedOrder) -> Issue | None:
    """What makes an order unfit before any SKU is looked at."""
    # A set's own quantity is not delivered, its parts are; a discount's is no goods.
    odd = [one.line for one in delivery.goods if one.line.quantity <= 0 or one.line.quantity % 1]
    if odd:
        lines = ", ".join(f"{_name(line)}: {line.quantity.normalize():f}" for line in odd)
        return Issue("order.quantity", {"lines": lines})
    manual = [one.line for one in delivery.goods if _manual(one.line)]
    if manual:
        return Issue("order.manual_line", {"lines": ", ".join(_name(line) for line in manual)})
    if not (totals.adds_up and totals.rounding_adds_up):
        return Issue("order.totals_differ", totals.arithmetic())
    if not delivery.goods:
        return Issue("order.no_goods", {"lines": ", ".join(map(_name, totals.order.lines)) or "\N{EM DASH}"})
    left_over, below_zero = delivery.left_over, delivery.below_zero
    if left_over or below_zero:
        return Issue("order.totals_differ", totals.arithmetic(left_over=left_over, below_zero=below_zero))
    return None


def _manual(line: OrderLine) -> bool:
    """Typed in by hand in the administration: there is nothing to find its goods by."""
    return line.product_id is None and not code_key(line.code) and not code_key(line.ean)


class _NotFound(ProblemKey):
    UNKNOWN = "order.unknown_sku"
    AMBIGUOUS = "order.ambiguous_sku"


def _matched(goods: Sequence[Goods], resolve: Resolve) -> list[Sku] | Issue | NotYet:
    found = [(one.line, resolve(one.line)) for one in goods]
    for miss, key in ((Miss.UNKNOWN, _NotFound.UNKNOWN), (Miss.AMBIGUOUS, _NotFound.AMBIGUOUS)):
        lost = dict.fromkeys(_called(line, match) for line, match in found if _is(miss, match))
        if lost:
            return Issue(key, {"codes": ", ".join(lost)})
    unread = [line for line, match in found if match is Miss.NOT_READ]
    if unread:
        names = ", ".join(dict.fromkeys(map(_name, unread)))
        products = sorted({line.product_id for line in unread if line.product_id is not None})
        return NotYet(f"the shop's catalogue was not read yet for {names}", names, tuple(products))
    return [match for _, match in found if isinstance(match, Sku)]


def _is(miss: Miss, match: Sku | Miss | Renamed) -> bool:
    return match is miss or (miss is Miss.UNKNOWN and isinstance(match, Renamed))


def _called(line: OrderLine, match: Sku | Miss | Renamed) -> str:
    """What to look for in Uphance: not the code of other goods."""
    return match.name if isinstance(match, Renamed) else _name(line)


def _lines(goods: Goods, sku: Sku) -> list[SalesLine]:
    """At most two lines, whose sum is the value of the goods to the last hundredth."""
    return [
        SalesLine(sku.sku_id, sku.product_id, sku.variation_id, sku.season_id, unit_price, pieces)
        for unit_price, pieces in goods.prices
    ]


def _name(line: OrderLine) -> str:
    return line.code or line.ean or line.title or f"product {line.product_id}"


def _notes(order: Order) -> str:
    """What the shopper wrote, and what the goods were to be like."""
    note = (order.shopper.note or "").strip() if order.shopper else ""
    made = [
        f"{_name(line)}: {line.configuration.strip()}"
        for line in order.lines
        if line.configuration and line.configuration.strip()
    ]
    return "\n".join(text for text in (note, *made) if text)


def _internal_notes(order: Order, services: Sequence[OrderLine]) -> str:
    """What staff may want to look up; one fact a line. The rounding has no home of its own in Uphance."""
    facts = (
        ("Upgates order", " ".join(text for text in (order.order_number, order.admin_url) if text)),
        (_UUID, order.uuid),
        ("Variable symbol", order.variable_symbol),
        ("External number", order.external_order_number),
        ("Paid", order.paid_on),
        ("Payment", order.payment.name if order.payment else None),
        ("Rounding", str(rounding) if (rounding := rounded(order.rounding)) else None),
        ("Discount codes", ", ".join(discount.code for discount in order.discounts if discount.code)),
        ("Services", ", ".join(f"{_name(line)} {line.total.with_vat}" for line in services) or None),
        ("Sets", ", ".join(_name(line) for line in order.lines if line.type is LineType.SET)),
        ("Note", (order.internal_note or "").strip()),
    )
    return "\n".join(f"{name}: {value}" for name, value in facts if value)


def uuid_in(internal_notes: str | None) -> str | None:
    """Which order of the shop these notes say that a sales order was made of; None if they do not."""
    lines = (line.partition(": ") for line in (internal_notes or "").splitlines())
    return next((value.strip() for name, _, value in lines if name == _UUID and value.strip()), None)


def _row(rows: Mapping[str, str], charge: Charge | None) -> str | None:
    """What the rule *rows* says of a way to deliver or to pay; None if it has no row for it."""
    return rows.get(str(charge.id)) if charge is not None else None


def _shipping_instructions(shipping: Charge | None, carriers: Mapping[str, str]) -> str:
    """`name / pick-up point id, name (carrier id)`: the warehouse needs it for pick-up points. *carriers*: what it
    calls the shop's ways to deliver, by their ids."""
    if shipping is None:
        return ""
    point = ", ".join(text for text in (shipping.branch_id, shipping.branch_name) if text)
    text = " / ".join(part for part in (_row(carriers, shipping) or shipping.name, point) if part)
    return f"{text} (carrier {shipping.carrier_id})" if shipping.carrier_id else text


def address_text(address: Address, *, phone: str | None = None, email: str | None = None) -> str:
    """An address and its contacts as one line of a note."""
    name = " ".join(text for text in (address.first_name, address.last_name) if text)
    town = " ".join(text for text in (address.postcode, address.city) if text)
    parts = (name, address.company, address.street, town, address.state, address.country, phone, email)
    return ", ".join(part for part in parts if part)
