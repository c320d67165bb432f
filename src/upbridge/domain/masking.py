"""What of a document may be shown and kept: its shape, and values that say nothing about a person."""

import json
from collections.abc import Mapping
from typing import Any

MASK = "•••"

#: Fields of a document that say nothing about a person.
_HARMLESS = frozenset(
    {
        "active",
        "backorder",
        "brand",
        "carrier",
        "code",
        "currency",
        "discount",
        "ean",
        "externalOrderId",
        "externalProductId",
        "groupId",
        "items",
        "lines",
        "order_number",
        "origin",
        "price",
        "price_with_vat",
        "product_id",
        "products",
        "purchase_order_ref",
        "quantity",
        "sku",
        "sku_id",
        "status",
        "status_id",
        "stock",
        "sum",
        "title",
        "total",
        "totalGross",
        "totalNet",
        "variant_id",
        "vat",
    }
)


def masked(body: bytes) -> str:
    """A document for people: its shape, and the values of fields that say nothing about a person."""
    try:
        value = json.loads(body)
    except ValueError:
        return MASK
    return json.dumps(_masked(value, shown=False), ensure_ascii=False, indent=1)


def _masked(value: Any, *, shown: bool) -> Any:
    match value:
        case Mapping():
            return {key: _masked(item, shown=key in _HARMLESS) for key, item in value.items()}
        case list():
            return [_masked(item, shown=shown) for item in value]
        case None | bool():
            return value
        case _:
            return value if shown else MASK
