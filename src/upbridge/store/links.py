"""What is what in another system, and what of it was delivered last. A link goes with its shop."""

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import (
    BigInteger,
    Boolean,
    DateTime,
    Text,
    Uuid,
    bindparam,
    case,
    cast,
    delete,
    exists,
    func,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB, Insert, insert
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.dml import ReturningInsert
from sqlalchemy.types import TypeEngine

from upbridge.core.canonical_json import canonical
from upbridge.core.clock import Clock
from upbridge.domain.delivery import Delivered, DesiredDocument, Document, Link, LinkState
from upbridge.domain.shop_id import ShopId
from upbridge.store import cursors
from upbridge.store.link_queries import NUMERIC, at, link_of
from upbridge.store.schema import links as table
from upbridge.store.sql import Composed, as_rows, one_of, rows_of


async def adopt(tx: AsyncConnection, shop_id: ShopId, target: str, desired: Sequence[DesiredDocument]) -> None:
    """Take *desired* for what was delivered, where a link does not know what was."""
    for one in desired:
        here = at(shop_id, target, table.c.kind == one.kind, table.c.key == one.key)
        await tx.execute(update(table).where(*here, table.c.hash.is_(None)).values(hash=one.hash))


async def record_delivered(
    tx: AsyncConnection,
    shop_id: ShopId,
    target: str,
    delivered: Sequence[tuple[Document, Delivered]],
    *,
    now: datetime,
) -> None:
    """Remember what the target has now. No attempt is under way any more. In several statements, for a connection
    keeps for good as much memory as its longest one took."""
    ordered = sorted(delivered, key=lambda pair: (pair[0].kind, pair[0].key))
    for start in range(0, len(ordered), _AT_ONCE):
        rows = [
            _Arriving(
                *(document.kind, document.key, document.parent, LinkState.DELIVERED, document.hash),
                *(outcome.remote_id, outcome.keep, outcome.created_keys, outcome.remote_status, outcome.metadata),
            )
            for document, outcome in ordered[start : start + _AT_ONCE]
        ]
        await _RECORD.run(tx, shop_id=shop_id, target=target, now=now, rows=as_rows(rows))


#: So many links with what was sent are a quarter of a megabyte.
_AT_ONCE = 200


class _Arriving(msgspec.Struct, gc=False):
    kind: str
    key: str
    parent: str | None
    state: str
    hash: bytes | None
    remote_id: str | None
    sent: bytes | None
    created: Sequence[str | int]
    status: str | None
    metadata: Mapping[str, Any]


def _told_of(one: Link) -> tuple[Any, ...]:
    what = (one.kind, one.key, one.parent, one.state, one.hash)
    return (*what, one.remote_id, one.sent, one.created_keys, one.remote_status, one.metadata)


def _arriving(**more: tuple[str, TypeEngine[Any]]) -> Insert:
    """Many links in one statement. *more*: further columns, each with its name in a row and its type."""
    texts = {name: Text() for name in ("kind", "key", "parent", "state", "hash", "remote_id", "sent", "status")}
    c = rows_of("one", "rows", **texts, created=JSONB(), metadata=JSONB(), **dict(more.values())).c
    rows = select(
        bindparam("shop_id", type_=Uuid),
        bindparam("target", type_=Text),
        *(c.kind, c.key, c.parent, c.state, func.decode(c.hash, "base64"), c.remote_id),
        *(func.decode(c.sent, "base64"), c.created, c.status, c.metadata),
        bindparam("now", type_=DateTime(timezone=True)),
        *(c[name] for name, _ in more.values()),
    )
    names = ["shop_id", "target", "kind", "key", "parent", "state", "hash", "remote_id", "sent"]
    names += ["created_keys", "remote_status", "metadata", "updated_at", *more]
    return insert(table).from_select(names, rows)


def _recording() -> Insert:
    fresh = _arriving()
    replaced = ("parent", "state", "hash", "sent", "created_keys", "remote_status", "metadata", "updated_at")
    return fresh.on_conflict_do_update(
        constraint=table.primary_key,
        set_={
            **{name: fresh.excluded[name] for name in replaced},
            "remote_id": func.coalesce(fresh.excluded.remote_id, table.c.remote_id),
            **_NO_ATTEMPT,
        },
    )


_NO_ATTEMPT: Mapping[str, None] = {
    "attempted_at": None,
    "attempt_newer_than": None,
    "attempt_mark": None,
    "attempt_trace": None,
}
_RECORD = Composed(_recording())


async def save_links(
    tx: AsyncConnection, shop_id: ShopId, target: str, links: Iterable[Link], *, now: datetime
) -> None:
    """Insert or replace links, in the caller's transaction."""
    rows = [_saved(one) for one in sorted(links, key=lambda one: (one.kind, one.key))]
    await _SAVE.run(tx, shop_id=shop_id, target=target, now=now, rows=as_rows(rows))


class _Saved(_Arriving, gc=False, kw_only=True):
    changed_at: datetime | None
    closed: bool
    started_at: datetime | None = None
    newer_than: int | None = None
    mark: str | None = None
    trace: Mapping[str, Any] | None = None


def _saved(one: Link) -> _Saved:
    row = _Saved(*_told_of(one), changed_at=one.remote_updated_at, closed=one.closed)
    if (attempt := one.attempt) is not None:
        row.started_at, row.newer_than = attempt.started_at, attempt.newer_than
        row.mark, row.trace = attempt.mark, attempt.trace
    return row


def _saving() -> Insert:
    moment = DateTime(timezone=True)
    fresh = _arriving(
        remote_updated_at=("changed_at", moment),
        closed=("closed", Boolean()),
        attempted_at=("started_at", moment),
        attempt_newer_than=("newer_than", BigInteger()),
        attempt_mark=("mark", Text()),
        attempt_trace=("trace", JSONB()),
    )
    names = ("remote_id", "state", "hash", "sent", "created_keys", "remote_status", "remote_updated_at", "closed")
    replaced: dict[str, Any] = {
        name: fresh.excluded[name] for name in (*names, "metadata", "updated_at", *_NO_ATTEMPT)
    }
    replaced["parent"] = func.coalesce(fresh.excluded.parent, table.c.parent)
    return fresh.on_conflict_do_update(constraint=table.primary_key, set_=replaced)


_SAVE = Composed(_saving())


async def adopt_found(
    tx: AsyncConnection, shop_id: ShopId, target: str, found: Iterable[Link], *, now: datetime
) -> list[str]:
    """Link what *target* has although no link says so (a return, a restored database): it is not sent again.
    Returns the keys that were news. A link that is there stays as it is, unless it says that an attempt created
    nothing.

    A link without a hash does not know what was sent; the next reading of the thing takes the shop's state of then
    for it (`adopt`).
    """
    ordered = sorted({(one.kind, one.key): one for one in reversed([*found])}.items())
    rows = [_Arriving(*_told_of(one)) for _, one in ordered]
    if not rows:
        return []
    return [row.key for row in await _ADOPT.all(tx, shop_id=shop_id, target=target, now=now, rows=as_rows(rows))]


def _adopting() -> ReturningInsert[tuple[str]]:
    fresh = _arriving()
    replaced = ("remote_id", "state", "hash", "sent", "remote_status", "metadata", "updated_at")
    return fresh.on_conflict_do_update(
        constraint=table.primary_key,
        set_={**{name: fresh.excluded[name] for name in replaced}, **_NO_ATTEMPT},
        where=table.c.state == LinkState.UNSENT,
    ).returning(table.c.key)


_ADOPT = Composed(_adopting())


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


async def take_back(
    tx: AsyncConnection, shop_id: ShopId, target: str, places: Collection[tuple[str, str]], *, now: datetime
) -> None:
    """What a person had dealt with, by kind and key, is to be compared and delivered again: a link that says
    nothing else goes, of another it is not known any more what was delivered last."""
    these = tuple_(table.c.kind, table.c.key).in_(sorted(places))
    here = (*at(shop_id, target, these), table.c.erased_at.is_(None))
    await tx.execute(delete(table).where(*here, table.c.state == LinkState.BY_HAND))
    delivered = (*here, table.c.state == LinkState.DELIVERED, table.c.hash.is_not(None))
    await tx.execute(update(table).where(*delivered).values(hash=_TAKEN_BACK, updated_at=now))


#: The hash of what is to be delivered again: no document has it.
_TAKEN_BACK = b"taken back"
#: The hash of what was never sent and is not to be: no document has it either.
_ERASED = b"erased"


async def erase_persons(
    tx: AsyncConnection,
    shop_id: ShopId,
    target: str,
    kind: str,
    keys: Collection[str],
    *,
    forget: Callable[[Mapping[str, Any]], Mapping[str, Any]],
    now: datetime,
) -> tuple[int, list[str]]:
    """Nothing about the persons behind these things is known, or comes back: what a link keeps of what was sent is
    what *forget* leaves of it, and where there is no link one says so from now on, so that nothing is stored for
    sending again. Returns how many links kept something, and the ids at the target that are still known.
    """
    here = at(shop_id, target, table.c.kind == kind, one_of(table.c.key, keys))
    query = select(table.c.key, table.c.remote_id, table.c.sent, table.c.attempt_trace).where(*here)
    rows = (await tx.execute(query.order_by(table.c.key).with_for_update())).all()
    shortened = 0
    for row in rows:
        sent = None if row.sent is None else json.loads(row.sent)
        kept = None if sent is None else forget(sent)
        trace = None if row.attempt_trace is None else dict(forget(row.attempt_trace))
        shortened += (kept, trace) != (sent, row.attempt_trace)
        values = {
            "sent": None if kept is None else canonical(dict(kept)),
            "attempt_trace": trace,
            "erased_at": now,
        }
        await tx.execute(
            update(table).where(*at(shop_id, target, table.c.kind == kind, table.c.key == row.key)).values(values)
        )
    missing = sorted(set(keys) - {row.key for row in rows})
    blank = {"shop_id": shop_id, "target": target, "kind": kind, "state": LinkState.BY_HAND, "hash": _ERASED}
    if missing:
        await tx.execute(
            insert(table),
            [{**blank, "key": key, "parent": key, "erased_at": now, "updated_at": now} for key in missing],
        )
    return shortened, [row.remote_id for row in rows if row.remote_id is not None]


async def forget(tx: AsyncConnection, shop_id: ShopId, target: str) -> None:
    """What was linked at *target* is not there: the shop has another account now. What was erased stays erased:
    such a link says so, and nothing else."""
    await tx.execute(delete(table).where(*at(shop_id, target, table.c.erased_at.is_(None))))
    nothing = dict.fromkeys(("remote_id", "sent", "remote_status", "remote_updated_at"))
    blank = {"state": LinkState.BY_HAND, "hash": _ERASED, "created_keys": [], "metadata": {}, "closed": False}
    await tx.execute(update(table).where(*at(shop_id, target)).values({**blank, **nothing, **_NO_ATTEMPT}))


async def forget_keys(tx: AsyncConnection, shop_id: ShopId, target: str, kind: str, keys: Collection[str]) -> None:
    """Delete the links of *kind* with these keys."""
    here = at(shop_id, target, table.c.kind == kind, one_of(table.c.key, keys))
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
    here = at(shop_id, target, table.c.kind == kind, table.c.key == key)
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
    here = at(shop_id, target, table.c.kind == kind, table.c.updated_at > since, table.c.closed, ~there)
    await tx.execute(update(table).where(*here).values(closed=False, remote_updated_at=None, updated_at=now))


async def look_again(
    tx: AsyncConnection, shop_id: ShopId, target: str, kind: str, keys: Iterable[str], *, now: datetime
) -> None:
    """Look again at those of these links that are closed."""
    here = at(shop_id, target, table.c.kind == kind, one_of(table.c.key, sorted(keys)), table.c.closed)
    await tx.execute(update(table).where(*here).values(closed=False, remote_updated_at=None, updated_at=now))


_GET = Composed(select(table).where(*(column == bindparam(column.name) for column in table.primary_key)))


class StoredLinks:
    """The links of one shop and target (`base.Links`), through the session that holds the lane."""

    def __init__(self, guard: AsyncConnection, shop_id: ShopId, target: str, clock: Clock) -> None:
        self._guard = guard
        self._shop_id = shop_id
        self._target = target
        self._clock = clock

    async def get(self, kind: str, key: str) -> Link | None:
        """The link, or None."""
        row = await _GET.first(self._guard, shop_id=self._shop_id, target=self._target, kind=kind, key=key)
        return None if row is None else link_of(row)

    async def save(self, *links: Link) -> None:
        """Insert or replace the links, all or none; committed when this returns."""
        await save_links(self._guard, self._shop_id, self._target, links, now=self._clock())

    async def high_water(self, kind: str) -> int | None:
        """The highest id at the target that is known among links of *kind*, or that `reached` recorded."""
        number = case(
            (table.c.remote_id.regexp_match(NUMERIC), cast(table.c.remote_id, table.c.attempt_newer_than.type))
        )
        here = at(self._shop_id, self._target, table.c.kind == kind)
        highest = await self._guard.scalar(
            select(func.greatest(func.max(number), func.max(table.c.attempt_newer_than))).where(*here)
        )
        told = await cursors.get(self._guard, self._shop_id, self._target, _high_water(kind))
        return max((int(value) for value in (highest, told) if value is not None), default=None)

    async def reached(self, kind: str, number: int) -> None:
        """An id there that exists: what is created from now on has a higher one. Committed when this returns."""
        await cursors.put(self._guard, self._shop_id, self._target, _high_water(kind), str(number))

    async def put_back_at(self) -> datetime | None:
        """When the database was last found to be older than the world."""
        told = await cursors.get(self._guard, self._shop_id, self._target, cursors.PUT_BACK_AT)
        return None if told is None else datetime.fromisoformat(told)

    async def linked_up_to(self, kind: str) -> int | None:
        """The id up to which each thing of ours has a link; before `adopt` said one, the highest that was known at
        the first question: what is found later may have forgotten things below it."""
        told = await cursors.get(self._guard, self._shop_id, self._target, _linked(kind))
        if told is None:
            told = str(await self.high_water(kind) or 0)
            await cursors.put(self._guard, self._shop_id, self._target, _linked(kind), told)
        return int(told)

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
