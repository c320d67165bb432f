"""Sales orders of the simulated Uphance: validation, and totals that it computes by itself.

Creating is not idempotent: the idempotency key is documented for stock operations only and ignored here.
Tax is rounded per unit (the 2018 example of the Orders API article proves it: 12 x 4.5 at 5 % is 12 x 0.23). Which
rate counts is a rule of Uphance's own: here that of the shop where it is known, until `Uphance.tax_level` differs.
"""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from upbridge_sandbox.seed.formats import Json, cents, names, nulls
from upbridge_sandbox.uphance.organisations import Organisation, Uphance

ORDER_FIELDS = names(
    "company_id channel_id season_id warehouse_id warehouse_name purchase_order_ref notes internal_notes"
    " shipping_cost shipping_instructions start_ship_date payment_term_name line_items"
)
LINE_FIELDS = names("product_id variation_id unit_price original_price percentage_discount line_quantities")
QUANTITY_FIELDS = names("sku_id quantity")
#: what is taken from the body as it is; nothing of it is needed
AS_WANTED = ("start_ship_date", "notes", "internal_notes", "payment_term_name", "shipping_instructions")
TAX_LEVELS = {"CZK": Decimal("21.0"), "EUR": Decimal("23.0")}


class NotAcceptable(Exception):
    """The body is not what Uphance takes; the text says why."""


class UnknownField(NotAcceptable):
    """The body has a field that no article and no client knows."""


def money(value: Decimal) -> str:
    """Money as Uphance writes it: a string, with trailing zeros that vary."""
    exact = cents(value)
    return f"{exact:.1f}" if exact * 10 == (exact * 10).to_integral_value() else str(exact)


def stamp(moment: datetime) -> str:
    """A time as Uphance writes it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.000Z")


def accept_order(body: Any, organisation: Organisation, uphance: Uphance) -> Json:
    """The sales order that *body* makes. Raises NotAcceptable and changes nothing."""
    if not isinstance(body, dict):
        raise NotAcceptable("sales_order is an object")
    if unknown := sorted(set(body) - ORDER_FIELDS):
        raise UnknownField(f"unknown: {', '.join(unknown)}")
    company = organisation.customers.get(body.get("company_id", 0))
    channel = next((row for row in organisation.channels if row["channel_ID"] == body.get("channel_id")), None)
    if company is None:
        raise NotAcceptable("company_id is not a customer of this organisation")
    if channel is None:
        raise NotAcceptable("channel_id is not a channel of this organisation")
    if body.get("season_id") not in [row["id"] for row in organisation.seasons]:
        raise NotAcceptable("season_id is not a season of this organisation")

    def tax(sku: Json | None) -> Decimal:
        if uphance.tax_level is not None:
            return uphance.tax_level
        known = organisation.taxes(body.get("purchase_order_ref"), sku)
        return TAX_LEVELS[channel["currency"]] if known is None else known

    lines = _lines(body.get("line_items"), organisation, uphance, tax)
    now = stamp(uphance.clock())
    shipping = _money(body.get("shipping_cost", "0.0"), "shipping_cost")
    order_id = uphance.next_id()
    return {
        "id": order_id,
        "created_at": now,
        "updated_at": now,
        **_totals(lines, shipping, tax(None)),
        "shipping_cost": money(shipping),
        "settlement_discount": "0.0",
        "deposit_percentage": "0.0",
        "custom_fields": [{"name": "Handling charges", "field_type": "number", "value": 0.0}],
        **{name: body.get(name) for name in AS_WANTED},
        "currency": channel["currency"],
        "order_number": str(order_id),
        "purchase_order_ref": body.get("purchase_order_ref"),
        "invoice_numbers": "",
        "shipment_numbers": "",
        "company_name": company["name"],
        "season_id": body["season_id"],
        "organisation_id": organisation.id,
        "status": "draft",
        "channel_id": channel["channel_ID"],
        "channel_name": channel["channel_name"],
        "company_id": company["id"],
        "invoice_method": "SHIPMENTS",
        "warehouse_name": body.get("warehouse_name") or "Main",
        "fulfillment_status": "not_shipped",
        "financial_status": "not_paid",
        "return_label": False,
        "line_items": lines,
        **nulls("confirmed_at cancel_ship_date submitted_at proforma_number proforma_date next_due_date"),
    }


def _lines(rows: Any, organisation: Organisation, uphance: Uphance, tax: Callable[[Json], Decimal]) -> list[Json]:
    if not isinstance(rows, list) or not rows:
        raise NotAcceptable("line_items is empty")
    lines: list[Json] = []
    for row in rows:
        if not isinstance(row, dict) or not isinstance(row.get("line_quantities"), list):
            raise NotAcceptable("a line item has line_quantities")
        if unknown := sorted(set(row) - LINE_FIELDS):
            raise UnknownField(f"unknown: {', '.join(unknown)}")
        quantities: list[Json] = []
        for entry in row["line_quantities"]:
            if not isinstance(entry, dict) or set(entry) != QUANTITY_FIELDS:
                raise UnknownField("a line quantity has sku_id and quantity")
            product, variation, sku = organisation.sku(entry["sku_id"]) or ({}, {}, {})
            if not sku or (product["id"], variation["id"]) != (row.get("product_id"), row.get("variation_id")):
                raise NotAcceptable("sku_id does not belong to product_id and variation_id")
            if type(entry["quantity"]) is not int or entry["quantity"] < 1:
                raise NotAcceptable("quantity is a whole number above zero")
            quantities.append(
                {"id": uphance.next_id(), "size": sku["size"], "quantity": entry["quantity"], "sku_id": sku["id"]}
            )
        if not quantities:
            raise NotAcceptable("line_quantities is empty")
        price, tax_level = _money(row.get("unit_price"), "unit_price"), tax(sku)
        lines.append(
            {
                "id": uphance.next_id(),
                "product_id": product["id"],
                "product_name": product["name"],
                "product_identifier": product["product_identifier"],
                "variation_id": variation["id"],
                "color": variation["color"],
                "unit_tax": money(price * tax_level / 100),
                "tax_level": str(tax_level),
                "unit_price": str(row["unit_price"]),
                "original_price": str(row.get("original_price", row["unit_price"])),
                "percentage_discount": str(row.get("percentage_discount", "0.0")),
                "weight_unit": "",
                "line_quantities": quantities,
                **nulls("weight country_of_origin intrastat_code"),
            }
        )
    return lines


def _totals(lines: list[Json], shipping: Decimal, tax_level: Decimal) -> Json:
    items, tax, pieces = Decimal(0), Decimal(0), 0
    for line in lines:
        count = sum(entry["quantity"] for entry in line["line_quantities"])
        items += Decimal(line["unit_price"]) * count
        tax += Decimal(line["unit_tax"]) * count
        pieces += count
    shipping_tax = cents(shipping * tax_level / 100)
    return {
        "items_total": money(items),
        "items_tax": money(tax),
        "subtotal": money(items + shipping),
        "total_tax": money(tax + shipping_tax),
        "grand_total": money(items + shipping + tax + shipping_tax),
        "total_quantity": pieces,
        "shipping_tax": money(shipping_tax),
    }


def _money(value: Any, name: str) -> Decimal:
    try:
        amount = Decimal(str(value))
    except InvalidOperation as error:
        raise NotAcceptable(f"{name} is not a number") from error
    if isinstance(value, bool) or not amount.is_finite() or amount < 0:
        raise NotAcceptable(f"{name} is not an amount")
    return amount
