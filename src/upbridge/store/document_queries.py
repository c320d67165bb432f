"""What waits to be delivered, for all who ask: pages, commands, metrics, the engine. Nothing here writes."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Double,
    Exists,
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
)
from sqlalchemy.ext.asyncio import AsyncConnection

from upbridge.core.encryption import Cipher, DecryptionError
from upbridge.domain.delivery import Document
from upbridge.domain.shop_id import ShopId
from upbridge.store.documents import OPEN, PARKED, RELEASABLE, SENDING, UNWANTED, held_by
from upbridge.store.schema import documents as table
from upbridge.store.sql import SHOPS, Composed, beginning_in, constant, one_of

#: What is shown and counted. The rest is not to be sent any more, and goes with its claim.
WANTED = table.c.state != constant(UNWANTED)


@dataclass(frozen=True, slots=True)
class WaitingDocument:
    """A document of the outbox, for people: its body stays sealed."""

    shop_id: ShopId
    target: str
    kind: str
    key: str
    state: str
    reason: str | None
    attempts: int
    since: datetime
    due_at: datetime


@dataclass(frozen=True, slots=True)
class LockedDocument:
    """A document whose row is locked for this worker; its body is still encrypted."""

    hash: bytes
    state: str
    reason: str | None


async def is_wanted(
    tx: AsyncConnection, shop_id: ShopId, target: str, document: Document, *, now: datetime
) -> bool:
    """Whether *document*, which is on its way, is still what is to be sent now: nothing was read since that
    changes it, withdraws it or makes it wait."""
    place = {"shop_id": shop_id, "target": target, "kind": document.kind, "key": document.key}
    return await _IS_WANTED.first(tx, **place, number=document.seq, now=now) is not None


_IS_WANTED = Composed(
    select(table.c.seq).where(
        *(column == bindparam(column.name) for column in table.primary_key),
        table.c.seq == bindparam("number"),
        table.c.state == constant(SENDING),
        table.c.due_at <= bindparam("now"),
    )
)


async def hold_kind(tx: AsyncConnection, shop_id: ShopId, target: str, kind: str) -> dict[str, LockedDocument]:
    """All documents of one kind by key, locked until the transaction ends."""
    query = select(table.c.key, table.c.hash, table.c.state, table.c.reason).where(
        table.c.shop_id == shop_id, table.c.target == target, table.c.kind == kind, WANTED
    )
    rows = await tx.execute(query.order_by(table.c.key).with_for_update())
    return {row.key: LockedDocument(row.hash, row.state, row.reason) for row in rows}


async def guarded(tx: AsyncConnection, shop_id: ShopId, target: str, guard: str) -> dict[tuple[str, str], bytes]:
    """The hashes of the documents that *guard* holds, by kind and key, locked until the transaction ends."""
    query = select(table.c.kind, table.c.key, table.c.hash).where(*held_by(shop_id, target, guard))
    rows = await tx.execute(query.order_by(table.c.kind, table.c.key).with_for_update())
    return {(row.kind, row.key): row.hash for row in rows}


async def count_releasable(tx: AsyncConnection, shop_id: ShopId, targets: Collection[str]) -> int:
    """How many documents for *targets* `release` would let try again."""
    query = (
        select(func.count())
        .select_from(table)
        .where(table.c.shop_id == shop_id, one_of(table.c.target, targets), *RELEASABLE)
    )
    return int(await tx.scalar(query) or 0)


async def hashes_held(
    tx: AsyncConnection, shop_id: ShopId, target: str, guard: str
) -> dict[tuple[str, str], bytes]:
    """The hashes of the documents that *guard* holds, by kind and key."""
    query = select(table.c.kind, table.c.key, table.c.hash).where(*held_by(shop_id, target, guard))
    rows = await tx.execute(query.order_by(table.c.kind, table.c.key))
    return {(row.kind, row.key): row.hash for row in rows}


async def bodies_held(
    tx: AsyncConnection, cipher: Cipher, shop_id: ShopId, target: str, guard: str, *, after: str, limit: int
) -> dict[str, bytes | None]:
    """What the documents say that *guard* holds, by key: at most *limit* of those that follow *after* ("": the
    first). None for one that no key opens: `maintenance/lost_keys.py` tells."""
    query = (
        select(table.c.key, table.c.body)
        .where(*held_by(shop_id, target, guard), table.c.key > after)
        .order_by(table.c.key)
        .limit(limit)
    )
    return {row.key: _opened(cipher, row.body) for row in await tx.execute(query)}


def _opened(cipher: Cipher, body: bytes) -> bytes | None:
    try:
        return cipher.decrypt(body)
    except DecryptionError:
        return None


async def most_urgent_claimed(tx: AsyncConnection, shop_id: ShopId, target: str) -> int | None:
    """The most urgent purpose among the documents that are on their way; None if none is."""
    query = select(func.min(table.c.priority)).where(
        table.c.shop_id == shop_id, table.c.target == target, table.c.state == constant(SENDING)
    )
    priority: int | None = await tx.scalar(query)
    return priority


@dataclass(frozen=True, slots=True)
class OutboxCount:
    """What is in the outbox of one target and kind; *since*: the oldest of what waits for no person."""

    shop_id: ShopId
    target: str
    kind: str
    open: int
    parked: int
    since: datetime | None


_parked = table.c.state == PARKED
#: The outbox of `SHOPS`, counted by shop, target and kind.
COUNTS = (
    select(
        table.c.shop_id,
        table.c.target,
        table.c.kind,
        func.count().filter(~_parked).label("open"),
        func.count().filter(_parked).label("parked"),
        func.min(table.c.since).filter(~_parked).label("since"),
    )
    .where(table.c.shop_id == any_(SHOPS), WANTED)
    .group_by(table.c.shop_id, table.c.target, table.c.kind)
)


def count_of_row(row: Any) -> OutboxCount:
    """A row of `COUNTS`."""
    return OutboxCount(ShopId(row.shop_id), row.target, row.kind, row.open, row.parked, row.since)


@dataclass(frozen=True, slots=True)
class DocumentState:
    """How far a document of *parent* is, and why it is no further."""

    parent: str
    target: str
    state: str
    reason: str | None


async def states_of(
    tx: AsyncConnection, shop_id: ShopId, kind: str, parents: Collection[str]
) -> list[DocumentState]:
    """The documents of *kind* that belong to *parents*, at all targets; none that is not wanted any more."""
    query = select(table.c.parent, table.c.target, table.c.state, table.c.reason).where(
        table.c.shop_id == shop_id,
        table.c.kind == kind,
        one_of(table.c.parent, parents),
        WANTED,
    )
    return [DocumentState(*row) for row in await tx.execute(query)]


async def under_way(
    tx: AsyncConnection, shop_id: ShopId, kinds: Collection[str], keys: Collection[str]
) -> set[tuple[str, str, str]]:
    """The documents of these kinds and keys that are being sent or wait for their turn: target, kind, key."""
    query = select(table.c.target, table.c.kind, table.c.key).where(
        table.c.shop_id == shop_id,
        one_of(table.c.kind, kinds),
        one_of(table.c.key, keys),
        table.c.state.in_(OPEN),
    )
    return {(row.target, row.kind, row.key) for row in await tx.execute(query)}


@dataclass(frozen=True, slots=True)
class SealedDocument:
    """A document that waits, with its sealed body."""

    target: str
    key: str
    state: str
    since: datetime
    due_at: datetime
    body: bytes


async def about(
    tx: AsyncConnection, shop_id: ShopId, kinds: Collection[str], parent: str, *, most: int
) -> list[SealedDocument]:
    """At most *most* documents of *kinds* that belong to *parent*, for all targets."""
    query = (
        select(table.c.target, table.c.key, table.c.state, table.c.since, table.c.due_at, table.c.body)
        .where(table.c.shop_id == shop_id, one_of(table.c.kind, kinds), table.c.parent == parent)
        .order_by(table.c.key)
        .limit(most)
    )
    return [
        SealedDocument(row.target, row.key, row.state, row.since, row.due_at, row.body)
        for row in await tx.execute(query)
    ]


async def sealed_after(
    tx: AsyncConnection, shop_id: ShopId, target: str, kind: str, after: str, *, limit: int
) -> list[SealedDocument]:
    """The next *limit* documents of *kind* after the key *after*."""
    query = (
        select(table.c.target, table.c.key, table.c.state, table.c.since, table.c.due_at, table.c.body)
        .where(table.c.shop_id == shop_id, table.c.target == target, table.c.kind == kind, table.c.key > after)
        .order_by(table.c.key)
        .limit(limit)
    )
    return [SealedDocument(*row) for row in await tx.execute(query)]


async def oldest(tx: AsyncConnection, shop_id: ShopId | None, *, limit: int) -> list[WaitingDocument]:
    """The outbox without its bodies, the most urgent first: of one shop, or of all if *shop_id* is None."""
    query = (
        select(
            table.c.shop_id,
            table.c.target,
            table.c.kind,
            table.c.key,
            table.c.state,
            table.c.reason,
            table.c.attempts,
            table.c.since,
            table.c.due_at,
        )
        .where(WANTED)
        .order_by(table.c.priority, table.c.seq)
        .limit(limit)
    )
    if shop_id is not None:
        query = query.where(table.c.shop_id == shop_id)
    return [
        WaitingDocument(
            shop_id=ShopId(row.shop_id),
            target=row.target,
            kind=row.kind,
            key=row.key,
            state=row.state,
            reason=row.reason,
            attempts=row.attempts,
            since=row.since,
            due_at=row.due_at,
        )
        for row in await tx.execute(query)
    ]


async def count_open(tx: AsyncConnection, shop_id: ShopId) -> int:
    """How many documents wait to be delivered, and for no person."""
    query = (
        select(func.count()).select_from(table).where(table.c.shop_id == shop_id, WANTED, table.c.state != PARKED)
    )
    return int(await tx.scalar(query) or 0)


async def count_parked(tx: AsyncConnection, shop_id: ShopId) -> int:
    """How many documents wait for a mapping or a person."""
    query = select(func.count()).select_from(table).where(table.c.shop_id == shop_id, table.c.state == PARKED)
    return int(await tx.scalar(query) or 0)


def any_due(
    shop_id: ColumnElement[Any],
    target: ColumnElement[str],
    *,
    now: ColumnElement[datetime],
    below: ColumnElement[int] | None = None,
) -> Exists:
    """Whether a document waits to be sent to *target* at *now*, of a purpose more urgent than *below*, or is only
    to be thrown away, since a worker died that was sending it."""
    found = exists().where(
        table.c.shop_id == shop_id,
        table.c.target == target,
        table.c.state.in_([constant(state) for state in (*OPEN, UNWANTED)]),
        table.c.due_at <= now,
    )
    return found if below is None else found.where(table.c.priority < below)


def count_by_kind(*, parked: bool) -> Select[Any]:
    """How many documents of each target and kind wait in all shops: for a person, or to be sent."""
    number = func.count().filter((table.c.state == constant(PARKED)) == parked)
    return select(table.c.target, table.c.kind, number).where(WANTED).group_by(table.c.target, table.c.kind)


def oldest_seconds(now: ColumnElement[datetime]) -> Select[str, float]:
    """For how many seconds the oldest document of all shops has waited, and for no person: `document` and the
    number."""
    age = extract("epoch", now - func.min(table.c.since))
    query = select(literal_column("'document'", Text), func.coalesce(age, literal_column("0"), type_=Double))
    return query.where(WANTED, table.c.state != constant(PARKED))


def parents(shop_id: ShopId, kind: str) -> Subquery:
    """What waits of *kind*, at all targets: parent, target, state, reason."""
    query = select(table.c.parent, table.c.target, table.c.state, table.c.reason)
    return query.where(table.c.shop_id == shop_id, table.c.kind == kind, WANTED).subquery("waiting")


def places(target: str, kind: str) -> Subquery:
    """What is in the outbox for *target*: shop_id, key."""
    query = select(table.c.shop_id, table.c.key).where(table.c.target == target, table.c.kind == kind)
    return query.subquery("places")


def keys_beginning(shop_id: ShopId, targets: Collection[str], words: str, *, most: int) -> Select[str]:
    """Orders whose number begins with *words* and that are on their way to *targets*."""
    here = (table.c.shop_id == shop_id, table.c.kind == constant("order"))
    return beginning_in(table.c.target, targets, table.c.parent, words, *here, most=most)
