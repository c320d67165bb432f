"""What waits to be read, for all who ask: pages, commands, metrics, the engine. Nothing here writes."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Double,
    Exists,
    Row,
    Select,
    Subquery,
    Text,
    any_,
    bindparam,
    exists,
    extract,
    func,
    literal_column,
    select,
    text,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from upbridge.domain.purpose import Purpose
from upbridge.domain.shop_id import ShopId
from upbridge.store.changes import NEVER, Change, Kind, Origin
from upbridge.store.schema import changes as table
from upbridge.store.sql import SHOPS, Composed, among, beginning, one_of


@dataclass(frozen=True, slots=True)
class WaitingChange:
    """What waits to be read, for people."""

    shop_id: ShopId
    source: str
    kind: Kind
    key: str
    origin: Origin
    priority: int
    attempts: int
    marked_at: datetime
    due_at: datetime


async def claim(
    tx: AsyncConnection, shop_id: ShopId, source: str, *, below: int, limit: int, now: datetime
) -> list[Change]:
    """The most urgent due changes of one shop and source, all of one purpose, at most *limit*: the longest due
    first.

    Only purposes more urgent than *below*. Rows that are not due yet fill the rest of the batch: a call that is
    made anyway may as well ask for them. One index has this order and the query looks at each purpose by itself,
    so Postgres reads no more rows than it returns, even if its estimate of due rows is wrong.
    """
    purposes = [int(purpose) for purpose in Purpose]
    rows = await _CLAIM.all(
        tx, shop_id=shop_id, source=source, purposes=purposes, below=below, limit=limit, now=now
    )
    return [
        Change(
            kind=Kind(row.kind),
            key=row.key,
            seq=row.seq,
            origin=Origin(row.origin),
            purpose=Purpose(row.priority),
            attempts=row.attempts,
            marked_at=row.marked_at,
            due=row.due_at <= now,
            told_at=row.told_at,
        )
        for row in rows
    ]


_CLAIM = Composed(
    text(
        """
        WITH urgent AS (
          SELECT purpose FROM unnest(CAST(:purposes AS smallint[])) AS purpose CROSS JOIN LATERAL (
            SELECT due_at FROM changes
            WHERE shop_id = :shop_id AND source = :source AND priority = purpose ORDER BY due_at LIMIT 1
          ) first
          WHERE purpose < :below AND first.due_at <= :now ORDER BY purpose LIMIT 1
        )
        SELECT c.* FROM urgent CROSS JOIN LATERAL (
          SELECT kind, key, seq, origin, priority, attempts, marked_at, due_at,
            COALESCE(told_at, CASE WHEN origin = 'webhook' THEN marked_at END) AS told_at FROM changes
          WHERE shop_id = :shop_id AND source = :source AND priority = urgent.purpose
            AND (attempts = 0 OR due_at <= :now)
          ORDER BY due_at, seq LIMIT :limit
        ) c ORDER BY c.due_at, c.seq
        """
    )
)


#: From one shop, source and purpose to the next along the index, without the rest.
_FIRST_DUE = text(
    """
    WITH RECURSIVE first AS (
      (SELECT shop_id, source, priority, due_at FROM changes ORDER BY shop_id, source, priority, due_at LIMIT 1)
      UNION ALL
      SELECT following.* FROM first CROSS JOIN LATERAL (
        SELECT c.shop_id, c.source, c.priority, c.due_at FROM changes c
        WHERE (c.shop_id, c.source, c.priority) > (first.shop_id, first.source, first.priority)
        ORDER BY c.shop_id, c.source, c.priority, c.due_at LIMIT 1
      ) following
    )
    SELECT shop_id, source, priority, due_at FROM first
    """
).columns(table.c.shop_id, table.c.source, table.c.priority, table.c.due_at)


def first_due() -> Subquery:
    """When the first change of each shop, source and purpose is due: shop_id, source, priority, due_at."""
    return _FIRST_DUE.subquery("first")


def of_kind(source: ColumnElement[str], kind: Kind) -> Subquery:
    """The changes of one kind at *source*, in every shop: shop_id, priority, due_at."""
    query = select(table.c.shop_id, table.c.priority, table.c.due_at)
    return query.where(table.c.source == source, table.c.kind == kind).subquery("of_kind")


def waits(shop_id: ColumnElement[Any], source: str, kind: Kind, key: str) -> Exists:
    """Whether this change of the shop that the column *shop_id* names waits to be read."""
    return exists().where(
        table.c.shop_id == shop_id, table.c.source == source, table.c.kind == kind, table.c.key == key
    )


async def oldest(tx: AsyncConnection, shop_id: ShopId | None, *, limit: int) -> list[WaitingChange]:
    """What waits to be read, the most urgent first: of one shop, or of all if *shop_id* is None."""
    query = select(table).order_by(table.c.priority, table.c.seq).limit(limit)
    if shop_id is not None:
        query = query.where(table.c.shop_id == shop_id)
    return [_waiting(row) for row in await tx.execute(query)]


async def about(tx: AsyncConnection, shop_id: ShopId, source: str, kind: Kind, key: str) -> WaitingChange | None:
    """What waits to be read of one thing."""
    query = select(table).where(
        table.c.shop_id == shop_id, table.c.source == source, table.c.kind == kind, table.c.key == key
    )
    row = (await tx.execute(query)).first()
    return None if row is None else _waiting(row)


def _waiting(row: Row[Any]) -> WaitingChange:
    return WaitingChange(
        shop_id=ShopId(row.shop_id),
        source=row.source,
        kind=Kind(row.kind),
        key=row.key,
        origin=Origin(row.origin),
        priority=row.priority,
        attempts=row.attempts,
        marked_at=row.marked_at,
        due_at=row.due_at,
    )


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits to be read from one source, and since when."""

    source: str
    count: int
    since: datetime


async def backlog(tx: AsyncConnection, shop_id: ShopId) -> list[Backlog]:
    """What waits to be read, by source; neither probes nor the pages of an import that is paused."""
    query = (
        select(table.c.source, func.count().label("number"), func.min(table.c.marked_at).label("since"))
        .where(table.c.shop_id == shop_id, table.c.kind != Kind.PROBE, table.c.due_at < NEVER)
        .group_by(table.c.source)
        .order_by(table.c.source)
    )
    return [Backlog(row.source, row.number, row.since) for row in await tx.execute(query)]


@dataclass(frozen=True, slots=True)
class WaitingChanges:
    """What waits to be read of one kind, and since when."""

    shop_id: ShopId
    source: str
    kind: Kind
    count: int
    since: datetime


async def first_announced(
    tx: AsyncConnection, shop_id: ShopId, source: str, kind: Kind, after: str, *, since: datetime | None, most: int
) -> list[tuple[str, datetime]]:
    """The *most* next keys after *after* of changes of *kind* that are no deletion, and since when they wait;
    those that have waited from *since* on."""
    query = select(table.c.key, table.c.marked_at).where(
        table.c.shop_id == shop_id,
        table.c.source == source,
        table.c.kind == kind,
        table.c.key > after,
        table.c.origin != Origin.DELETION,
    )
    if since is not None:
        query = query.where(table.c.marked_at >= since)
    rows = await tx.execute(query.order_by(table.c.key).limit(most))
    return [(row.key, row.marked_at) for row in rows]


async def runs_with_pages(tx: AsyncConnection, source: str, kinds: Collection[Kind]) -> set[int]:
    """The runs, of all shops, of which a page waits to be read."""
    run = func.split_part(table.c.key, ":", 1)
    rows = await tx.scalars(select(run).where(table.c.source == source, one_of(table.c.kind, kinds)).distinct())
    return {int(number) for number in rows}


#: What waits to be read of `SHOPS`, by shop, source and kind; neither probes nor the pages of an import that is
#: paused.
UNREAD = (
    select(
        table.c.shop_id,
        table.c.source,
        table.c.kind,
        func.count().label("number"),
        func.min(table.c.marked_at).label("since"),
    )
    .where(table.c.shop_id == any_(SHOPS), table.c.kind != Kind.PROBE, table.c.due_at < NEVER)
    .group_by(table.c.shop_id, table.c.source, table.c.kind)
)


def unread_of(row: Any) -> WaitingChanges:
    """A row of `UNREAD`."""
    return WaitingChanges(ShopId(row.shop_id), row.source, Kind(row.kind), row.number, row.since)


async def count_of(
    tx: AsyncConnection, shop_id: ShopId, source: str, kinds: Collection[Kind], origin: Origin
) -> int:
    """How many changes of *kinds* wait that came from *origin*; not the pages of an import that is paused."""
    query = (
        select(func.count())
        .select_from(table)
        .where(
            table.c.shop_id == shop_id,
            table.c.source == source,
            table.c.origin == origin,
            one_of(table.c.kind, kinds),
            table.c.due_at < NEVER,
        )
    )
    return int(await tx.scalar(query) or 0)


async def count_waiting(tx: AsyncConnection, shop_id: ShopId, *, tries: int | None = None) -> int:
    """How many changes wait to be read; not the pages of an import that is paused. *tries*: only those that have
    failed less often."""
    query = select(func.count()).select_from(table).where(table.c.shop_id == shop_id, table.c.due_at < NEVER)
    if tries is not None:
        query = query.where(table.c.attempts < tries)
    return int(await tx.scalar(query) or 0)


async def any_marked_until(
    tx: AsyncConnection, shop_id: ShopId, source: str, kind: Kind, moment: datetime
) -> bool:
    """Whether something of *kind* waits to be read that was marked at *moment* or before."""
    query = exists().where(
        table.c.shop_id == shop_id,
        table.c.source == source,
        table.c.kind == kind,
        table.c.marked_at <= moment,
    )
    return bool(await tx.scalar(select(query)))


async def any_due(
    tx: AsyncConnection,
    shop_id: ShopId,
    source: str,
    kinds: Collection[Kind],
    *,
    marked_until: datetime,
    due_until: datetime,
) -> bool:
    """Whether something of *kinds* that was marked at *marked_until* or before is to be read by *due_until*; not
    what was tried in vain."""
    query = exists().where(
        table.c.shop_id == shop_id,
        table.c.source == source,
        one_of(table.c.kind, kinds),
        table.c.marked_at <= marked_until,
        table.c.due_at <= due_until,
        table.c.attempts == literal_column("0"),
    )
    return bool(await tx.scalar(select(query)))


async def any_for(
    tx: AsyncConnection, shop_id: ShopId, source: str, kinds: Collection[Kind], purpose: Purpose
) -> bool:
    """Whether something of *kinds* waits to be read for *purpose*."""
    query = exists().where(
        table.c.shop_id == shop_id,
        table.c.source == source,
        table.c.priority == int(purpose),
        one_of(table.c.kind, kinds),
    )
    return bool(await tx.scalar(select(query)))


async def announced(
    tx: AsyncConnection, shop_id: ShopId, source: str, kind: Kind, keys: Collection[str]
) -> set[str]:
    """Those of *keys* that wait to be read."""
    asked = {"shop": shop_id, "from": source, "what": kind, "keys": list(keys)}
    return set(await tx.scalars(_ANNOUNCED, asked))


_ANNOUNCED = select(table.c.key).where(
    table.c.shop_id == bindparam("shop"),
    table.c.source == bindparam("from"),
    table.c.kind == bindparam("what"),
    among(table.c.key, "keys"),
)


def unread_keys(shop_id: ShopId, source: str, kind: Kind) -> Select[str]:
    """The keys of *kind* that wait to be read."""
    return select(table.c.key).where(table.c.shop_id == shop_id, table.c.source == source, table.c.kind == kind)


def count_by_kind() -> Select[Any]:
    """How many changes of each kind wait to be read, in all shops."""
    return select(table.c.kind, func.count()).group_by(table.c.kind)


def oldest_seconds(now: ColumnElement[datetime]) -> Select[str, float]:
    """For how many seconds the oldest change of all shops has waited: `change` and the number."""
    age = extract("epoch", now - func.min(table.c.marked_at))
    return select(literal_column("'change'", Text), func.coalesce(age, literal_column("0"), type_=Double))


def keys_beginning(shop_id: ShopId, source: str, kind: Kind, words: str, *, most: int) -> Select[str]:
    """Keys that begin with *words* among what is still to be read."""
    here = (table.c.shop_id == shop_id, table.c.source == source, table.c.kind == kind)
    return beginning(table.c.key, words, *here, most=most)
