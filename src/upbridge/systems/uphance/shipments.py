"""Uphance's pick tickets become shipments for the shop: what was sent, with which numbers, and if that is all.

Uphance knows no "changed since". So three things are looked at, each in few calls: our orders that are not
through yet, the tickets that are newer than the newest one seen, and the tickets that were seen before they were
shipped. A webhook names a ticket and saves the wait. Wholesale orders are none of ours: passed over in silence.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from upbridge.core.canonical_json import canonical
from upbridge.core.errors import NotSent, Rejected, Unreachable
from upbridge.domain.delivery import DesiredDocument, Link, LinkState
from upbridge.domain.lane import Lane
from upbridge.domain.platform import PLATFORM
from upbridge.domain.purpose import Purpose
from upbridge.domain.shop import Shop
from upbridge.domain.shop_id import ShopId
from upbridge.store import changes, cursors, documents, link_queries, links, order_identities, runs
from upbridge.store.changes import Change
from upbridge.store.connections import ConnectionRow
from upbridge.store.problems import NewProblem, Stage, close_resolved, raise_problems
from upbridge.store.session import reading
from upbridge.systems.base import ReaderContext
from upbridge.systems.connecting import Tools
from upbridge.systems.uphance.adoption import recognise_orders
from upbridge.systems.uphance.client import UphanceClient
from upbridge.systems.uphance.connect import client_of
from upbridge.systems.uphance.reads import orders_now, pick_tickets, read_order, tickets_carefully, tickets_now
from upbridge.systems.uphance.schemas import PickTicket, RemoteOrder

log = structlog.get_logger(__name__)

TARGET = PLATFORM
KIND = "shipment"
STALE = timedelta(days=90)
"""What has brought no news for so long is not asked about any more; a webhook still brings it."""

#: The key of the change that means: look at all orders and tickets. Any other key is a ticket's id.
POLL = "poll"

SOURCE = "uphance"
_PARENT = "list of shipments"
_ATTEMPTS = 2
"""So often all is read together before it is read carefully."""

_TICKET = "pick_ticket"
_NEWEST = "newest_pick_ticket"


@dataclass(frozen=True, slots=True)
class Ours:
    """An order of the shop that is in Uphance, with what was seen of it last."""

    number: str
    id: int
    status: str | None
    updated_at: datetime | None

    @classmethod
    def of(cls, link: Link) -> "Ours":
        """What its link says."""
        assert link.remote_id is not None
        return cls(link.key, int(link.remote_id), link.remote_status, link.remote_updated_at)

    def has_moved(self, order: RemoteOrder) -> bool:
        """Whether something may have been shipped since it was looked at."""
        return not order.untouched and (order.updated_at is None or order.updated_at != self.updated_at)


@dataclass(frozen=True, slots=True)
class _Remembered:
    """Orders that are not through, the newest ticket that was seen, and tickets that are watched, with when they
    last changed."""

    orders: Sequence[Ours]
    newest: int | None
    watched: Mapping[int, datetime | None]


@dataclass(frozen=True, slots=True)
class _Found:
    """An order that was looked at closely, and its tickets that are shipped, by id."""

    ours: Ours
    order: RemoteOrder
    tickets: Sequence[PickTicket]


@dataclass(slots=True)
class _Round:
    """One look: who is asked for whom, and which orders turned out to need a closer look."""

    tools: Tools
    shop: Shop
    row: ConnectionRow
    client: UphanceClient
    moved: dict[str, Ours] = field(default_factory=dict)
    seen: dict[int, tuple[Ours, PickTicket | None]] = field(default_factory=dict)
    """Tickets of our orders. They are remembered when what they mean has been queued, and not before."""
    newest: int | None = None
    orders: dict[int, RemoteOrder | None] = field(default_factory=dict)
    careful: bool = False
    """Whether it failed before: now what cannot be read is left out, and stops nothing else."""
    missed_orders: list[int] = field(default_factory=list)
    missed_tickets: list[int] = field(default_factory=list)

    async def named(self, numbers: Sequence[int]) -> None:
        """Tickets that a webhook has named."""
        for number, ticket in (await self._tickets(numbers)).items():
            async with self.tools.engine.connect() as tx:
                ours = await _of_ticket(tx, self.shop.id, number, ticket)
                if ours is None:
                    continue
                if ticket is None or ticket.shipped or await _was_written(tx, self.shop.id, number):
                    self.moved[ours.number] = ours
                self.seen[number] = (ours, ticket)

    async def remembered(self, *, ships: bool) -> "_Remembered":
        """What is followed. After the database was put back, what it has forgotten is linked first, so that it is
        followed like the rest."""
        since = self.tools.clock() - STALE
        async with reading(self.tools.engine) as tx:
            if not await runs.has_to_catch_up(tx, self.shop.id, "uphance"):
                return await self._remembered(tx, since, ships=ships)
        await self._recognise()
        async with reading(self.tools.engine) as tx:
            return await self._remembered(tx, since, ships=ships)

    async def _remembered(self, tx: AsyncConnection, since: datetime, *, ships: bool) -> "_Remembered":
        orders = await _unfinished(tx, self.shop.id, ships=ships, since=since)
        if not ships:
            return _Remembered(orders, None, {})
        newest = await cursors.get(tx, self.shop.id, "uphance", _NEWEST)
        watched = await _watched(tx, self.shop.id, since=since)
        return _Remembered(orders, None if newest is None else int(newest), watched)

    async def _recognise(self) -> None:
        engine, clock = self.tools.engine, self.tools.clock
        await recognise_orders(engine, clock, self.client, self.shop.id, self.shop.key, careful=self.careful)
        async with engine.begin() as tx:
            await runs.has_caught_up(tx, self.shop.id, "uphance")

    async def poll_orders(self, orders: Sequence[Ours], *, ships: bool) -> None:
        """Our *orders* that are not through: drafts, and where shipments are written all that is not shipped."""
        if not orders:
            return
        waiting = {ours.id: ours for ours in orders}
        missed = self.missed_orders if self.careful else None
        self.orders = await orders_now(self.client, waiting.keys(), missed=missed)
        now = self.tools.clock()
        async with self.tools.engine.begin() as tx:
            for number, order in self.orders.items():
                ours = waiting[number]
                if order is None:
                    log.info("uphance_order_gone", shop_id=str(self.shop.id), number=ours.number)
                    await _observed(tx, self.shop.id, ours, status="gone", closed=True, now=now)
                elif ships and ours.has_moved(order):
                    self.moved[ours.number] = ours
                elif order.status != ours.status:
                    await _observed(tx, self.shop.id, ours, status=order.status, now=now)

    async def poll_tickets(self, newest: int | None, watched: Mapping[int, datetime | None]) -> None:
        """Tickets behind the *newest* one, and those that are *watched*: seen before they were shipped."""
        tickets: dict[int, PickTicket | None] = dict(await self._new_tickets(newest, watched))
        # The next round begins at the first ticket that could not be read, so that it comes as soon as it can be.
        highest = max(tickets, default=None) if not self.missed_tickets else min(self.missed_tickets) - 1
        if highest is not None and (newest is None or highest > newest):
            self.newest = highest
        tickets |= await self._tickets(watched.keys() - tickets.keys() - set(self.missed_tickets))
        if not tickets:
            return
        async with reading(self.tools.engine) as tx:
            for number, ticket in tickets.items():
                ours = await _of_ticket(tx, self.shop.id, number, ticket)
                if ours is None:
                    continue
                if ticket is None or (ticket.shipped and watched.get(number) != ticket.updated_at):
                    self.moved[ours.number] = ours
                self.seen[number] = (ours, ticket)

    async def _new_tickets(self, newest: int | None, watched: Collection[int]) -> Mapping[int, PickTicket]:
        """Tickets behind *newest*, or all since the connection was made."""
        if self.careful:
            since = {"since_created_at": self.row.connected_at.isoformat()} if newest is None else {}
            since_id = {} if newest is None else {"since_id": newest}
            found = await tickets_carefully(self.client, watched, missed=self.missed_tickets, **since, **since_id)
            return {ticket.id: ticket for ticket in found}
        begin = {"since_id": newest} if newest is not None else {"since_created_at": self.row.connected_at}
        pages = [page async for page in pick_tickets(self.client, **begin)]
        return {ticket.id: ticket for page in pages for ticket in page}

    async def _tickets(self, numbers: Collection[int]) -> Mapping[int, PickTicket | None]:
        return await tickets_now(self.client, numbers, missed=self.missed_tickets if self.careful else None)

    async def look_closer_at_all(self) -> bool:
        """Look closer at every order that has moved; returns whether there is news.

        What is found is queued together: the shop is then read and changed for all of it in one call each, and not
        anew while the next orders are still being looked at. What was found before a failure is queued too.
        """
        found: list[_Found] = []
        try:
            for ours in self.moved.values():
                try:
                    if (one := await self._look_closer(ours)) is not None:
                        found.append(one)
                except NotSent:
                    raise
                except (Unreachable, Rejected) as error:
                    if not self.careful:
                        raise
                    log.warning("shipment_unread", shop_id=str(self.shop.id), number=ours.number, error=str(error))
                    self.missed_orders.append(ours.id)
        finally:
            news = await self._queue_all(found)
        return news

    async def tell_missed(self, tx: AsyncConnection) -> None:
        """What cannot be read is a problem until it can be."""
        missed = [f"sales order {number}" for number in sorted(set(self.missed_orders))]
        missed += [f"pick ticket {number}" for number in sorted(set(self.missed_tickets))]
        if not missed:
            await close_resolved(tx, self.shop.id, stages=[Stage.READ], target=SOURCE, parents=[_PARENT])
            return
        problem = NewProblem(
            stage=Stage.READ,
            key="shipment.missed",
            target=SOURCE,
            kind="list",
            entity=KIND,
            parent=_PARENT,
            params={"missed": ", ".join(missed)},
        )
        await raise_problems(tx, self.shop.id, [problem], now=self.tools.clock())

    async def remember(self, tx: AsyncConnection) -> None:
        """All of it has been looked at: the next round need not."""
        now = self.tools.clock()
        for number, (ours, ticket) in self.seen.items():
            if ticket is None:
                await _forget(tx, self.shop.id, [number])
            else:
                await _watch(tx, self.shop.id, ours, ticket, now=now)
        if self.newest is not None:
            await cursors.put(tx, self.shop.id, "uphance", _NEWEST, str(self.newest))

    async def _look_closer(self, ours: Ours) -> _Found | None:
        """An order as it is now, with all its tickets that are shipped; None if it is gone."""
        order = self.orders.get(ours.id) or await read_order(self.client, ours.id)
        if order is None:
            return None
        found = {
            ticket.id: ticket
            async for page in pick_tickets(self.client, order_id=ours.id)
            for ticket in page
            if ticket.order_id == ours.id and ticket.shipped
        }
        return _Found(ours, order, [found[number] for number in sorted(found)])

    async def _queue_all(self, found: Sequence[_Found]) -> bool:
        """Queue what the shop should know of the orders that were *found*; returns whether any of it is news."""
        news = False
        if not found:
            return news
        async with self.tools.engine.begin() as tx:
            for one in found:
                number = await order_identities.number_now(tx, self.shop.id, one.ours.number)
                news |= number is not None and await self._queue(tx, number, one.order, one.tickets)
                through = one.order.shipped and all(ticket.tracking_number for ticket in one.tickets)
                await _observed(
                    tx,
                    self.shop.id,
                    one.ours,
                    status=one.order.status,
                    updated_at=one.order.updated_at,
                    closed=through,
                    now=self.tools.clock(),
                )
        return news

    async def _queue(
        self, tx: AsyncConnection, number: str, order: RemoteOrder, tickets: Sequence[PickTicket]
    ) -> bool:
        """*number* is the one that the order has in the shop by now."""
        known = await link_queries.links_of(tx, self.shop.id, TARGET, parents=[number])
        link = known.get((KIND, number))
        if not tickets and link is None:
            return False
        made = [ticket.created_at for ticket in tickets]
        backfill = all(moment is not None and moment < self.row.connected_at for moment in made)
        desired = shipment(number, order, tickets, backfill=backfill)
        if link is not None and link.hash == desired.hash:
            await documents.withdraw(tx, self.shop.id, TARGET, [(KIND, number)])
            return False
        await documents.put(
            tx,
            self.tools.cipher,
            self.shop.id,
            TARGET,
            [desired],
            priority=int(Purpose.ORDERS),
            now=self.tools.clock(),
        )
        return True


async def read_shipments(reading: ReaderContext, chunk: list[Change]) -> None:
    """Learn what Uphance has shipped, and which of our orders are drafts no more."""
    shop, connected = reading.shop, reading.connected
    ships = shop.settings.yes("shipments.write")
    drafts = shop.settings.yes("stock.write") and not shop.settings.yes("stock.drafts_reserve")
    news, look = False, None
    if connected is not None and (ships or drafts):
        careful = any(change.attempts >= _ATTEMPTS for change in chunk)
        look = _Round(reading.tools, shop, connected.row, client_of(connected), careful=careful)
        if ships:
            await look.named(sorted({int(change.key) for change in chunk if change.key != POLL}))
        if any(change.key == POLL for change in chunk):
            known = await look.remembered(ships=ships)
            await look.poll_orders(known.orders, ships=ships)
            if ships:
                await look.poll_tickets(known.newest, known.watched)
        news = await look.look_closer_at_all()
    async with reading.tools.engine.begin() as tx:
        if look is not None:
            await look.remember(tx)
            if any(change.key == POLL for change in chunk):
                await look.tell_missed(tx)
        await changes.done(tx, shop.id, "uphance", chunk)
    if news:
        await reading.wake(Lane.push(shop.id, TARGET))


def shipment(number: str, order: RemoteOrder, tickets: Sequence[PickTicket], *, backfill: bool) -> DesiredDocument:
    """The document about one order: all that was shipped of it, and whether that is all of it. Pure."""
    body = {
        "number": number,
        "uphance_order": order.order_number or str(order.id),
        "complete": order.shipped and bool(tickets),
        "backfill": backfill,
        "tickets": [
            {
                "id": ticket.id,
                "tracking": ticket.tracking_number,
                "carrier": ticket.carrier,
                "shipment": ticket.shipment_number,
                "date": (ticket.date or "")[:10] or None,
            }
            for ticket in tickets
        ],
    }
    return DesiredDocument(kind=KIND, key=number, parent=number, body=canonical(body))


async def reopen(tx: AsyncConnection, shop_id: ShopId, *, now: datetime) -> None:
    """Shipments are written (again): look at what was shipped meanwhile too."""
    await links.reopen(tx, shop_id, "uphance", "order", unless=(TARGET, KIND), now=now, since=now - STALE)


async def follow(tx: AsyncConnection, shop_id: ShopId, former: Mapping[str, str], *, now: datetime) -> None:
    """Orders have other numbers than the *former* ones: look again at what was shipped, where nothing is written
    to them."""
    written = await link_queries.links_of(tx, shop_id, TARGET, parents=[*former])
    numbers = [before for number, before in former.items() if (KIND, number) not in written]
    await links.look_again(tx, shop_id, "uphance", "order", numbers, now=now)


# --- what is remembered -------------------------------------------------------------------------------------


async def _unfinished(tx: AsyncConnection, shop_id: ShopId, *, ships: bool, since: datetime) -> list[Ours]:
    only = None if ships else "draft"
    found = await link_queries.unfinished(tx, shop_id, "uphance", "order", since=since, only_status=only)
    return [Ours.of(link) for link in found]


async def _of_ticket(tx: AsyncConnection, shop_id: ShopId, number: int, ticket: PickTicket | None) -> Ours | None:
    """The order of ours that a ticket belongs to; of a deleted one only our own memory can tell."""
    if ticket is not None and ticket.order_id is not None:
        link = await link_queries.by_remote_id(tx, shop_id, "uphance", "order", str(ticket.order_id))
    else:
        watched, created = (_TICKET, str(number)), (TARGET, KIND)
        link = await link_queries.by_part(
            tx, shop_id, "uphance", "order", watched=watched, created=created, part=number
        )
    return None if link is None else Ours.of(link)


async def _was_written(tx: AsyncConnection, shop_id: ShopId, number: int) -> bool:
    return await link_queries.was_created(tx, shop_id, TARGET, KIND, number)


async def _observed(
    tx: AsyncConnection,
    shop_id: ShopId,
    ours: Ours,
    *,
    status: str | None,
    now: datetime,
    updated_at: datetime | None = None,
    closed: bool = False,
) -> None:
    await links.observe(
        tx,
        shop_id,
        "uphance",
        "order",
        ours.number,
        status=status,
        updated_at=updated_at,
        closed=closed,
        now=now,
    )


async def _watched(tx: AsyncConnection, shop_id: ShopId, *, since: datetime) -> dict[int, datetime | None]:
    """The tickets that are not done with, and when they last changed; too old ones are forgotten."""
    found = await link_queries.watched(tx, shop_id, "uphance", _TICKET)
    if forgotten := [int(key) for key, _, written_at in found if written_at < since]:
        await _forget(tx, shop_id, forgotten)
    return {int(key): changed_at for key, changed_at, written_at in found if written_at >= since}


async def _watch(tx: AsyncConnection, shop_id: ShopId, ours: Ours, ticket: PickTicket, *, now: datetime) -> None:
    """Look at *ticket* again until it is shipped and has a number."""
    if ticket.shipped and ticket.tracking_number:
        await _forget(tx, shop_id, [ticket.id])
        return
    link = Link(
        _TICKET,
        str(ticket.id),
        parent=ours.number,
        state=LinkState.WATCHED,
        remote_updated_at=ticket.updated_at,
    )
    await links.save_links(tx, shop_id, "uphance", [link], now=now)


async def _forget(tx: AsyncConnection, shop_id: ShopId, numbers: Collection[int]) -> None:
    await links.forget_keys(tx, shop_id, "uphance", _TICKET, [str(number) for number in numbers])
