"""What the shop has sold and Uphance's numbers do not show yet: *open* pieces.

Bodies in the outbox are sealed, and opening thousands of them for every look at the stock would be dear. So the
lines are noted when an order is read, in the same transaction that queues it (`open_order_lines`); which of them
are open is then one query over them and `links`. There is nothing personal in a row.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from upbridge.domain.eligibility import Eligibility
from upbridge.domain.order import LineType, Order, OrderLine
from upbridge.domain.shop_id import ShopId
from upbridge.domain.sku import code_key
from upbridge.systems.base import MappingContext
from upbridge.systems.uphance.order_policy import order_policy

#: A line of a type that we do not know may be goods: too little stock on sale is the smaller harm.
_GOODS = frozenset({LineType.PRODUCT, LineType.SET_PART, LineType.GIFT, LineType.UNKNOWN})

_KNOWN = """
    l.shop_id = p.shop_id AND l.target = 'uphance' AND l.kind = 'order' AND l.key = p.order_number
    AND l.state IN ('delivered', 'by_hand')
"""
#: What was made as a draft stays one until Uphance says otherwise (`shipments`).
_DRAFT = "l.state = 'delivered' AND COALESCE(l.remote_status, 'draft') = 'draft'"


async def remember(
    tx: AsyncConnection, shop_id: ShopId, orders: Sequence[Order], gone: Sequence[str], context: MappingContext
) -> None:
    """Note the goods of *orders* instead of what was noted of them before; *gone* are not there any more.

    An order that is older than `uphance.orders_from`, of an origin that is not sent, or canceled, or in a shop
    that sends none, has no row.
    """
    await tx.execute(
        text(
            "DELETE FROM open_order_lines"
            " WHERE shop_id = :shop_id AND order_number = ANY(CAST(:numbers AS text[]))"
        ),
        {"shop_id": shop_id, "numbers": sorted({*(order.order_number for order in orders), *gone})},
    )
    rows = [
        (order, position, line, pending)
        for order in orders
        if (pending := _pending(order, context)) is not None
        for position, line in enumerate(order.lines)
        if line.type in _GOODS and line.quantity > 0
    ]
    if not rows:
        return
    await tx.execute(
        text(
            """
            INSERT INTO open_order_lines
              (shop_id, order_number, position, variant_key, code, quantity, pending, ordered_at)
            SELECT :shop_id, t.* FROM unnest(CAST(:numbers AS text[]), CAST(:positions AS int[]),
              CAST(:items AS text[]), CAST(:codes AS text[]), CAST(:quantities AS numeric[]),
              CAST(:pending AS boolean[]), CAST(:moments AS timestamptz[])) AS t
            ON CONFLICT DO NOTHING
            """
        ),
        {
            "shop_id": shop_id,
            "numbers": [order.order_number for order, _, _, _ in rows],
            "positions": [position for _, position, _, _ in rows],
            "items": [_item(line) for _, _, line, _ in rows],
            "codes": [_code(line) for _, _, line, _ in rows],
            "quantities": [line.quantity for _, _, line, _ in rows],
            "pending": [pending for _, _, _, pending in rows],
            "moments": [order.created_at for order, _, _, _ in rows],
        },
    )


async def open_pieces(tx: AsyncConnection, shop_id: ShopId, *, drafts_reserve: bool) -> Mapping[str, Decimal]:
    """How many pieces of each item (its key) are sold without Uphance's numbers showing it.

    Counted are orders that Uphance does not know and that may still be sent; orders that are drafts in Uphance,
    unless drafts reserve; and what the shop added to an order later, until staff have dealt with it.
    """
    values: dict[str, Any] = {"shop_id": shop_id, "drafts": not drafts_reserve}
    rows = await tx.execute(
        text(
            f"""
            SELECT p.variant_key, p.code, sum(p.quantity) AS quantity
            FROM open_order_lines p LEFT JOIN links l ON {_KNOWN}
            WHERE p.shop_id = :shop_id
              AND CASE WHEN l.key IS NULL THEN p.pending ELSE :drafts AND {_DRAFT} END
            GROUP BY p.variant_key, p.code
            """  # noqa: S608 - constants
        ),
        values,
    )
    found = [(row.variant_key, row.code, row.quantity) for row in rows]
    found += await _added(tx, values)
    return await _by_item(tx, shop_id, found)


async def prune(tx: AsyncConnection, shop_id: ShopId) -> None:
    """Forget the orders that Uphance counts by itself. Orders that are never sent go after 90 days
    (`maintenance.retention`): they reserve nothing any more."""
    await tx.execute(
        text(
            f"""
            DELETE FROM open_order_lines p WHERE p.shop_id = :shop_id
              AND EXISTS (SELECT FROM links l WHERE {_KNOWN} AND NOT ({_DRAFT}))
              AND NOT EXISTS (SELECT FROM documents d WHERE d.shop_id = p.shop_id AND d.target = 'uphance'
                AND d.kind = 'order' AND d.key = p.order_number)
            """  # noqa: S608 - constants
        ),
        {"shop_id": shop_id},
    )


def _pending(order: Order, context: MappingContext) -> bool | None:
    """Whether Uphance may still be sent *order*; None if no change of its status alone can have it sent."""
    match order_policy(context).judge(order, context.facts):
        case Eligibility.SENT | Eligibility.WAITS:
            return True
        case Eligibility.AT_REST:
            return False
        case _:
            return None


async def forget(tx: AsyncConnection, shop_id: ShopId) -> None:
    """Forget all of them."""
    await tx.execute(text("DELETE FROM open_order_lines WHERE shop_id = :shop_id"), {"shop_id": shop_id})


def _item(line: OrderLine) -> str | None:
    if line.product_id is None:
        return None
    return f"p-{line.product_id}" if line.variant_id is None else f"v-{line.variant_id}"


def _code(line: OrderLine) -> str | None:
    """As the trace of a sent order names the line (`systems.uphance.content`)."""
    return line.code or line.ean


async def _added(tx: AsyncConnection, values: Mapping[str, Any]) -> list[tuple[str | None, str, Decimal]]:
    """What was added to orders that Uphance counts already: what the shop has now, less what was sent."""
    rows = await tx.execute(
        text(
            f"""
            SELECT p.order_number, p.code, min(p.variant_key) AS variant_key, sum(p.quantity) AS quantity, l.sent
            FROM open_order_lines p JOIN links l ON {_KNOWN}
            JOIN documents d ON d.shop_id = p.shop_id AND d.target = 'uphance' AND d.kind = 'order'
              AND d.key = p.order_number
            WHERE p.shop_id = :shop_id AND NOT (:drafts AND {_DRAFT}) AND p.code IS NOT NULL
            GROUP BY p.order_number, p.code, l.sent
            """  # noqa: S608 - constants
        ),
        values,
    )
    added = []
    for row in rows:
        sent = json.loads(row.sent).get("goods", ()) if row.sent else ()
        more = row.quantity - sum(
            (Decimal(str(quantity)) for what, quantity, _ in sent if what == row.code), Decimal()
        )
        if row.sent and more > 0:
            added.append((row.variant_key, row.code, more))
    return added


async def _by_item(
    tx: AsyncConnection, shop_id: ShopId, found: Iterable[tuple[str | None, str | None, Decimal]]
) -> Mapping[str, Decimal]:
    """By the item's key: the ordered variant itself, or, if that is gone, the one that has its code now."""
    wanted = list(found)
    rows = await tx.execute(
        text(
            """
            SELECT t.place, COALESCE(i.key, (
              SELECT min(c.key) FROM variants c
              WHERE c.shop_id = :shop_id AND c.code_key = t.code_key
            )) AS key
            FROM unnest(CAST(:items AS text[]), CAST(:codes AS text[])) WITH ORDINALITY
              AS t (item, code_key, place)
            LEFT JOIN variants i ON i.shop_id = :shop_id AND i.key = t.item
            """
        ),
        {
            "shop_id": shop_id,
            "items": [item for item, _, _ in wanted],
            "codes": [code_key(code) for _, code, _ in wanted],
        },
    )
    pieces: dict[str, Decimal] = {}
    for row in rows:
        if row.key is not None:
            pieces[row.key] = pieces.get(row.key, Decimal()) + wanted[row.place - 1][2]
    return pieces
