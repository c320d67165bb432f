"""A lane is the work of one shop with one system in one direction: `pull:upgates`, `push:upp`, …

A lane that cannot go on (no budget, no answer, refused) is blocked until a moment, for purposes from *priority*
on: when only the import has run out of budget, orders still pass.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, nullcontext
from datetime import datetime
from weakref import WeakValueDictionary

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from upbridge.core.backoff import pause_after
from upbridge.core.deadline import pause_deadline, time_limit
from upbridge.core.errors import LoginsFailed, Throttled, Unreachable
from upbridge.domain.lane import Lane
from upbridge.domain.platform import PLATFORM
from upbridge.domain.shop_id import ShopId
from upbridge.store import due_lanes
from upbridge.store import lanes as rows
from upbridge.store.session import reading
from upbridge.store.sql import Composed
from upbridge.systems.base import Systems

#: The system that is the shop itself.

HUNG_SECONDS = 65.0
"""A database that is well ends a statement sooner (`session.STATEMENT_SECONDS`)."""

#: Who waits for a lane in this process; a lock goes with the last who wants it.
_turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()


@asynccontextmanager
async def exclusive(
    engine: AsyncEngine, lane: Lane, *, wait: bool = False
) -> AsyncIterator[AsyncConnection | None]:
    """Hold the lane alone, over all processes; yields None if another worker holds this shop and system.

    *wait*: wait until the other worker's slice ends, and be the next holder. Raises `OperationalError` if that
    takes longer than a statement may, `TimeoutError` if the server does not answer. Only one task per process and
    lane may wait, because each waiter keeps a connection and the holder needs a second one.

    The lock belongs to a database session: a worker that hangs keeps it, a worker that dies loses it, and no clock
    decides. Write what must not happen twice through the yielded connection (each statement commits by itself): if
    the session is gone, the write fails.
    """
    async with _turn(lane) if wait else nullcontext(), engine.connect() as plain:
        tx = await plain.execution_options(isolation_level="AUTOCOMMIT")
        mine = await _TRY.first(tx, name=lane.lock)
        assert mine is not None, "it answers"
        if not mine.taken and not wait:
            yield None
            return
        if not mine.taken:
            with pause_deadline():  # the database is well, a worker is waited for
                async with time_limit(HUNG_SECONDS):
                    await _LOCK.run(tx, name=lane.lock)
        try:
            yield tx
        finally:
            if not tx.invalidated:  # else the session is gone, and the lock with it
                await _UNLOCK.run(tx, name=lane.lock)


_TRY = Composed(text("SELECT pg_try_advisory_lock(hashtextextended(:name, 0)) AS taken"))
_LOCK = Composed(text("SELECT pg_advisory_lock(hashtextextended(:name, 0))"))
_UNLOCK = Composed(text("SELECT pg_advisory_unlock(hashtextextended(:name, 0))"))


@asynccontextmanager
async def _turn(lane: Lane) -> AsyncIterator[None]:
    turn = _turns.setdefault(lane.lock, asyncio.Lock())
    with pause_deadline():
        await turn.acquire()
    try:
        yield
    finally:
        turn.release()


async def held(tx: AsyncConnection, candidates: Iterable[Lane]) -> set[Lane]:
    """Those of *candidates* whose shop and system a worker holds at this moment."""
    by_lock: dict[str, set[Lane]] = {}
    for lane in candidates:
        by_lock.setdefault(lane.lock, set()).add(lane)
    rows = await tx.execute(
        text(
            """
            SELECT name FROM unnest(CAST(:names AS text[])) AS name
            WHERE EXISTS (
              SELECT FROM pg_locks l JOIN pg_database d ON d.oid = l.database AND d.datname = current_database()
              WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
                AND (CAST(l.classid AS bigint) << 32 | CAST(l.objid AS bigint)) = hashtextextended(name, 0))
            """
        ),
        {"names": list(by_lock)},
    )
    return {lane for row in rows for lane in by_lock[row.name]}


async def block(
    engine: AsyncEngine,
    lane: Lane,
    *,
    reason: str,
    now: datetime,
    until: datetime | None = None,
    priority: int = 0,
    asked: bool = False,
    logins: bool = False,
) -> datetime:
    """Block purposes from *priority* on until *until*, or for longer after each failure; returns until when.

    *asked*: nothing has failed, but no calls are left, or the system said "later". *logins*: because too many
    logins failed.
    """
    async with engine.begin() as tx:
        failures = await rows.count_failure(
            tx, lane, reason=reason, priority=priority, asked=asked, logins=logins, now=now
        )
        moment = until if until is not None else now + pause_after(failures)
        await rows.rest_until(tx, lane, moment)
    return moment


async def wait(
    engine: AsyncEngine, lane: Lane, error: Throttled | Unreachable, *, now: datetime, priority: int = 0
) -> None:
    """Block purposes from *priority* on because of *error*: until the moment that it names, or for longer after
    each failure."""
    asked, logins = isinstance(error, Throttled), isinstance(error, LoginsFailed)
    until = error.until if isinstance(error, Throttled) else None
    await block(
        engine, lane, reason=str(error), now=now, until=until, priority=priority, asked=asked, logins=logins
    )


async def due(
    engine: AsyncEngine, systems: Systems, *, now: datetime, only: ShopId | None = None
) -> Sequence[Lane]:
    """Lanes that have something to do now and are not blocked."""
    async with reading(engine) as tx:
        return await due_lanes.due(tx, shop_system=PLATFORM, writers=list(systems.write_backs), now=now, only=only)
