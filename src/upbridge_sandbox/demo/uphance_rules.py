"""What Uphance should hold of an order, from Upgates' JSON and Uphance's own skus alone.

Per-shopper customers, channels by currency, orders received or paid. Exactness is checked where it matters:
pieces per SKU, the value of the goods, shipping. How lines are split is the sender's business.
"""

from collections import Counter
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from upbridge_sandbox.demo.upp_rules import Json, adds_up, exact

SENDING_STATUSES = (1, 2)  # Received, PaymentSuccessful


@dataclass(frozen=True, slots=True)
class Parked:
    """The order must not be sent; a problem says why."""

    reason: str


@dataclass(frozen=True, slots=True)
class SalesOrder:
    """What the sales order must say."""

    channel: int
    pieces: Counter[int]
    goods: Decimal
    shipping: Decimal


class Skus:
    """Uphance's SKUs by number and by EAN, and its channels by currency."""

    def __init__(self, products: list[Json], channels: list[Json]) -> None:
        self.by_number: dict[str, list[int]] = {}
        self.by_ean: dict[str, list[int]] = {}
        for product in products:
            for variation in product["variations"]:
                for sku in variation["skus"]:
                    self.by_number.setdefault(spelled(sku["sku_number"]), []).append(sku["id"])
                    if sku["ean"]:
                        self.by_ean.setdefault(sku["ean"], []).append(sku["id"])
        self.channels: dict[str, list[int]] = {}
        for channel in channels:
            self.channels.setdefault(channel["currency"], []).append(channel["channel_ID"])

    def sku(self, line: Json) -> int | None:
        """The SKU of an order line: by code, then by EAN; two candidates are none."""
        for index, value in ((self.by_number, spelled(line["code"])), (self.by_ean, line["ean"])):
            found = index.get(value or "", [])
            if found:
                return found[0] if len(found) == 1 else None
        return None


def sales_order(order: Json, skus: Skus) -> SalesOrder | Parked:
    """The draft that *order* makes, or why it makes none."""
    channels = skus.channels.get(order["currency_id"], [])
    if len(channels) != 1:
        return Parked("no channel")
    if not adds_up(order):
        return Parked("totals")
    parents = {line["parent_uuid"] for line in order["products"]}
    pieces: Counter[int] = Counter()
    for line in order["products"]:
        if line["type"] == "discount" or (line["type"] == "set" and line["uuid"] in parents):
            continue
        sku = skus.sku(line)
        if sku is None:
            return Parked("unknown SKU")
        if line["quantity"] != int(line["quantity"]) or line["quantity"] <= 0:
            return Parked("quantity")
        pieces[sku] += int(line["quantity"])
    goods = sum((exact(line["price_without_vat"]) for line in order["products"]), Decimal(0))
    for name in ("discount_voucher", "quantity_discount", "loyalty_points"):
        for discount in (order[name] or {}).get("discounts", ()):
            goods -= abs(exact(discount["price_without_vat"]))
    shipping = exact(order["shipment"]["price_without_vat"]) + exact(order["payment"]["price_without_vat"])
    return SalesOrder(channels[0], pieces, goods, shipping)


def as_sent(copy: Json) -> SalesOrder:
    """What a sales order in Uphance says."""
    pieces: Counter[int] = Counter()
    goods = Decimal(0)
    for line in copy["line_items"]:
        for entry in line["line_quantities"]:
            pieces[entry["sku_id"]] += entry["quantity"]
            goods += exact(line["unit_price"]) * entry["quantity"]
    return SalesOrder(copy["channel_id"], pieces, goods, exact(copy["shipping_cost"]))


def sendable(order: Json) -> bool:
    """Whether the order's status sends it."""
    return order["status_id"] in SENDING_STATUSES


def wrong_customer(customer: Json, order: Json, key: str) -> str:
    """What is wrong with the customer of a copy; empty if nothing is."""
    shopper = order["customer"]
    name = shopper["company"] if shopper["company_yn"] else ""
    name = name or f"{shopper['firstname_invoice']} {shopper['surname_invoice']}"
    if customer["name"] != name:
        return f"customer name is not {len(name)} characters of the order's"
    reference = str(customer["reference"] or "")
    own = f"UPG-{key}-{shopper['customer_id']}" if shopper["customer_id"] else str(shopper["email"]).lower()
    if not reference.lower().endswith(own.lower()):
        return "customer reference"
    emails = {str(person["email"]).lower() for person in customer["people"]}
    if str(shopper["email"]).lower() not in emails:
        return "customer e-mail"
    billing = next((row for row in customer["addresses"] if row["default_for_billing"]), None)
    if billing is None or (billing["line_1"], billing["city"], billing["postcode"]) != (
        shopper["street_invoice"],
        shopper["city_invoice"],
        shopper["zip_invoice"],
    ):
        return "customer billing address"
    if str(billing["country"]).upper() != str(shopper["country_id_invoice"]).upper():
        return "customer country"
    return ""


def spelled(code: Any) -> str:
    """A code as it is compared."""
    return str(code or "").strip().lower()
