"""The bodies of Uphance: read tolerantly, and written as we assume that Uphance wants them.

Reading (Uphance help: Orders API, Product API, Customer API, Inventory API, Introduction): numbers come as
strings, single objects bare or wrapped, `season_id` as an int or a list, "none" as null or as "". Writing: the
bodies of POST /sales_orders, POST /customers, POST /products and PUT /products were never published. Each has one
function here, so that one place is corrected after a trial (`upbridge doctor`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, TypeAlias

from upbridge.core.clock import FOR_EVER
from upbridge.core.parsing import storable
from upbridge.domain.sku import Sku, real_ean
from upbridge.systems.uphance.customer_mapping import CustomerAddress, CustomerRecord
from upbridge.systems.uphance.order_mapping import SalesLine, SalesOrder
from upbridge.systems.uphance.product_mapping import NewPrice, NewProduct, NewSku

Json: TypeAlias = Mapping[str, Any]


# --- single values ------------------------------------------------------------------------------------------


#: No number of a real answer has more digits before or after its point.
_LONGEST = 30


def number(value: Any) -> Decimal | None:
    """A number, however it is written ("54.0", 54, 54.0); None for null, "" and what is no number."""
    written = str(value).strip()
    if value is None or isinstance(value, bool) or "_" in written:  # Python reads 1_000, as no other program does
        return None
    try:
        parsed = Decimal(written)
    except InvalidOperation:
        return None
    # Arithmetic with an exponent of millions takes minutes; no price, quantity or id comes near this.
    return parsed if parsed.is_finite() and abs(parsed.adjusted()) <= _LONGEST else None


def whole(value: Any) -> int | None:
    """A whole number, however it is written; None if it is none."""
    parsed = number(value)
    return int(parsed) if parsed is not None and parsed == parsed.to_integral_value() else None


def string(value: Any) -> str | None:
    """Text without blanks around it and characters that cannot be stored; numbers become text; None for null
    and ""."""
    if value is None or isinstance(value, (bool, dict, list)):
        return None
    return storable(str(value)).strip() or None


def word(value: Any) -> str | None:
    """A state by their own word for it, in one form: `Not Shipped` is `not_shipped`; None if there is none."""
    text = string(value)
    return None if text is None else "_".join(text.lower().replace("-", " ").split())


def moment(value: Any) -> datetime | None:
    """A moment in UTC; one without an offset is taken for UTC; None if it is none, or means "never"."""
    text = string(value)
    if text is None:
        return None
    try:
        parsed = datetime.fromisoformat(text)
        found = parsed.astimezone(UTC) if parsed.tzinfo else parsed.replace(tzinfo=UTC)
    except (ValueError, OverflowError):  # no date, or one that no calendar holds
        return None
    return None if found.year >= FOR_EVER else found


def one_season(value: Any) -> int | None:
    """A product's season: an integer in the article, a list in practice; of several, the last named."""
    return next((whole(item) for item in reversed(value)), None) if isinstance(value, list) else whole(value)


def items(payload: Any, name: str) -> list[Json] | None:
    """The list *name* of an answer; None if there is no such list. Entries that are no objects are left out."""
    rows = payload if isinstance(payload, list) else payload.get(name) if isinstance(payload, dict) else None
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else None


def single(payload: Any, name: str) -> Json | None:
    """The one object of an answer: wrapped under *name* or its plural, in a list of one, or bare."""
    if not isinstance(payload, dict):
        return None
    for key in (name, f"{name}s"):
        inner = payload.get(key)
        if isinstance(inner, dict):
            return inner
        if isinstance(inner, list) and inner and isinstance(inner[0], dict):
            return inner[0]
    return payload if "id" in payload else None


@dataclass(frozen=True, slots=True)
class Meta:
    """Where in a paged list an answer stands; all None if the list is not paged."""

    next_page: int | None = None
    total_pages: int | None = None
    total_count: int | None = None


def meta(payload: Any) -> Meta:
    """The paging of an answer (Introduction, Paging)."""
    found = payload.get("meta") if isinstance(payload, dict) else None
    if not isinstance(found, dict):
        return Meta()
    return Meta(whole(found.get("next_page")), whole(found.get("total_pages")), whole(found.get("total_count")))


def organisations_in(payload: Any) -> Iterator[int]:
    """Every `organisation_id` that an answer carries, on itself, on its one object or on its list's objects."""
    layers = [payload, *(payload.values() if isinstance(payload, dict) else ())]
    for layer in layers:
        for row in layer if isinstance(layer, list) else (layer,):
            found = whole(row.get("organisation_id")) if isinstance(row, dict) else None
            if found is not None:
                yield found


# --- what is read -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RemoteOrder:
    """A sales order as far as we look at it."""

    id: int
    order_number: str | None
    reference: str | None
    status: str | None
    fulfillment_status: str | None
    updated_at: datetime | None = None

    @property
    def shipped(self) -> bool:
        """Nothing is left to be shipped."""
        return self.fulfillment_status == "shipped"

    @property
    def untouched(self) -> bool:
        """Nothing has been shipped yet. The name of a partly shipped order's state was never seen."""
        return self.fulfillment_status in (None, "not_shipped", "nothing_shipped")


def remote_order(row: Json | None) -> RemoteOrder | None:
    """A sales order; None if it has no id. `order_number` is kept as text: both types were seen."""
    number_ = whole(row.get("id")) if row else None
    if row is None or number_ is None:
        return None
    return RemoteOrder(
        id=number_,
        order_number=string(row.get("order_number")),
        reference=string(row.get("purchase_order_ref")),
        status=word(row.get("status")),
        fulfillment_status=word(row.get("fulfillment_status")),
        updated_at=moment(row.get("updated_at")),
    )


def skus_of(product: Json) -> Iterator[Sku]:
    """Every SKU of a product: product -> `variations[]` (a colour each) -> `skus[]` (a size each)."""
    product_id = whole(product.get("id"))
    if product_id is None:
        return
    for variation in items(product, "variations") or ():
        for row in items(variation, "skus") or ():
            sku_id = whole(row.get("id"))
            if sku_id is None:
                continue
            labels = (product.get("name"), variation.get("color") or row.get("color"), row.get("size"))
            yield Sku(
                sku_id=sku_id,
                product_id=product_id,
                variation_id=whole(variation.get("id")),
                season_id=one_season(product.get("season_id")),
                sku_number=string(row.get("sku_number")),
                ean=real_ean(string(row.get("ean"))),
                name=" / ".join(text for text in map(string, labels) if text) or None,
                in_stock=whole(row.get("in_stock")),
                available=whole(row.get("available_to_sell")),
                available_from_stock=whole(row.get("available_to_sell_from_stock")),
            )


@dataclass(frozen=True, slots=True)
class PickTicket:
    """A shipment, or what is to become one. `pieces` are (sku_id, quantity)."""

    id: int
    order_id: int | None
    order_number: str | None
    status: str | None
    shipped: bool
    tracking_number: str | None
    carrier: str | None
    shipment_number: str | None
    date: str | None
    updated_at: datetime | None
    pieces: tuple[tuple[int, int], ...]
    created_at: datetime | None = None


def pick_ticket(row: Json | None) -> PickTicket | None:
    """A pick ticket; None if it has no id.

    `sale_id` and `order_id` both name the sales order; `order_id` is missing on a deleted ticket. Only the
    literal `shipped` was ever seen for a shipment.
    """
    number_ = whole(row.get("id")) if row else None
    if row is None or number_ is None:
        return None
    status = word(row.get("status"))
    return PickTicket(
        id=number_,
        order_id=whole(row.get("sale_id")) or whole(row.get("order_id")),
        order_number=string(row.get("order_number")),
        status=status,
        shipped=status == "shipped",
        tracking_number=string(row.get("tracking_number")),
        carrier=string(row.get("carrier")),
        shipment_number=string(row.get("shipment_number")),
        date=string(row.get("date")),
        updated_at=moment(row.get("updated_at")),
        pieces=tuple(
            (sku_id, quantity)
            for line in items(row, "line_items") or ()
            for piece in items(line, "line_quantities") or ()
            if (sku_id := whole(piece.get("sku_id"))) is not None
            and (quantity := whole(piece.get("quantity"))) is not None
            and quantity
        ),
        created_at=moment(row.get("created_at")),
    )


# --- what is written: UNVERIFIED ----------------------------------------------------------------------------


def sales_order_body(order: SalesOrder, *, company_id: int, idempotency_key: str) -> dict[str, Any]:
    """The body of POST /sales_orders.

    UNVERIFIED: the vendor's article says that orders can be created, not how. The names are those of the
    answer, the wrapper is that of POST /stock_operations, and `idempotency_key` is documented only there (if
    it is ignored here, nothing is lost). Not known: whether `unit_price`, `shipping_cost`, `start_ship_date`,
    `warehouse_name` and `payment_term_name` may be set at all. A line is one product in one colour at one
    price; its sizes are in `line_quantities`.
    """
    body: dict[str, Any] = {
        "company_id": company_id,
        "channel_id": order.channel_id,
        "season_id": order.season_id,
        "purchase_order_ref": order.purchase_order_ref,
        "notes": order.notes,
        "internal_notes": order.internal_notes,
        "shipping_instructions": order.shipping_instructions,
        "shipping_cost": str(order.shipping_cost),
        "start_ship_date": order.start_ship_date.isoformat(),
        "line_items": [_line_item(lines) for lines in _grouped(order.lines)],
    }
    if order.warehouse is not None:
        name = "warehouse_id" if order.warehouse.isdigit() else "warehouse_name"
        body[name] = int(order.warehouse) if order.warehouse.isdigit() else order.warehouse
    if order.payment_term is not None:
        body["payment_term_name"] = order.payment_term
    return {"sales_order": body, "idempotency_key": idempotency_key}


def customer_body(customer: CustomerRecord, *, channel_id: int, idempotency_key: str) -> dict[str, Any]:
    """The body of POST /customers.

    UNVERIFIED: the vendor's article says that customers can be created, not how. The names are those of the
    answer, the wrapper is that of POST /stock_operations. Not known: whether people and addresses may be sent
    in the same call.
    """
    person = customer.person
    first = next((place for place in customer.places if place.billing), customer.places[0])
    body: dict[str, Any] = {
        "name": customer.name,
        "reference": customer.reference,
        "company_type": "customer",
        "customer_type": "wholesale",
        "channel_id": channel_id,
        "country": first.address.country,
        "city": first.address.city,
        "vat_number": customer.vat_number,
        "notes": customer.notes,
        "people": [
            {
                "first_name": person.first_name,
                "last_name": person.last_name,
                "email": person.email,
                "phone_1": person.phone,
                "buyer": True,
                "shipping": True,
                "billing": True,
            }
        ],
        "addresses": [_address(place) for place in customer.places],
    }
    return {"customer": body, "idempotency_key": idempotency_key}


def product_body(product: NewProduct, *, idempotency_key: str) -> dict[str, Any]:
    """The body of POST /products.

    UNVERIFIED: the vendor's article says that products can be manipulated, not how. The names are those of the
    answer, the wrapper is that of POST /stock_operations. Not known: whether variations and SKUs may be sent in
    the same call, whether `sku_number` and `ean` are taken where Uphance assigns them by itself, whether a product
    needs a season, and whether prices are taken here.
    """
    colors = dict.fromkeys(sku.color for sku in product.skus)
    body: dict[str, Any] = {
        "product_identifier": product.identifier,
        "name": product.name,
        "description": product.description,
        "sizing_system": ",".join(dict.fromkeys(sku.size for sku in product.skus)),
        "not_for_sale": False,
        "variations": [
            {
                "color": color,
                "prices": [_price(price) for price in product.prices.get(color, ())],
                "skus": [_new_sku(sku) for sku in product.skus if sku.color == color],
            }
            for color in colors
        ],
    }
    if product.season_id is not None:
        body["season_id"] = product.season_id
    return {"product": body, "idempotency_key": idempotency_key}


def product_additions(product: NewProduct, existing: Json, skus: Sequence[NewSku]) -> dict[str, Any]:
    """The body of PUT /products/{id} that adds *skus* to the *existing* product and leaves all else as it is.

    UNVERIFIED, like `product_body`. Not known: whether what a list leaves out stays or goes. So every variation
    and SKU that is there is named by its id, which is right either way, and only new ones have fields. Not known
    either: whether a size has to be in `sizing_system`; a new one is added to it.
    """
    variations: list[dict[str, Any]] = []
    by_color: dict[str, dict[str, Any]] = {}
    for row in items(existing, "variations") or ():
        there = [{"id": whole(sku.get("id"))} for sku in items(row, "skus") or ()]
        variation: dict[str, Any] = {"id": whole(row.get("id")), "skus": there}
        variations.append(variation)
        by_color.setdefault((string(row.get("color")) or "").casefold(), variation)
    for sku in skus:
        if sku.color.casefold() not in by_color:
            prices = [_price(price) for price in product.prices.get(sku.color, ())]
            variation = {"color": sku.color, "prices": prices, "skus": []}
            variations.append(variation)
            by_color[sku.color.casefold()] = variation
        by_color[sku.color.casefold()]["skus"].append(_new_sku(sku))
    sizes = [size for part in (string(existing.get("sizing_system")) or "").split(",") if (size := part.strip())]
    body: dict[str, Any] = {"variations": variations}
    if new := [size for size in dict.fromkeys(sku.size for sku in skus) if size not in sizes]:
        body["sizing_system"] = ",".join([*sizes, *new])
    return {"product": body}


def _new_sku(sku: NewSku) -> dict[str, Any]:
    known = {"sku_number": sku.sku_number, "ean": sku.ean}
    return {"size": sku.size, **{name: value for name, value in known.items() if value is not None}}


def _price(price: NewPrice) -> dict[str, Any]:
    return {
        "name": price.channel,
        "currency": price.currency,
        "wsp_money": str(price.wsp),
        "msrp_money": str(price.msrp),
    }


def _address(place: CustomerAddress) -> dict[str, Any]:
    address = place.address
    return {
        "line_1": address.street,
        # The bill's company is the customer's own name.
        "line_2": None if place.billing else address.company,
        "city": address.city,
        "state": address.state,
        "country": address.country,
        "postcode": address.postcode,
        "default_for_shipping": place.shipping,
        "default_for_billing": place.billing,
    }


def _grouped(lines: tuple[SalesLine, ...]) -> list[list[SalesLine]]:
    """Lines of one product, colour and price together; the same SKU twice stays two lines."""
    groups: list[list[SalesLine]] = []
    for line in lines:
        for group in groups:
            first = group[0]
            same = (first.product_id, first.variation_id, first.unit_price) == (
                line.product_id,
                line.variation_id,
                line.unit_price,
            )
            if same and all(other.sku_id != line.sku_id for other in group):
                group.append(line)
                break
        else:
            groups.append([line])
    return groups


def _line_item(lines: list[SalesLine]) -> dict[str, Any]:
    first = lines[0]
    return {
        "product_id": first.product_id,
        "variation_id": first.variation_id,
        "unit_price": str(first.unit_price),
        "percentage_discount": "0.0",
        "line_quantities": [{"sku_id": line.sku_id, "quantity": line.quantity} for line in lines],
    }
