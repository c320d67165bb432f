"""The list of deleted orders: when it is read, what of it concerns us, and whether the shop's API has it at all.

    deleted ones ──► known to us and alive as far as we know ──► asked for by number ──► missing: deleted
                                                                  └──► there, all of them: the list is no such list
    gone, as far as we know, and not among them ──► asked for by number ──► there: restored

An API that does not know the list refuses the parameter, or passes it over and lists living orders. That is
remembered, and tried again rarely. An empty list proves nothing. Until one has shown a deleted order, the open
orders are asked for by number in every net; from then on every net reads the list, which is one call.

The list moves while it is read, so it is walked by time like any other (`domain.walk_by_time`); how far the walk
is, is kept, so that no size of it is too much.
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
from upbridge.store import changes, cursors, open_order_lines, order_identities, orders, runs
from upbridge.store.changes import Change, Kind, Origin
from upbridge.store.runs import RunPurpose
from upbridge.store.session import reading
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


class DeletedListing(StrEnum):
    """Whether the shop's API lists deleted orders."""

    YES = "yes"
    """It has shown a deleted order."""
    NO = "no"
    UNKNOWN = "unknown"
    """It was not asked yet, or has shown nothing."""


async def listing(tx: AsyncConnection, shop_id: ShopId) -> DeletedListing:
    """Whether the shop's API lists deleted orders, as far as that was seen."""
    return DeletedListing(await cursors.get(tx, shop_id, _SYSTEM, _KNOWN) or DeletedListing.UNKNOWN)


async def unlisted(tx: AsyncConnection) -> int:
    """How many shops have an API that does not list deleted orders."""
    return await cursors.count(tx, _SYSTEM, _KNOWN, DeletedListing.NO)


@dataclass(frozen=True, slots=True)
class _Begun:
    """A walk through the list, and when it began."""

    walk: TimeWalk
    at: datetime


async def _list_is_due(tx: AsyncConnection, shop_id: ShopId, *, now: datetime) -> bool:
    """In every net where it is known to tell, rarely where the API does not know it, else once a day."""
    at = await cursors.get(tx, shop_id, _SYSTEM, _AT)
    pauses = {DeletedListing.YES: timedelta(0), DeletedListing.NO: _RARELY, DeletedListing.UNKNOWN: _EVERY}
    return at is None or now - datetime.fromisoformat(at) >= pauses[await listing(tx, shop_id)]


async def ask(tx: AsyncConnection, shop_id: ShopId, *, now: datetime) -> None:
    """Have looked for what was deleted or restored."""
    keys = ["list"]
    await changes.mark_changed(tx, shop_id, _SYSTEM, Kind.ORDERS_DELETED, keys, origin=Origin.SAFETY_NET, now=now)


async def under_way(tx: AsyncConnection, shop_id: ShopId) -> bool:
    """Whether a walk through the list has not ended yet."""
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
    walk, purpose = begun.walk, change.purpose
    async with reading(engine) as tx:
        found_to_be = await listing(tx, shop.id)
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
            found_to_be = DeletedListing.NO
            break
        numbers = [order.key for order in listed.items]
        async with engine.begin() as tx:
            ours = sorted(await orders.known(tx, shop.id, numbers))
            await order_identities.still_gone(tx, shop.id, numbers, now=clock())
        page = await client.orders_by_numbers(ours, purpose=purpose) if ours else None
        if (told := _told(listed, page)) is DeletedListing.NO:
            found_to_be = told
            break
        if page is not None:
            yield ours, page
        found_to_be = told or found_to_be
        walk = walk.read(answer_of(listed))
        if walk.ended:  # it is not kept: a worker that dies here has its last page read again
            break
        await _keep(engine, shop, _Begun(walk, begun.at))
    else:
        return
    async with engine.begin() as tx:
        await _looked(tx, shop.id, begun.at, found_to_be, now=clock())


def _told(listed: Page[Order], ours: Page[Order] | None) -> DeletedListing | None:
    """What a page of the list tells about the list, with what the API says of *ours* among it by number."""
    alive = {(order.key, order.uuid) for order in (ours.items if ours is not None else ()) if not order.deleted}
    if not alive.isdisjoint((order.key, order.uuid) for order in listed.items if not order.deleted):
        return DeletedListing.NO
    return DeletedListing.YES if ours is not None or any(order.deleted for order in listed.items) else None


async def restored(
    engine: AsyncEngine, client: ShopApi, shop: Shop, *, purpose: Purpose, now: datetime
) -> Page[Order] | None:
    """What the API says of orders that are gone as far as we know, and are not among the deleted ones; None where
    there are none of them. One call."""
    async with reading(engine) as tx:
        listed = await cursors.get(tx, shop.id, _SYSTEM, _BEGUN_AT)
        knows = await listing(tx, shop.id) is DeletedListing.YES and listed is not None
        # What stands in the list was seen there since the last walk began.
        until = datetime.fromisoformat(listed) if knows and listed is not None else now
        numbers = await order_identities.gone_since(tx, shop.id, now - _RESTORED, until=until, most=_MOST_RESTORED)
    if not numbers:
        return None
    return await client.orders_by_numbers(numbers, purpose=purpose)


async def ask_about_open(engine: AsyncEngine, shop_id: ShopId, *, now: datetime) -> None:
    """Where nothing has proved the list of deleted ones: have the open orders asked for by number, without those
    that the last safety net has read."""
    net = (await runs.latest_runs(engine, shop_id, RunPurpose.SAFETY_NET)).get("order")
    async with engine.begin() as tx:
        if await listing(tx, shop_id) is DeletedListing.YES:
            return
        seen = await orders.read_from(tx, shop_id, net.started_at) if net is not None else set()
        numbers = set(await open_order_lines.order_numbers(tx, shop_id)) - seen
        await changes.mark_changed(
            tx, shop_id, _SYSTEM, Kind.ORDER, numbers, origin=Origin.SAFETY_NET, now=now, purpose=Purpose.SAFETY
        )


async def _begun(engine: AsyncEngine, shop: Shop, *, now: datetime) -> _Begun | None:
    """The walk that is under way, or a new one where it is due."""
    async with reading(engine) as tx:
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
    tx: AsyncConnection, shop_id: ShopId, begun_at: datetime, found_to_be: DeletedListing, *, now: datetime
) -> None:
    await cursors.remove(tx, shop_id, _SYSTEM, _WALK)
    await cursors.put(tx, shop_id, _SYSTEM, _BEGUN_AT, begun_at.isoformat())
    await cursors.put(tx, shop_id, _SYSTEM, _AT, now.isoformat())
    await cursors.put(tx, shop_id, _SYSTEM, _KNOWN, found_to_be)
