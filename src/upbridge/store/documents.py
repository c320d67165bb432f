"""Documents and links in the database: what is to be delivered, and what has been."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

from upbridge.core.clock import Clock
from upbridge.core.encryption import Cipher
from upbridge.domain.delivery import GUARD_SUFFIX, Delivered, DesiredDocument, Document, Link
from upbridge.domain.purpose import Purpose
from upbridge.domain.shop_id import ShopId

SENDING = "sending"
WAITING = "waiting"
PARKED = "parked"


@dataclass(frozen=True, slots=True)
class Queued:
    """A document that is there already, unopened."""

    kind: str
    key: str
    parent: str
    hash: bytes
    state: str


def _link(row: RowMapping) -> Link:
    return Link(
        kind=row["kind"],
        key=row["key"],
        parent=row["parent"],
        remote_id=row["remote_id"],
        state=row["state"],
        hash=row["hash"],
        sent=row["sent"],
        high_water=row["high_water"],
        note=row["note"],
    )


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
    rows = await tx.execute(
        text(
            """
            SELECT kind, key, parent, hash, state FROM documents
            WHERE shop_id = :shop_id AND target = :target AND parent = ANY(:parents)
            ORDER BY kind, key FOR UPDATE
            """
        ),
        {"shop_id": shop_id, "target": target, "parents": list(parents)},
    )
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
    await tx.execute(
        text(
            """
            INSERT INTO documents (shop_id, target, kind, key, parent, body, hash, priority, since, due_at)
            SELECT :shop_id, :target, kind, key, parent, body, hash, :priority, since, :now
            FROM unnest(CAST(:kinds AS text[]), CAST(:keys AS text[]), CAST(:parents AS text[]),
                        CAST(:bodies AS bytea[]), CAST(:hashes AS bytea[]), CAST(:sinces AS timestamptz[]))
              AS t (kind, key, parent, body, hash, since)
            ON CONFLICT (shop_id, target, kind, key) DO UPDATE SET
              parent = excluded.parent, body = excluded.body, hash = excluded.hash, seq = nextval('change_seq'),
              state = CASE WHEN documents.state = 'sending' THEN 'sending' ELSE 'waiting' END,
              reason = NULL, attempts = 0, due_at = excluded.due_at,
              priority = LEAST(documents.priority, excluded.priority)
            WHERE documents.hash <> excluded.hash
            """
        ),
        {
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
        },
    )


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
    pairs = None if keys is None else list(keys)
    result = await tx.execute(
        text(
            """
            UPDATE documents d SET state = 'waiting', reason = NULL, attempts = 0, due_at = :now
            WHERE d.shop_id = :shop_id AND d.target = :target AND d.state = 'parked'
              AND COALESCE(d.reason, '') NOT LIKE '%' || :guard
              AND (:all OR EXISTS (
                SELECT FROM unnest(CAST(:kinds AS text[]), CAST(:keys AS text[])) AS t (kind, key)
                WHERE t.kind = d.kind AND t.key = d.key))
            """
        ),
        {
            "shop_id": shop_id,
            "target": target,
            "now": now,
            "all": pairs is None,
            "guard": GUARD_SUFFIX,
            "kinds": [kind for kind, _ in pairs or ()],
            "keys": [key for _, key in pairs or ()],
        },
    )
    return int(result.rowcount)


async def forget(tx: AsyncConnection, shop_id: ShopId, target: str) -> None:
    """Delete whatever waits for *target*, on its way or not."""
    await tx.execute(
        text("DELETE FROM documents WHERE shop_id = :shop_id AND target = :target"),
        {"shop_id": shop_id, "target": target},
    )


async def guarded(tx: AsyncConnection, shop_id: ShopId, target: str, guard: str) -> list[tuple[str, str]]:
    """The documents, by kind and key, that *guard* holds."""
    rows = await tx.execute(
        text(
            "SELECT kind, key FROM documents WHERE shop_id = :shop_id AND target = :target AND state = 'parked'"
            " AND reason = :guard"
        ),
        {"shop_id": shop_id, "target": target, "guard": guard},
    )
    return [(row.kind, row.key) for row in rows]


async def release_guarded(tx: AsyncConnection, shop_id: ShopId, target: str, guard: str, *, now: datetime) -> int:
    """A person lets pass what *guard* holds; returns how many documents."""
    result = await tx.execute(
        text(
            "UPDATE documents SET state = 'waiting', reason = NULL, attempts = 0, due_at = :now"
            " WHERE shop_id = :shop_id AND target = :target AND state = 'parked' AND reason = :guard"
        ),
        {"shop_id": shop_id, "target": target, "guard": guard, "now": now},
    )
    return int(result.rowcount)


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
        text(
            "UPDATE documents SET state = 'waiting' WHERE shop_id = :shop_id AND target = :target"
            " AND state = 'sending'"
        ),
        {"shop_id": shop_id, "target": target},
    )


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
        """The highest id over there that is known among links of *kind*."""
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
            "note": json.dumps(dict(link.note)),
            "now": now,
        },
    )
