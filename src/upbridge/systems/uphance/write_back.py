"""The return direction: what Uphance knows becomes documents for the shop's own API (docs/write-back.md).

skus + pieces ─► stock.read_stock ──────────────► documents (upgates, stock)
orders, pick tickets ─► shipments.read_shipments ─► documents (upgates, shipment)
"""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from upbridge.domain.shop_id import ShopId
from upbridge.store.changes import Kind, Origin, mark_changed

#: The key of the change that means: look at all orders and tickets. Any other key is a ticket's id.
POLL = "poll"


async def look(tx: AsyncConnection, shop_id: ShopId, *, origin: Origin, now: datetime) -> None:
    """Have shipments and stock looked at, in this order: which orders are drafts decides what is open."""
    for kind, key in ((Kind.PICK_TICKETS, POLL), (Kind.STOCK, "stock")):
        await mark_changed(tx, shop_id, "uphance", kind, [key], origin=origin, now=now)
