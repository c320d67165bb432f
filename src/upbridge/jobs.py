"""The worker's loops. A job (`job_queue`) names a lane; what there is to do stands in the tables.

Three small loops run beside the job library's worker, each with a `*_once` that tests call: the sweep makes jobs
for lanes that are due (so a lost wake-up costs a second), the rescue frees jobs whose worker died or whose
completion was lost, the schedule does what the clock asks for.

Each system has a queue of its own, and each worker process slots of its own for each queue: a system that hangs
takes no slot from another (docs/decisions/0016).
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import structlog
from procrastinate import App
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import DeleteJobCondition
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine

from upbridge.core.clock import Clock
from upbridge.core.database_failure import reason_of
from upbridge.core.errors import NotFound, UpbridgeError
from upbridge.core.telemetry.database_outage import DATABASE
from upbridge.core.telemetry.loop_watch import watch_loop
from upbridge.core.telemetry.tracing import traced
from upbridge.domain.lane import Direction, Lane, Wake
from upbridge.domain.shop_id import ShopId
from upbridge.engine import lanes
from upbridge.engine.puller import Puller
from upbridge.engine.pusher import Pusher
from upbridge.engine.scheduler import Scheduler
from upbridge.insights.daily_stats import summarise_days
from upbridge.mail.rounds import Rounds
from upbridge.maintenance.analyze import count_grown
from upbridge.maintenance.retention import prune
from upbridge.store.job_library import DEAD_AFTER
from upbridge.store.metric_samples import keep_writing, merge_ended_processes
from upbridge.store.session import reading
from upbridge.systems.base import Systems

log = structlog.get_logger(__name__)

SWEEP_SECONDS = 1.0
SCHEDULE_SECONDS = 10.0
PRUNE_SECONDS = 600.0
COUNT_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Heartbeats:
    """How soon the jobs of a worker that died go to other workers, in seconds."""

    every: float = 2.0
    dead_after: float = DEAD_AFTER.total_seconds()
    """A worker that has sent no heartbeat for this long is dead."""
    looked_for_every: float = 5.0


HEARTBEATS = Heartbeats()
LOST_SECONDS = 10
"""If a job has run this long and its lane is not locked, its completion was lost in a database failure."""
_RESTART_PAUSE = 1.0

#: Where versions before this one put the jobs of all systems.
_FORMER_QUEUE = "default"


@dataclass(frozen=True, slots=True)
class LaneWorker:
    """Works on lanes, and looks which of them are due."""

    engine: AsyncEngine
    clock: Clock
    systems: Systems
    wake: Wake
    puller: Puller
    pusher: Pusher

    async def work_on(self, lane: Lane, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Work one slice of a lane; if something is left, the lane puts itself back at the end of the queue.

        *monotonic* tells how long it took, in seconds.
        """
        with structlog.contextvars.bound_contextvars(shop_id=str(lane.shop_id), lane=lane.name):
            try:
                async with lanes.exclusive(self.engine, lane) as guard:
                    if guard is None:
                        return  # another worker holds the lane; the sweep finds what it leaves
                    if lane.direction is Direction.PULL:
                        more = await self.puller.pull(lane, guard, monotonic=monotonic)
                    else:
                        more = await self.pusher.push(lane, guard, monotonic=monotonic)
            except NotFound:
                log.info("shop_is_gone")
                return
            except Exception as error:
                # The edge of the worker: an unexpected error must neither stop the other shops nor spin.
                if DATABASE.explains(error):
                    reason = "the database went away"
                else:
                    log.exception("slice_failed", error=type(error).__name__)
                    reason = (
                        str(error) if isinstance(error, UpbridgeError) else f"unexpected: {type(error).__name__}"
                    )
                await lanes.block(self.engine, lane, reason=reason, now=self.clock())
                return
            if more:
                await self.wake(lane)

    async def sweep_once(self) -> int:
        """Make a job for every lane that has something to do and no job; returns how many."""
        due = await lanes.due(self.engine, self.systems, now=self.clock())
        if not due:
            return 0
        async with reading(self.engine) as tx:
            rows = await tx.execute(
                text("SELECT queueing_lock FROM procrastinate_jobs WHERE status IN ('todo', 'doing')")
            )
            busy = {row.queueing_lock for row in rows}
        idle = [lane for lane in due if str(lane) not in busy]
        for lane in idle:
            await self.wake(lane)
        return len(idle)


def register(app: App, worker: LaneWorker) -> None:
    """Register the one task of *app*."""

    @app.task(name="work", pass_context=False)
    async def work(shop_id: str, lane: str, trace: str = "") -> None:
        with traced("slice", parent=trace, shop_id=shop_id, lane=lane):
            await worker.work_on(Lane.named(ShopId(UUID(shop_id)), lane))


async def rescue_once(app: App, engine: AsyncEngine, heartbeats: Heartbeats = HEARTBEATS) -> int:
    """Give the jobs of dead workers, and jobs whose end was lost, back to the queue; returns how many."""
    stalled = {
        job.id: job
        for job in await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=heartbeats.dead_after)
        if job.id is not None
    }
    async with reading(engine) as tx:
        rows = await tx.execute(
            text(
                """
                SELECT j.id, j.args ->> 'shop_id' AS shop_id, j.args ->> 'lane' AS lane
                FROM procrastinate_jobs j JOIN procrastinate_events e ON e.job_id = j.id
                WHERE j.status = 'doing' AND e.type = 'started' GROUP BY j.id
                HAVING max(e.at) < now() - make_interval(secs => :seconds)
                """
            ),
            {"seconds": LOST_SECONDS},
        )
        long = {int(row.id): Lane.named(ShopId(UUID(row.shop_id)), row.lane) for row in rows}
        held = await lanes.held(tx, long.values())
        ids = {job_id for job_id, lane in long.items() if lane not in held} | stalled.keys()
    for job_id in ids:
        # Finished, not retried: a retry could collide with a job that waits already, and the sweep makes one.
        async with engine.begin() as tx:
            await tx.execute(
                text("DELETE FROM procrastinate_jobs WHERE id = :id AND status = 'doing'"), {"id": job_id}
            )
        log.warning("job_rescued", job_id=job_id)
    return len(ids)


async def run_worker(
    app: App,
    worker: LaneWorker,
    scheduler: Scheduler,
    rounds: Rounds,
    *,
    concurrency: int,
    stop: asyncio.Event,
    heartbeats: Heartbeats = HEARTBEATS,
    alive: Path | None = None,
) -> None:
    """Work until *stop* is set, on at most *concurrency* lanes of each system at once.

    Comes back by itself after the database was away. The time of the file *alive* is renewed after each sweep,
    whether the database answered it or not: an old file means a worker that hangs.
    """

    async def sweep() -> None:
        try:
            await worker.sweep_once()
        finally:
            if alive is not None:
                await asyncio.to_thread(alive.touch)

    register(app, worker)
    engine = worker.engine
    loops = [
        asyncio.create_task(_repeat("sweep", SWEEP_SECONDS, sweep)),
        asyncio.create_task(
            _repeat("rescue", heartbeats.looked_for_every, lambda: rescue_once(app, engine, heartbeats))
        ),
        asyncio.create_task(_repeat("schedule", SCHEDULE_SECONDS, scheduler.run_once)),
        asyncio.create_task(_repeat("count", COUNT_SECONDS, lambda: count_grown(engine))),
        asyncio.create_task(_repeat("prune", PRUNE_SECONDS, lambda: _clean(engine, worker.clock))),
        asyncio.create_task(keep_writing(engine)),
        asyncio.create_task(watch_loop()),
        asyncio.create_task(rounds.run()),
    ]
    platform = worker.systems.platform.name
    queues = [[platform, _FORMER_QUEUE], *([system.name] for system in worker.systems.connected)]
    try:
        await asyncio.gather(
            *(_serve(app, queue, concurrency=concurrency, stop=stop, heartbeats=heartbeats) for queue in queues)
        )
    finally:
        for loop in loops:
            loop.cancel()
        await asyncio.gather(*loops, return_exceptions=True)


async def _serve(
    app: App, queues: Sequence[str], *, concurrency: int, stop: asyncio.Event, heartbeats: Heartbeats
) -> None:
    """Take jobs from *queues* until *stop* is set."""
    while not stop.is_set():
        worker = asyncio.create_task(
            app.run_worker_async(
                queues=queues,
                concurrency=concurrency,
                delete_jobs=DeleteJobCondition.ALWAYS,
                install_signal_handlers=False,
                fetch_job_polling_interval=SWEEP_SECONDS,
                update_heartbeat_interval=heartbeats.every,
                stalled_worker_timeout=heartbeats.dead_after,
                shutdown_graceful_timeout=15.0,
            )
        )
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({worker, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if stop.is_set():
            worker.cancel()
        try:
            await worker
        except asyncio.CancelledError:
            break
        except (ConnectorException, DBAPIError, OSError) as error:
            if not DATABASE.explains(error):
                log.warning("worker_restarts", reason=reason_of(error))
        if not stop.is_set():
            await asyncio.sleep(_RESTART_PAUSE)


async def _clean(engine: AsyncEngine, clock: Clock) -> None:
    await prune(engine, now=clock())
    await merge_ended_processes(engine, silent=timedelta(hours=1))
    await summarise_days(engine, now=clock())


async def _repeat(name: str, seconds: float, once: Callable[[], Awaitable[Any]]) -> None:
    """Call *once* again and again, with a pause of some seconds; go on where the database is away."""
    while True:
        try:
            await once()
        except (DBAPIError, PoolTimeout, ConnectorException, OSError, UpbridgeError) as error:
            if not DATABASE.explains(error):
                log.warning("loop_failed", loop=name, reason=reason_of(error))
        else:
            DATABASE.over()
        await asyncio.sleep(seconds)
