"""What is what in another system, and what of it was delivered last. A link goes with its shop."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    DateTime,
    LargeBinary,
    Row,
    Select,
    Subquery,
    Text,
    Uuid,
    and_,
    bindparam,
    case,
    cast,
    delete,
    exists,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB, Insert, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from upbridge.core.clock import Clock
from upbridge.domain.delivery import Attempt, Delivered, DesiredDocument, Document, Link, LinkState
from upbridge.domain.shop_id import ShopId
from upbridge.store import cursors
from upbridge.store.schema import links as table
from upbridge.store.sql import arrays, beginning, one_of

#: A remote id that is a number.
_NUMBER = r"^[0-9]{1,18}$"


def _link(row: Row[Any]) -> Link:
    attempt = None
    if row.attempted_at is not None:
        attempt = Attempt(
            started_at=row.attempted_at,
            newer_than=row.attempt_newer_than,
            mark=row.attempt_mark or "",
            trace=row.attempt_trace or {},
        )
    return Link(
        kind=row.kind,
        key=row.key,
        parent=row.parent,
        remote_id=row.remote_id,
        state=LinkState(row.state),
        hash=row.hash,
        sent=row.sent,
        created_keys=tuple(row.created_keys),
        remote_status=row.remote_status,
        remote_updated_at=row.remote_updated_at,
        closed=row.closed,
        attempt=attempt,
        metadata=row.metadata,
    )


def _at(shop_id: ShopId, target: str, *where: ColumnElement[bool]) -> tuple[ColumnElement[bool], ...]:
    return (table.c.shop_id == shop_id, table.c.target == target, *where)


# --- reading ------------------------------------------------------------------------------------------------


async def links_of(
    tx: AsyncConnection, shop_id: ShopId, target: str, *, parents: Sequence[str]
) -> dict[tuple[str, str], Link]:
    """The links that belong to *parents*, by kind and key."""
    query = select(table).where(*_at(shop_id, target, one_of(table.c.parent, parents)))
    return {(row.kind, row.key): _link(row) for row in await tx.execute(query)}


async def by_key(
    tx: AsyncConnection, shop_id: ShopId, target: str, kinds: Collection[str], keys: Collection[str]
) -> dict[tuple[str, str], Link]:
    """The links of *kinds* that have one of *keys*, by kind and key."""
    query = select(table).where(
        *_at(shop_id, target, one_of(table.c.kind, sorted(kinds)), one_of(table.c.key, keys))
    )
    return {(row.kind, row.key): _link(row) for row in await tx.execute(query)}


async def delivered_anywhere(tx: AsyncConnection, shop_id: ShopId, kind: str, keys: Collection[str]) -> set[str]:
    """Those of *keys* of which a target has something."""
    query = select(table.c.key).where(
        table.c.shop_id == shop_id,
        table.c.kind == kind,
        table.c.state == LinkState.DELIVERED,
        one_of(table.c.key, sorted(keys)),
    )
    return set((await tx.scalars(query)).all())


async def by_hand(tx: AsyncConnection, shop_id: ShopId, target: str, kind: str) -> dict[str, bytes]:
    """What a person has taken for delivered: the hash of each, by key."""
    query = select(table.c.key, table.c.hash).where(
        *_at(shop_id, target, table.c.kind == kind, table.c.state == LinkState.BY_HAND)
    )
    return {row.key: row.hash for row in await tx.execute(query)}


@dataclass(frozen=True, slots=True)
class SeenLink:
    """A link of an entity, for people."""

    target: str
    key: str
    remote_id: str | None
    state: LinkState
    updated_at: datetime


async def about(
    tx: AsyncConnection, shop_id: ShopId, kinds: Collection[str], parent: str, *, most: int
) -> list[SeenLink]:
    """At most *most* links of *kinds* that belong to *parent*, at all targets, the oldest first."""
    query = (
        select(table.c.target, table.c.key, table.c.remote_id, table.c.state, table.c.updated_at)
        .where(table.c.shop_id == shop_id, one_of(table.c.kind, kinds), table.c.parent == parent)
        .order_by(table.c.updated_at)
        .limit(most)
    )
    return [
        SeenLink(row.target, row.key, row.remote_id, LinkState(row.state), row.updated_at)
        for row in await tx.execute(query)
    ]


async def count_parents(
    tx: AsyncConnection, shop_id: ShopId, targets: Collection[str], kind: str, *, since: datetime
) -> int:
    """How many entities of *kind* had a link of *targets* written since then."""
    query = select(func.count(table.c.parent.distinct())).where(
        table.c.shop_id == shop_id,
        one_of(table.c.target, targets),
        table.c.kind == kind,
        table.c.updated_at >= since,
    )
    return int(await tx.scalar(query) or 0)


async def delivered_of(
    tx: AsyncConnection, shop_id: ShopId, kind: str, keys: Collection[str]
) -> set[tuple[str, str]]:
    """Which targets have which of *keys*, or were given them by hand: pairs of both."""
    query = select(table.c.target, table.c.key).where(
        table.c.shop_id == shop_id,
        table.c.kind == kind,
        one_of(table.c.key, keys),
        table.c.state.in_([LinkState.DELIVERED, LinkState.BY_HAND]),
    )
    return {(row.target, row.key) for row in await tx.execute(query)}


async def last_delivered(
    tx: AsyncConnection, shop_id: ShopId, flows: Collection[tuple[str, str]]
) -> dict[tuple[str, str], datetime]:
    """When each target was last given something of each kind, for *flows*: pairs of them."""
    asked = arrays("asked", target=("targets", Text()), kind=("kinds", Text()))
    last = (
        select(func.max(table.c.updated_at))
        .where(
            table.c.shop_id == shop_id,
            table.c.target == asked.c.target,
            table.c.kind == asked.c.kind,
            table.c.hash.is_not(None),
        )
        .scalar_subquery()
    )
    rows = await tx.execute(
        select(asked.c.target, asked.c.kind, last.label("at")),
        {"targets": [target for target, _ in flows], "kinds": [kind for _, kind in flows]},
    )
    return {(row.target, row.kind): row.at for row in rows if row.at is not None}


# --- writing ------------------------------------------------------------------------------------------------


async def adopt(tx: AsyncConnection, shop_id: ShopId, target: str, drafts: Sequence[DesiredDocument]) -> None:
    """Take *drafts* for what was delivered, where a link does not know what was."""
    for draft in drafts:
        here = _at(shop_id, target, table.c.kind == draft.kind, table.c.key == draft.key)
        await tx.execute(update(table).where(*here, table.c.hash.is_(None)).values(hash=draft.hash))


async def record_delivered(
    tx: AsyncConnection,
    shop_id: ShopId,
    target: str,
    delivered: Sequence[tuple[Document, Delivered]],
    *,
    now: datetime,
) -> None:
    """Remember what the target has now. No attempt is under way any more."""
    ordered = sorted(delivered, key=lambda pair: (pair[0].kind, pair[0].key))
    if not ordered:
        return
    values = {
        "shop_id": shop_id,
        "target": target,
        "now": now,
        "kinds": [document.kind for document, _ in ordered],
        "keys": [document.key for document, _ in ordered],
        "parents": [document.parent for document, _ in ordered],
        "hashes": [document.hash for document, _ in ordered],
        "remote_ids": [outcome.remote_id for _, outcome in ordered],
        "sents": [outcome.keep for _, outcome in ordered],
        "created": [json.dumps(list(outcome.created_keys)) for _, outcome in ordered],
        "statuses": [outcome.remote_status for _, outcome in ordered],
        "metadata": [json.dumps(dict(outcome.metadata)) for _, outcome in ordered],
    }
    await tx.execute(_RECORD, values)


def _recording() -> Insert:
    one = arrays(
        "one",
        kind=("kinds", Text()),
        key=("keys", Text()),
        parent=("parents", Text()),
        hash=("hashes", LargeBinary()),
        remote_id=("remote_ids", Text()),
        sent=("sents", LargeBinary()),
        created=("created", Text()),
        status=("statuses", Text()),
        metadata=("metadata", Text()),
    )
    c = one.c
    rows = select(
        bindparam("shop_id", type_=Uuid),
        bindparam("target", type_=Text),
        *(c.kind, c.key, c.parent, c.hash, c.remote_id, c.sent),
        *(cast(c.created, JSONB), c.status, cast(c.metadata, JSONB)),
        bindparam("now", type_=DateTime(timezone=True)),
    )
    names = ["shop_id", "target", "kind", "key", "parent", "hash", "remote_id", "sent"]
    names += ["created_keys", "remote_status", "metadata", "updated_at"]
    fresh = insert(table).from_select(names, rows)
    replaced = ("parent", "hash", "sent", "created_keys", "remote_status", "metadata", "updated_at")
    return fresh.on_conflict_do_update(
        constraint=table.primary_key,
        set_={
            **{name: fresh.excluded[name] for name in replaced},
            "remote_id": func.coalesce(fresh.excluded.remote_id, table.c.remote_id),
            "state": LinkState.DELIVERED,
            **_NO_ATTEMPT,
        },
    )


_NO_ATTEMPT: Mapping[str, None] = {
    "attempted_at": None,
    "attempt_newer_than": None,
    "attempt_mark": None,
    "attempt_trace": None,
}
_RECORD = _recording()


async def save_link(tx: AsyncConnection, shop_id: ShopId, target: str, link: Link, *, now: datetime) -> None:
    """Insert or replace a link, in the caller's transaction."""
    attempt = link.attempt
    values: dict[str, Any] = {
        "parent": link.parent,
        "remote_id": link.remote_id,
        "state": link.state,
        "hash": link.hash,
        "sent": link.sent,
        "created_keys": list(link.created_keys),
        "remote_status": link.remote_status,
        "remote_updated_at": link.remote_updated_at,
        "closed": link.closed,
        "metadata": dict(link.metadata),
        "updated_at": now,
        **_NO_ATTEMPT,
    }
    if attempt is not None:
        values |= {
            "attempted_at": attempt.started_at,
            "attempt_newer_than": attempt.newer_than,
            "attempt_mark": attempt.mark,
            "attempt_trace": dict(attempt.trace),
        }
    fresh = insert(table).values(shop_id=shop_id, target=target, kind=link.kind, key=link.key, **values)
    replaced: dict[str, Any] = {name: fresh.excluded[name] for name in values}
    replaced["parent"] = func.coalesce(fresh.excluded.parent, table.c.parent)
    await tx.execute(fresh.on_conflict_do_update(constraint=table.primary_key, set_=replaced))


async def recognise(
    tx: AsyncConnection, shop_id: ShopId, target: str, known: Iterable[Link], *, now: datetime
) -> None:
    """Link what *target* turned out to have already (a return, a restored database): it is not sent again.

    The links have no hash, because what was sent is not known any more; the next reading of the thing takes the
    shop's state of then for it (`adopt`). A link that is there stays as it is.
    """
    for one in known:
        fresh = insert(table).values(
            shop_id=shop_id,
            target=target,
            kind=one.kind,
            key=one.key,
            parent=one.parent,
            remote_id=one.remote_id,
            state=one.state,
            remote_status=one.remote_status,
            metadata=dict(one.metadata),
            updated_at=now,
        )
        await tx.execute(fresh.on_conflict_do_nothing())


async def adopt_found(
    tx: AsyncConnection, shop_id: ShopId, target: str, found: Iterable[Link], *, now: datetime
) -> list[str]:
    """Link what *target* has although no link says so; returns the keys that were news. A link that is there stays
    as it is, unless it says that an attempt created nothing."""
    news: list[str] = []
    for one in found:
        fresh = insert(table).values(
            shop_id=shop_id,
            target=target,
            kind=one.kind,
            key=one.key,
            parent=one.parent,
            remote_id=one.remote_id,
            state=one.state,
            hash=one.hash,
            sent=one.sent,
            remote_status=one.remote_status,
            metadata=dict(one.metadata),
            updated_at=now,
        )
        replaced = ("remote_id", "state", "hash", "sent", "remote_status", "metadata", "updated_at")
        adopting = fresh.on_conflict_do_update(
            constraint=table.primary_key,
            set_={**{name: fresh.excluded[name] for name in replaced}, **_NO_ATTEMPT},
            where=table.c.state == LinkState.UNSENT,
        ).returning(table.c.key)
        news += (await tx.scalars(adopting)).all()
    return news


async def mark_by_hand(
    tx: AsyncConnection,
    shop_id: ShopId,
    target: str,
    handled: Sequence[tuple[str, str, str, bytes]],
    *,
    now: datetime,
) -> None:
    """A person has dealt with these documents: kind, key, parent, hash."""
    if not handled:
        return
    fresh = insert(table).values(
        [
            {
                "shop_id": shop_id,
                "target": target,
                "kind": kind,
                "key": key,
                "parent": parent,
                "hash": hash_,
                "state": LinkState.BY_HAND,
                "updated_at": now,
            }
            for kind, key, parent, hash_ in handled
        ]
    )
    nothing_there = (table.c.state == LinkState.DELIVERED) & table.c.remote_id.is_(None)
    await tx.execute(
        fresh.on_conflict_do_update(
            constraint=table.primary_key,
            set_={
                "hash": fresh.excluded.hash,
                "updated_at": fresh.excluded.updated_at,
                "state": case((nothing_there, LinkState.BY_HAND), else_=table.c.state),
            },
        )
    )


async def forget(tx: AsyncConnection, shop_id: ShopId, target: str) -> None:
    """What was linked at *target* is not there: the shop has another account now."""
    await tx.execute(delete(table).where(*_at(shop_id, target)))


async def forget_keys(tx: AsyncConnection, shop_id: ShopId, target: str, kind: str, keys: Collection[str]) -> None:
    """Delete the links of *kind* with these keys."""
    here = _at(shop_id, target, table.c.kind == kind, one_of(table.c.key, keys))
    await tx.execute(delete(table).where(*here))


# --- things that are followed in the other system -----------------------------------------------------------


async def observe(
    tx: AsyncConnection,
    shop_id: ShopId,
    target: str,
    kind: str,
    key: str,
    *,
    now: datetime,
    status: str | None,
    updated_at: datetime | None = None,
    closed: bool = False,
) -> None:
    """What a look at the thing has shown: its status there, when it last changed there (None: keep what is known),
    and whether nothing more is to be looked for."""
    values: dict[str, Any] = {"remote_status": status, "updated_at": now}
    if updated_at is not None:
        values["remote_updated_at"] = updated_at
    if closed:
        values["closed"] = True
    here = _at(shop_id, target, table.c.kind == kind, table.c.key == key)
    await tx.execute(update(table).where(*here).values(values))


async def reopen(
    tx: AsyncConnection,
    shop_id: ShopId,
    target: str,
    kind: str,
    *,
    unless: tuple[str, str],
    now: datetime,
    since: datetime,
) -> None:
    """Look again at the closed links that were written since then, but not where there is a link of the target and
    kind *unless* with the same key."""
    other = table.alias("other")
    there = exists().where(
        other.c.shop_id == table.c.shop_id,
        other.c.target == unless[0],
        other.c.kind == unless[1],
        other.c.key == table.c.key,
    )
    here = _at(shop_id, target, table.c.kind == kind, table.c.updated_at > since, table.c.closed, ~there)
    await tx.execute(update(table).where(*here).values(closed=False, remote_updated_at=None, updated_at=now))


def _followed(shop_id: ShopId, target: str, kind: str) -> tuple[ColumnElement[bool], ...]:
    return _at(
        shop_id,
        target,
        table.c.kind == kind,
        table.c.state == LinkState.DELIVERED,
        table.c.remote_id.regexp_match(_NUMBER),
    )


async def unfinished(
    tx: AsyncConnection, shop_id: ShopId, target: str, kind: str, *, since: datetime, only_status: str | None
) -> list[Link]:
    """Delivered links, written since then, of which more is to be looked for; with *only_status*, those that have
    that status there, as far as is known."""
    query = select(table).where(*_followed(shop_id, target, kind), table.c.updated_at > since, ~table.c.closed)
    if only_status is not None:
        query = query.where(func.coalesce(table.c.remote_status, only_status) == only_status)
    return [_link(row) for row in await tx.execute(query)]


async def by_remote_id(
    tx: AsyncConnection, shop_id: ShopId, target: str, kind: str, remote_id: str
) -> Link | None:
    """The delivered link of the thing that has this id there."""
    query = select(table).where(*_followed(shop_id, target, kind), table.c.remote_id == remote_id).limit(1)
    row = (await tx.execute(query)).first()
    return None if row is None else _link(row)


async def by_part(
    tx: AsyncConnection,
    shop_id: ShopId,
    target: str,
    kind: str,
    *,
    watched: tuple[str, str],
    created: tuple[str, str],
    part: int,
) -> Link | None:
    """The delivered link that a part belongs to: the parent of the watched link of a kind and key, or the link
    with the key of one that has created the part, by target and kind."""
    other = table.alias("other")
    watching = exists().where(
        other.c.shop_id == table.c.shop_id,
        other.c.target == target,
        other.c.kind == watched[0],
        other.c.key == watched[1],
        other.c.parent == table.c.key,
    )
    creating = exists().where(
        other.c.shop_id == table.c.shop_id,
        other.c.target == created[0],
        other.c.kind == created[1],
        other.c.key == table.c.key,
        other.c.created_keys.contains([part]),
    )
    query = select(table).where(*_followed(shop_id, target, kind), or_(watching, creating)).limit(1)
    row = (await tx.execute(query)).first()
    return None if row is None else _link(row)


async def was_created(tx: AsyncConnection, shop_id: ShopId, target: str, kind: str, part: int) -> bool:
    """Whether a link of *kind* has created this part."""
    here = _at(shop_id, target, table.c.kind == kind, table.c.created_keys.contains([part]))
    return bool(await tx.scalar(select(exists().where(*here))))


async def watched(
    tx: AsyncConnection, shop_id: ShopId, target: str, kind: str
) -> list[tuple[str, datetime | None, datetime]]:
    """What is watched of *kind*: key, when it last changed there, when that was written."""
    here = _at(shop_id, target, table.c.kind == kind, table.c.state == LinkState.WATCHED)
    rows = await tx.execute(select(table.c.key, table.c.remote_updated_at, table.c.updated_at).where(*here))
    return [(row.key, row.remote_updated_at, row.updated_at) for row in rows]


def known_orders(target: str) -> Subquery:
    """The orders that *target* knows: shop_id, key, sent, draft. What was made as a draft stays one until the
    target says otherwise."""
    draft = and_(
        table.c.state == LinkState.DELIVERED, func.coalesce(table.c.remote_status, "draft") == "draft"
    ).label("draft")
    return (
        select(table.c.shop_id, table.c.key, table.c.sent, draft)
        .where(
            table.c.target == target,
            table.c.kind == "order",
            table.c.state.in_([LinkState.DELIVERED, LinkState.BY_HAND]),
        )
        .subquery("known_orders")
    )


def keys_beginning(shop_id: ShopId, targets: Collection[str], kind: str, words: str, *, most: int) -> Select[str]:
    """Entities whose key begins with *words* and of which *targets* have something of *kind*."""
    here = (table.c.shop_id == shop_id, one_of(table.c.target, targets), table.c.kind == kind)
    return beginning(table.c.parent, words, *here, most=most, indexed=True)


class StoredLinks:
    """The links of one shop and target (`base.Links`), through the session that holds the lane."""

    def __init__(self, guard: AsyncConnection, shop_id: ShopId, target: str, clock: Clock) -> None:
        self._guard = guard
        self._shop_id = shop_id
        self._target = target
        self._clock = clock

    async def get(self, kind: str, key: str) -> Link | None:
        """The link, or None."""
        here = _at(self._shop_id, self._target, table.c.kind == kind, table.c.key == key)
        row = (await self._guard.execute(select(table).where(*here))).first()
        return None if row is None else _link(row)

    async def save(self, link: Link) -> None:
        """Insert or replace the link; committed when this returns."""
        await save_link(self._guard, self._shop_id, self._target, link, now=self._clock())

    async def high_water(self, kind: str) -> int | None:
        """The highest id at the target that is known among links of *kind*, or that `reached` recorded."""
        number = case(
            (table.c.remote_id.regexp_match(_NUMBER), cast(table.c.remote_id, table.c.attempt_newer_than.type))
        )
        here = _at(self._shop_id, self._target, table.c.kind == kind)
        highest = await self._guard.scalar(
            select(func.greatest(func.max(number), func.max(table.c.attempt_newer_than))).where(*here)
        )
        told = await cursors.get(self._guard, self._shop_id, self._target, _high_water(kind))
        found = [int(value) for value in (highest, told) if value is not None]
        return max(found, default=None)

    async def reached(self, kind: str, number: int) -> None:
        """An id there that exists: what is created from now on has a higher one. Committed when this returns."""
        await cursors.put(self._guard, self._shop_id, self._target, _high_water(kind), str(number))

    async def put_back_at(self) -> datetime | None:
        """When the database was last found to be older than the world."""
        told = await cursors.get(self._guard, self._shop_id, self._target, cursors.PUT_BACK_AT)
        return None if told is None else datetime.fromisoformat(told)

    async def linked_up_to(self, kind: str) -> int | None:
        """The id up to which each thing of ours has a link; before `adopt` said one, the highest that is known."""
        told = await cursors.get(self._guard, self._shop_id, self._target, _linked(kind))
        return await self.high_water(kind) if told is None else int(told)

    async def adopt(self, kind: str, found: Sequence[Link], *, up_to: int) -> list[str]:
        """Link what was *found*; returns the keys that were news. Committed when this returns: the links first, so
        that a process that dies in between looks again."""
        news = await adopt_found(self._guard, self._shop_id, self._target, found, now=self._clock())
        await cursors.put(self._guard, self._shop_id, self._target, _linked(kind), str(up_to))
        return news


def _linked(kind: str) -> str:
    return f"linked_{kind}_id"


def _high_water(kind: str) -> str:
    return f"highest_{kind}_id"
