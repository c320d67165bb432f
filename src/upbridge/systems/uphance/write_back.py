"""The return direction: what Uphance knows becomes documents for the shop's own API (docs/write-back.md).

skus + reservations ─► stock.read_stock ──────────────► documents (stock)
orders, pick tickets ─► shipments.read_shipments ─────► documents (shipment)
"""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from upbridge.domain.delivery import Delivered, Document
from upbridge.domain.order import Order
from upbridge.domain.shop_id import ShopId
from upbridge.domain.shop_settings import ShopSettings
from upbridge.store import documents, open_order_lines
from upbridge.store.changes import Kind, Origin, mark_changed
from upbridge.store.problems import forget_problems
from upbridge.systems.base import MappingContext
from upbridge.systems.uphance import reservations, shipments, stock, stock_calculation
from upbridge.systems.uphance.shipments import POLL

ALL = (Kind.PICK_TICKETS, Kind.STOCK)


async def look(
    tx: AsyncConnection, shop_id: ShopId, only: Collection[Kind] = ALL, *, origin: Origin, now: datetime
) -> None:
    """Have shipments and stock looked at, in this order: which orders are drafts decides what is open."""
    for kind, key in ((Kind.PICK_TICKETS, POLL), (Kind.STOCK, "stock")):
        if kind in only:
            await mark_changed(tx, shop_id, "uphance", kind, [key], origin=origin, now=now)


def in_use(settings: ShopSettings) -> Collection[Kind]:
    """What a shop with these *settings* wants looked at."""
    stock = settings.yes("stock.write")
    orders = settings.yes("shipments.write") or (stock and not settings.yes("stock.drafts_reserve"))
    return [kind for kind, wanted in ((Kind.PICK_TICKETS, orders), (Kind.STOCK, stock)) if wanted]


class UphanceWriteBack:
    """Stock and shipments (`base.WriteBack`)."""

    async def note_orders(
        self, tx: AsyncConnection, orders: Sequence[Order], gone: Sequence[str], context: MappingContext
    ) -> None:
        """Their goods are reserved; what was shipped under other numbers is not lost."""
        await reservations.remember(tx, context.connection.shop_id, orders, gone, context)
        if context.former_numbers:
            await shipments.follow(tx, context.connection.shop_id, context.former_numbers, now=context.now)

    async def written(
        self,
        tx: AsyncConnection,
        shop_id: ShopId,
        delivered: Sequence[tuple[Document, Delivered]],
        *,
        now: datetime,
    ) -> None:
        """The shop shows the numbers."""
        await stock.wrote(tx, shop_id, delivered, now=now)

    async def settings_changed(
        self, tx: AsyncConnection, shop_id: ShopId, before: ShopSettings, after: ShopSettings, *, now: datetime
    ) -> None:
        """Look at all of it again; if shipments are written only now, at what was shipped meanwhile, too."""
        if after.yes("shipments.write") and not before.yes("shipments.write"):
            await shipments.reopen(tx, shop_id, now=now)
        await look(tx, shop_id, origin=Origin.SETTINGS, now=now)

    async def forget(self, tx: AsyncConnection, shop_id: ShopId) -> None:
        """Numbers, shipments and reservations."""
        await documents.forget(tx, shop_id, stock.TARGET)
        await forget_problems(tx, shop_id, kinds=(stock_calculation.KIND, shipments.KIND))
        await open_order_lines.forget_lines(tx, shop_id)
