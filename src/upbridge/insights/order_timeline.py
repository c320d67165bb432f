"""What is known of each order: that it exists, and the steps of its way. For people; nothing is decided by it.

`orders` has a row for every order that was read, also for one that no system wants, so that each has its place in
the proof of completeness. `order_events` are written in the transaction of what they tell: read with
news, stopped, delivered. An event holds no personal data: of what was sent only harmless fields keep their values.
"""

import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from upbridge.domain.delivery import Document
from upbridge.domain.order import Order
from upbridge.domain.shop_id import ShopId

MASK = "•••"
#: Documents that are a step of an order: the order itself on its way out, its shipments on their way back.
KINDS = frozenset({"order", "shipment"})

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


class OrderEventKind(StrEnum):
    """What a step was."""

    READ = "read"
    """Read from the shop, and it was news to a target."""
    PARKED = "parked"
    """The target could not take it; the detail is the cause's key."""
    DELIVERED = "delivered"
    """The target has it; the detail is its id at the target."""


@dataclass(frozen=True, slots=True)
class OrderEvent:
    """A row to be written. *since*: when we had heard of what was delivered, None where that says nothing."""

    order_number: str
    event: OrderEventKind
    target: str = "upgates"
    detail: str = ""
    since: datetime | None = None
    body: bytes | None = None


async def upsert_orders(
    tx: AsyncConnection, shop_id: ShopId, orders: Sequence[Order], gone: Sequence[str], *, now: datetime
) -> None:
    """These orders exist; *gone* do not (any more)."""
    await tx.execute(
        text("DELETE FROM orders WHERE shop_id = :shop_id AND number = ANY(CAST(:gone AS text[]))"),
        {"shop_id": shop_id, "gone": sorted(gone)},
    )
    made = {order.order_number: order.created_at for order in orders}
    if not made:
        return
    await tx.execute(
        text(
            """
            INSERT INTO orders (shop_id, number, ordered_at, read_at)
            SELECT :shop_id, t.number, t.ordered_at, :now
            FROM unnest(CAST(:numbers AS text[]), CAST(:moments AS timestamptz[])) AS t (number, ordered_at)
            ON CONFLICT (shop_id, number) DO UPDATE SET
              ordered_at = excluded.ordered_at, read_at = excluded.read_at
            """
        ),
        {"shop_id": shop_id, "numbers": sorted(made), "moments": [made[key] for key in sorted(made)], "now": now},
    )


async def record_events(
    tx: AsyncConnection, shop_id: ShopId, steps: Iterable[OrderEvent], *, now: datetime
) -> None:
    """Note *steps*, which are being taken in this transaction."""
    rows = list(steps)
    if not rows:
        return
    await tx.execute(
        text(
            """
            INSERT INTO order_events (shop_id, order_number, at, event, target, detail, since, body)
            SELECT :shop_id, t.order_number, :now, t.event, t.target, t.detail, t.since, t.body
            FROM unnest(CAST(:numbers AS text[]), CAST(:events AS text[]), CAST(:targets AS text[]),
              CAST(:details AS text[]), CAST(:sinces AS timestamptz[]), CAST(:bodies AS bytea[]))
              AS t (order_number, event, target, detail, since, body)
            """
        ),
        {
            "shop_id": shop_id,
            "now": now,
            "numbers": [step.order_number for step in rows],
            "events": [step.event for step in rows],
            "targets": [step.target for step in rows],
            "details": [step.detail for step in rows],
            "sinces": [step.since for step in rows],
            "bodies": [step.body for step in rows],
        },
    )


def delivered(document: Document, target: str, remote_id: str | None) -> OrderEvent:
    """The step of a delivered *document*, with a copy of it in which nothing says who the customer is."""
    return OrderEvent(
        document.parent,
        OrderEventKind.DELIVERED,
        target,
        remote_id or "",
        since=document.since,
        body=zlib.compress(masked(document.body).encode()),
    )


def opened(body: bytes | None) -> str | None:
    """The copy that a step holds."""
    return None if body is None else zlib.decompress(body).decode()


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
