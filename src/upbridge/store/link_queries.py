"""What is what in another system, for everybody who asks. Nothing here writes."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Select,
    Subquery,
    Text,
    Uuid,
    and_,
    bindparam,
    exists,
    func,
    or_,
    select,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from upbridge.domain.delivery import Attempt, Link, LinkState
from upbridge.domain.shop_id import ShopId
from upbridge.store.schema import links as table
from upbridge.store.sql import Composed, among, arrays, beginning_in, constant, one_of

#: A remote id that is a number.
NUMERIC = r"^[0-9]{1,18}$"
_BY_HAND = (table.c.state == constant(LinkState.BY_HAND)).label("by_hand")


def link_of(row: Any) -> Link:
    """A whole row as the link that it is."""
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
        erased=row.erased_at is not None,
    )


def at(shop_id: ShopId, target: str, *where: ColumnElement[bool]) -> tuple[ColumnElement[bool], ...]:
    """The conditions that keep a statement to one shop and target."""
    return (table.c.shop_id == shop_id, table.c.target == target, *where)


async def links_of(
    tx: AsyncConnection, shop_id: ShopId, target: str, *, parents: Sequence[str]
) -> dict[tuple[str, str], Link]:
    """The links that belong to *parents*, by kind and key."""
    rows = await _OF_PARENTS.all(tx, shop_id=shop_id, target=target, parents=list(parents))
    return {(row.kind, row.key): link_of(row) for row in rows}


_OF_PARENTS = Composed(
    select(table).where(
        table.c.shop_id == bindparam("shop_id"),
        table.c.target == bindparam("target"),
        among(table.c.parent, "parents"),
    )
)


async def by_key(
    tx: AsyncConnection, shop_id: ShopId, target: str, kinds: Collection[str], keys: Collection[str]
) -> dict[tuple[str, str], Link]:
    """The links of *kinds* that have one of *keys*, by kind and key."""
    rows = await _BY_KEY.all(tx, shop_id=shop_id, target=target, kinds=sorted(kinds), keys=list(keys))
    return {(row.kind, row.key): link_of(row) for row in rows}


_BY_KEY = Composed(
    select(table).where(
        table.c.shop_id == bindparam("shop_id"),
        table.c.target == bindparam("target"),
        among(table.c.kind, "kinds"),
        among(table.c.key, "keys"),
    )
)


async def delivered_anywhere(tx: AsyncConnection, shop_id: ShopId, kind: str, keys: Collection[str]) -> set[str]:
    """Those of *keys* of which a target has something."""
    if not keys:
        return set()
    query = select(table.c.key).where(
        table.c.shop_id == shop_id,
        table.c.kind == kind,
        table.c.state == LinkState.DELIVERED,
        one_of(table.c.key, sorted(keys)),
    )
    return set((await tx.scalars(query)).all())


def erased(shop_id: ColumnElement[UUID], kind: str, key: ColumnElement[str]) -> ColumnElement[bool]:
    """Whether a target, connected or not, is to know nothing about a person of what has *key* in another query."""
    theirs = (table.c.shop_id == shop_id, table.c.kind == constant(kind), table.c.key == key)
    return exists().where(*theirs, table.c.erased_at.is_not(None)).correlate_except(table)


async def by_hand(tx: AsyncConnection, shop_id: ShopId, target: str, kind: str) -> dict[str, bytes]:
    """What a person has taken for delivered: the hash of each, by key."""
    query = select(table.c.key, table.c.hash).where(
        *at(shop_id, target, table.c.kind == kind, table.c.state == LinkState.BY_HAND)
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
    name: str | None = None
    """What people at the target call it, where that is not its id."""


async def about(
    tx: AsyncConnection, shop_id: ShopId, kinds: Collection[str], parent: str, *, most: int
) -> list[SeenLink]:
    """At most *most* links of *kinds* that belong to *parent*, at all targets, the oldest first."""
    query = (
        select(
            table.c.target,
            table.c.key,
            table.c.remote_id,
            table.c.state,
            table.c.updated_at,
            table.c.metadata["order_number"].astext.label("name"),
        )
        .where(table.c.shop_id == shop_id, one_of(table.c.kind, kinds), table.c.parent == parent)
        .order_by(table.c.updated_at)
        .limit(most)
    )
    return [
        SeenLink(row.target, row.key, row.remote_id, LinkState(row.state), row.updated_at, row.name)
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
) -> dict[tuple[str, str], LinkState]:
    """Which targets have which of *keys*, by both: `DELIVERED`, or `BY_HAND` where a person took care of it."""
    query = select(table.c.target, table.c.key, table.c.state).where(
        table.c.shop_id == shop_id,
        table.c.kind == kind,
        one_of(table.c.key, keys),
        table.c.state.in_([LinkState.DELIVERED, LinkState.BY_HAND]),
    )
    return {(row.target, row.key): LinkState(row.state) for row in await tx.execute(query)}


_ASKED = arrays("asked", target=("targets", Text()), kind=("kinds", Text()))
#: When a shop's targets were last given something of a kind, for pairs of both. It is one shop's: of several at
#: once Postgres would not read the newest from the index.
LAST_DELIVERED = select(
    _ASKED.c.target,
    _ASKED.c.kind,
    select(func.max(table.c.updated_at))
    .where(
        table.c.shop_id == bindparam("shop_id", type_=Uuid),
        table.c.target == _ASKED.c.target,
        table.c.kind == _ASKED.c.kind,
        table.c.hash.is_not(None),
    )
    .scalar_subquery()
    .label("at"),
)


def pairs_asked(shop_id: ShopId, flows: Collection[tuple[str, str]]) -> dict[str, Any]:
    """What `LAST_DELIVERED` asks about: *flows* are pairs of target and kind."""
    return {
        "shop_id": shop_id,
        "targets": [target for target, _ in flows],
        "kinds": [kind for _, kind in flows],
    }


def last_delivered(rows: Iterable[Any]) -> dict[tuple[str, str], datetime]:
    """Rows of `LAST_DELIVERED`: the moments by target and kind, of what was ever delivered."""
    return {(row.target, row.kind): row.at for row in rows if row.at is not None}


def _followed(shop_id: ShopId, target: str, kind: str) -> tuple[ColumnElement[bool], ...]:
    return at(
        shop_id,
        target,
        table.c.kind == kind,
        table.c.state == LinkState.DELIVERED,
        table.c.remote_id.regexp_match(NUMERIC),
    )


async def unfinished(
    tx: AsyncConnection, shop_id: ShopId, target: str, kind: str, *, since: datetime, only_status: str | None
) -> list[Link]:
    """Delivered links, written since then, of which more is to be looked for; with *only_status*, those that have
    that status there, as far as is known."""
    query = select(table).where(*_followed(shop_id, target, kind), table.c.updated_at > since, ~table.c.closed)
    if only_status is not None:
        query = query.where(func.coalesce(table.c.remote_status, only_status) == only_status)
    return [link_of(row) for row in await tx.execute(query)]


async def by_remote_id(
    tx: AsyncConnection, shop_id: ShopId, target: str, kind: str, remote_id: str
) -> Link | None:
    """The delivered link of the thing that has this id there."""
    query = select(table).where(*_followed(shop_id, target, kind), table.c.remote_id == remote_id).limit(1)
    row = (await tx.execute(query)).first()
    return None if row is None else link_of(row)


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
    return None if row is None else link_of(row)


async def was_created(tx: AsyncConnection, shop_id: ShopId, target: str, kind: str, part: int) -> bool:
    """Whether a link of *kind* has created this part."""
    here = at(shop_id, target, table.c.kind == kind, table.c.created_keys.contains([part]))
    return bool(await tx.scalar(select(exists().where(*here))))


async def watched(
    tx: AsyncConnection, shop_id: ShopId, target: str, kind: str
) -> list[tuple[str, datetime | None, datetime]]:
    """What is watched of *kind*: key, when it last changed there, when that was written."""
    here = at(shop_id, target, table.c.kind == kind, table.c.state == LinkState.WATCHED)
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


def delivered_since(shop_id: ShopId, targets: Collection[str], kind: str, since: datetime) -> Subquery:
    """What of *kind* was written after *since* and the targets have, or a person took care of: target, key, and
    whether `by_hand`."""
    query = select(table.c.target, table.c.key, _BY_HAND).where(
        table.c.shop_id == shop_id,
        one_of(table.c.target, targets),
        table.c.kind == kind,
        table.c.state.in_([LinkState.DELIVERED, LinkState.BY_HAND]),
        table.c.updated_at > since,
    )
    return query.subquery("delivered")


def delivered(shop_id: ShopId, kind: str) -> Subquery:
    """What of *kind* the targets have, or a person took care of: target, key, and whether `by_hand`."""
    query = select(table.c.target, table.c.key, _BY_HAND).where(
        table.c.shop_id == shop_id,
        table.c.kind == kind,
        table.c.state.in_([LinkState.DELIVERED, LinkState.BY_HAND]),
    )
    return query.subquery("delivered")


def called(shop_id: ShopId, targets: Collection[str], kind: str, name: str) -> Select[str]:
    """What of *kind* one of *targets* calls *name*: by its id there, or by the number that it gave."""
    return select(table.c.parent).where(
        table.c.shop_id == shop_id,
        one_of(table.c.target, targets),
        table.c.kind == constant(kind),
        or_(table.c.remote_id == name, table.c.metadata[constant("order_number")].astext == name),
    )


def keys_beginning(shop_id: ShopId, targets: Collection[str], kind: str, words: str, *, most: int) -> Select[str]:
    """Entities whose key begins with *words* and of which *targets* have something of *kind*."""
    here = (table.c.shop_id == shop_id, table.c.kind == kind)
    return beginning_in(table.c.target, targets, table.c.parent, words, *here, most=most)
