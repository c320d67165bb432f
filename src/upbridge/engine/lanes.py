"""A lane is the work of one shop with one system in one direction: `pull:upgates`, `push:upp`, …

A lane that cannot go on (no budget, no answer, refused) is blocked until a moment, for purposes from *priority*
on: when only the import has run out of budget, orders still pass.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, nullcontext
from datetime import datetime, timedelta
from typing import Any
from weakref import WeakValueDictionary

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from upbridge.core.deadline import pause_deadline
from upbridge.domain.lane import Lane
from upbridge.domain.shop_id import ShopId
from upbridge.systems.base import Systems

EVERYTHING = 100
"""Below this are all priorities."""

HUNG_SECONDS = 65.0
"""A database that is well ends a statement sooner (`db.STATEMENT_TIMEOUT`)."""

_FIRST_PAUSE = timedelta(seconds=2)
_LONGEST_PAUSE = timedelta(minutes=15)
#: Who waits for a lane in this process; a lock goes with the last who wants it.
_turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()


@asynccontextmanager
async def exclusive(
    engine: AsyncEngine, lane: Lane, *, wait: bool = False
) -> AsyncIterator[AsyncConnection | None]:
    """Be the only one in the world who works on this shop and system; yields None if somebody else is.

    *wait*: until whoever it is has ended (a bite of work), and nobody begins before. Raises `OperationalError`
    where that takes longer than a statement may, `TimeoutError` where nobody says so. Of one process and lane one
    waits at a time: each who waits keeps a connection, and whose turn it is needs another.

    The lock belongs to a database session, so a worker that hangs keeps it and one that dies loses it: no clock
    decides. What must not be done twice is written through the yielded connection (each statement commits by
    itself): if the session is gone, so is the right to go on, and the write fails.
    """
    async with _turn(lane) if wait else nullcontext(), engine.connect() as plain:
        tx = await plain.execution_options(isolation_level="AUTOCOMMIT")
        name = {"name": lane.lock}
        mine = await tx.scalar(text("SELECT pg_try_advisory_lock(hashtextextended(:name, 0))"), name)
        if not mine and not wait:
            yield None
            return
        if not mine:
            with pause_deadline():  # the database is well, a worker is waited for
                async with asyncio.timeout(HUNG_SECONDS):
                    await tx.execute(text("SELECT pg_advisory_lock(hashtextextended(:name, 0))"), name)
        try:
            yield tx
        finally:
            if not tx.invalidated:  # else the session is gone, and the lock with it
                await tx.execute(text("SELECT pg_advisory_unlock(hashtextextended(:name, 0))"), name)


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
    """Those of *candidates* that somebody works on at this moment, or on whose shop and system."""
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


def pause_after(failures: int) -> timedelta:
    """How long to leave a system alone after so many failures in a row: 2 s, doubled each time, at most 15 min."""
    return min(_FIRST_PAUSE * float(2 ** min(failures - 1, 12)), _LONGEST_PAUSE)


async def open_below(tx: AsyncConnection, lane: Lane, *, now: datetime) -> int:
    """Purposes more urgent than this may pass: `EVERYTHING`, or less while the lane is blocked."""
    priority = await tx.scalar(
        text("SELECT priority FROM lanes WHERE shop_id = :shop_id AND lane = :lane AND until > :now"),
        {"shop_id": lane.shop_id, "lane": lane.name, "now": now},
    )
    return EVERYTHING if priority is None else int(priority)


async def block(
    engine: AsyncEngine,
    lane: Lane,
    *,
    reason: str,
    now: datetime,
    until: datetime | None = None,
    priority: int = 0,
) -> datetime:
    """Block purposes from *priority* on until *until*, or for longer after each failure; returns until when."""
    async with engine.begin() as tx:
        failures = await tx.scalar(
            text(
                """
                INSERT INTO lanes (shop_id, lane, reason, priority, since, until)
                VALUES (:shop_id, :lane, :reason, :priority, :now, :now)
                ON CONFLICT (shop_id, lane) DO UPDATE SET
                  reason = excluded.reason, priority = excluded.priority,
                  failures = LEAST(lanes.failures + 1, 1000)
                RETURNING failures
                """
            ),
            {"shop_id": lane.shop_id, "lane": lane.name, "reason": reason, "priority": priority, "now": now},
        )
        moment = until if until is not None else now + pause_after(int(failures or 1))
        await tx.execute(
            text("UPDATE lanes SET until = :until WHERE shop_id = :shop_id AND lane = :lane"),
            {"shop_id": lane.shop_id, "lane": lane.name, "until": moment},
        )
    return moment


async def unblock(tx: AsyncConnection, lane: Lane, *, purpose: int = EVERYTHING) -> None:
    """The lane works (again) for *purpose*; a block of less urgent ones stays."""
    await tx.execute(
        text("DELETE FROM lanes WHERE shop_id = :shop_id AND lane = :lane AND priority <= :purpose"),
        {"shop_id": lane.shop_id, "lane": lane.name, "purpose": purpose},
    )


async def due(
    engine: AsyncEngine, systems: Systems, *, now: datetime, only: ShopId | None = None
) -> Sequence[Lane]:
    """Lanes that have something to do now and are not blocked. One index probe per shop, source and
    purpose that has a change, and per connection."""
    async with engine.connect() as tx:
        rows = await tx.execute(
            _DUE, {"now": now, "everything": EVERYTHING, "only": only, "write_backs": list(systems.write_backs)}
        )
        return [Lane.named(ShopId(row.shop_id), row.lane) for row in rows]


async def blocked(engine: AsyncEngine, shop_id: ShopId | None = None, *, now: datetime) -> list[dict[str, Any]]:
    """Blocked lanes with reason and until when, for people."""
    async with engine.connect() as tx:
        rows = await tx.execute(
            text(
                """
                SELECT s.key AS shop, l.lane, l.reason, l.failures, l.priority, l.since, l.until
                FROM lanes l JOIN shops s ON s.id = l.shop_id
                WHERE l.until > :now AND (CAST(:only AS uuid) IS NULL OR l.shop_id = :only) ORDER BY l.until
                """
            ),
            {"now": now, "only": shop_id},
        )
        return [dict(row) for row in rows.mappings()]


_DUE = text(
    """
    -- What is due first of each shop, source and purpose: from one to the next along the index, without the rest.
    WITH RECURSIVE first AS (
      (SELECT shop_id, source, priority, due_at FROM changes ORDER BY shop_id, source, priority, due_at LIMIT 1)
      UNION ALL
      SELECT following.* FROM first CROSS JOIN LATERAL (
        SELECT c.shop_id, c.source, c.priority, c.due_at FROM changes c
        WHERE (c.shop_id, c.source, c.priority) > (first.shop_id, first.source, first.priority)
        ORDER BY c.shop_id, c.source, c.priority, c.due_at LIMIT 1
      ) following
    )
    SELECT DISTINCT first.shop_id, 'pull:' || first.source AS lane
    FROM first JOIN shops s ON s.id = first.shop_id AND s.state = 'active'
    LEFT JOIN lanes l ON l.shop_id = first.shop_id AND l.lane = 'pull:' || first.source AND l.until > :now
    WHERE first.due_at <= :now AND first.priority < COALESCE(l.priority, :everything)
      AND (CAST(:only AS uuid) IS NULL OR s.id = :only)
    UNION ALL
    SELECT s.id, 'pull:upgates'
    FROM shops s JOIN changes c ON c.shop_id = s.id AND c.source = 'upgates' AND c.kind = 'probe'
    LEFT JOIN lanes l ON l.shop_id = s.id AND l.lane = 'pull:upgates' AND l.until > :now
    WHERE s.state IN ('suspended', 'uninstalling') AND c.due_at <= :now
      AND c.priority < COALESCE(l.priority, :everything) AND (CAST(:only AS uuid) IS NULL OR s.id = :only)
    UNION ALL
    SELECT c.shop_id, 'push:' || c.system
    FROM connections c JOIN shops s ON s.id = c.shop_id AND s.state = 'active'
    LEFT JOIN lanes l ON l.shop_id = c.shop_id AND l.lane = 'push:' || c.system AND l.until > :now
    WHERE c.state = 'connected' AND l.lane IS NULL AND (CAST(:only AS uuid) IS NULL OR s.id = :only)
      AND EXISTS (
        SELECT FROM documents d WHERE d.shop_id = c.shop_id AND d.target = c.system
          AND d.state IN ('waiting', 'sending') AND d.due_at <= :now)
    UNION ALL
    -- What goes back to the shop itself comes from these systems, and has a purpose in the shop's budget.
    SELECT DISTINCT c.shop_id, 'push:upgates'
    FROM connections c JOIN shops s ON s.id = c.shop_id AND s.state = 'active'
    LEFT JOIN lanes l ON l.shop_id = c.shop_id AND l.lane = 'push:upgates' AND l.until > :now
    WHERE c.system = ANY(:write_backs) AND c.state = 'connected' AND (CAST(:only AS uuid) IS NULL OR s.id = :only)
      AND EXISTS (
        SELECT FROM documents d WHERE d.shop_id = c.shop_id AND d.target = 'upgates'
          AND d.state IN ('waiting', 'sending') AND d.due_at <= :now
          AND d.priority < COALESCE(l.priority, :everything))
    """
)
