"""Recognising orders and customers of ours in Uphance of which no link says that they are there.

A restored database has forgotten what was created after the backup; so has one that took over from another. So
before anything is created, and before stock is counted, what lies above our mark is looked at: one call where
nothing does. What carries our reference there is linked, and its order is read again: what happened to it
meanwhile was forgotten, too.

A row that cannot be read is left out and told (`unread_rows`): only what may be that row waits.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Protocol

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from upbridge.core.canonical_json import canonical
from upbridge.core.clock import Clock
from upbridge.core.errors import NotSent, Rejected, Unreachable
from upbridge.domain.delivery import ADOPTED, Link
from upbridge.domain.platform import PLATFORM
from upbridge.domain.shop_id import ShopId
from upbridge.store import documents, order_identities, shops
from upbridge.store.changes import Kind, Origin, mark_changed
from upbridge.store.links import StoredLinks
from upbridge.store.session import reading
from upbridge.systems.http.idempotent_create import Adoption
from upbridge.systems.uphance.careful_read import Gap, ListById, read_above
from upbridge.systems.uphance.client import UphanceClient
from upbridge.systems.uphance.customer_mapping import customer_key
from upbridge.systems.uphance.order_mapping import SalesOrder, order_reference, uuid_in
from upbridge.systems.uphance.resource_types import ORDERS, ResourceType
from upbridge.systems.uphance.schemas import Json, items, meta, number, remote_order, string, whole
from upbridge.systems.uphance.unread_rows import WHOLE_READS, Doubt, Sights, UnreadGap, keep_unread, unread_rows

log = structlog.get_logger(__name__)


class Adopting(Protocol):
    """What recognising needs of `Links`."""

    async def linked_up_to(self, kind: str) -> int | None:
        """The id up to which each thing of ours of this kind has a link."""

    async def put_back_at(self) -> datetime | None:
        """When the database was last found to be older than the world."""

    async def adopt(self, kind: str, found: Sequence[Link], *, up_to: int) -> list[str]:
        """Link what was *found*; returns the keys that were news."""


@dataclass(frozen=True, slots=True)
class PooledLinks:
    """`Adopting`, for who does not hold the lane of pushes: a link that is being made stays as it is."""

    engine: AsyncEngine
    clock: Clock
    shop_id: ShopId

    async def linked_up_to(self, kind: str) -> int | None:
        """The id up to which each thing of ours of this kind has a link."""
        async with self.engine.connect() as tx:
            return await StoredLinks(tx, self.shop_id, "uphance", self.clock).linked_up_to(kind)

    async def put_back_at(self) -> datetime | None:
        """When the database was last found to be older than the world."""
        async with self.engine.connect() as tx:
            return await StoredLinks(tx, self.shop_id, "uphance", self.clock).put_back_at()

    async def adopt(self, kind: str, found: Sequence[Link], *, up_to: int) -> list[str]:
        """Link what was *found*; returns the keys that were news."""
        async with self.engine.begin() as tx:
            return await StoredLinks(tx, self.shop_id, "uphance", self.clock).adopt(kind, found, up_to=up_to)


class Memory(Protocol):
    """What is known beside the links of the shop."""

    async def shop_keys(self) -> Sequence[str]:
        """The keys of all shops."""

    async def recognised(self, orders: Mapping[str, str | None]) -> None:
        """Have the shop's orders with these numbers read again, and remember their uuids where they are known."""

    async def unread(self, resource: ResourceType) -> Sequence[UnreadGap]:
        """What cannot be read of a list."""

    async def keep_unread(self, resource: ResourceType, rows: Sequence[UnreadGap]) -> None:
        """Remember and tell what cannot be read of a list; what waited for the rest may go."""


@dataclass(frozen=True, slots=True)
class StoredMemory:
    """`Memory`, in the database."""

    engine: AsyncEngine
    clock: Clock
    shop_id: ShopId

    async def shop_keys(self) -> Sequence[str]:
        """The keys of all shops."""
        async with reading(self.engine) as tx:
            return await shops.all_keys(tx)

    async def recognised(self, orders: Mapping[str, str | None]) -> None:
        """Have the shop's orders with these numbers read again, and remember their uuids where they are known.

        One that has another number by now waits under that perhaps: it is not sent, but looked at again."""
        uuids = {number: uuid for number, uuid in orders.items() if uuid is not None}
        now = self.clock()
        async with self.engine.begin() as tx:
            moved = await order_identities.sent_as(tx, self.shop_id, uuids, now=now) if uuids else []
            await documents.withdraw(tx, self.shop_id, "uphance", [(ORDERS.kind, number) for number in moved])
            numbers = {*orders, *moved}
            await mark_changed(tx, self.shop_id, PLATFORM, Kind.ORDER, numbers, origin=Origin.SAFETY_NET, now=now)

    async def unread(self, resource: ResourceType) -> Sequence[UnreadGap]:
        """What cannot be read of a list."""
        async with reading(self.engine) as tx:
            return await unread_rows(tx, self.shop_id, resource)

    async def keep_unread(self, resource: ResourceType, rows: Sequence[UnreadGap]) -> None:
        """Remember and tell what cannot be read of a list; what waited for the rest may go."""
        async with self.engine.begin() as tx:
            await keep_unread(tx, self.shop_id, resource, rows, now=self.clock())


async def recognise_orders(
    engine: AsyncEngine, clock: Clock, client: UphanceClient, shop_id: ShopId, shop_key: str, *, careful: bool
) -> None:
    """Link the orders of ours that are there although no link says so, without pushing any. One call where none
    are. *careful*: it has failed before, so the rows that cannot be read are left out."""
    sights = Sights(failed=Counter({(shop_id, ORDERS.kind): WHOLE_READS if careful else 0}))
    links, memory = PooledLinks(engine, clock, shop_id), StoredMemory(engine, clock, shop_id)
    await Forgotten(client, links, shop_id, shop_key, memory, clock, sights).of(ORDERS).find("")


@dataclass(frozen=True, slots=True)
class Forgotten:
    """Looks for what was forgotten, for one shop."""

    client: UphanceClient
    links: Adopting
    shop_id: ShopId
    shop_key: str
    memory: Memory
    clock: Clock
    sights: Sights
    unread: dict[str, Sequence[UnreadGap]] = field(default_factory=dict)
    """What could not be read at the last look, by kind."""

    def of(self, resource: ResourceType) -> Adoption[Json]:
        """For orders or customers: what is ours above the mark, by its reference. It is linked at the first
        question."""

        async def mark() -> int:
            return await self.links.linked_up_to(resource.kind) or 0

        async def above(low: int) -> tuple[int, Mapping[str, Json]]:
            rows, highest = await self._above(resource, low)
            return highest, await self._ours(resource, rows)

        async def adopt(ours: Mapping[str, Json], up_to: int) -> None:
            found = [self._link(resource, reference, row) for reference, row in ours.items()]
            news = await self.links.adopt(resource.kind, found, up_to=up_to)
            if news:
                log.warning("uphance_recognised", shop=self.shop_key, kind=resource.kind, number=len(news))
            if news and resource is ORDERS:
                await self.memory.recognised({number: _uuid_of(ours[self._reference(number)]) for number in news})

        return Adoption(mark, above, adopt)

    async def doubt(self, resource: ResourceType, placed_at: datetime | None) -> Doubt | None:
        """Why something may be there already, after `find` has not found it: a row that cannot be read may be it.

        *placed_at*: when the order was placed that it is; None for what is no order.
        """
        unread = self.unread.get(resource.kind)
        if not unread:
            return None
        put_back_at, now = await self.links.put_back_at(), self.clock()
        doubts = [row.doubts(placed_at, put_back_at=put_back_at, now=now) for row in unread]
        found = [one for one in doubts if one is not None]
        lasting = next((one for one in found if one.until is None), found[0] if found else None)
        return None if lasting is None else replace(lasting, what=resource.name.replace("_", " "))

    async def _above(self, resource: ResourceType, low: int) -> tuple[dict[int, Json], int]:
        """The rows above *low* that can be read, with those below it that could not be read before, and the
        highest id that is there."""
        known, now, of = (
            await self.memory.unread(resource),
            self.clock(),
            ListById(resource.path, resource.list_name, resource.name),
        )
        try_again = bool(known) and self.sights.may_try(self.shop_id, resource.kind, now)
        self.unread[resource.kind] = known
        lasting = any(row.gap.high is None for row in known)
        if lasting and not try_again:
            return {}, low
        gaps: list[Gap] = []
        try:
            rows = await rows_above(self.client, resource, low)
        except NotSent:
            raise
        except (Unreachable, Rejected) as error:
            if not lasting and self.sights.bears(self.shop_id, resource.kind):
                raise Unreachable(str(error)) from error  # a list that is refused refuses no order
            rows, gaps = await read_above(self.client, of, low)
            self.sights.may_try(self.shop_id, resource.kind, now)
        for row in known if try_again else ():
            if row.gap.high is not None:
                healed, left = await read_above(self.client, of, row.gap.low, row.gap.high)
                rows, gaps = rows | healed, gaps + left
        if gaps or try_again:
            kept = [row for row in known if not try_again and not any(gap.holds(row.gap) for gap in gaps)]
            self.unread[resource.kind] = [*kept, *(self._unread(resource, gap, known) for gap in gaps)]
            await self.memory.keep_unread(resource, self.unread[resource.kind])
        highest = max([low, *rows])  # an id that was read: what is looked for later may have the next one
        if all(gap.high is not None and gap.high < highest for gap in gaps):  # else there are rows above it
            self.sights.saw(self.shop_id, resource.kind, highest, now)
        return rows, highest

    def _unread(self, resource: ResourceType, gap: Gap, known: Sequence[UnreadGap]) -> UnreadGap:
        before = next((row for row in known if row.gap.holds(gap)), None)
        if before is not None:
            return UnreadGap(gap, before.seen, before.watched_from, before.handled)
        return UnreadGap(gap, self.clock(), self.sights.before(self.shop_id, resource.kind, gap))

    async def _ours(self, resource: ResourceType, rows: Mapping[int, Json]) -> dict[str, Json]:
        """By reference; of several with the same one the oldest counts."""
        prefix = self._reference("")
        found: dict[str, Json] = {}
        for one in sorted(rows):
            reference = string(rows[one].get(resource.reference)) or ""
            if reference.startswith(prefix) and reference != prefix:
                found.setdefault(reference, rows[one])
        if not any("-" in reference.removeprefix(prefix) for reference in found):
            return found
        longer = [order_reference(key, "") for key in await self.memory.shop_keys() if key != self.shop_key]
        others = tuple(one for one in longer if one.startswith(prefix))  # `shop-2` begins like `shop`
        return {reference: row for reference, row in found.items() if not reference.startswith(others)}

    def _link(self, resource: ResourceType, reference: str, row: Json) -> Link:
        if resource is ORDERS:
            return adopted_order(reference.removeprefix(self._reference("")), row)
        return Link(resource.kind, customer_key(reference), remote_id=str(whole(row.get("id"))), hash=ADOPTED)

    def _reference(self, order_number: str) -> str:
        return order_reference(self.shop_key, order_number)


def _uuid_of(row: Json) -> str | None:
    """Which order of the shop a sales order was made of, as it says itself."""
    return uuid_in(string(row.get("internal_notes")))


def adopted_order(order_number: str, row: Json) -> Link:
    """The link of an order that was recognised. Of what was sent only the goods are known, as Uphance has them."""
    order = remote_order(row)
    assert order is not None, "rows without an id are never taken for ours"
    return Link(
        ORDERS.kind,
        order_number,
        order_number,
        remote_id=str(order.id),
        hash=ADOPTED,
        sent=canonical({"number": order_number, "found": _goods_in(row)}),
        remote_status=order.status,
        metadata={"order_number": order.order_number},
    )


def goods_differ(link: Link, wanted: SalesOrder) -> list[str]:
    """How the goods of an order that was recognised differ from those that it should have now, a line each."""
    found: dict[str, str] = json.loads(link.sent or b"{}").get("found") or {}
    pieces: dict[int, Decimal] = {}
    for line in wanted.lines:
        pieces[line.sku_id] = pieces.get(line.sku_id, Decimal()) + line.quantity
    should = _plain(pieces)
    if not found:  # an answer that does not show them, or an order that was found before they were kept
        return []
    return [
        f"SKU {sku}: {found.get(sku, '—')} → {should.get(sku, '—')}"
        for sku in dict.fromkeys((*found, *should))
        if found.get(sku) != should.get(sku)
    ]


def _goods_in(row: Json) -> dict[str, str]:
    """Pieces by the id of their SKU."""
    pieces: dict[int, Decimal] = {}
    for line in items(row, "line_items") or ():
        for one in items(line, "line_quantities") or ():
            sku, quantity = whole(one.get("sku_id")), number(one.get("quantity"))
            if sku is not None and quantity:
                pieces[sku] = pieces.get(sku, Decimal()) + quantity
    return _plain(pieces)


def _plain(pieces: Mapping[int, Decimal]) -> dict[str, str]:
    return {str(sku): f"{quantity.normalize():f}" for sku, quantity in sorted(pieces.items())}


# --- what lies above a mark -----------------------------------------------------------------------------------


async def rows_above(client: UphanceClient, resource: ResourceType, mark: int) -> dict[int, Json]:
    """All rows of a list whose id is higher than *mark*, by id.

    Assumption: the list knows `since_id`. Where it does not, the first page has older rows and says in which
    direction the ids go: only the pages with the newest are read then. A thing that is deleted meanwhile moves
    those behind it to an earlier page, so more than one page is read until nothing new comes.

    Raises what the client raises; `Unreachable` for a list that ends early.
    """
    found: dict[int, Json] = {}
    while True:
        more, several = await _read_above(client, resource, mark)
        news = more.keys() - found.keys()
        found |= more
        if not several or not news:
            return found


async def _read_above(client: UphanceClient, resource: ResourceType, mark: int) -> tuple[dict[int, Json], bool]:
    """Once through the list; also whether more than one page had rows above the mark."""
    page = 1
    found: dict[int, Json] = {}
    seen: set[int] = set()
    carrying, backwards = 0, False
    while True:
        payload = await client.get(resource.path, since_id=mark, **({"page": page} if page > 1 else {}))
        rows = items(payload, resource.list_name)
        if rows is None:
            raise Unreachable(f"the answer has no list of {resource.list_name}")
        ids = [one for row in rows if (one := whole(row.get("id"))) is not None]
        fresh = {one: row for row in rows if (one := whole(row.get("id"))) is not None and one > mark}
        found, carrying = found | fresh, carrying + bool(fresh)
        seen.update(ids)
        where = meta(payload)
        older = len(fresh) < len(ids)  # so `since_id` is ignored
        if page == 1 and older and ids == sorted(ids) and (where.total_pages or 1) > 1:
            page, backwards = where.total_pages or 1, True
            continue
        if older and (backwards or ids == sorted(ids, reverse=True)):
            return found, carrying > 1
        if backwards:
            page -= 1
            if page == 1:
                return found, carrying > 1
            continue
        if where.next_page is None:
            if where.total_count is not None and len(seen) < where.total_count:
                raise Unreachable(f"{resource.path} ended after {len(seen)} of {where.total_count}")
            return found, carrying > 1
        if where.next_page <= page:
            raise Unreachable(f"the pages of {resource.path} do not end")
        page = where.next_page
