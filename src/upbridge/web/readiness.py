"""Whether a webhook could be stored now, asked of the database once a second at most.

Everybody may ask, so that asking must cost nothing: a thousand questions a second are one statement, on a
connection that pages and webhooks do not need.
"""

import asyncio
import time
from collections.abc import Callable

import structlog
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from upbridge.core.deadline import with_deadline
from upbridge.core.errors import NotReady
from upbridge.core.telemetry.seldom import Seldom
from upbridge.store.database import sqlalchemy_url
from upbridge.store.probes import not_writable
from upbridge.store.schema_version import SchemaVersion, schema_version

log = structlog.get_logger(__name__)

#: A database that accepts and does not answer counts as away after these seconds.
DATABASE_SECONDS = 2.0
#: For how long an answer is good, in seconds.
KEPT = 1.0


class Readiness:
    """The last answer of the database, and its connection for that question."""

    def __init__(self, conninfo: str, *, seconds: Callable[[], float] = time.monotonic) -> None:
        self._engine: AsyncEngine = create_async_engine(
            sqlalchemy_url(conninfo),
            pool_size=1,
            max_overflow=0,
            pool_timeout=DATABASE_SECONDS,
            pool_pre_ping=True,
        )
        self._seconds = seconds
        self._asking: asyncio.Task[SchemaVersion] | None = None
        self._seldom = Seldom(seconds=seconds)
        self._asked_at = float("-inf")

    async def schema(self) -> SchemaVersion:
        """The version of the schema, a second old at most. Raises `NotReady` if the database does not answer, or
        takes no write."""
        asking = self._asking
        if asking is None or (asking.done() and self._seconds() - self._asked_at >= KEPT):
            self._asked_at = self._seconds()
            asking = self._asking = asyncio.create_task(with_deadline(DATABASE_SECONDS, self._ask()))
        # One that goes away does not take the answer of the others with it.
        await asyncio.wait([asking])
        try:
            return asking.result()
        except (DBAPIError, PoolTimeout, OSError, TimeoutError) as error:
            raise NotReady(type(error).__name__) from error

    async def _ask(self) -> SchemaVersion:
        version = await schema_version(self._engine)
        if version.usable and (why := await not_writable(self._engine)) is not None:
            if times := self._seldom.times(why):
                log.warning("database_takes_no_write", reason=why, times=times)
            raise NotReady("the database takes no write")
        return version

    async def close(self) -> None:
        """Let go of the connection."""
        if self._asking is not None:
            await asyncio.wait([self._asking])
        await self._engine.dispose()
