"""What happened to orders on their way: read with news, stopped, delivered. For people; nothing is decided by it.

An event is written in the transaction of what it tells. It holds no personal data: of what was sent only harmless
fields keep their values.
"""

import zlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec
from sqlalchemy import (
    DateTime,
    Double,
    Insert,
    Select,
    Text,
    Uuid,
    bindparam,
    func,
    insert,
    literal_column,
    select,
    type_coerce,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from upbridge.core.clock import PRAGUE
from upbridge.domain.delivery import Document
from upbridge.domain.masking import masked
from upbridge.domain.platform import PLATFORM
from upbridge.domain.shop_id import ShopId
from upbridge.store.schema import order_events as table
from upbridge.store.sql import Composed, as_rows, one_of, rows_of

#: Documents that are an event of an order: the order itself on its way out, its shipments on their way back.
KINDS = frozenset({"order", "shipment"})


class OrderEventKind(StrEnum):
    """What happened."""

    READ = "read"
    """Read from the shop, and it was news to a target."""
    PARKED = "parked"
    """The target could not take it; the detail is the cause's key."""
    DELIVERED = "delivered"
    """The target has it; the detail is its id at the target."""


@dataclass(frozen=True, slots=True)
class OrderEvent:
    """A row to be written. *since*: when we had heard of what was delivered, None where that says nothing."""

    order_number: str
    event: OrderEventKind
    target: str = PLATFORM
    detail: str = ""
    since: datetime | None = None
    body: bytes | None = None


@dataclass(frozen=True, slots=True)
class RecordedEvent:
    """An event of one order."""

    at: datetime
    event: OrderEventKind
    target: str
    detail: str
    body: bytes | None


async def record_events(
    tx: AsyncConnection, shop_id: ShopId, events: Iterable[OrderEvent], *, now: datetime
) -> None:
    """Note *events*, which happen in this transaction."""
    rows = [_Row(one.order_number, one.event, one.target, one.detail, one.since, one.body) for one in events]
    if rows:
        await _RECORD.run(tx, shop_id=shop_id, now=now, rows=as_rows(rows))


class _Row(msgspec.Struct, gc=False):
    order_number: str
    event: str
    target: str
    detail: str
    since: datetime | None
    body: bytes | None


def _recording() -> Insert:
    texts = {name: Text() for name in ("order_number", "event", "target", "detail", "body")}
    c = rows_of("one", "rows", **texts, since=DateTime(timezone=True)).c
    names = ["shop_id", "at", "order_number", "event", "target", "detail", "since", "body"]
    shop_id, now = bindparam("shop_id", type_=Uuid), bindparam("now", type_=DateTime(timezone=True))
    told = (c.order_number, c.event, c.target, c.detail, c.since, func.decode(c.body, "base64"))
    return insert(table).from_select(names, select(shop_id, now, *told))


_RECORD = Composed(_recording())


async def events_of(tx: AsyncConnection, shop_id: ShopId, order_number: str, *, limit: int) -> list[RecordedEvent]:
    """The newest events of an order, newest first."""
    query = (
        select(table.c.at, table.c.event, table.c.target, table.c.detail, table.c.body)
        .where(table.c.shop_id == shop_id, table.c.order_number == order_number)
        .order_by(table.c.id.desc())
        .limit(limit)
    )
    return [
        RecordedEvent(row.at, OrderEventKind(row.event), row.target, row.detail, row.body)
        for row in await tx.execute(query)
    ]


async def delivered_since(
    tx: AsyncConnection, shop_id: ShopId, since: datetime, until: datetime | None = None
) -> dict[str, int]:
    """How many orders each system was given something of, from *since* on, up to *until* if that is given: to the
    shop itself, of shipments."""
    query = (
        select(table.c.target, func.count(table.c.order_number.distinct()).label("number"))
        .where(table.c.shop_id == shop_id, table.c.at >= since, table.c.event == OrderEventKind.DELIVERED)
        .group_by(table.c.target)
    )
    if until is not None:
        query = query.where(table.c.at < until)
    return {row.target: int(row.number) for row in await tx.execute(query)}


async def erase_copies(tx: AsyncConnection, shop_id: ShopId, numbers: Collection[str]) -> int:
    """Delete the masked copies of what was sent of these orders; that it was sent stays. Returns how many."""
    here = (table.c.shop_id == shop_id, one_of(table.c.order_number, numbers), table.c.body.is_not(None))
    return (await tx.execute(update(table).where(*here).values(body=None))).rowcount


def delays_by_day(shop_id: ShopId | None, *, since: datetime, until: datetime) -> Select[Any]:
    """Deliveries to each system a day of Prague, and their seconds from when we had heard of the order: of one
    shop, or of all. Columns: shop_id, system, day_at, count, median, p95."""
    seconds = func.greatest(func.date_part("epoch", table.c.at - table.c.since), 0)
    delivered = select(table.c.shop_id, table.c.target, table.c.at, seconds.label("seconds")).where(
        table.c.at >= since,
        table.c.at < until,
        table.c.event == OrderEventKind.DELIVERED,
        table.c.target != PLATFORM,
        table.c.since.is_not(None),
    )
    if shop_id is not None:
        delivered = delivered.where(table.c.shop_id == shop_id)
    of = delivered.subquery("delivered").c
    parts = func.percentile_cont(literal_column("ARRAY[0.5, 0.95]")).within_group(of.seconds)
    summed = (
        select(
            of.shop_id,
            of.target.label("system"),
            func.date_trunc("day", of.at, str(PRAGUE)).label("day_at"),
            func.count().label("count"),
            type_coerce(parts, ARRAY(Double)).label("parts"),
        )
        .group_by(of.shop_id, of.target, "day_at")
        .subquery("summed")
        .c
    )
    return select(
        summed.shop_id,
        summed.system,
        summed.day_at,
        summed["count"],
        summed.parts[1].label("median"),
        summed.parts[2].label("p95"),
    )


def delivered(document: Document, target: str, remote_id: str | None) -> OrderEvent:
    """The event of a delivered *document*, with a copy of it in which nothing says who the customer is."""
    return OrderEvent(
        document.parent,
        OrderEventKind.DELIVERED,
        target,
        remote_id or "",
        since=document.since,
        body=zlib.compress(masked(document.body).encode()),
    )


def opened(body: bytes | None) -> str | None:
    """The copy that an event holds."""
    return None if body is None else zlib.decompress(body).decode()
