"""Store deliveries: one committed write, well inside Upgates' second (R36, R37).

    delivery ──► waits for its shop's turn ──► one statement with all that waits ──► committed ──► 204
                                 └── not committed after DEADLINE ──► 503, even if it is committed later

A shop's deliveries are written one statement after the other, and what comes while one is under way goes together
in the next: a bulk edit costs few commits, a single delivery does not wait, and a shop whose rows are locked keeps
no other shop waiting (docs/decisions/0008). Upgates treats a time-out as delivered, so a late answer loses the
event: an answer never waits longer than `DEADLINE`, not even for a late attempt to be cancelled.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import IntEnum
from typing import Any, NamedTuple, TypeAlias
from uuid import UUID

import psycopg
from sqlalchemy import (
    ColumnElement,
    DateTime,
    Integer,
    Text,
    Uuid,
    bindparam,
    case,
    cast,
    column,
    func,
    literal_column,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import ARRAY

from upbridge.core.clock import Clock
from upbridge.core.database_failure import reason_of
from upbridge.core.errors import NotFound, NotReady
from upbridge.domain.shop_id import ShopId
from upbridge.store import changes, deliveries, gatherings, shops
from upbridge.store.changes import PURPOSES, Kind, Origin
from upbridge.store.sql import for_driver
from upbridge.webhooks.connection_pool import InboxPool
from upbridge.webhooks.parsing import MAX_RECORDS, ChangedKeys
from upbridge.webhooks.quotas import Quotas

DEADLINE = 0.45
"""Seconds for everything that touches the database; half a second is promised for the whole answer."""
PAUSE = 0.1
"""Seconds for which deliveries over a shop's quota wait for each other."""
LONGEST = timedelta(hours=1, minutes=1)
"""No gathering lasts longer (`rate_limits.pace`): a later end is from a clock that was wrong, so it is over."""
MOST = 64
"""Deliveries in one statement; and no more records than one delivery may have."""

_WARM = 4
#: Between the parts of a list, and between lists; no key holds one (`parsing` takes printable ones only).
_SEPARATOR, _LISTS = "\x1f", "\x1e"
_BETWEEN: ColumnElement[str] = literal_column("E'\\x1f'", Text)
_NO_KEYS: ColumnElement[Any] = literal_column("'{}'::text[]", ARRAY(Text))
_BETWEEN_LISTS: ColumnElement[str] = literal_column("E'\\x1e'", Text)


def _list(name: str) -> ColumnElement[Any]:
    """A list of texts that travels as one text: of 5,000 keys that is a tenth of the work that an array is."""
    return _split(bindparam(name, type_=Text), _BETWEEN)


def _split(texts: ColumnElement[str], between: ColumnElement[str]) -> ColumnElement[Any]:
    return func.string_to_array(texts, between, type_=ARRAY(Text))


class Stored(IntEnum):
    """What came of storing deliveries."""

    NO_SHOP_LISTENS = 0
    GATHERED = 1
    """A worker looks at it when the gathering ends."""
    DUE = 2
    """It is the first for some time: a worker may read it at once."""


def _statement() -> bytes:
    """Store deliveries and mark what they announce, if their shop listens; returns `Stored`.

    Composed of what the owners of the tables export, once; it is executed without SQLAlchemy.
    """
    listening = shops.listening(bindparam("shop_id", type_=Uuid), bindparam("generation", type_=Integer))
    source = bindparam("source", type_=Text)
    now, latest = (bindparam(name, type_=DateTime(timezone=True)) for name in ("now", "latest"))
    numbers = ARRAY(Integer)
    named = _split(bindparam("named", type_=Text), _BETWEEN_LISTS)
    one = (
        func.unnest(_list("events"), cast(_list("records"), numbers), named)
        .table_valued(column("event", Text), column("records", Integer), column("keys", Text))
        .render_derived(name="one")
    )
    mark = (
        func.unnest(_list("kinds"), _list("keys"), _list("origins"), cast(_list("priorities"), numbers))
        .table_valued(*(column(name, Text) for name in ("kind", "key", "origin")), column("priority", Integer))
        .render_derived(name="mark")
    )
    announced_by, until = gatherings.beside(
        listening.join(mark, true()), shop_id=listening.c.id, source=source, priority=mark.c.priority
    )
    announced = (
        select(
            listening.c.id.label("shop_id"),
            source.label("source"),
            mark,
            now.label("hinted_at"),
            case((until.between(now, latest), until), else_=now).label("due_at"),
        )
        .select_from(announced_by)
        .cte("announced")
    )
    keys = func.coalesce(_split(one.c["keys"], _BETWEEN), _NO_KEYS)
    stored = deliveries.adding(select(listening.c.id, source, one.c.event, one.c.records, keys, now))
    marked = changes.marking(select(announced))
    at_once = select(announced).where(announced.c.due_at <= now).exists()
    due, gathered = (literal_column(str(int(outcome)), Integer) for outcome in (Stored.DUE, Stored.GATHERED))
    whole = (
        select(func.count() * case((at_once, due), else_=gathered))
        .select_from(listening)
        .add_cte(stored.cte("delivered"))
        .add_cte(marked.cte("marked"))
    )
    return for_driver(whole)


_STORE = _statement()


def inbox_engine(conninfo: str) -> InboxPool:
    """Connections of its own, so that no page and no job can keep a webhook waiting for one."""
    return InboxPool(conninfo, statement_seconds=DEADLINE)


@dataclass(frozen=True, slots=True)
class _Delivery:
    """What waits to be stored; *stored*: whether its shop listens, or the error."""

    event: str
    hints: ChangedKeys
    stored: asyncio.Future[bool]


class _Line(NamedTuple):
    """Deliveries that one writer stores."""

    shop_id: ShopId
    generation: int
    source: str


#: Shop and source.
Announce: TypeAlias = Callable[[ShopId, str], None]


class Inbox:
    """Stores deliveries of known shops."""

    def __init__(self, engine: InboxPool, clock: Clock, *, announce: Announce) -> None:
        """*announce*: told of each shop and source whose news a worker may read at once; must return at once."""
        self._pool = engine
        self._clock = clock
        self._announce = announce
        self._waiting: dict[_Line, list[_Delivery]] = {}
        self._writers: set[asyncio.Task[None]] = set()
        self._together: dict[_Line, asyncio.Task[None]] = {}
        self.quotas = Quotas()

    async def warm_up(self) -> None:
        """Open connections and prepare the statement, so that the first delivery does not pay for it.

        Raises `OSError` if the database cannot be had.
        """
        nobody = _Line(ShopId(UUID(int=0)), 0, "")
        stored: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        values = self._values(nobody, [_Delivery("", ChangedKeys({}, records=0), stored)])
        try:
            await asyncio.gather(*(self._pool.value(_STORE, values) for _ in range(_WARM)))
        except psycopg.Error as error:
            raise ConnectionError(f"the inbox cannot reach the database: {type(error).__name__}") from error

    async def store(
        self,
        shop_id: ShopId,
        *,
        source: str,
        event: str,
        hints: ChangedKeys,
        generation: int = 0,
        waited: float = 0.0,
    ) -> None:
        """Keep the delivery and its hints, or raise: `NotFound` (no such shop listens, or not at addresses of this
        *generation* any more), `NotReady` (repeat it). *waited*: seconds that it has had already."""
        await self._store(_Line(shop_id, generation, source), event, hints, seconds=DEADLINE - waited)

    async def store_together(
        self, shop_id: ShopId, *, source: str, event: str, hints: ChangedKeys, generation: int = 0
    ) -> None:
        """Keep *hints* that say the same for every delivery of a shop and source. Raises what `store` raises.

        What comes within `PAUSE` has one write in common, so a flood costs ten writes a second.
        """
        line = _Line(shop_id, generation, source)
        together = self._together.get(line)
        if together is None:

            async def write() -> None:
                await asyncio.sleep(PAUSE)
                del self._together[line]  # who comes from now on may know of something newer
                await self._store(line, event, hints, seconds=DEADLINE - PAUSE)

            together = self._together[line] = asyncio.create_task(write())
            together.add_done_callback(_seen)  # all who wait for it may have hung up
        await asyncio.shield(together)

    async def _store(self, line: _Line, event: str, hints: ChangedKeys, *, seconds: float) -> None:
        stored: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._enqueue(line, _Delivery(event, hints, stored))
        await asyncio.wait([stored], timeout=seconds)
        if not stored.done():
            stored.cancel()
            raise NotReady("the delivery could not be stored in time")
        if not stored.result():
            raise NotFound("no shop listens at this address")

    def _enqueue(self, line: _Line, delivery: _Delivery) -> None:
        if line in self._waiting:  # its writer is at work and comes back for more
            self._waiting[line].append(delivery)
            return
        self._waiting[line] = [delivery]
        writer = asyncio.create_task(self._write(line))
        self._writers.add(writer)
        writer.add_done_callback(self._writers.discard)

    async def _write(self, line: _Line) -> None:
        """Store what waits in *line*, and what comes meanwhile, until nothing does."""
        try:
            while batch := self._take(line):
                try:
                    outcome = Stored(await self._pool.value(_STORE, self._values(line, batch)))
                except (psycopg.Error, OSError) as error:
                    _fail(batch, f"the delivery could not be stored: {reason_of(error)}")
                else:
                    for one in batch:
                        if not one.stored.done():
                            one.stored.set_result(outcome is not Stored.NO_SHOP_LISTENS)
                    if outcome is Stored.DUE:
                        self._announce(line.shop_id, line.source)
        finally:
            del self._waiting[line]

    def _take(self, line: _Line) -> list[_Delivery]:
        """The oldest that still wait for an answer, as many as fit into one statement."""
        waiting = [one for one in self._waiting[line] if not one.stored.done()]
        records, count = 0, 0
        for one in waiting[:MOST]:
            records += one.hints.records
            if count and records > MAX_RECORDS:
                break
            count += 1
        self._waiting[line] = waiting[count:]
        return waiting[:count]

    def _values(self, line: _Line, batch: Sequence[_Delivery]) -> Mapping[str, Any]:
        # In order, so that two writers cannot deadlock.
        marks: dict[tuple[str, str], str] = {}
        for one in batch:
            for kind, keys in one.hints.keys.items():
                origin = Origin.DELETION if one.hints.deletes else Origin.WEBHOOK
                for key in keys:
                    marks[kind, key] = origin if origin is Origin.DELETION else marks.get((kind, key), origin)
        rows = sorted(marks.items())
        quota, kept = self.quotas.of(line.shop_id), []
        for one in batch:
            named = _named(one.hints)
            keep, with_names = quota.keeps(len(named))
            if keep:
                kept.append((one, _SEPARATOR.join(named) if with_names else ""))
        now = self._clock()
        return {
            "shop_id": line.shop_id,
            "generation": line.generation,
            "source": line.source,
            "events": _SEPARATOR.join([one.event for one, _ in kept]),
            "records": _SEPARATOR.join([str(one.hints.records) for one, _ in kept]),
            "named": _LISTS.join([named for _, named in kept]),
            "now": now,
            "latest": now + LONGEST,
            "kinds": _SEPARATOR.join([kind for (kind, _), _ in rows]),
            "keys": _SEPARATOR.join([key for (_, key), _ in rows]),
            "origins": _SEPARATOR.join([origin for _, origin in rows]),
            "priorities": _SEPARATOR.join([str(int(PURPOSES[Kind(kind)])) for (kind, _), _ in rows]),
        }


def _named(hints: ChangedKeys) -> Sequence[str]:
    """What a delivery named, for diagnosis."""
    return list(dict.fromkeys(key for keys in hints.keys.values() for key in keys))


def _seen(task: asyncio.Task[None]) -> None:
    """Its error, if it has one, is known."""
    if not task.cancelled():
        task.exception()


def _fail(batch: Sequence[_Delivery], reason: str) -> None:
    """Fail the deliveries of *batch* that still wait; each gets an error of its own."""
    for one in batch:
        if not one.stored.done():
            one.stored.set_exception(NotReady(reason))
