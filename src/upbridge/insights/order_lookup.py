"""An order as its shop has it now, for a user of the shop who asks whom it is about. Nothing of it is kept.

What was sent is stored without personal data (docs/decisions/0010), its fingerprint is stored as it was: mapping
the order again tells whether a system has exactly what the order says now.
"""

import json
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from upbridge.core.clock import Clock
from upbridge.core.errors import Conflict, LoginRefused, NotFound, Rejected, Throttled
from upbridge.domain.delivery import DesiredDocument, Link
from upbridge.domain.history import Way, What
from upbridge.domain.order import Order
from upbridge.domain.purpose import Purpose
from upbridge.domain.shop import Shop, ShopState
from upbridge.domain.shop_id import ShopId
from upbridge.engine.access import Logins
from upbridge.engine.connected_systems import ConnectedSystems
from upbridge.engine.planner import desired_documents_of, variant_names
from upbridge.engine.shop_apis import ShopApis
from upbridge.store import history
from upbridge.store.connections import connections_of
from upbridge.store.history import NewEntry
from upbridge.store.link_queries import links_of

log = structlog.get_logger(__name__)

#: Of so many orders of a shop the pages show within an hour who made them: a person looks at a few, a program that
#: has got hold of a session would look at all. Who of the staff asks is not known (R27).
MOST_AN_HOUR = 60
_HOUR = timedelta(hours=1)


class EnoughShown(Throttled):
    """Of enough orders it was shown within the hour who made them."""


@dataclass(frozen=True, slots=True)
class Copy:
    """What *system* should hold of the order now. *same*: whether it is what it was given; None: nothing was."""

    system: str
    body: str
    same: bool | None


@dataclass(frozen=True, slots=True)
class OrderLookup:
    """The order, personal data and all, and what each connected system should hold of it."""

    order: Order
    copies: tuple[Copy, ...]


@dataclass(frozen=True, slots=True)
class OrderLookups:
    """Shows a user of the shop an order as it is."""

    engine: AsyncEngine
    clock: Clock
    way: Way
    shop_apis: ShopApis
    connected: ConnectedSystems
    logins: Logins

    async def look_up(self, shop: Shop, number: str) -> OrderLookup:
        """Read the order *number* from *shop*: one call of its budget, after which others still find some (R54).

        Raises `Conflict` where the shop is not active (nothing is called) or refuses us (then it is suspended,
        R56), `NotFound` where the shop has no such order (any more), `Rejected` where it cannot be read,
        `Throttled` where no calls are left, `EnoughShown` where `MOST_AN_HOUR` orders were shown within the hour,
        `Unreachable` where no usable answer came.
        """
        if shop.state is not ShopState.ACTIVE:
            raise Conflict("the shop is not active")
        await _may_show(self.engine, shop, now=self.clock())
        client = await self.shop_apis.of(shop)
        try:
            page = await client.orders_by_numbers([number], purpose=Purpose.SAFETY)
        except LoginRefused as error:
            await self.logins.refused_by_platform(shop, error)
            raise Conflict("the shop refuses the add-on") from error
        order = next((one for one in page.items if one.key == number and not one.deleted), None)
        if order is None and page.broken:
            raise Rejected("the order cannot be read")
        if order is None:
            raise NotFound("the shop has no such order")
        async with self.engine.begin() as tx:
            shown = NewEntry(What.PERSON_SHOWN, number)
            await history.record(tx, shop.id, self.way, [shown], now=self.clock())
        # That a user looked at personal data is logged; an order number is no personal data.
        log.info("shopper_shown", shop_id=str(shop.id), order=number)
        return OrderLookup(order, await self._copies(shop, order))

    async def _copies(self, shop: Shop, order: Order) -> tuple[Copy, ...]:
        copies: list[Copy] = []
        async with self.engine.connect() as tx:
            names, rows = await variant_names(tx, shop.id, [order]), await connections_of(tx, shop.id)
        for system in self.connected.systems.taking("order"):
            receiver = await self.connected.receiver(shop, system, rows)
            if receiver is None:
                continue
            links = await _links(self.engine, shop.id, system, order.key)
            desired = [
                one
                for one in desired_documents_of(
                    receiver.target, replace(receiver.context, variant_names=names), order
                )
                or ()
                if isinstance(one, DesiredDocument)
            ]
            found = (_copy(system, one, links.get((one.kind, one.key))) for one in desired)
            copies += [copy for copy in found if copy is not None]
        return tuple(copies)


async def _may_show(engine: AsyncEngine, shop: Shop, *, now: datetime) -> None:
    """Raise `EnoughShown` where it was shown of enough orders within the hour who made them."""
    async with engine.connect() as tx:
        shown = await history.moments(tx, shop.id, What.PERSON_SHOWN, since=now - _HOUR, limit=MOST_AN_HOUR)
    if len(shown) == MOST_AN_HOUR:
        log.warning("shoppers_shown_limited", shop_id=str(shop.id), an_hour=MOST_AN_HOUR)
        raise EnoughShown(until=shown[-1] + _HOUR)


async def _links(engine: AsyncEngine, shop_id: ShopId, system: str, number: str) -> dict[tuple[str, str], Link]:
    async with engine.connect() as tx:
        return await links_of(tx, shop_id, system, parents=[number])


def _copy(system: str, desired: DesiredDocument, link: Link | None) -> Copy | None:
    """None where the system has nothing of the order and shall have nothing."""
    given = link is not None and link.hash is not None
    if desired.only_if_known and not given:
        return None
    body = json.dumps(json.loads(desired.body), ensure_ascii=False, indent=1)
    return Copy(system, body, same=link.hash == desired.hash if link is not None and given else None)
