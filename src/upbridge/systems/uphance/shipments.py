"""Uphance's pick tickets become shipments for the shop: what was sent, with which numbers, and if that is all.

Uphance knows no "changed since". So three things are looked at, each in few calls: our orders that are not
through yet, the tickets that are newer than the newest one seen, and the tickets that were seen before they were
shipped. A webhook names a ticket and saves the wait. Wholesale orders are none of ours: passed over in silence.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from upbridge.core.canonical_json import canonical
from upbridge.domain.delivery import DesiredDocument, Link
from upbridge.domain.lane import Lane
from upbridge.domain.purpose import Purpose
from upbridge.domain.shop import Shop
from upbridge.domain.shop_id import ShopId
from upbridge.store import changes, documents
from upbridge.store.changes import Change
from upbridge.store.connections import ConnectionRow
from upbridge.systems.base import Reading, Tools
from upbridge.systems.uphance.client import UphanceClient
from upbridge.systems.uphance.connect import client_of
from upbridge.systems.uphance.reads import orders_now, pick_tickets, read_order, read_pick_ticket, tickets_now
from upbridge.systems.uphance.schemas import PickTicket, RemoteOrder

log = structlog.get_logger(__name__)

TARGET = "upgates"
KIND = "shipment"
STALE = timedelta(days=90)
"""What has brought no news for so long is not asked about any more; a webhook still brings it."""

#: The key of the change that means: look at all orders and tickets. Any other key is a ticket's id.
POLL = "poll"

_TICKET = "pick_ticket"
_NEWEST = "newest"


@dataclass(frozen=True, slots=True)
class Ours:
    """An order of the shop that is in Uphance."""

    number: str
    id: int
    note: Mapping[str, Any]

    def has_moved(self, order: RemoteOrder) -> bool:
        """Whether something may have been shipped since it was looked at."""
        return not order.untouched and (
            order.updated_at is None or order.updated_at.isoformat() != self.note.get("updated_at")
        )


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

    async def named(self, numbers: Sequence[int]) -> None:
        """Tickets that a webhook has named."""
        for number in numbers:
            ticket = await read_pick_ticket(self.client, number)
            async with self.tools.engine.connect() as tx:
                ours = await _of_ticket(tx, self.shop.id, number, ticket)
                if ours is None:
                    continue
                if ticket is None or ticket.shipped or await _was_written(tx, self.shop.id, number):
                    self.moved[ours.number] = ours
                self.seen[number] = (ours, ticket)

    async def poll_orders(self, *, ships: bool) -> None:
        """Our orders that are not through: drafts, and where shipments are written all that is not shipped."""
        async with self.tools.engine.connect() as tx:
            found = await _unfinished(tx, self.shop.id, ships=ships, since=self.tools.clock() - STALE)
        waiting = {ours.id: ours for ours in found}
        self.orders = await orders_now(self.client, waiting.keys())
        now = self.tools.clock()
        async with self.tools.engine.begin() as tx:
            for number, order in self.orders.items():
                ours = waiting[number]
                if order is None:
                    log.info("uphance_order_gone", shop_id=str(self.shop.id), number=ours.number)
                    await _note(tx, self.shop.id, ours, {"status": "gone", "closed": True}, now=now)
                elif ships and ours.has_moved(order):
                    self.moved[ours.number] = ours
                elif order.status != ours.note.get("status"):
                    await _note(tx, self.shop.id, ours, {"status": order.status}, now=now)

    async def poll_tickets(self) -> None:
        """Tickets that are new, and those that were seen before they were shipped."""
        async with self.tools.engine.begin() as tx:
            newest = await _newest(tx, self.shop.id)
            watched = await _watched(tx, self.shop.id, since=self.tools.clock() - STALE)
        since = {"since_id": newest} if newest is not None else {"since_created_at": self.row.connected_at}
        tickets: dict[int, PickTicket | None] = {}
        async for page in pick_tickets(self.client, **since):
            tickets |= {ticket.id: ticket for ticket in page}
        highest = max(tickets, default=None)
        if highest is not None and (newest is None or highest > newest):
            self.newest = highest
        tickets |= await tickets_now(self.client, watched.keys() - tickets.keys())
        async with self.tools.engine.connect() as tx:
            for number, ticket in tickets.items():
                ours = await _of_ticket(tx, self.shop.id, number, ticket)
                if ours is None:
                    continue
                if ticket is None or (ticket.shipped and watched.get(number) != _stamp(ticket)):
                    self.moved[ours.number] = ours
                self.seen[number] = (ours, ticket)

    async def remember(self, tx: AsyncConnection) -> None:
        """All of it has been looked at: the next round need not."""
        now = self.tools.clock()
        for number, (ours, ticket) in self.seen.items():
            if ticket is None:
                await _forget(tx, self.shop.id, [number])
            else:
                await _watch(tx, self.shop.id, ours, ticket, now=now)
        if self.newest is not None:
            mark = Link(_TICKET, _NEWEST, high_water=self.newest)
            await documents.save_link(tx, self.shop.id, "uphance", mark, now=now)

    async def look_closer(self, ours: Ours) -> bool:
        """Read an order with all its tickets, queue what the shop should know; returns whether that is news."""
        order = self.orders.get(ours.id) or await read_order(self.client, ours.id)
        if order is None:
            return False
        tickets = [
            ticket
            async for page in pick_tickets(self.client, order_id=ours.id)
            for ticket in page
            if ticket.order_id == ours.id and ticket.shipped
        ]
        tickets.sort(key=lambda ticket: ticket.id)
        async with self.tools.engine.begin() as tx:
            links = await documents.links_of(tx, self.shop.id, TARGET, parents=[ours.number])
            link = links.get((KIND, ours.number))
            news = await self._queue(tx, ours, order, tickets, link)
            through = order.shipped and all(ticket.tracking_number for ticket in tickets)
            stamp = order.updated_at.isoformat() if order.updated_at else None
            note = {"status": order.status, "updated_at": stamp, **({"closed": True} if through else {})}
            await _note(tx, self.shop.id, ours, note, now=self.tools.clock())
        return news

    async def _queue(
        self,
        tx: AsyncConnection,
        ours: Ours,
        order: RemoteOrder,
        tickets: Sequence[PickTicket],
        link: Link | None,
    ) -> bool:
        if not tickets and link is None:
            return False
        made = [ticket.created_at for ticket in tickets]
        backfill = all(moment is not None and moment < self.row.connected_at for moment in made)
        draft = shipment(ours.number, order, tickets, backfill=backfill)
        if link is not None and link.hash == draft.hash:
            await documents.withdraw(tx, self.shop.id, TARGET, [(KIND, ours.number)])
            return False
        await documents.put(
            tx,
            self.tools.cipher,
            self.shop.id,
            TARGET,
            [draft],
            priority=int(Purpose.ORDERS),
            now=self.tools.clock(),
        )
        return True


async def read_shipments(reading: Reading, chunk: list[Change]) -> None:
    """Learn what Uphance has shipped, and which of our orders are drafts no more."""
    shop, connected = reading.shop, reading.connected
    ships = shop.settings.yes("shipments.write")
    drafts = shop.settings.yes("stock.write") and not shop.settings.yes("stock.drafts_reserve")
    news, look = False, None
    if connected is not None and (ships or drafts):
        look = _Round(reading.tools, shop, connected.row, client_of(connected))
        if ships:
            await look.named(sorted({int(change.key) for change in chunk if change.key != POLL}))
        if any(change.key == POLL for change in chunk):
            await look.poll_orders(ships=ships)
            if ships:
                await look.poll_tickets()
        for ours in look.moved.values():
            news |= await look.look_closer(ours)
    async with reading.tools.engine.begin() as tx:
        if look is not None:
            await look.remember(tx)
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
    await tx.execute(
        text(
            """
            UPDATE links l SET note = l.note - 'closed' - 'updated_at', updated_at = :now
            WHERE l.shop_id = :shop_id AND l.target = 'uphance' AND l.kind = 'order' AND l.updated_at > :since
              AND l.note ? 'closed' AND NOT EXISTS (
                SELECT FROM links s WHERE s.shop_id = l.shop_id AND s.target = :target AND s.kind = :kind
                  AND s.key = l.key)
            """
        ),
        {"shop_id": shop_id, "target": TARGET, "kind": KIND, "now": now, "since": now - STALE},
    )


# --- what is remembered -------------------------------------------------------------------------------------

_OURS = "l.target = 'uphance' AND l.kind = 'order' AND l.state = 'delivered' AND l.remote_id ~ '^[0-9]{1,18}$'"


async def _unfinished(tx: AsyncConnection, shop_id: ShopId, *, ships: bool, since: datetime) -> list[Ours]:
    rows = await tx.execute(
        text(
            f"""
            SELECT l.key, l.remote_id, l.note FROM links l
            WHERE l.shop_id = :shop_id AND {_OURS} AND l.updated_at > :since AND NOT l.note ? 'closed'
              AND (:ships OR COALESCE(l.note ->> 'status', 'draft') = 'draft')
            """  # noqa: S608 - constants
        ),
        {"shop_id": shop_id, "ships": ships, "since": since},
    )
    return [Ours(row.key, int(row.remote_id), row.note) for row in rows]


async def _of_ticket(tx: AsyncConnection, shop_id: ShopId, number: int, ticket: PickTicket | None) -> Ours | None:
    """The order of ours that a ticket belongs to; of a deleted one only our own memory can tell."""
    rows = await tx.execute(
        text(
            f"""
            SELECT l.key, l.remote_id, l.note FROM links l
            WHERE l.shop_id = :shop_id AND {_OURS} AND (
              l.remote_id = CAST(:order_id AS text) OR CAST(:order_id AS text) IS NULL AND (
              EXISTS (SELECT FROM links t WHERE t.shop_id = l.shop_id AND t.target = 'uphance'
                AND t.kind = :ticket AND t.key = :name AND t.parent = l.key)
              OR EXISTS (SELECT FROM links s WHERE s.shop_id = l.shop_id AND s.target = :target
                AND s.kind = :kind AND s.key = l.key
                AND s.note -> 'tickets' @> to_jsonb(CAST(:number AS bigint)))))
            LIMIT 1
            """  # noqa: S608 - constants
        ),
        {
            "shop_id": shop_id,
            "order_id": None if ticket is None or ticket.order_id is None else str(ticket.order_id),
            "ticket": _TICKET,
            "target": TARGET,
            "kind": KIND,
            "name": str(number),
            "number": number,
        },
    )
    row = rows.first()
    return None if row is None else Ours(row.key, int(row.remote_id), row.note)


async def _was_written(tx: AsyncConnection, shop_id: ShopId, number: int) -> bool:
    return bool(
        await tx.scalar(
            text(
                "SELECT EXISTS (SELECT FROM links WHERE shop_id = :shop_id AND target = :target AND kind = :kind"
                " AND note -> 'tickets' @> to_jsonb(CAST(:number AS bigint)))"
            ),
            {"shop_id": shop_id, "target": TARGET, "kind": KIND, "number": number},
        )
    )


async def _note(
    tx: AsyncConnection, shop_id: ShopId, ours: Ours, news: Mapping[str, Any], *, now: datetime
) -> None:
    await documents.add_note(tx, shop_id, "uphance", Link("order", ours.number, note=news), now=now)


async def _newest(tx: AsyncConnection, shop_id: ShopId) -> int | None:
    number = await tx.scalar(
        text(
            "SELECT high_water FROM links WHERE shop_id = :shop_id AND target = 'uphance' AND kind = :kind"
            " AND key = :key"
        ),
        {"shop_id": shop_id, "kind": _TICKET, "key": _NEWEST},
    )
    return None if number is None else int(number)


async def _watched(tx: AsyncConnection, shop_id: ShopId, *, since: datetime) -> dict[int, str | None]:
    """The tickets that are not done with, and when they last changed; too old ones are forgotten."""
    rows = await tx.execute(
        text(
            "SELECT key, note ->> 'updated_at' AS stamp, updated_at < :since AS stale FROM links"
            " WHERE shop_id = :shop_id AND target = 'uphance' AND kind = :kind AND key <> :newest"
        ),
        {"shop_id": shop_id, "kind": _TICKET, "newest": _NEWEST, "since": since},
    )
    found = rows.all()
    await _forget(tx, shop_id, [int(row.key) for row in found if row.stale])
    return {int(row.key): row.stamp for row in found if not row.stale}


async def _watch(tx: AsyncConnection, shop_id: ShopId, ours: Ours, ticket: PickTicket, *, now: datetime) -> None:
    """Look at *ticket* again until it is shipped and has a number."""
    if ticket.shipped and ticket.tracking_number:
        await _forget(tx, shop_id, [ticket.id])
        return
    note = {"updated_at": _stamp(ticket)}
    link = Link(_TICKET, str(ticket.id), parent=ours.number, state="watched", note=note)
    await documents.save_link(tx, shop_id, "uphance", link, now=now)


async def _forget(tx: AsyncConnection, shop_id: ShopId, numbers: Collection[int]) -> None:
    await tx.execute(
        text(
            "DELETE FROM links WHERE shop_id = :shop_id AND target = 'uphance' AND kind = :kind"
            " AND key = ANY(CAST(:keys AS text[]))"
        ),
        {"shop_id": shop_id, "kind": _TICKET, "keys": [str(number) for number in numbers]},
    )


def _stamp(ticket: PickTicket) -> str | None:
    return ticket.updated_at.isoformat() if ticket.updated_at else None
