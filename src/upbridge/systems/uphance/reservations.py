"""What the shop has sold and Uphance's numbers do not show yet: *open* pieces.

Bodies in the outbox are sealed, and opening thousands of them for every look at the stock would be dear. So the
lines are noted when an order is read, in the same transaction that queues it (`open_order_lines`); which of them
are open is then one query over them and `links`. There is nothing personal in a row.
"""

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal

from sqlalchemy.ext.asyncio import AsyncConnection

from upbridge.domain.eligibility import Eligibility
from upbridge.domain.order import LineType, Order, OrderLine
from upbridge.domain.shop_id import ShopId
from upbridge.store import open_order_lines, variants
from upbridge.systems.base import MappingContext
from upbridge.systems.uphance.order_policy import order_policy

TARGET = "uphance"
#: A line of a type that we do not know may be goods: too little stock on sale is the smaller harm.
_GOODS = frozenset({LineType.PRODUCT, LineType.SET_PART, LineType.GIFT, LineType.UNKNOWN})


async def remember(
    tx: AsyncConnection, shop_id: ShopId, orders: Sequence[Order], gone: Sequence[str], context: MappingContext
) -> None:
    """Note the goods of *orders* instead of what was noted of them before; *gone* are not there any more.

    An order that is older than `uphance.orders_from`, of an origin that is not sent, or canceled, or in a shop
    that sends none, has no row. The goods are noted under the number that Uphance knows the order by.
    """
    known_as = context.former_numbers
    lines = [
        open_order_lines.OpenOrderLine(
            order_number=known_as.get(order.order_number, order.order_number),
            position=position,
            variant_key=line.variant_key,
            code=_code(line),
            quantity=line.quantity,
            pending=pending,
            ordered_at=order.created_at,
        )
        for order in {order.order_number: order for order in orders}.values()
        if (pending := _pending(order, context)) is not None
        for position, line in enumerate(order.lines)
        if line.type in _GOODS and line.quantity > 0
    ]
    numbers = {order.order_number for order in orders}
    mine = numbers | {known_as[number] for number in numbers if number in known_as}
    await open_order_lines.replace_lines(tx, shop_id, mine.union(gone), lines)


async def open_pieces(tx: AsyncConnection, shop_id: ShopId, *, drafts_reserve: bool) -> Mapping[str, Decimal]:
    """How many pieces of each item (its key) are sold without Uphance's numbers showing it.

    Counted are orders that Uphance does not know and that may still be sent; orders that are drafts in Uphance,
    unless drafts reserve; and what the shop added to an order later, until staff have dealt with it.
    """
    drafts = not drafts_reserve
    found = await open_order_lines.open_pieces(tx, shop_id, TARGET, drafts=drafts)
    known = await open_order_lines.ordered_pieces(tx, shop_id, TARGET, drafts=drafts)
    found += [added for one in known if (added := _added(one)) is not None]
    keys = await variants.resolve(tx, shop_id, [(one.variant_key, one.code) for one in found])
    pieces: dict[str, Decimal] = {}
    for one, key in zip(found, keys, strict=True):
        if key is not None:
            pieces[key] = pieces.get(key, Decimal()) + one.quantity
    return pieces


async def prune(tx: AsyncConnection, shop_id: ShopId) -> None:
    """Forget the orders that Uphance counts by itself. Orders that are never sent go after 90 days
    (`maintenance.retention`): they reserve nothing any more."""
    await open_order_lines.prune(tx, shop_id, TARGET)


def _pending(order: Order, context: MappingContext) -> bool | None:
    """Whether Uphance may still be sent *order*; None if no change of its status alone can have it sent."""
    match order_policy(context).judge(order, context.facts):
        case Eligibility.SENT | Eligibility.WAITS | Eligibility.UNKNOWN:
            return True
        case Eligibility.AT_REST:
            return False
        case _:
            return None


def _code(line: OrderLine) -> str | None:
    """As the trace of a sent order names the line (`order_fingerprint`)."""
    return line.code or line.ean


def _added(known: open_order_lines.OrderedPieces) -> open_order_lines.Pieces | None:
    """What was added to an order that Uphance counts already: what the shop has now, less what was sent."""
    if not known.sent:
        return None
    sent = json.loads(known.sent).get("goods", ())
    more = known.pieces.quantity - sum(
        (Decimal(str(quantity)) for what, quantity, _ in sent if what == known.pieces.code), Decimal()
    )
    return known.pieces._replace(quantity=more) if more > 0 else None
