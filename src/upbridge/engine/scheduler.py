"""What happens because of the clock: rows in `changes`, spread over the day by shop (R51); and leave-taking."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from upbridge.core.clock import Clock
from upbridge.domain.platform import PLATFORM
from upbridge.domain.shop import PROBE_PAUSE, ShopState
from upbridge.domain.shop_id import ShopId
from upbridge.engine import catalogue_guard, forgotten
from upbridge.engine.access import Logins
from upbridge.engine.catch_up import LastBeat, report, why_catch_up
from upbridge.engine.runs import end_lost, give_up_stuck, start_run
from upbridge.settings import Settings
from upbridge.store import change_queries, connections, runs, shop_queries, shops
from upbridge.store.changes import Kind, Origin, mark_changed
from upbridge.store.connections import Connections
from upbridge.store.runs import Run, RunPurpose, RunState
from upbridge.store.shops import Shops
from upbridge.store.sql import Overdue
from upbridge.systems.base import Systems

log = structlog.get_logger(__name__)

SUBSCRIPTIONS_EVERY = timedelta(hours=24)
FACTS_EVERY = timedelta(hours=24)
"""Facts are renewed by webhook; this is for the webhook that was lost, and for what no webhook tells."""
UNINSTALL_AFTER = timedelta(hours=24)
"""A deactivated shop that gives no answer at all is taken at its word after this."""
OVERLAP = timedelta(hours=1)
"""How far the safety net reaches back before its last run: two clocks, and changes while it ran."""

_LOCK = "upbridge.schedule"
_AHEAD = 1.4
"""How much faster than it became due things begin again that piled up while no worker was there."""
_AT_LEAST = timedelta(seconds=12)
"""So often at least one shop may begin, however few there are."""


@dataclass(frozen=True, slots=True)
class Tick:
    """The time since any worker looked at the schedule; after a standstill no more counts than a tick has."""

    since: datetime
    now: datetime

    @classmethod
    def of(cls, last: datetime | None, now: datetime) -> "Tick":
        """The time from *last* on; None: no worker has looked yet."""
        first = now - _AT_LEAST
        return cls(first if last is None else min(max(last, first), now), now)

    def room(self, shops_there: int, every: timedelta) -> int:
        """How many of *shops_there* may begin now what each does *every* so often.

        What has piled up is spread, not begun at once: a minute holds less than half as much again as the mean.
        """
        pause = min(every / max(shops_there, 1) / _AHEAD, _AT_LEAST)
        return (self.now - _EPOCH) // pause - (self.since - _EPOCH) // pause


_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Scheduler:
    """Does what the clock asks for."""

    engine: AsyncEngine
    clock: Clock
    settings: Settings
    shops: Shops
    systems: Systems
    connections: Connections
    logins: Logins
    last_beat: LastBeat

    async def run_once(self) -> None:
        """Put what is due into `changes`. A second worker that does this at the same moment does nothing."""
        now = self.clock()
        async with self.engine.begin() as tx:
            mine = await tx.scalar(text("SELECT pg_try_advisory_xact_lock(hashtext(:name))"), {"name": _LOCK})
            if not mine:
                return
            before, why = await why_catch_up(tx, self.last_beat, now=now)
            if before is not None and why is not None:
                await _catch_up(tx, self.systems, why, before, now)
            turn = _Turn(tx, Tick.of(before, now), await shop_queries.count_active(tx))
            await _subscriptions(turn)
            await _probes(tx, now)
            await _polls(turn, self.systems, self.settings)
            for lost in await end_lost(tx, now=now):
                log.warning(
                    "run_lost", shop_id=str(lost.shop_id), kind=lost.kind, purpose=lost.purpose, run=lost.id
                )
            await _safety_nets(turn, every=timedelta(hours=self.settings.reconcile_hours))
            await catalogue_guard.judge(tx, self.shops, self.systems, now=now)
            given_up = await _give_up_silent(tx, now)
        for shop_id in given_up:
            if await self.shops.move(shop_id, to=ShopState.UNINSTALLED, among=[ShopState.UNINSTALLING], now=now):
                log.info("uninstall_confirmed_by_silence", shop_id=str(shop_id))
        for shop_id in await self.connections.still_open():
            await self.logins.give_up(shop_id)


@dataclass(frozen=True, slots=True)
class _Turn:
    """One look at the schedule."""

    tx: AsyncConnection
    tick: Tick
    active: int
    """How many shops are active."""

    async def mark(self, overdue: Overdue, source: str, kind: Kind, key: str, *, every: timedelta) -> None:
        """Mark what is *overdue* as changed, unless it waits to be read already: what never was read at once, the
        rest as there is room."""
        late = overdue.late.limit(self.tick.room(self.active, every))
        for query in (overdue.never, late):
            [shop] = query.selected_columns
            for shop_id in await self.tx.scalars(query.where(~change_queries.waits(shop, source, kind, key))):
                await mark_changed(
                    self.tx, ShopId(shop_id), source, kind, [key], origin=Origin.SCHEDULE, now=self.tick.now
                )


async def _subscriptions(turn: _Turn) -> None:
    now = turn.tick.now
    unsubscribed = shop_queries.unsubscribed(before=now - SUBSCRIPTIONS_EVERY)
    await turn.mark(unsubscribed, PLATFORM, Kind.WEBHOOKS, "webhooks", every=SUBSCRIPTIONS_EVERY)
    unread = shop_queries.facts_unread(before=now - FACTS_EVERY)
    await turn.mark(unread, PLATFORM, Kind.FACTS, "facts", every=FACTS_EVERY)


async def _probes(tx: AsyncConnection, now: datetime) -> None:
    """Once an hour ask a refused shop whether it is back, and a deactivated one whether it is true."""
    for shop_id in await tx.scalars(shop_queries.unprobed(before=now - PROBE_PAUSE)):
        await mark_changed(tx, ShopId(shop_id), PLATFORM, Kind.PROBE, ["probe"], origin=Origin.SCHEDULE, now=now)


async def _give_up_silent(tx: AsyncConnection, now: datetime) -> list[ShopId]:
    """Shops that were asked and did not answer; a worker that was away itself has to ask first."""
    return [ShopId(shop_id) for shop_id in await tx.scalars(shop_queries.silent(before=now - UNINSTALL_AFTER))]


async def _polls(turn: _Turn, systems: Systems, settings: Settings) -> None:
    """Ask the connected systems for what only the clock brings."""
    for system in systems.connected:
        for poll in system.source.polls if system.source is not None else ():
            every = poll.every(settings)
            due = connections.unpolled(system.name, before=turn.tick.now - every)
            await turn.mark(due, system.name, poll.kind, poll.key, every=every)


async def _safety_nets(turn: _Turn, *, every: timedelta) -> None:
    """Each shop has its own minute of the period, from its id, so that they do not all come at once.

    A safety net that has not ended in a whole period keeps none of the next ones waiting.
    """
    tx, now = turn.tx, turn.tick.now
    overdue = shop_queries.unreconciled(every=every, now=now)
    due = select(overdue.c.id).where(connections.any_of(overdue.c.id)).order_by(overdue.c.since)
    for shop_id in (await tx.scalars(due.limit(turn.tick.room(turn.active, every)))).all():
        await start_reconciliation(tx, ShopId(shop_id), now=now, stuck_after=every)
        await _import_again(tx, ShopId(shop_id), now=now)


async def _catch_up(tx: AsyncConnection, systems: Systems, why: str, before: datetime, now: datetime) -> None:
    """All safety nets at once; a worker was there *before*. One that is under way may have read its pages before
    what was forgotten."""
    active = shop_queries.unreconciled(every=timedelta(0), now=now)
    rows = await tx.scalars(select(active.c.id).where(connections.any_of(active.c.id)))
    shop_ids = [ShopId(shop_id) for shop_id in rows]
    names = [system.name for system in systems.all]
    for shop_id in shop_ids:
        orders, _ = await start_reconciliation(tx, shop_id, now=now, stuck_after=timedelta(0))
        await runs.catch_up(tx, shop_id, names, orders, now=now)
        await forgotten.remember(tx, shop_id, ("order", "product"), before)
        await mark_changed(tx, shop_id, PLATFORM, Kind.WEBHOOKS, ["webhooks"], origin=Origin.SCHEDULE, now=now)
    report(why, shop_ids)


async def start_reconciliation(
    tx: AsyncConnection, shop_id: ShopId, *, now: datetime, stuck_after: timedelta | None = None
) -> list[int]:
    """Start the safety net for one shop: read what changed since the last complete one; returns its runs.

    A net that is under way is joined; if that is so for longer than *stuck_after*, it is given up.
    """
    first = (await shops.hold_reconciled(tx, shop_id)).since - OVERLAP
    started = []
    for kind in ("order", "product"):
        last = await runs.newest(tx, shop_id, kind, RunPurpose.SAFETY_NET)
        if last is not None and stuck_after is not None:
            await give_up_stuck(tx, last, longer_than=stuck_after, now=now)
        since = _since(last, first)
        started.append(await start_run(tx, shop_id, kind, RunPurpose.SAFETY_NET, since=since, now=now))
    await shops.set_reconciled(tx, shop_id, now)
    return started


def _since(last: Run | None, first: datetime) -> datetime:
    """From when on a safety net has to read: nothing that the *last* one left out is forgotten."""
    if last is None or last.since is None:
        return first
    whole = last.state is RunState.DONE and last.complete
    return last.started_at - OVERLAP if whole else last.since


async def _import_again(tx: AsyncConnection, shop_id: ShopId, *, now: datetime) -> None:
    """An import that left something out is made again with the next safety net."""
    for run in await runs.incomplete(tx, shop_id):
        if run.purpose is RunPurpose.IMPORT and run.walk is not None:
            await start_run(tx, shop_id, run.kind, RunPurpose.IMPORT, since=run.since, now=now)
