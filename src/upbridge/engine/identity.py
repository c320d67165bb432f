"""Who is who among the shop's orders. Targets know an order by its number; the shop knows it by its uuid, too.

    a number, another uuid ──► another order under it ──► it is not taken for the one that was sent
    a uuid, another number ──► the same order, renumbered ──► it is not sent a second time

A number that was sent and whose order turns up under another one is asked for in the same breath: only its absence
says that the order was renumbered. Two living orders with one uuid are two orders.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from upbridge.domain.order import Order
from upbridge.domain.shop_id import ShopId
from upbridge.store import link_queries, order_identities
from upbridge.store.order_identities import Identity, names_one


@dataclass(frozen=True, slots=True)
class Identities:
    """Which orders of a batch the targets know otherwise, by the numbers that the orders have now.

    *others*: the targets were given another order under this number. *former*: the number under which the targets
    were given the order itself; a gone order has one too. *moved*: for a number that is gone, the number that its
    order has instead.
    """

    others: frozenset[str] = frozenset()
    former: Mapping[str, str] = field(default_factory=dict)
    moved: Mapping[str, str] = field(default_factory=dict)

    def gone(self, missing: Sequence[str], known: Collection[str]) -> list[str]:
        """The numbers of which nothing is left where *missing* are not there: former ones of the orders too, but
        none under which a target has *known* an order that moved to another number."""
        lost = [number for number in missing if number not in self.moved or number not in known]
        return [
            *lost,
            *(self.former[number] for number in lost if number in self.former and number not in self.moved),
        ]


async def sent_under_other_numbers(tx: AsyncConnection, shop_id: ShopId, orders: Sequence[Order]) -> list[str]:
    """Numbers, which none of *orders* has, under which the targets were given one of them: to be asked for too."""
    mine = {order.order_number for order in orders}
    uuids = {order.uuid for order in orders if order.uuid is not None and names_one(order.uuid)}
    if not uuids:
        return []
    known = await order_identities.of_uuids(tx, shop_id, uuids)
    numbers = [one.number for one in known if one.uuid in uuids and one.number not in mine]
    return sorted(await link_queries.delivered_anywhere(tx, shop_id, "order", numbers)) if numbers else []


async def identify(
    tx: AsyncConnection, shop_id: ShopId, orders: Sequence[Order], missing: Sequence[str], *, now: datetime
) -> Identities:
    """Who *orders* are, and where those went that are *missing*; remembers it."""
    uuids = {order.order_number: order.uuid for order in orders if order.uuid is not None}
    known = await order_identities.of_numbers(tx, shop_id, [*uuids, *missing])
    strange = [number for number, uuid in uuids.items() if number in known and known[number].uuid != uuid]
    sent = await link_queries.delivered_anywhere(tx, shop_id, "order", strange) if strange else set()
    seen = [
        Identity(number, known[number].uuid if number in sent else uuid, uuid) for number, uuid in uuids.items()
    ]
    gone = [Identity(number, known[number].uuid, None) for number in missing if number in known]
    await order_identities.note(tx, shop_id, [*seen, *gone], now=now)
    sought = {one.uuid for one in (*seen, *gone)} | {one.bearer for one in seen if one.bearer is not None}
    everywhere = await order_identities.of_uuids(tx, shop_id, {uuid for uuid in sought if names_one(uuid)})
    return Identities(
        others=frozenset(sent),
        former={
            number: other.number
            for number, uuid in (uuids | {one.number: one.uuid for one in gone}).items()
            for other in everywhere
            if other.uuid == uuid and other.number != number and uuids.get(other.number) != uuid
        },
        moved={
            one.number: other.number
            for one in (*gone, *(one for one in seen if one.number in sent))
            for other in everywhere
            if other.bearer == one.uuid and other.number != one.number
        },
    )
