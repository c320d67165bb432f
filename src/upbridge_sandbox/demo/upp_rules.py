"""What Upp.ai should hold of a product or an order, from Upgates' JSON alone.

Default settings: the shop's default language and price list, SKU from the code, prices with VAT, front-end orders.
Where a shop types prices in without VAT, it is put on those that say nothing of it: sale and purchase prices.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

Json: TypeAlias = dict[str, Any]

CENT = Decimal("0.01")
TOLERANCE = Decimal("0.05")
CANCELED = 5
PRAGUE = ZoneInfo("Europe/Prague")
CHANNELS = {"frontend": "web", "admin": "admin", "api": "api"}


@dataclass(frozen=True, slots=True)
class Market:
    """The shop's default language and price list, whose texts and prices count, and how prices are typed in."""

    language: str = "cs"
    pricelist: str = "Výchozí"
    prices_with_vat: bool = True
    vat_payer: bool = True


FIRST_MARKET = Market()
"""That of every shop before its owner changes it."""


def product_documents(product: Json, market: Market = FIRST_MARKET) -> dict[str, Json | None]:
    """The documents of *product* by their id; None where it is not for sale or has no price."""
    return {
        product_key(product, variant): _document(product, variant, market)
        for variant in product["variants"] or [None]
    }


def product_key(product: Json, variant: Json | None) -> str:
    """The id of a variant, or of a product without any."""
    return f"v-{variant['variant_id']}" if variant else f"p-{product['product_id']}"


def sku_counts(products: list[Json], market: Market = FIRST_MARKET) -> Counter[str]:
    """How many documents of *products* have which SKU, upper and lower case being the same."""
    documents = (document for product in products for document in product_documents(product, market).values())
    return Counter(str(document["sku"]).lower() for document in documents if document is not None)


def product_ids(product: Json) -> list[str]:
    """The ids under which *product* may be known."""
    return [product_key(product, variant) for variant in product["variants"] or [None]]


def for_sale(product: Json, variant: Json | None) -> bool:
    """Active, not archived, addable to the basket; a variant of an inactive product is not on the web either."""
    shown = product["active_yn"] and not product["archived_yn"] and _inherited(product, variant, "active_yn")
    return bool(shown and _inherited(product, variant, "can_add_to_basket_yn"))


def price(product: Json, variant: Json | None, market: Market) -> tuple[Json, Json] | None:
    """The price row and its price list entry that count, or None."""
    for source in (variant, product):
        for row in source["prices"] if source else ():
            for entry in row["pricelists"]:
                chosen = row["language"] == market.language and entry["name"] == market.pricelist
                if chosen and entry["price_with_vat"] is not None:
                    return row, entry
    return None


def has_problem(product: Json, market: Market = FIRST_MARKET) -> bool:
    """For sale, but without a price: cannot be sent."""
    return any(
        for_sale(product, variant) and price(product, variant, market) is None
        for variant in product["variants"] or [None]
    )


def _document(product: Json, variant: Json | None, market: Market) -> Json | None:
    found = price(product, variant, market)
    if not for_sale(product, variant) or found is None:
        return None
    row, entry = found
    key = product_key(product, variant)
    text: Json = next((item for item in product["descriptions"] if item["language"] == market.language), {})
    stock = _inherited(product, variant, "stock")
    document: Json = {
        "externalProductId": key,
        "sku": (variant or product)["code"] or key,
        "title": text.get("title"),
        "groupId": str(product["product_id"]),
        "imageUrl": _image(product, variant),
        "stock": None if stock is None else max(0, stock),
        "price": entry["price_with_vat"],
        "costOfGoods": _cost(product, variant, market),
        "currency": row["currency"],
        "priceCurrency": row["currency"],
        "ean": (variant or product)["ean"],
        "brand": product["manufacturer"],
        "url": text.get("url"),
        "category": next((item["name"] for item in product["categories"] if item["main_yn"]), None),
        "active": True,
        "salePrice": _with_vat(entry["price_sale"], row["vat"], market),
    }
    return {name: value for name, value in document.items() if value is not None}


def _inherited(product: Json, variant: Json | None, name: str) -> Any:
    own = variant[name] if variant else None
    return product[name] if own is None else own


def _cost(product: Json, variant: Json | None, market: Market) -> Any:
    for source in (variant, product):
        for row in source["prices"] if source else ():
            if row["language"] == market.language and row["price_purchase"] is not None:
                return _with_vat(row["price_purchase"], row["vat"], market) or None
    return None


def _with_vat(typed: Any, vat: Any, market: Market) -> Any:
    """A sale or purchase price as the price beside it, which has VAT; None where the VAT is not known."""
    if typed is None or market.prices_with_vat or not market.vat_payer:
        return typed
    return None if vat is None else float((exact(typed) * (1 + exact(vat) / 100)).quantize(CENT, ROUND_HALF_UP))


def _image(product: Json, variant: Json | None) -> str | None:
    if variant and variant["image"]:
        return str(variant["image"])
    images = sorted(product["images"], key=lambda image: (not image["main_yn"], image["position"]))
    return str(images[0]["url"]) if images else None


# -- orders ----------------------------------------------------------------------------------------


def order_wanted(order: Json) -> bool:
    """Placed by a shopper, counted in the statistics, not cancelled."""
    return bool(order["origin"] == "frontend" and order["statistics_yn"] and order["status_id"] != CANCELED)


def sums(order: Json) -> tuple[Decimal, Decimal]:
    """What the order's parts add up to, with and without VAT."""
    total, net = Decimal(0), Decimal(0)
    for part in [*order["products"], order["shipment"], order["payment"]]:
        total += exact(part["price_with_vat"])
        net += exact(part["price_without_vat"])
    for name in ("discount_voucher", "quantity_discount", "loyalty_points"):
        for discount in (order[name] or {}).get("discounts", ()):
            total -= abs(exact(discount["price_with_vat"]))
            net -= abs(exact(discount["price_without_vat"]))
    return total, net


def adds_up(order: Json) -> bool:
    """Whether the parts are the whole."""
    return abs(sums(order)[0] - exact(order["order_total_before_round"])) <= TOLERANCE


def order_document(order: Json) -> Json:
    """The document of *order*."""
    total, net = sums(order)
    gross = exact(order["order_total"])
    if not adds_up(order):
        net = gross * net / total if total else gross
    moment = datetime.fromisoformat(order["creation_time"]).astimezone(UTC)
    return {
        "externalOrderId": order["order_number"],
        "orderSubmittedOn": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "currency": order["currency_id"],
        "netOrderAmount": float(net.quantize(CENT, ROUND_HALF_UP)),
        "grossOrderAmount": float(gross),
        "sourceChannel": CHANNELS.get(order["origin"], "pos"),
        "items": [item for line in order["products"] if (item := _item(line, order)) is not None],
    }


def _item(line: Json, order: Json) -> Json | None:
    sku = line["code"]
    if not sku and line["option_set_id"]:
        sku = f"v-{line['option_set_id']}"
    if not sku and line["product_id"]:
        sku = f"p-{line['product_id']}"
    if line["type"] in ("discount", "set_part") or not sku or line["quantity"] <= 0:
        return None
    unit = exact(line["price_per_unit_with_vat"])
    if line["type"] == "set" and not unit:
        parts = [part for part in order["products"] if part["parent_uuid"] == line["uuid"]]
        unit = sum((exact(part["price_with_vat"]) for part in parts), Decimal(0)) / exact(line["quantity"])
    return {"sku": sku, "name": line["title"] or sku, "quantity": line["quantity"], "price": float(unit)}


def exact(value: Any) -> Decimal:
    """A number of JSON as it is written."""
    return Decimal(str(value))
