"""Documents: what is to be delivered. A document goes when it was delivered."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import (
    ColumnElement,
    DateTime,
    SmallInteger,
    Text,
    Update,
    Uuid,
    bindparam,
    case,
    delete,
    func,
    or_,
    select,
    text,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import Insert, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from upbridge.core.encryption import Cipher, DecryptionError
from upbridge.domain.delivery import GUARD_SUFFIX, DesiredDocument, Document
from upbridge.domain.purpose import Purpose
from upbridge.domain.shop_id import ShopId
from upbridge.store import link_queries, links
from upbridge.store.changes import next_seq
from upbridge.store.schema import documents as table
from upbridge.store.sql import Composed, among, as_rows, constant, one_of, rows_of

SENDING = "sending"
WAITING = "waiting"
PARKED = "parked"
#: It was on its way when it stopped being wanted: what is not sent of it goes with its claim.
UNWANTED = "unwanted"
#: What is still to be sent.
OPEN = (WAITING, SENDING)


@dataclass(frozen=True, slots=True)
class Queued:
    """A document that is there already, unopened."""

    kind: str
    key: str
    parent: str
    hash: bytes
    state: str
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class ClaimedDocuments:
    """What is on its way now, and rows of what none of the keys opens: kind, key, parent, seq."""

    documents: Sequence[Document]
    unreadable: Sequence[Any] = ()


async def queued(
    tx: AsyncConnection, shop_id: ShopId, target: str, *, parents: Sequence[str]
) -> dict[tuple[str, str], Queued]:
    """The documents that belong to *parents*, locked until the transaction ends, by kind and key."""
    rows = await _QUEUED.all(tx, shop=shop_id, to=target, parents=list(parents))
    return {(row.kind, row.key): Queued(*row) for row in rows}


_COLUMNS = (table.c.kind, table.c.key, table.c.parent, table.c.hash, table.c.state, table.c.reason)
_HERE = (table.c.shop_id == bindparam("shop"), table.c.target == bindparam("to"))
_OF_PARENTS = select(*_COLUMNS).where(*_HERE, among(table.c.parent, "parents"), table.c.state != UNWANTED)
_QUEUED = Composed(_OF_PARENTS.order_by(table.c.kind, table.c.key).with_for_update())


async def put(
    tx: AsyncConnection,
    cipher: Cipher,
    shop_id: ShopId,
    target: str,
    desired: Sequence[DesiredDocument],
    *,
    priority: int,
    now: datetime,
    heard: Mapping[str, datetime] | None = None,
) -> None:
    """Queue *desired*: the latest body wins, one that says the same changes nothing (a parked one stays parked).

    *heard*: when we heard of a parent, where that was before *now*.
    """
    if not desired:
        return
    ordered = [one for _, one in sorted({(one.kind, one.key): one for one in desired}.items())]
    sooner = heard or {}
    import_ = priority >= int(Purpose.IMPORT)
    rows = [
        _Put(one.kind, one.key, one.parent, sealed.decode(), one.hash, sooner.get(one.parent))
        for one in ordered
        # Thousands of products that this process sends next: to open them again is a twentieth of an import.
        for sealed in [cipher.encrypt(one.body, soon=import_ and one.kind == "product")]
    ]
    await _PUT.run(tx, shop_id=shop_id, target=target, priority=priority, now=now, rows=as_rows(rows))


class _Put(msgspec.Struct, gc=False):
    kind: str
    key: str
    parent: str
    body: str
    hash: bytes
    since: datetime | None


def _putting() -> Insert:
    texts = {name: Text() for name in ("kind", "key", "parent", "body", "hash")}
    one = rows_of("one", "rows", **texts, since=DateTime(timezone=True))
    rows = select(
        bindparam("shop_id", type_=Uuid),
        bindparam("target", type_=Text),
        *(one.c.kind, one.c.key, one.c.parent),
        func.convert_to(one.c.body, "UTF8"),  # a sealed body is ASCII
        func.decode(one.c.hash, "base64"),
        bindparam("priority", type_=SmallInteger),
        func.coalesce(one.c.since, bindparam("now", type_=DateTime(timezone=True))),
        bindparam("now", type_=DateTime(timezone=True)),
    )
    names = ["shop_id", "target", "kind", "key", "parent", "body", "hash", "priority", "since", "due_at"]
    fresh = insert(table).from_select(names, rows)
    return fresh.on_conflict_do_update(
        constraint=table.primary_key,
        set_={
            "parent": fresh.excluded.parent,
            "body": fresh.excluded.body,
            "hash": fresh.excluded.hash,
            "seq": next_seq(),
            "state": case((table.c.state.in_([constant(SENDING), constant(UNWANTED)]), SENDING), else_=WAITING),
            "reason": None,
            "attempts": 0,
            "due_at": fresh.excluded.due_at,
            "priority": func.least(table.c.priority, fresh.excluded.priority),
        },
        where=or_(table.c.hash != fresh.excluded.hash, table.c.state == UNWANTED),
    )


_PUT = Composed(_putting())


async def withdraw(
    tx: AsyncConnection, shop_id: ShopId, target: str, documents: Iterable[tuple[str, str]]
) -> list[tuple[str, str]]:
    """Delete documents, by kind and key; returns those that were there. What is on its way goes with its claim
    (`release_claims`), unless it was sent by then."""
    pairs = sorted(documents)
    if not pairs:
        return []
    rows = await tx.execute(
        _WITHDRAW,
        {
            "shop_id": shop_id,
            "target": target,
            "kinds": [kind for kind, _ in pairs],
            "keys": [k for _, k in pairs],
        },
    )
    return [(row.kind, row.key) for row in rows]


_WITHDRAW = text(
    """
    WITH t AS (
      SELECT * FROM unnest(CAST(:kinds AS text[]), CAST(:keys AS text[])) AS t (kind, key)
    ), on_its_way AS (
      UPDATE documents d SET state = 'unwanted' FROM t
      WHERE d.shop_id = :shop_id AND d.target = :target AND d.kind = t.kind AND d.key = t.key
        AND d.state = 'sending'
    )
    DELETE FROM documents d USING t
    WHERE d.shop_id = :shop_id AND d.target = :target AND d.kind = t.kind AND d.key = t.key
      AND d.state NOT IN ('sending', 'unwanted') RETURNING d.kind, d.key
    """
)


async def claim(
    tx: AsyncConnection,
    cipher: Cipher,
    shop_id: ShopId,
    target: str,
    *,
    limit: int,
    now: datetime,
    below: int = 100,
    newer_than: int = 0,
) -> ClaimedDocuments:
    """Mark the most urgent due documents as on their way and open them; only purposes more urgent than *below*,
    and only what was queued after the number *newer_than*.

    Documents left as `sending` by a worker that died are taken too: only one push of a lane runs at a time. Rows
    are named by their place, and links are looked up all at once: while an import fills the tables, Postgres
    takes them for empty, and would join by reading everything for each row.
    """
    place, importing = {"shop_id": shop_id, "target": target}, int(Purpose.IMPORT)
    limits = {"limit": limit, "now": now, "below": below, "newer_than": newer_than, "importing": importing}
    taken = await _CLAIM.all(tx, **place, **limits)
    if not taken:
        return ClaimedDocuments(())
    linked = await link_queries.by_key(
        tx, shop_id, target, {row.kind for row in taken}, [row.key for row in taken]
    )
    opened: list[Document] = []
    unreadable: list[Any] = []
    for row in sorted(taken, key=lambda row: (row.priority, row.seq)):
        try:
            values = {**row._asdict(), "body": cipher.decrypt(row.body)}
        except DecryptionError:
            unreadable.append(row)
            continue
        del values["priority"]
        opened.append(Document(**values, link=linked.get((row.kind, row.key))))
    return ClaimedDocuments(opened, unreadable)


_CLAIM = Composed(
    text(
        """
    WITH next AS (
      SELECT ctid FROM documents
      WHERE shop_id = :shop_id AND target = :target AND state IN ('waiting', 'sending')
        AND due_at <= :now AND priority < :below AND seq > :newer_than
      ORDER BY priority, seq LIMIT :limit FOR UPDATE
    )
    UPDATE documents SET state = 'sending' WHERE ctid = ANY(ARRAY(SELECT ctid FROM next))
    RETURNING kind, key, parent, seq, body, hash, attempts, priority,
      CASE WHEN priority < :importing THEN since END AS since
    """
    )
)


async def remove(tx: AsyncConnection, shop_id: ShopId, target: str, documents: Sequence[Any]) -> None:
    """Take *documents* off the outbox; where a newer body has come meanwhile, that one waits to be sent."""
    if not documents:
        return
    columns = {f"{name}s": [getattr(one, name) for one in documents] for name in ("kind", "key", "seq")}
    await _REMOVE.run(tx, shop_id=shop_id, target=target, **columns)


_REMOVE = Composed(
    text(
        """
    WITH settled AS (
      SELECT * FROM unnest(CAST(:kinds AS text[]), CAST(:keys AS text[]), CAST(:seqs AS bigint[]))
        AS t (kind, key, seq)
    ), newer AS (
      UPDATE documents d SET state = 'waiting' FROM settled t
      WHERE d.shop_id = :shop_id AND d.target = :target AND d.kind = t.kind AND d.key = t.key
        AND d.seq <> t.seq
    )
    DELETE FROM documents d USING settled t
    WHERE d.shop_id = :shop_id AND d.target = :target AND d.kind = t.kind AND d.key = t.key
      AND d.seq = t.seq
    """
    )
)


async def release(tx: AsyncConnection, shop_id: ShopId, target: str, *, now: datetime) -> int:
    """Let parked documents try again *now* (a setting or the catalogue changed); returns how many.

    Not those that a guard holds: only a person lets them pass (`release_guarded`).
    """
    return int((await tx.execute(_releasing(shop_id, target, now))).rowcount)


async def release_some(
    tx: AsyncConnection, shop_id: ShopId, target: str, places: Collection[tuple[str, str]], *, now: datetime
) -> set[tuple[str, str]]:
    """The same with the documents of these kinds and keys; returns those that were parked."""
    query = _releasing(shop_id, target, now).where(tuple_(table.c.kind, table.c.key).in_(sorted(places)))
    rows = await tx.execute(query.returning(table.c.kind, table.c.key))
    return {(row.kind, row.key) for row in rows}


def _releasing(shop_id: ShopId, target: str, now: datetime) -> Update:
    parked = update(table).where(table.c.shop_id == shop_id, table.c.target == target, *RELEASABLE)
    return parked.values(state=WAITING, reason=None, attempts=0, due_at=now)


#: What is parked for a cause that may be resolved, and not by a guard.
RELEASABLE = (table.c.state == PARKED, func.coalesce(table.c.reason, "").not_like(f"%{GUARD_SUFFIX}"))


async def hold_back(
    tx: AsyncConnection, shop_id: ShopId, target: str, kind: str, keys: Sequence[str], *, guard: str, now: datetime
) -> None:
    """Let *guard* hold the documents of these keys that are not on their way, until a person lets them pass."""
    await tx.execute(
        update(table)
        .where(
            table.c.shop_id == shop_id,
            table.c.target == target,
            table.c.kind == kind,
            one_of(table.c.key, keys),
            table.c.state != SENDING,
        )
        .values(state=PARKED, reason=guard, due_at=now)
    )


async def release_guarded(
    tx: AsyncConnection,
    shop_id: ShopId,
    target: str,
    guard: str,
    *,
    now: datetime,
    keys: Sequence[str] | None = None,
) -> int:
    """Let what *guard* holds be sent, all of it or what has one of *keys*; returns how many documents."""
    query = update(table).where(*held_by(shop_id, target, guard))
    if keys is not None:
        query = query.where(one_of(table.c.key, keys))
    result = await tx.execute(query.values(state=WAITING, reason=None, attempts=0, due_at=now))
    return int(result.rowcount)


def held_by(shop_id: ShopId, target: str, guard: str) -> tuple[ColumnElement[bool], ...]:
    """The conditions of a document that *guard* holds."""
    return (table.c.shop_id == shop_id, table.c.target == target, table.c.state == PARKED, table.c.reason == guard)


async def retry_later(
    tx: AsyncConnection, shop_id: ShopId, target: str, document: Document, *, reason: str, until: datetime
) -> None:
    """*document* was not delivered and waits until *until*, one attempt more; a newer body that has come meanwhile
    waits to be sent at its own time."""
    values = {"state": WAITING, "reason": reason, "due_at": until}
    await tx.execute(_unless_newer(shop_id, target, document, values))


async def park(tx: AsyncConnection, shop_id: ShopId, target: str, document: Document, *, reason: str) -> None:
    """*document* was not delivered and waits for a mapping or a person; a newer body that has come meanwhile waits
    to be sent."""
    await tx.execute(_unless_newer(shop_id, target, document, {"state": PARKED, "reason": reason}))


def _unless_newer(shop_id: ShopId, target: str, document: Document, values: Mapping[str, object]) -> Update:
    same = table.c.seq == document.seq
    changed = {name: case((same, value), else_=table.c[name]) for name, value in values.items()}
    return (
        update(table)
        .where(
            table.c.shop_id == shop_id,
            table.c.target == target,
            table.c.kind == document.kind,
            table.c.key == document.key,
        )
        .values(
            {
                **changed,
                "state": case((same, values["state"]), else_=WAITING),
                "reason": case((same, values["reason"])),
                "attempts": case((same, table.c.attempts + 1), else_=0),
            }
        )
    )


async def mark_handled(
    tx: AsyncConnection, shop_id: ShopId, target: str, documents: Iterable[tuple[str, str]], *, now: datetime
) -> None:
    """Take parked documents, by kind and key, for delivered: a person has dealt with them, or does not want them.

    They come back when they say something else.
    """
    here = (table.c.shop_id == shop_id, table.c.target == target, table.c.state == PARKED)
    query = delete(table).where(*here, tuple_(table.c.kind, table.c.key).in_(sorted(documents)))
    gone = await tx.execute(query.returning(table.c.kind, table.c.key, table.c.parent, table.c.hash))
    handled = sorted((row.kind, row.key, row.parent, row.hash) for row in gone)
    await links.mark_by_hand(tx, shop_id, target, handled, now=now)


async def erase(tx: AsyncConnection, shop_id: ShopId, target: str, parents: Sequence[str]) -> int:
    """Delete all that waits of *parents*, what is on its way included: hold the lane. Returns how many."""
    here = (table.c.shop_id == shop_id, table.c.target == target, one_of(table.c.parent, parents))
    return (await tx.execute(delete(table).where(*here))).rowcount


async def postpone(
    tx: AsyncConnection, shop_id: ShopId, target: str, parents: Collection[str], *, until: datetime
) -> None:
    """Nothing of *parents* is sent before *until*."""
    await tx.execute(
        update(table)
        .where(table.c.shop_id == shop_id, table.c.target == target, one_of(table.c.parent, parents))
        .where(table.c.state.in_(OPEN))
        .values(due_at=func.greatest(table.c.due_at, until))
    )


async def release_claims(tx: AsyncConnection, shop_id: ShopId, target: str, *, now: datetime) -> tuple[bool, bool]:
    """Documents that were taken and never settled wait again; returns whether something is due at *now*, and
    whether something is there that is not wanted any more (`drop_unwanted`)."""
    [(due, unwanted)] = await _RELEASE.all(tx, shop_id=shop_id, target=target, now=now)
    return due, unwanted


_RELEASE = Composed(
    text(
        """
    WITH waits AS (
      UPDATE documents SET state = 'waiting' WHERE shop_id = :shop_id AND target = :target AND state = 'sending'
    )
    SELECT
      EXISTS (SELECT FROM documents WHERE shop_id = :shop_id AND target = :target
                AND state IN ('waiting', 'sending') AND due_at <= :now) AS due,
      EXISTS (SELECT FROM documents WHERE shop_id = :shop_id AND target = :target AND state = 'unwanted')
        AS unwanted
    """
    )
)


async def drop_unwanted(tx: AsyncConnection, shop_id: ShopId, target: str) -> list[tuple[str, str]]:
    """Delete what was on its way when it stopped being wanted, after `release_claims`; returns kind and key."""
    query = delete(table).where(
        table.c.shop_id == shop_id, table.c.target == target, table.c.state == constant(UNWANTED)
    )
    gone = await tx.execute(query.returning(table.c.kind, table.c.key))
    return [(row.kind, row.key) for row in gone]


async def forget(tx: AsyncConnection, shop_id: ShopId, target: str) -> set[tuple[str, str]]:
    """Nothing that waits for *target* is to be sent any more; returns its kinds and parents."""
    query = delete(table).where(table.c.shop_id == shop_id, table.c.target == target)
    rows = await tx.execute(query.returning(table.c.kind, table.c.parent))
    return {(row.kind, row.parent) for row in rows}
