"""The list of deleted orders: when it is read, what of it concerns us, and whether the shop's API has it at all.

    deleted ones ──► known to us and alive as far as we know ──► asked for by number ──► missing: deleted
                                                                  └──► there, all of them: the list is no such list

An API that does not know the list refuses the parameter, or passes it over and lists living orders. That is
remembered, and tried again rarely.
"""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from enum import StrEnum

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from upbridge.core.errors import Rejected
from upbridge.domain.order import Order
from upbridge.domain.platform import PLATFORM
from upbridge.domain.purpose import Purpose
from upbridge.domain.shop import Shop
from upbridge.domain.shop_id import ShopId
from upbridge.engine.context import Service
from upbridge.store import cursors, orders
from upbridge.systems.upgates.pagination import OrderFilter, Page

log = structlog.get_logger(__name__)

REACH = timedelta(days=90)
"""Orders that changed longer ago are not looked for. Assumption: nothing says whether a deletion is a change, so
the reach is that of our own copy, and not that of the last look."""
MOST_PAGES = 20
"""More deleted orders in that time are no day's work of a shop."""
_EVERY = timedelta(hours=20)
"""Once a day: safety nets that come a little early still find it due."""
_RARELY = timedelta(days=30)

_SYSTEM, _AT, _KNOWN = PLATFORM, "deleted_orders_at", "deleted_orders"


class Listing(StrEnum):
    """Whether the shop's API lists deleted orders."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"
    """It was not asked yet."""


async def listing(tx: AsyncConnection, shop_id: ShopId) -> Listing:
    """Whether the shop's API lists deleted orders, as far as that was seen."""
    return Listing(await cursors.get(tx, shop_id, _SYSTEM, _KNOWN) or Listing.UNKNOWN)


async def unlisted(tx: AsyncConnection) -> int:
    """How many shops have an API that does not list deleted orders."""
    return await cursors.count(tx, _SYSTEM, _KNOWN, Listing.NO)


async def due(tx: AsyncConnection, shop_id: ShopId, *, now: datetime) -> bool:
    """Whether the list is to be read: once a day, and rarely where the API does not know it."""
    at = await cursors.get(tx, shop_id, _SYSTEM, _AT)
    pause = _RARELY if await listing(tx, shop_id) is Listing.NO else _EVERY
    return at is None or now - datetime.fromisoformat(at) >= pause


async def found(service: Service, shop: Shop, *, purpose: Purpose) -> AsyncIterator[tuple[list[str], Page[Order]]]:
    """The numbers of orders of ours that are listed as deleted, with what the API says of them by number; page by
    page, and nothing where the list is no such list. What was seen is remembered at the end."""
    client, since = await service.upgates(shop), service.clock() - REACH
    number, pages, supported = 1, 1, True
    while supported and number <= min(pages, MOST_PAGES):
        filters = OrderFilter(updated_from=since, deleted=True)
        try:
            listed = await client.orders_page(number, filters=filters, purpose=purpose)
        except Rejected as refusal:
            log.info("deleted_orders_refused", shop_id=str(shop.id), said=str(refusal))
            supported = False
            break
        async with service.engine.connect() as tx:
            ours = sorted(await orders.known(tx, shop.id, [order.key for order in listed.items]))
        if ours:
            page = await client.orders_by_numbers(ours, purpose=purpose)
            alive = {order.key for order in page.items if not order.deleted}
            supported = alive.isdisjoint(order.key for order in listed.items if not order.deleted)
            if supported:
                yield ours, page
        pages, number = listed.pages, number + 1
    async with service.engine.begin() as tx:
        await _looked(tx, shop.id, supported=supported, now=service.clock())


async def _looked(tx: AsyncConnection, shop_id: ShopId, *, supported: bool, now: datetime) -> None:
    await cursors.put(tx, shop_id, _SYSTEM, _AT, now.isoformat())
    await cursors.put(tx, shop_id, _SYSTEM, _KNOWN, Listing.YES if supported else Listing.NO)
