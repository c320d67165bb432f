"""The job library on our database, and how the web side tells a worker that a lane has work.

A job says only "work on lane X of shop Y"; what there is to do stands in the tables. So a lost wake-up loses
nothing: the workers' sweep (`jobs.sweep_once`) finds the lane within a second.
"""

import asyncio
import contextlib
from typing import Any

import structlog
from procrastinate import App, PsycopgConnector
from procrastinate.exceptions import AlreadyEnqueued, ConnectorException
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from upbridge.core.database_failure import reason_of
from upbridge.core.telemetry.database_outage import DATABASE
from upbridge.core.telemetry.tracing import current_trace, traced
from upbridge.domain.lane import Lane, Wake
from upbridge.store.session import CONNECT_SECONDS, has_news, set_limits

log = structlog.get_logger(__name__)

JOBS_POOL = 6
"""Connections that the job library of a worker shares, beside the one for each queue that hears of new jobs."""
MOST_WAITING = 1000
"""Lanes that wait to be woken at once; more are left to the sweep."""
_PAUSE = 0.05
"""Seconds between two wake-ups of one web process: what many shops announce at once costs webhooks no time."""
_QUIET = 1.0
"""Seconds after which a lane may be woken again: by then the sweep has seen what the last wake-up missed."""
_RETRY = 1.0


def create_jobs(conninfo: str, *, pool_size: int = JOBS_POOL) -> App:
    """The job library's app on our database; open it before use.

    A worker keeps one of its connections for each queue, to hear of new jobs.
    """
    return App(
        connector=PsycopgConnector(
            conninfo=conninfo,
            min_size=1,
            max_size=pool_size,
            configure=_configure,
            pool_factory=_pool,
            kwargs={"application_name": "upbridge-jobs", "connect_timeout": CONNECT_SECONDS},
        )
    )


async def _configure(connection: AsyncConnection[Any]) -> None:
    """Each statement of the library is a call of one function: it needs no transaction around it."""
    await set_limits(connection)
    await connection.set_autocommit(True)


def _pool(**settings: Any) -> AsyncConnectionPool:
    """The library has each connection asked before its use; it is enough to look at it."""
    return AsyncConnectionPool(**{**settings, "check": _look})


async def _look(connection: AsyncConnection[Any]) -> None:
    if has_news(connection):
        await AsyncConnectionPool.check_connection(connection)


def waker(app: App) -> Wake:
    """Return the function that makes a job for a lane."""

    async def wake(lane: Lane) -> None:
        with contextlib.suppress(AlreadyEnqueued):  # a job waits already
            task = app.configure_task("work", queue=lane.system, queueing_lock=str(lane), lock=lane.lock)
            trace = current_trace()
            more = {"trace": trace} if trace else {}
            await task.defer_async(shop_id=str(lane.shop_id), lane=lane.name, **more)

    return wake


class WakeUps:
    """Wakes workers for the web side, one lane after the other, behind the answers.

    It holds one connection of its own, at most `MOST_WAITING` lanes, and makes at most twenty jobs a second.
    """

    def __init__(self, app: App, *, pause: float = _PAUSE, quiet: float = _QUIET) -> None:
        self._app = app
        self._pause = pause
        self._quiet = quiet
        self._waiting: dict[Lane, str] = {}
        self._woken: set[Lane] = set()
        self._asked = asyncio.Event()

    @property
    def waiting(self) -> int:
        """How many lanes wait to be woken."""
        return len(self._waiting)

    def ask(self, lane: Lane) -> None:
        """Have *lane* woken soon. Returns at once; nothing is lost if it is not."""
        if lane in self._woken or len(self._waiting) >= MOST_WAITING:
            return
        self._waiting[lane] = current_trace()
        self._asked.set()

    async def wake(self, lane: Lane) -> None:
        """Have *lane* woken soon, in the form that the pages and the installation call."""
        self.ask(lane)

    async def run(self) -> None:
        """Wake the lanes that are asked for, until cancelled; goes on by itself when the database is back."""
        wake = waker(self._app)
        while True:
            try:
                async with self._app.open_async():
                    while True:
                        await self._asked.wait()
                        lane = next(iter(self._waiting))
                        trace = self._waiting.pop(lane)
                        if not self._waiting:
                            self._asked.clear()
                        self._woken.add(lane)
                        asyncio.get_running_loop().call_later(self._quiet, self._woken.discard, lane)
                        with traced("wake", parent=trace, lane=lane.name):
                            await wake(lane)
                        await asyncio.sleep(self._pause)
            except (ConnectorException, OSError) as error:
                if not DATABASE.explains(error):
                    log.warning("wake_ups_failed", reason=reason_of(error))
                await asyncio.sleep(_RETRY)
            finally:  # a pool that was cancelled while it opened goes on by itself
                await self._app.close_async()
