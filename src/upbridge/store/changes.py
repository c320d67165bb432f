"""The set of entities that may have changed. Webhooks, imports and the schedule write rows here and do nothing
else.

A row says "read this again". A second mark of the same entity moves the row's `seq` and costs nothing else. A row
is deleted only if its `seq` is the one that was read before the work, so a mark during the work survives.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    DateTime,
    Select,
    SmallInteger,
    Text,
    Uuid,
    and_,
    bindparam,
    case,
    delete,
    func,
    literal_column,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, Insert, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from upbridge.domain.purpose import Purpose
from upbridge.domain.shop_id import ShopId
from upbridge.store import gatherings
from upbridge.store.schema import change_seq
from upbridge.store.schema import changes as table
from upbridge.store.sql import Composed, among, constant, one_of

#: When something is due that waits for a person to let it go on.
NEVER = datetime(9999, 1, 1, tzinfo=UTC)


class Origin(StrEnum):
    """Who heard of the change."""

    WEBHOOK = "webhook"
    IMPORT = "import"
    SAFETY_NET = "safety_net"
    LIFECYCLE = "lifecycle"
    SETTINGS = "settings"
    SCHEDULE = "schedule"
    DELETION = "deletion"
    """The shop has announced that it deletes the thing."""


class Kind(StrEnum):
    """What a change is about. The key is in brackets."""

    ORDER = "order"
    """[order number]"""
    PRODUCT = "product"
    """[product id]"""
    VARIANT = "variant"
    """[variant id] of a deleted variant, whose product has to be looked up (R44)"""
    ORDERS_PAGE = "orders.page"
    """[run:page] of a run through a list"""
    PRODUCTS_PAGE = "products.page"
    """[run:page]"""
    COUNT = "products.count"
    """[count or after] compare the number of products with the copy"""
    ORDER_COUNT = "orders.count"
    """[count, again or after] compare the number of orders with those that are known"""
    ORDERS_DELETED = "orders.deleted"
    """[list] the deleted orders"""
    EVERYTHING = "everything"
    """[everything] more was announced than is read one by one: cast the safety net"""
    FACTS = "facts"
    """[facts] owner, languages, price lists, statuses, config, rights"""
    WEBHOOKS = "webhooks"
    """[webhooks] list and compare the subscriptions"""
    PROBE = "probe"
    """[probe] one call that says whether the credentials work"""
    CATALOGUE = "catalogue"
    """[catalogue] the SKUs and stock of the connected Uphance organisation"""
    PICK_TICKETS = "pick_tickets"
    """[poll], or [ticket id] that a webhook has named: what Uphance has shipped, and which orders are drafts"""
    STOCK = "stock"
    """[stock] compare Uphance's numbers, as last read, with what the shop shows; no call"""


PURPOSES: dict[Kind, Purpose] = {
    Kind.ORDER: Purpose.ORDERS,
    Kind.PRODUCT: Purpose.PRODUCTS,
    Kind.VARIANT: Purpose.PRODUCTS,
    Kind.ORDERS_PAGE: Purpose.IMPORT,
    Kind.PRODUCTS_PAGE: Purpose.IMPORT,
    Kind.COUNT: Purpose.SAFETY,
    Kind.ORDERS_DELETED: Purpose.SAFETY,
    Kind.ORDER_COUNT: Purpose.SAFETY,
    Kind.EVERYTHING: Purpose.SAFETY,
    Kind.FACTS: Purpose.LIFECYCLE,
    Kind.WEBHOOKS: Purpose.LIFECYCLE,
    Kind.PROBE: Purpose.LIFECYCLE,
    Kind.CATALOGUE: Purpose.STOCK,
    Kind.PICK_TICKETS: Purpose.ORDERS,
    Kind.STOCK: Purpose.STOCK,
}


class PageKey(NamedTuple):
    """The key of a change that asks for one page of a run through a list."""

    run_id: int
    page: int

    def __str__(self) -> str:
        return f"{self.run_id}:{self.page}"

    @classmethod
    def parse(cls, key: str) -> "PageKey":
        """The page that *key* names. Raises `ValueError` if it names none."""
        run_id, _, page = key.partition(":")
        return cls(int(run_id), int(page))


@dataclass(frozen=True, slots=True)
class Change:
    """A row of `changes`."""

    kind: Kind
    key: str
    seq: int
    origin: Origin
    purpose: Purpose
    attempts: int
    marked_at: datetime
    due: bool = True
    """Else it only fills a call that is made anyway."""
    told_at: datetime | None = None
    """When its source last announced it itself; None if it did not."""

    @property
    def announced(self) -> bool:
        """Whether the source itself said so, and not a schedule, a person or a list."""
        return self.origin in (Origin.WEBHOOK, Origin.DELETION)


async def mark_changed(
    tx: AsyncConnection,
    shop_id: ShopId,
    source: str,
    kind: Kind,
    keys: Iterable[str],
    *,
    origin: Origin,
    now: datetime,
    due_at: datetime | None = None,
    purpose: Purpose | None = None,
) -> None:
    """Note that the things named *keys* may have changed at *source*, in the caller's transaction. They are due at
    once, or at *due_at*.

    A row that is there keeps its `due_at` and `marked_at` (so that steady marks cannot postpone the work, nor
    hurry what was refused and waits), takes the more urgent of the two purposes and remembers an announced
    deletion and a person's wish. Keys are written in order, so that two writers cannot deadlock.
    """
    ordered = sorted(set(keys))
    if not ordered:
        return
    await tx.execute(
        MARK_CHANGED,
        {
            "shop_id": shop_id,
            "source": source,
            "kind": kind,
            "keys": ordered,
            "origin": origin,
            "priority": int(PURPOSES[kind] if purpose is None else purpose),
            "now": now,
            "due_at": due_at or now,
        },
    )


def marking(rows: Select[Any]) -> Insert:
    """Mark *rows* as changed: shop_id, source, kind, key, origin, priority, marked_at, due_at.

    What was refused has a moment of its own: no second mark hurries it. A person's mark is remembered as that, but
    for an announced deletion: it waits for no gathering.
    """
    given = ["shop_id", "source", "kind", "key", "origin", "priority", "marked_at", "due_at"]
    fresh = insert(table).from_select(given, rows)
    sooner = func.least(table.c.due_at, fresh.excluded.due_at)
    told = fresh.excluded.origin == constant(Origin.WEBHOOK)
    before, first = table.c.told_at, table.c.origin
    was_told = and_(first == constant(Origin.WEBHOOK), before.is_(None))
    weighty = fresh.excluded.origin.in_([constant(Origin.DELETION), constant(Origin.SETTINGS)])
    kept = first == constant(Origin.DELETION)
    return fresh.on_conflict_do_update(
        constraint=table.primary_key,
        set_={
            "seq": next_seq(),
            "priority": func.least(table.c.priority, fresh.excluded.priority),
            "origin": case((kept, first), (weighty, fresh.excluded.origin), else_=first),
            "told_at": case((told, fresh.excluded.marked_at), (was_told, table.c.marked_at), else_=before),
            "due_at": case((table.c.attempts == literal_column("0"), sooner), else_=table.c.due_at),
        },
    )


def next_seq() -> ColumnElement[int]:
    """The next number that tells a newer state of a row from an older one."""
    return change_seq.next_value()


_KEY = func.unnest(bindparam("keys", type_=ARRAY(Text))).column_valued("key")
MARK_CHANGED = marking(
    select(
        bindparam("shop_id", type_=Uuid),
        bindparam("source", type_=Text),
        bindparam("kind", type_=Text),
        _KEY,
        bindparam("origin", type_=Text),
        bindparam("priority", type_=SmallInteger),
        bindparam("now", type_=DateTime(timezone=True)),
        bindparam("due_at", type_=DateTime(timezone=True)),
    )
)


async def forget(tx: AsyncConnection, shop_id: ShopId, source: str, kind: Kind) -> None:
    """Delete all pending changes of *kind*."""
    theirs = (table.c.shop_id == shop_id, table.c.source == source, table.c.kind == kind)
    await tx.execute(delete(table).where(*theirs))


async def done(tx: AsyncConnection, shop_id: ShopId, source: str, changes: Sequence[Change]) -> set[int]:
    """Remove *changes* whose `seq` did not move; returns those. Locks in key order, as `mark_changed` does."""
    if not changes:
        return set()
    return {row.seq for row in await _DONE.all(tx, **_columns(shop_id, source, changes))}


_DONE = Composed(
    text(
        """
        WITH locked AS (
          SELECT c.kind, c.key, c.seq FROM changes c
          JOIN unnest(CAST(:kinds AS text[]), CAST(:keys AS text[]), CAST(:seqs AS bigint[]))
            AS t (kind, key, seq) ON t.kind = c.kind AND t.key = c.key AND t.seq = c.seq
          WHERE c.shop_id = :shop_id AND c.source = :source
          ORDER BY c.kind, c.key FOR UPDATE OF c
        )
        DELETE FROM changes c USING locked l
        WHERE c.shop_id = :shop_id AND c.source = :source AND c.kind = l.kind AND c.key = l.key
          AND c.seq = l.seq
        RETURNING c.seq
        """
    )
)


async def answered(
    tx: AsyncConnection, shop_id: ShopId, source: str, kind: Kind, keys: Collection[str], *, asked_at: datetime
) -> None:
    """Remove what a worker wanted to have read of *keys* before *asked_at*: a list that was asked for then has
    brought it. What the source itself has announced stays."""
    await tx.execute(
        text(
            """
            WITH locked AS (
              SELECT c.key FROM changes c
              WHERE c.shop_id = :shop_id AND c.source = :source AND c.kind = :kind AND c.key = ANY (:keys)
                AND c.origin = 'schedule' AND c.told_at IS NULL AND c.attempts = 0 AND c.marked_at <= :asked_at
              ORDER BY c.key FOR UPDATE
            )
            DELETE FROM changes c USING locked l
            WHERE c.shop_id = :shop_id AND c.source = :source AND c.kind = :kind AND c.key = l.key
            """
        ),
        {"shop_id": shop_id, "source": source, "kind": kind, "keys": sorted(keys), "asked_at": asked_at},
    )


async def hurry(
    tx: AsyncConnection, shop_id: ShopId, source: str, kind: Kind, purpose: Purpose, *, now: datetime
) -> None:
    """Let what waits for *purpose* be due now; what was refused keeps its moment."""
    await tx.execute(
        update(table)
        .where(
            table.c.shop_id == shop_id,
            table.c.source == source,
            table.c.kind == kind,
            table.c.priority == int(purpose),
            table.c.attempts == 0,
            table.c.due_at > now,
        )
        .values(due_at=now)
    )


async def postpone(
    tx: AsyncConnection, shop_id: ShopId, source: str, changes: Sequence[Change], *, until: datetime
) -> None:
    """Count an attempt on each of *changes* and leave them alone until *until*."""
    if not changes:
        return
    await tx.execute(
        text(
            """
            UPDATE changes c SET attempts = c.attempts + 1, due_at = :until
            FROM unnest(CAST(:kinds AS text[]), CAST(:keys AS text[]), CAST(:seqs AS bigint[]))
              AS t (kind, key, seq)
            WHERE c.shop_id = :shop_id AND c.source = :source AND t.kind = c.kind AND t.key = c.key
            """
        ),
        {**_columns(shop_id, source, changes), "until": until},
    )


async def put_off(
    tx: AsyncConnection, shop_id: ShopId, source: str, kind: Kind, keys: Collection[str], *, until: datetime
) -> None:
    """Leave these changes of *kind* alone until *until*: they do not fill a batch before that either."""
    await tx.execute(
        update(table)
        .where(table.c.shop_id == shop_id, table.c.source == source, table.c.kind == kind, table.c.key.in_(keys))
        .values(due_at=until, attempts=func.greatest(table.c.attempts, 1))
    )


async def gather(
    tx: AsyncConnection,
    shop_id: ShopId,
    source: str,
    purposes: Collection[Purpose],
    *,
    until: datetime,
) -> None:
    """Leave all that is due for *purposes* together until *until*. No attempt is counted."""
    theirs = (table.c.shop_id == shop_id, table.c.source == source, table.c.due_at < until)
    purposed = one_of(table.c.priority, [int(purpose) for purpose in purposes])
    await tx.execute(update(table).where(*theirs, purposed).values(due_at=until))


async def gather_again(tx: AsyncConnection, shop_id: ShopId, source: str, read: Sequence[Change]) -> None:
    """What of *read*, of one purpose, was marked again since it was claimed, and not by a person, is left with the
    others until the end of the gathering. No attempt is counted."""
    await _GATHER_AGAIN.run(
        tx,
        shop_id=shop_id,
        source=source,
        priority=int(read[0].purpose),
        kinds=sorted({change.kind for change in read}),
        keys=[change.key for change in read],
        newest=max(change.seq for change in read),
    )


async def leave_gathered(tx: AsyncConnection, shop_id: ShopId, source: str, rest: Sequence[Change]) -> None:
    """Leave *rest*, of one purpose, until the end of the gathering. No attempt is counted."""
    await _LEAVE.run(
        tx,
        shop_id=shop_id,
        source=source,
        priority=int(rest[0].purpose),
        kinds=sorted({change.kind for change in rest}),
        keys=[change.key for change in rest],
    )


_PURPOSED = (
    table.c.shop_id == bindparam("shop_id"),
    table.c.source == bindparam("source"),
    table.c.priority == bindparam("priority"),
)
_END = gatherings.end_of(table.c.shop_id, table.c.source, table.c.priority)
_NAMED = (among(table.c.kind, "kinds"), among(table.c.key, "keys"))
_AGAIN = (
    *_NAMED,
    table.c.seq > bindparam("newest"),
    table.c.origin != constant(Origin.SETTINGS),
)
_LEAVE = Composed(update(table).where(*_PURPOSED, *_NAMED, table.c.due_at < _END).values(due_at=_END))
_GATHER_AGAIN = Composed(update(table).where(*_PURPOSED, *_AGAIN, table.c.due_at < _END).values(due_at=_END))


async def move_pages(
    tx: AsyncConnection,
    shop_id: ShopId,
    source: str,
    kinds: Collection[Kind],
    run_ids: Collection[int],
    *,
    due_at: datetime,
) -> None:
    """When the pages of these runs are due; their attempts are forgotten. Locks in key order, as all who write."""
    locked = (
        select(table.c.kind, table.c.key)
        .where(
            table.c.shop_id == shop_id,
            table.c.source == source,
            one_of(table.c.kind, kinds),
            one_of(func.split_part(table.c.key, ":", 1, type_=Text), [str(run_id) for run_id in run_ids]),
        )
        .order_by(table.c.kind, table.c.key)
        .with_for_update()
        .cte("locked")
    )
    await tx.execute(
        update(table)
        .where(
            table.c.shop_id == shop_id,
            table.c.source == source,
            table.c.kind == locked.c.kind,
            table.c.key == locked.c.key,
        )
        .values(due_at=due_at, attempts=0)
    )


def _columns(shop_id: ShopId, source: str, changes: Sequence[Change]) -> dict[str, Any]:
    return {
        "shop_id": shop_id,
        "source": source,
        "kinds": [change.kind for change in changes],
        "keys": [change.key for change in changes],
        "seqs": [change.seq for change in changes],
    }
