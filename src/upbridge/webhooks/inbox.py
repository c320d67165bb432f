"""Store deliveries: one committed write, well inside Upgates' second (R36, R37).

    small ──► one statement with all that waits, of all shops ──────────► committed ──► 204
                    └── a row is locked, or it fails ──┐
    large ──► one statement after the other, by shop ◄─┘
                    └── not committed after DEADLINE ──► 503, even if it is committed later

What comes while a statement is under way goes together in the next: a bulk edit, or a busy hour of many shops,
costs few commits, and a single delivery does not wait. If much comes, the next goes beside the one under way. A
shop whose rows are locked is written apart from the others, and so are large bodies: they keep no other shop
waiting (docs/decisions/0008). Upgates treats a time-out as delivered, so a late answer loses the event: an answer
never waits longer than `DEADLINE`, not even for a late attempt to be cancelled.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NamedTuple, TypeAlias
from uuid import UUID

import psycopg

from upbridge.core.clock import Clock
from upbridge.core.database_failure import reason_of
from upbridge.core.errors import NotFound, NotReady
from upbridge.domain.shop_id import ShopId
from upbridge.store.changes import PURPOSES, Kind, Origin
from upbridge.webhooks.connection_pool import SIZE, InboxPool
from upbridge.webhooks.parsing import MAX_RECORDS, ChangedKeys
from upbridge.webhooks.quotas import Quotas
from upbridge.webhooks.statement import LISTS, SEPARATOR, STORE, Stored

DEADLINE = 0.45
"""Seconds for everything that touches the database; half a second is promised for the whole answer."""
LOCK = 0.03
"""Seconds that deliveries of several shops wait for a lock that one of them needs."""
PAUSE = 0.1
"""Seconds for which deliveries over a shop's quota wait for each other."""
LONGEST = timedelta(hours=1, minutes=1)
"""No gathering lasts longer (`rate_limits.pace`): a later end is from a clock that was wrong, so it is over."""
MOST = 64
"""Deliveries in one statement; and no more records than one delivery may have."""
WRITERS = 2
"""Statements for deliveries of all shops under way at once: web reads more while Postgres commits."""
ENOUGH = 8
"""Deliveries that are worth a statement beside one that is under way; fewer wait for its end."""

FEW = 100
"""Records of a delivery that goes together with those of other shops; one with more takes the database long."""

_WARM = 4


def inbox_engine(conninfo: str, *, seconds: float = DEADLINE) -> InboxPool:
    """Connections of its own, so that no page and no job can keep a webhook waiting for one. No statement of
    theirs takes longer than *seconds*."""
    return InboxPool(conninfo, statement_seconds=seconds, lock_seconds=LOCK)


@dataclass(frozen=True, slots=True)
class _Delivery:
    """What waits to be stored; *stored*: whether its shop listens, or the error."""

    event: str
    changed: ChangedKeys
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

    def __init__(self, engine: InboxPool, clock: Clock, *, announce: Announce, seconds: float = DEADLINE) -> None:
        """*announce*: told of each shop and source whose news a worker may read at once; must return at once.
        *seconds*: after which a delivery that is not committed is refused."""
        self._pool = engine
        self._seconds = seconds
        self._clock = clock
        self._announce = announce
        self._waiting: list[tuple[_Line, _Delivery]] = []
        self._writing = 0
        self._apart: dict[_Line, list[_Delivery]] = {}
        self._apart_at_once = asyncio.Semaphore(SIZE - WRITERS)  # the rest is for all others
        self._writers: set[asyncio.Task[None]] = set()
        self._together: dict[_Line, asyncio.Task[None]] = {}
        self.quotas = Quotas()

    async def warm_up(self) -> None:
        """Open connections and prepare the statement, so that the first delivery does not pay for it.

        Raises `OSError` if the database cannot be had.
        """
        nobody = _Line(ShopId(UUID(int=0)), 0, "")
        stored: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        values = self._values({nobody: [_Delivery("", ChangedKeys({}, records=0), stored)]})
        try:
            await asyncio.gather(*(self._pool.value(STORE, values) for _ in range(_WARM)))
        except psycopg.Error as error:
            raise ConnectionError(f"the inbox cannot reach the database: {type(error).__name__}") from error

    async def store(
        self,
        shop_id: ShopId,
        *,
        source: str,
        event: str,
        changed: ChangedKeys,
        generation: int = 0,
        waited: float = 0.0,
    ) -> None:
        """Keep the delivery and mark what it names, or raise: `NotFound` (no such shop listens, or not at
        addresses of this *generation* any more), `NotReady` (repeat it). *waited*: the seconds that it has had."""
        await self._store(_Line(shop_id, generation, source), event, changed, seconds=self._seconds - waited)

    async def store_together(
        self, shop_id: ShopId, *, source: str, event: str, changed: ChangedKeys, generation: int = 0
    ) -> None:
        """Mark *changed*, which says the same for every delivery of a shop and source. Raises what `store` raises.

        What comes within `PAUSE` has one write in common, so a flood costs ten writes a second.
        """
        line = _Line(shop_id, generation, source)
        together = self._together.get(line)
        if together is None:

            async def write() -> None:
                await asyncio.sleep(PAUSE)
                del self._together[line]  # who comes from now on may know of something newer
                await self._store(line, event, changed, seconds=self._seconds - PAUSE)

            together = self._together[line] = asyncio.create_task(write())
            together.add_done_callback(_seen)  # all who wait for it may have hung up
        await asyncio.shield(together)

    async def _store(self, line: _Line, event: str, changed: ChangedKeys, *, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        stored: asyncio.Future[bool] = loop.create_future()
        delivery = _Delivery(event, changed, stored)
        self._enqueue(line, delivery)
        timer = loop.call_later(seconds, _fail, [delivery], "the delivery could not be stored in time")
        try:
            listens = await stored
        finally:
            timer.cancel()
        if not listens:
            raise NotFound("no shop listens at this address")

    def _enqueue(self, line: _Line, delivery: _Delivery) -> None:
        if line in self._apart:  # its writer is at work and comes back for more
            self._apart[line].append(delivery)
        elif delivery.changed.records > FEW:
            self._write_apart(line, [delivery])
        else:
            self._waiting.append((line, delivery))
            if not self._writing or (self._writing < WRITERS and len(self._waiting) >= ENOUGH):
                self._writing += 1
                self._start(self._write())

    def _start(self, writer: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(writer)
        self._writers.add(task)
        task.add_done_callback(self._writers.discard)

    async def _write(self) -> None:
        """Store what waits, and what comes meanwhile, until nothing does or it can wait for another writer."""
        try:
            while (self._writing == 1 or len(self._waiting) >= ENOUGH) and (lines := self._take()):
                try:
                    await self._put(lines)
                except (psycopg.Error, OSError) as error:
                    if getattr(error, "sqlstate", None) is None:  # there is no server, for none of them
                        for batch in lines.values():
                            _fail(batch, _why(error))
                        continue
                    # A row of one of them is locked, most likely: now only its own shop waits for it.
                    for line, batch in lines.items():
                        self._write_apart(line, [*batch, *(one for other, one in self._waiting if other == line)])
                    self._waiting = [(line, one) for line, one in self._waiting if line not in lines]
        finally:
            self._writing -= 1

    def _take(self) -> dict[_Line, list[_Delivery]]:
        """The oldest that still wait for an answer, as many as fit into one statement."""
        waiting = [(line, one) for line, one in self._waiting if not one.stored.done()]
        fitting = _fitting([one for _, one in waiting])
        self._waiting = waiting[fitting:]
        lines: dict[_Line, list[_Delivery]] = {}
        for line, one in waiting[:fitting]:
            lines.setdefault(line, []).append(one)
        return lines

    def _write_apart(self, line: _Line, deliveries: list[_Delivery]) -> None:
        if line in self._apart:
            self._apart[line] += deliveries
        else:
            self._apart[line] = deliveries
            self._start(self._write_line(line))

    async def _write_line(self, line: _Line) -> None:
        """Store what waits in *line*, and what comes meanwhile, until nothing does; wait for locks."""
        try:
            while batch := self._take_apart(line):
                try:
                    async with self._apart_at_once:
                        await self._put({line: batch}, patient=True)
                except (psycopg.Error, OSError) as error:
                    _fail(batch, _why(error))
        finally:
            del self._apart[line]

    def _take_apart(self, line: _Line) -> list[_Delivery]:
        waiting = [one for one in self._apart[line] if not one.stored.done()]
        fitting = _fitting(waiting)
        self._apart[line] = waiting[fitting:]
        return waiting[:fitting]

    async def _put(self, lines: Mapping[_Line, Sequence[_Delivery]], *, patient: bool = False) -> None:
        """Write *lines* in one statement and tell who waits. Raises what `InboxPool.value` raises."""
        outcomes = await self._pool.value(STORE, self._values(lines), patient=patient) or {}
        for place, (line, batch) in enumerate(lines.items(), start=1):
            outcome = Stored(outcomes.get(str(place), Stored.NO_SHOP_LISTENS))
            for one in batch:
                if not one.stored.done():
                    one.stored.set_result(outcome is not Stored.NO_SHOP_LISTENS)
            if outcome is Stored.DUE:
                self._announce(line.shop_id, line.source)

    def _values(self, lines: Mapping[_Line, Sequence[_Delivery]]) -> Mapping[str, Any]:
        kept: list[tuple[int, _Delivery, str]] = []
        marks: list[tuple[int, str, str, str]] = []
        for place, (line, batch) in enumerate(lines.items(), start=1):
            quota = self.quotas.of(line.shop_id)
            for one in batch:
                named = _named(one.changed)
                keep, with_names = quota.keeps(len(named))
                if keep:
                    kept.append((place, one, SEPARATOR.join(named) if with_names else ""))
            marks += [(place, kind, key, origin) for (kind, key), origin in _marks(batch).items()]
        now = self._clock()
        return {
            "shop_ids": SEPARATOR.join([str(line.shop_id) for line in lines]),
            "generations": SEPARATOR.join([str(line.generation) for line in lines]),
            "sources": SEPARATOR.join([line.source for line in lines]),
            "lines": SEPARATOR.join([str(place) for place, _, _ in kept]),
            "events": SEPARATOR.join([one.event for _, one, _ in kept]),
            "records": SEPARATOR.join([str(one.changed.records) for _, one, _ in kept]),
            "named": LISTS.join([named for _, _, named in kept]),
            "now": now,
            "latest": now + LONGEST,
            "marked": SEPARATOR.join([str(place) for place, _, _, _ in marks]),
            "kinds": SEPARATOR.join([kind for _, kind, _, _ in marks]),
            "keys": SEPARATOR.join([key for _, _, key, _ in marks]),
            "origins": SEPARATOR.join([origin for _, _, _, origin in marks]),
            "priorities": SEPARATOR.join([str(int(PURPOSES[Kind(kind)])) for _, kind, _, _ in marks]),
        }


def _marks(batch: Sequence[_Delivery]) -> dict[tuple[str, str], str]:
    """What *batch* announces, by kind and key, and by what."""
    marks: dict[tuple[str, str], str] = {}
    for one in batch:
        for kind, keys in one.changed.keys.items():
            origin = Origin.DELETION if one.changed.deletes else Origin.WEBHOOK
            for key in keys:
                marks[kind, key] = origin if origin is Origin.DELETION else marks.get((kind, key), origin)
    return marks


def _fitting(waiting: Sequence[_Delivery]) -> int:
    """How many of them, the first first, fit into one statement."""
    records = 0
    for count, one in enumerate(waiting[:MOST]):
        records += one.changed.records
        if count and records > MAX_RECORDS:
            return count
    return len(waiting[:MOST])


def _why(error: Exception) -> str:
    return f"the delivery could not be stored: {reason_of(error)}"


def _named(changed: ChangedKeys) -> Sequence[str]:
    """What a delivery named, for diagnosis."""
    return list(dict.fromkeys(key for keys in changed.keys.values() for key in keys))


def _seen(task: asyncio.Task[None]) -> None:
    """Its error, if it has one, is known."""
    if not task.cancelled():
        task.exception()


def _fail(batch: Sequence[_Delivery], reason: str) -> None:
    """Fail the deliveries of *batch* that still wait; each gets an error of its own."""
    for one in batch:
        if not one.stored.done():
            one.stored.set_exception(NotReady(reason))
