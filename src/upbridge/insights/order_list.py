"""Every known order, with its box in each system and the reason: the boxes of the overview, order by order."""

import functools
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from upbridge.domain.delivery import LinkState
from upbridge.domain.shop_id import ShopId
from upbridge.store import (
    change_queries,
    document_queries,
    documents,
    link_queries,
    orders,
    problem_queries,
)
from upbridge.store.changes import Kind
from upbridge.store.orders import KnownOrder

#: So many orders are looked at together.
PAGE = 1000
_KIND = "order"
#: The reason for which an order is held where no reading has said which rule it was.
RULES = "rules"


class Box(StrEnum):
    """Where an order is with one system: in exactly one box, the most urgent that fits."""

    PARKED = "parked"
    WAITING = "waiting"
    DELIVERED = "delivered"
    BY_HAND = "by_hand"
    HELD = "held"


@dataclass(frozen=True, slots=True)
class OrderPlace:
    """An order's box in *system*. *reason*: the cause of its problem, `reading`, `sending`, or `rules`."""

    system: str
    box: Box
    reason: str | None


@dataclass(frozen=True, slots=True)
class ListedOrder:
    """An order with its place in each connected system."""

    number: str
    ordered_at: datetime | None
    """When it was made; None for one that was announced and is not read yet."""
    places: tuple[OrderPlace, ...]


async def listed_orders(
    engine: AsyncEngine, shop_id: ShopId, *, platform: str, systems: Sequence[str], since: datetime | None = None
) -> AsyncGenerator[ListedOrder, None]:
    """The shop's orders: first those that were announced and never read, then those that were read in the last 90
    days, the newest first; made (or announced) from *since* on. *platform* is where they are read, and where
    problems with that are. Each page is asked for when it is needed."""
    async for one in _unread_orders(engine, shop_id, platform, systems, since):
        yield one
    last: KnownOrder | None = None
    while True:
        async with engine.connect() as tx:
            page = await orders.newest_before(tx, shop_id, last, since=since, most=PAGE)
            found = await _with_places(tx, shop_id, platform, systems, page)
        for one in found:
            yield one
        if len(page) < PAGE:
            return
        last = page[-1]


async def _unread_orders(
    engine: AsyncEngine, shop_id: ShopId, platform: str, systems: Sequence[str], since: datetime | None
) -> AsyncIterator[ListedOrder]:
    after = ""
    while True:
        async with engine.connect() as tx:
            page = await change_queries.first_announced(
                tx, shop_id, platform, Kind.ORDER, after, since=since, most=PAGE
            )
            numbers = [number for number, _ in page]
            known = await orders.known(tx, shop_id, numbers)
            places = await places_of(tx, shop_id, platform, systems, [one for one in numbers if one not in known])
        for number, found in places.items():
            yield ListedOrder(number, None, found)
        if len(page) < PAGE:
            return
        after = numbers[-1]


async def _with_places(
    tx: AsyncConnection, shop_id: ShopId, platform: str, systems: Sequence[str], page: Sequence[KnownOrder]
) -> list[ListedOrder]:
    places = await places_of(tx, shop_id, platform, systems, [one.number for one in page])
    return [ListedOrder(one.number, one.ordered_at, places[one.number]) for one in page]


async def places_of(
    tx: AsyncConnection, shop_id: ShopId, platform: str, systems: Sequence[str], numbers: Sequence[str]
) -> dict[str, tuple[OrderPlace, ...]]:
    """Where each of these orders is with each of *systems*."""
    if not numbers:
        return {}
    unread = await change_queries.announced(tx, shop_id, platform, Kind.ORDER, numbers)
    delivered = await link_queries.delivered_of(tx, shop_id, _KIND, numbers)
    waiting = {
        (one.parent, one.target): one for one in await document_queries.states_of(tx, shop_id, _KIND, numbers)
    }
    shared = functools.cache(OrderPlace)  # most orders are in the same places as their neighbours
    causes: dict[tuple[str, str], str] = {}
    for one in await problem_queries.causes_of(tx, shop_id, _KIND, numbers):
        causes.setdefault((one.parent, one.target), one.key)

    def place(number: str, system: str) -> OrderPlace:
        document = waiting.get((number, system))
        cause = causes.get((number, platform)) or causes.get((number, system))
        if cause is not None or (document is not None and document.state == documents.PARKED):
            return shared(system, Box.PARKED, cause or (document.reason if document is not None else None))
        if number in unread:
            return shared(system, Box.WAITING, "reading")
        if document is not None:
            return shared(system, Box.WAITING, document.reason or "sending")
        if state := delivered.get((system, number)):
            return shared(system, Box.BY_HAND if state is LinkState.BY_HAND else Box.DELIVERED, None)
        return shared(system, Box.HELD, RULES)

    return {number: tuple(place(number, system) for system in systems) for number in numbers}


def matches(order: ListedOrder, *, boxes: Collection[str], reasons: Collection[str]) -> bool:
    """Whether one place of *order* is in one of *boxes* for one of *reasons*; none of them asks for nothing."""
    return any(
        (not boxes or place.box in boxes) and (not reasons or place.reason in reasons) for place in order.places
    ) or not (boxes or reasons)
