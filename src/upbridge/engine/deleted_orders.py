"""The list of deleted orders: when it is read, what of it concerns us, and whether the shop's API has it at all.

    deleted ones ──► known to us and alive as far as we know ──► asked for by number ──► missing: deleted
                                                                  └──► there, all of them: the list is no such list
    gone, as far as we know, and not among them ──► asked for by number ──► there: restored

An API that does not know the list refuses the parameter, or passes it over and lists living orders. That is
remembered, and tried again rarely. The list moves while it is read, so it is walked by time like any other
(`domain.walk_by_time`); how far the walk is, is kept, so that no size of it is too much.
"""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from upbridge.core.clock import Clock
from upbridge.core.errors import Rejected, Unreachable
from upbridge.domain.order import Order
from upbridge.domain.platform import PLATFORM
from upbridge.domain.purpose import Purpose
from upbridge.domain.shop import Shop
from upbridge.domain.shop_id import ShopId
from upbridge.domain.walk_by_time import TimeWalk
from upbridge.engine.list_walks import answer_of, ask_orders, goes_round
from upbridge.store import changes, cursors, order_identities, orders
from upbridge.store.changes import Change, Kind, Origin
from upbridge.systems.platform import Page, ShopApi

log = structlog.get_logger(__name__)

REACH = timedelta(days=90)
"""Orders that changed longer ago are not looked for. Assumption: nothing says whether a deletion is a change, so
the reach is that of our own copy, and not that of the last look."""
MOST_PAGES = 20
"""So many pages are read in one go; then it is another change's turn."""
_EVERY = timedelta(hours=20)
"""Once a day: safety nets that come a little early still find it due."""
_RARELY = timedelta(days=30)
_RESTORED = timedelta(days=30)
"""An order that is gone for longer is not asked for any more: the list of deleted ones still tells."""
_MOST_RESTORED = 100
"""As many as one call can ask for."""

_SYSTEM, _AT, _KNOWN = PLATFORM, "deleted_orders_at", "deleted_orders"
_WALK, _BEGUN_AT = "deleted_orders_walk", "deleted_orders_begun_at"


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


@dataclass(frozen=True, slots=True)
class _Begun:
    """A walk through the list, and when it began."""

    walk: TimeWalk
    at: datetime


async def due(tx: AsyncConnection, shop_id: ShopId, *, now: datetime) -> bool:
    """Whether there is something to be looked for: the list is due, or an order is gone that may be restored."""
    gone = await order_identities.gone_since(tx, shop_id, now - _RESTORED, until=now, most=1)
    return bool(gone) or await _list_is_due(tx, shop_id, now=now)


async def _list_is_due(tx: AsyncConnection, shop_id: ShopId, *, now: datetime) -> bool:
    """Once a day, and rarely where the API does not know it."""
    at = await cursors.get(tx, shop_id, _SYSTEM, _AT)
    pause = _RARELY if await listing(tx, shop_id) is Listing.NO else _EVERY
    return at is None or now - datetime.fromisoformat(at) >= pause


async def ask(tx: AsyncConnection, shop_id: ShopId, *, now: datetime) -> None:
    """Have the list read, and what has left it."""
    keys = ["list"]
    await changes.mark_changed(tx, shop_id, _SYSTEM, Kind.ORDERS_DELETED, keys, origin=Origin.SAFETY_NET, now=now)


async def under_way(tx: AsyncConnection, shop_id: ShopId) -> bool:
    """Whether a walk through the list has not come to its end yet."""
    return await cursors.get(tx, shop_id, _SYSTEM, _WALK) is not None


async def found(
    engine: AsyncEngine, clock: Clock, client: ShopApi, shop: Shop, change: Change
) -> AsyncIterator[tuple[list[str], Page[Order]]]:
    """The numbers of orders of ours that are listed as deleted, with what the API says of them by number; page by
    page, and nothing where the list is no such list, or is not due. How far it was read is remembered.

    Raises `Unreachable` for a page that cannot be read; after a few tries the walk goes round it.
    """
    begun = await _begun(engine, shop, now=clock())
    if begun is None:
        return
    walk, purpose, supported = begun.walk, change.purpose, True
    for _ in range(MOST_PAGES):
        try:
            listed = await ask_orders(client, walk, deleted=True, purpose=purpose)
        except Unreachable as error:
            if not goes_round(walk, change, error):
                raise
            walk = walk.failed(now=clock())
            await _keep(engine, shop, _Begun(walk, begun.at))
            if not walk.isolating:
                raise
            continue
        except Rejected as refusal:
            log.info("deleted_orders_refused", shop_id=str(shop.id), said=str(refusal))
            supported = False
            break
        numbers = [order.key for order in listed.items]
        async with engine.begin() as tx:
            ours = sorted(await orders.known(tx, shop.id, numbers))
            await order_identities.still_gone(tx, shop.id, numbers, now=clock())
        if ours:
            page = await client.orders_by_numbers(ours, purpose=purpose)
            alive = {(order.key, order.uuid) for order in page.items if not order.deleted}
            supported = alive.isdisjoint((order.key, order.uuid) for order in listed.items if not order.deleted)
            if not supported:
                break
            yield ours, page
        walk = walk.read(answer_of(listed))
        if walk.ended:  # it is not kept: a worker that dies here has its last page read again
            break
        await _keep(engine, shop, _Begun(walk, begun.at))
    else:
        return
    async with engine.begin() as tx:
        await _looked(tx, shop.id, begun.at, supported=supported, now=clock())


async def restored(
    engine: AsyncEngine, client: ShopApi, shop: Shop, *, purpose: Purpose, now: datetime
) -> Page[Order] | None:
    """What the API says of orders that are gone as far as we know, and are not among the deleted ones; None where
    there are none of them. One call."""
    async with engine.connect() as tx:
        listed = await cursors.get(tx, shop.id, _SYSTEM, _BEGUN_AT)
        knows = await listing(tx, shop.id) is Listing.YES and listed is not None
        # What stands in the list was seen there since the last walk began.
        until = datetime.fromisoformat(listed) if knows and listed is not None else now
        numbers = await order_identities.gone_since(tx, shop.id, now - _RESTORED, until=until, most=_MOST_RESTORED)
    if not numbers:
        return None
    return await client.orders_by_numbers(numbers, purpose=purpose)


async def _begun(engine: AsyncEngine, shop: Shop, *, now: datetime) -> _Begun | None:
    """The walk that is under way, or a new one where it is due."""
    async with engine.connect() as tx:
        kept = await cursors.get(tx, shop.id, _SYSTEM, _WALK)
        is_due = await _list_is_due(tx, shop.id, now=now)
    if kept is not None:
        said = json.loads(kept)
        at = datetime.fromisoformat(said["at"])
        if now - at < _EVERY:
            return _Begun(TimeWalk.model_validate(said["walk"]), at)
    return _Begun(TimeWalk.begin("updated", now - REACH), now) if is_due else None


async def _keep(engine: AsyncEngine, shop: Shop, begun: _Begun) -> None:
    said = {"walk": begun.walk.model_dump(mode="json"), "at": begun.at.isoformat()}
    async with engine.begin() as tx:
        await cursors.put(tx, shop.id, _SYSTEM, _WALK, json.dumps(said))


async def _looked(
    tx: AsyncConnection, shop_id: ShopId, begun_at: datetime, *, supported: bool, now: datetime
) -> None:
    await cursors.remove(tx, shop_id, _SYSTEM, _WALK)
    await cursors.put(tx, shop_id, _SYSTEM, _BEGUN_AT, begun_at.isoformat())
    await cursors.put(tx, shop_id, _SYSTEM, _AT, now.isoformat())
    await cursors.put(tx, shop_id, _SYSTEM, _KNOWN, Listing.YES if supported else Listing.NO)
