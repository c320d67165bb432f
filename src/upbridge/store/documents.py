"""Documents and links in the database: what is to be delivered, and what has been."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    DateTime,
    Exists,
    LargeBinary,
    RowMapping,
    SmallInteger,
    Text,
    Update,
    Uuid,
    bindparam,
    case,
    delete,
    exists,
    func,
    select,
    text,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import Insert, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from upbridge.core.clock import Clock
from upbridge.core.encryption import Cipher
from upbridge.domain.delivery import GUARD_SUFFIX, Attempt, Delivered, DesiredDocument, Document, Link
from upbridge.domain.purpose import Purpose
from upbridge.domain.shop_id import ShopId
from upbridge.store.changes import next_seq
from upbridge.store.schema import documents as table
from upbridge.store.sql import arrays, constant, one_of

SENDING = "sending"
WAITING = "waiting"
PARKED = "parked"
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


@dataclass(frozen=True, slots=True)
class Held:
    """A document whose row is locked for this worker; its body is still encrypted."""

    hash: bytes
    state: str
    reason: str | None


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


def _link(row: RowMapping) -> Link:
    note = row["note"]
    attempt = _attempt(note, row["high_water"]) if row["state"] == SENDING else None
    if attempt is not None:
        note = {name: value for name, value in note.items() if name not in _OF_THE_ATTEMPT}
    return Link(
        kind=row["kind"],
        key=row["key"],
        parent=row["parent"],
        remote_id=row["remote_id"],
        state=row["state"],
        hash=row["hash"],
        sent=row["sent"],
        high_water=row["high_water"],
        note=note,
        attempt=attempt,
    )


#: What the note of a link says of the attempt that is under way; `doubt` and `doubt_at` are older names.
_OF_THE_ATTEMPT = frozenset({"at", "mark", "trace", "doubt", "doubt_at"})


def _attempt(note: Mapping[str, Any], newer_than: int | None) -> Attempt | None:
    started_at = note.get("at") or note.get("doubt_at")
    if started_at is None:
        return None
    moment = datetime.fromisoformat(started_at)
    return Attempt(moment, newer_than, note.get("mark", ""), note.get("trace") or {})


def _note(link: Link) -> str:
    said: dict[str, Any] = dict(link.note)
    if link.attempt is not None:
        said["at"] = link.attempt.started_at.isoformat()
        said |= {"mark": link.attempt.mark, "trace": dict(link.attempt.trace)}
    return json.dumps(said)


_LINK_COLUMNS = "kind, key, parent, remote_id, state, hash, sent, high_water, note"


async def links_of(
    tx: AsyncConnection, shop_id: ShopId, target: str, *, parents: Sequence[str]
) -> dict[tuple[str, str], Link]:
    """The links that belong to *parents*, by kind and key."""
    rows = await tx.execute(
        text(
            f"SELECT {_LINK_COLUMNS} FROM links"  # noqa: S608
            " WHERE shop_id = :shop_id AND target = :target AND parent = ANY(:parents)"
        ),
        {"shop_id": shop_id, "target": target, "parents": list(parents)},
    )
    return {(row["kind"], row["key"]): _link(row) for row in rows.mappings()}


async def queued(
    tx: AsyncConnection, shop_id: ShopId, target: str, *, parents: Sequence[str]
) -> dict[tuple[str, str], Queued]:
    """The documents that belong to *parents*, locked until the transaction ends, by kind and key."""
    query = (
        select(table.c.kind, table.c.key, table.c.parent, table.c.hash, table.c.state)
        .where(table.c.shop_id == shop_id, table.c.target == target, one_of(table.c.parent, parents))
        .order_by(table.c.kind, table.c.key)
        .with_for_update()
    )
    rows = await tx.execute(query)
    return {(row.kind, row.key): Queued(row.kind, row.key, row.parent, row.hash, row.state) for row in rows}


async def put(
    tx: AsyncConnection,
    cipher: Cipher,
    shop_id: ShopId,
    target: str,
    drafts: Sequence[DesiredDocument],
    *,
    priority: int,
    now: datetime,
    heard: Mapping[str, datetime] | None = None,
) -> None:
    """Queue *drafts*: the latest body wins, one that says the same changes nothing (a parked one stays parked).

    *heard*: when we heard of a parent, where that was before *now*.
    """
    if not drafts:
        return
    ordered = [draft for _, draft in sorted({(draft.kind, draft.key): draft for draft in drafts}.items())]
    values = {
        "shop_id": shop_id,
        "target": target,
        "priority": priority,
        "now": now,
        "kinds": [draft.kind for draft in ordered],
        "keys": [draft.key for draft in ordered],
        "parents": [draft.parent for draft in ordered],
        "bodies": [cipher.encrypt(draft.body) for draft in ordered],
        "hashes": [draft.hash for draft in ordered],
        "sinces": [(heard or {}).get(draft.parent, now) for draft in ordered],
    }
    await tx.execute(_PUT, values)


def _putting() -> Insert:
    one = arrays(
        "one",
        kind=("kinds", Text()),
        key=("keys", Text()),
        parent=("parents", Text()),
        body=("bodies", LargeBinary()),
        hash=("hashes", LargeBinary()),
        since=("sinces", DateTime(timezone=True)),
    )
    rows = select(
        bindparam("shop_id", type_=Uuid),
        bindparam("target", type_=Text),
        *(one.c.kind, one.c.key, one.c.parent, one.c.body, one.c.hash),
        bindparam("priority", type_=SmallInteger),
        one.c.since,
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
            "state": case((table.c.state == SENDING, SENDING), else_=WAITING),
            "reason": None,
            "attempts": 0,
            "due_at": fresh.excluded.due_at,
            "priority": func.least(table.c.priority, fresh.excluded.priority),
        },
        where=table.c.hash != fresh.excluded.hash,
    )


_PUT = _putting()


async def adopt(tx: AsyncConnection, shop_id: ShopId, target: str, drafts: Sequence[DesiredDocument]) -> None:
    """Take *drafts* for what was delivered, where a link does not know what was."""
    for draft in drafts:
        await tx.execute(
            text(
                "UPDATE links SET hash = :hash WHERE shop_id = :shop_id AND target = :target AND kind = :kind"
                " AND key = :key AND hash IS NULL"
            ),
            {"shop_id": shop_id, "target": target, "kind": draft.kind, "key": draft.key, "hash": draft.hash},
        )


async def withdraw(
    tx: AsyncConnection, shop_id: ShopId, target: str, documents: Iterable[tuple[str, str]]
) -> list[tuple[str, str]]:
    """Delete documents, by kind and key, that are not on their way; returns those that were there."""
    pairs = sorted(documents)
    if not pairs:
        return []
    rows = await tx.execute(
        text(
            """
            DELETE FROM documents d USING unnest(CAST(:kinds AS text[]), CAST(:keys AS text[])) AS t (kind, key)
            WHERE d.shop_id = :shop_id AND d.target = :target AND d.kind = t.kind AND d.key = t.key
              AND d.state <> 'sending' RETURNING d.kind, d.key
            """
        ),
        {
            "shop_id": shop_id,
            "target": target,
            "kinds": [kind for kind, _ in pairs],
            "keys": [k for _, k in pairs],
        },
    )
    return [(row.kind, row.key) for row in rows]


async def claim(
    tx: AsyncConnection,
    cipher: Cipher,
    shop_id: ShopId,
    target: str,
    *,
    limit: int,
    now: datetime,
    below: int = 100,
) -> list[Document]:
    """Mark the most urgent due documents as on their way and open them; only purposes more urgent than *below*.

    Documents left as `sending` by a worker that died are taken too: only one push of a lane runs at a time. Rows
    are named by their place, and links are looked up all at once: while an import fills the tables, Postgres
    takes them for empty, and would join by reading everything for each row.
    """
    taken = (
        await tx.execute(
            text(
                """
                WITH next AS (
                  SELECT ctid FROM documents
                  WHERE shop_id = :shop_id AND target = :target AND state IN ('waiting', 'sending')
                    AND due_at <= :now AND priority < :below
                  ORDER BY priority, seq LIMIT :limit FOR UPDATE
                )
                UPDATE documents SET state = 'sending' WHERE ctid = ANY(ARRAY(SELECT ctid FROM next))
                RETURNING kind, key, parent, seq, body, hash, attempts, priority,
                  CASE WHEN priority < :importing THEN since END AS since
                """
            ),
            {
                "shop_id": shop_id,
                "target": target,
                "limit": limit,
                "now": now,
                "below": below,
                "importing": int(Purpose.IMPORT),
            },
        )
    ).all()
    linked = await tx.execute(
        text(
            f"SELECT {_LINK_COLUMNS} FROM links"  # noqa: S608 - a constant
            " WHERE shop_id = :shop_id AND target = :target AND kind = ANY(:kinds) AND key = ANY(:keys)"
        ),
        {
            "shop_id": shop_id,
            "target": target,
            "kinds": sorted({row.kind for row in taken}),
            "keys": [row.key for row in taken],
        },
    )
    links = {(row["kind"], row["key"]): _link(row) for row in linked.mappings()}
    return [
        Document(
            kind=row.kind,
            key=row.key,
            parent=row.parent,
            seq=row.seq,
            body=cipher.decrypt(row.body),
            hash=row.hash,
            attempts=row.attempts,
            since=row.since,
            link=links.get((row.kind, row.key)),
        )
        for row in sorted(taken, key=lambda row: (row.priority, row.seq))
    ]


async def link(
    tx: AsyncConnection,
    shop_id: ShopId,
    target: str,
    delivered: Sequence[tuple[Document, Delivered]],
    *,
    now: datetime,
) -> None:
    """Remember what they have now."""
    ordered = sorted(delivered, key=lambda pair: (pair[0].kind, pair[0].key))
    if not ordered:
        return
    await tx.execute(
        text(
            """
            INSERT INTO links (shop_id, target, kind, key, parent, hash, remote_id, sent, note, updated_at)
            SELECT :shop_id, :target, t.kind, t.key, t.parent, t.hash, t.remote_id, t.sent,
                   CAST(t.note AS jsonb), :now
            FROM unnest(CAST(:kinds AS text[]), CAST(:keys AS text[]), CAST(:parents AS text[]),
                        CAST(:hashes AS bytea[]), CAST(:remote_ids AS text[]), CAST(:sents AS bytea[]),
                        CAST(:notes AS text[])) AS t (kind, key, parent, hash, remote_id, sent, note)
            ON CONFLICT (shop_id, target, kind, key) DO UPDATE SET
              parent = excluded.parent, hash = excluded.hash, sent = excluded.sent, note = excluded.note,
              remote_id = COALESCE(excluded.remote_id, links.remote_id), state = 'delivered', high_water = NULL,
              updated_at = excluded.updated_at
            """
        ),
        {
            "shop_id": shop_id,
            "target": target,
            "now": now,
            "kinds": [document.kind for document, _ in ordered],
            "keys": [document.key for document, _ in ordered],
            "parents": [document.parent for document, _ in ordered],
            "hashes": [document.hash for document, _ in ordered],
            "remote_ids": [outcome.remote_id for _, outcome in ordered],
            "sents": [outcome.keep for _, outcome in ordered],
            "notes": [json.dumps(dict(outcome.note)) for _, outcome in ordered],
        },
    )


async def remove(tx: AsyncConnection, shop_id: ShopId, target: str, documents: Sequence[Document]) -> None:
    """Take *documents* off the outbox; where a newer body has come meanwhile, that one waits to be sent."""
    if not documents:
        return
    await tx.execute(
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
        ),
        {
            "shop_id": shop_id,
            "target": target,
            "kinds": [document.kind for document in documents],
            "keys": [document.key for document in documents],
            "seqs": [document.seq for document in documents],
        },
    )


async def release(
    tx: AsyncConnection,
    shop_id: ShopId,
    target: str,
    *,
    now: datetime,
    keys: Sequence[tuple[str, str]] | None = None,
) -> int:
    """Let parked documents try again *now* (a setting or the catalogue changed); returns how many.

    Not those that a guard holds: only a person lets them pass (`release_guarded`).
    """
    query = update(table).where(table.c.shop_id == shop_id, table.c.target == target, *_RELEASABLE)
    if keys is not None:
        query = query.where(tuple_(table.c.kind, table.c.key).in_(keys))
    result = await tx.execute(query.values(state=WAITING, reason=None, attempts=0, due_at=now))
    return int(result.rowcount)


#: What is parked for a cause that may be cured, and not by a guard.
_RELEASABLE = (
    table.c.state == PARKED,
    func.coalesce(table.c.reason, "").not_like(f"%{GUARD_SUFFIX}"),
)


async def hold_kind(tx: AsyncConnection, shop_id: ShopId, target: str, kind: str) -> dict[str, Held]:
    """All documents of one kind by key, locked until the transaction ends."""
    query = select(table.c.key, table.c.hash, table.c.state, table.c.reason).where(
        table.c.shop_id == shop_id, table.c.target == target, table.c.kind == kind
    )
    rows = await tx.execute(query.order_by(table.c.key).with_for_update())
    return {row.key: Held(row.hash, row.state, row.reason) for row in rows}


async def hold_back(
    tx: AsyncConnection,
    shop_id: ShopId,
    target: str,
    kind: str,
    keys: Sequence[str],
    *,
    guard: str,
    now: datetime,
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


async def guarded(tx: AsyncConnection, shop_id: ShopId, target: str, guard: str) -> list[tuple[str, str]]:
    """The documents, by kind and key, that *guard* holds."""
    rows = await tx.execute(select(table.c.kind, table.c.key).where(*_guarded(shop_id, target, guard)))
    return [(row.kind, row.key) for row in rows]


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
    query = update(table).where(*_guarded(shop_id, target, guard))
    if keys is not None:
        query = query.where(one_of(table.c.key, keys))
    result = await tx.execute(query.values(state=WAITING, reason=None, attempts=0, due_at=now))
    return int(result.rowcount)


def _guarded(shop_id: ShopId, target: str, guard: str) -> tuple[ColumnElement[bool], ...]:
    return (
        table.c.shop_id == shop_id,
        table.c.target == target,
        table.c.state == PARKED,
        table.c.reason == guard,
    )


async def count_releasable(tx: AsyncConnection, shop_id: ShopId, targets: Collection[str]) -> int:
    """How many documents for *targets* `release` would let try again."""
    query = (
        select(func.count())
        .select_from(table)
        .where(table.c.shop_id == shop_id, one_of(table.c.target, targets), *_RELEASABLE)
    )
    return int(await tx.scalar(query) or 0)


async def recognise(
    tx: AsyncConnection, shop_id: ShopId, target: str, known: Iterable[Link], *, now: datetime
) -> None:
    """Link what *target* turned out to have already (a return, a restored database): it is not sent again.

    The links have no hash, because what was sent is not known any more; the next reading of the thing takes the
    shop's state of then for it (`adopt`). A link that is there stays as it is.
    """
    for one in known:
        await tx.execute(
            text(
                """
                INSERT INTO links (shop_id, target, kind, key, parent, remote_id, state, note, updated_at)
                VALUES (:shop_id, :target, :kind, :key, :parent, :remote_id, :state, CAST(:note AS jsonb), :now)
                ON CONFLICT (shop_id, target, kind, key) DO NOTHING
                """
            ),
            {
                "shop_id": shop_id,
                "target": target,
                "kind": one.kind,
                "key": one.key,
                "parent": one.parent,
                "remote_id": one.remote_id,
                "state": one.state,
                "note": json.dumps(dict(one.note)),
                "now": now,
            },
        )


async def add_note(tx: AsyncConnection, shop_id: ShopId, target: str, news: Link, *, now: datetime) -> None:
    """Add the note of *news* to that of the link with its kind and key; what was said of a name is replaced."""
    await tx.execute(
        text(
            "UPDATE links SET note = note || CAST(:news AS jsonb), updated_at = :now"
            " WHERE shop_id = :shop_id AND target = :target AND kind = :kind AND key = :key"
        ),
        {
            "shop_id": shop_id,
            "target": target,
            "kind": news.kind,
            "key": news.key,
            "news": json.dumps(dict(news.note)),
            "now": now,
        },
    )


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


async def most_urgent_claimed(tx: AsyncConnection, shop_id: ShopId, target: str) -> int | None:
    """The most urgent purpose among the documents that are on their way; None if none is."""
    query = select(func.min(table.c.priority)).where(
        table.c.shop_id == shop_id, table.c.target == target, table.c.state == constant(SENDING)
    )
    priority: int | None = await tx.scalar(query)
    return priority


async def mark_handled(
    tx: AsyncConnection,
    shop_id: ShopId,
    target: str,
    documents: Iterable[tuple[str, str]],
    *,
    now: datetime,
) -> None:
    """Take parked documents, by kind and key, for delivered: a person has dealt with them, or does not want them.

    They come back when they say something else.
    """
    pairs = sorted(documents)
    await tx.execute(
        text(
            """
            WITH gone AS (
              DELETE FROM documents d
              USING unnest(CAST(:kinds AS text[]), CAST(:keys AS text[])) AS t (kind, key)
              WHERE d.shop_id = :shop_id AND d.target = :target AND d.kind = t.kind AND d.key = t.key
                AND d.state = 'parked' RETURNING d.*
            )
            INSERT INTO links (shop_id, target, kind, key, parent, hash, state, updated_at)
            SELECT shop_id, target, kind, key, parent, hash, 'by_hand', :now FROM gone
            ON CONFLICT (shop_id, target, kind, key) DO UPDATE SET
              hash = excluded.hash, updated_at = excluded.updated_at,
              state = CASE WHEN links.state = 'delivered' AND links.remote_id IS NULL THEN 'by_hand'
                           ELSE links.state END
            """
        ),
        {
            "shop_id": shop_id,
            "target": target,
            "now": now,
            "kinds": [kind for kind, _ in pairs],
            "keys": [key for _, key in pairs],
        },
    )


async def release_claims(tx: AsyncConnection, shop_id: ShopId, target: str) -> None:
    """Documents that were taken and never settled wait again."""
    await tx.execute(
        update(table)
        .where(table.c.shop_id == shop_id, table.c.target == target, table.c.state == constant(SENDING))
        .values(state=WAITING)
    )


@dataclass(frozen=True, slots=True)
class OutboxCount:
    """What is in the outbox of one target and kind; *since*: the oldest of what waits for no person."""

    target: str
    kind: str
    open: int
    parked: int
    since: datetime | None


async def counts_of(tx: AsyncConnection, shop_id: ShopId) -> list[OutboxCount]:
    """The shop's outbox, counted by target and kind."""
    parked = table.c.state == PARKED
    query = (
        select(
            table.c.target,
            table.c.kind,
            func.count().filter(~parked).label("open"),
            func.count().filter(parked).label("parked"),
            func.min(table.c.since).filter(~parked).label("since"),
        )
        .where(table.c.shop_id == shop_id)
        .group_by(table.c.target, table.c.kind)
    )
    return [OutboxCount(row.target, row.kind, row.open, row.parked, row.since) for row in await tx.execute(query)]


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


async def forget(tx: AsyncConnection, shop_id: ShopId, target: str) -> set[tuple[str, str]]:
    """Nothing that waits for *target* is to be sent any more; returns its kinds and parents."""
    query = delete(table).where(table.c.shop_id == shop_id, table.c.target == target)
    rows = await tx.execute(query.returning(table.c.kind, table.c.parent))
    return {(row.kind, row.parent) for row in rows}


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
    query = select(func.count()).select_from(table).where(table.c.shop_id == shop_id, table.c.state != PARKED)
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
    """Whether a document waits to be sent to *target* at *now*, of a purpose more urgent than *below*."""
    found = exists().where(
        table.c.shop_id == shop_id,
        table.c.target == target,
        table.c.state.in_([constant(state) for state in OPEN]),
        table.c.due_at <= now,
    )
    return found if below is None else found.where(table.c.priority < below)


class StoredLinks:
    """The links of one shop and target (`delivery.Links`), through the session that holds the lane."""

    def __init__(self, guard: AsyncConnection, shop_id: ShopId, target: str, clock: Clock) -> None:
        self._guard = guard
        self._clock = clock
        self._where = {"shop_id": shop_id, "target": target}

    async def get(self, kind: str, key: str) -> Link | None:
        """The link, or None."""
        rows = await self._guard.execute(
            text(
                f"SELECT {_LINK_COLUMNS} FROM links"  # noqa: S608
                " WHERE shop_id = :shop_id AND target = :target AND kind = :kind AND key = :key"
            ),
            {**self._where, "kind": kind, "key": key},
        )
        row = rows.mappings().first()
        return None if row is None else _link(row)

    async def save(self, link: Link) -> None:
        """Insert or replace the link; committed when this returns."""
        where = self._where
        await save_link(self._guard, where["shop_id"], where["target"], link, now=self._clock())

    async def high_water(self, kind: str) -> int | None:
        """The highest id at the target that is known among links of *kind*."""
        value = await self._guard.scalar(
            text(
                """
                SELECT GREATEST(max(high_water),
                  max(CASE WHEN remote_id ~ '^[0-9]{1,18}$' THEN CAST(remote_id AS bigint) END))
                FROM links WHERE shop_id = :shop_id AND target = :target AND kind = :kind
                """
            ),
            {**self._where, "kind": kind},
        )
        return None if value is None else int(value)


async def save_link(tx: AsyncConnection, shop_id: Any, target: Any, link: Link, *, now: datetime) -> None:
    """Insert or replace a link, in the caller's transaction."""
    await tx.execute(
        text(
            """
            INSERT INTO links
              (shop_id, target, kind, key, parent, remote_id, state, hash, sent, high_water, note, updated_at)
            VALUES (:shop_id, :target, :kind, :key, :parent, :remote_id, :state, :hash, :sent, :high_water,
                    CAST(:note AS jsonb), :now)
            ON CONFLICT (shop_id, target, kind, key) DO UPDATE SET
              parent = COALESCE(excluded.parent, links.parent), remote_id = excluded.remote_id,
              state = excluded.state, hash = excluded.hash, sent = excluded.sent,
              high_water = excluded.high_water, note = excluded.note,
              updated_at = excluded.updated_at
            """
        ),
        {
            "shop_id": shop_id,
            "target": target,
            "kind": link.kind,
            "key": link.key,
            "parent": link.parent,
            "remote_id": link.remote_id,
            "state": link.state,
            "hash": link.hash,
            "sent": link.sent,
            "high_water": link.high_water,
            "note": _note(link),
            "now": now,
        },
    )
