"""What every session of ours has: a limit on each statement, and UTC; those of an engine send arrays as they are.

Limit and zone are set after connecting. As options of the connection they would be refused, or dropped without a
word, by a pooler between here and Postgres.

Before a connection is lent again it is only looked at: what Postgres or a pooler has closed has something to read.
To ask each one by a statement, as SQLAlchemy's `pool_pre_ping` does, was a fifth of the round trips of a poll. One
that has rested is asked: a firewall may have forgotten it without a word.

The driver writes arrays as text, each value escaped: 5.8 ms for 320 bodies of 700 bytes. In Postgres' binary form
they take 0.15 ms, and an import sends hundreds of arrays a second.
"""

import select
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import psycopg
from psycopg import AsyncConnection
from psycopg.pq import TransactionStatus
from psycopg.types.array import ListBinaryDumper
from sqlalchemy import event
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.ext.asyncio import AsyncConnection as Tx
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import ConnectionPoolEntry

STATEMENT_SECONDS = 60.0
"""How long a statement of ours may take before Postgres ends it: nothing here needs longer, and a stuck one would
hold a lock that a webhook waits for."""

CONNECT_SECONDS = 10
"""How long a new connection may take until the server has let it in: a silent one ends as well."""

RESTED_SECONDS = 10.0
"""A connection that was not used for so long is asked before it is used again."""

KEPT_ALIVE_SECONDS = 30
"""A connection on which nothing came for so long is kept alive by TCP: the one that was used last is lent next, so
others rest for hours, and a question on one that a firewall has forgotten may wait for a quarter of an hour."""

_SET = b"SELECT set_config('statement_timeout', %s, false), set_config('timezone', 'UTC', false)"


async def set_limits(connection: AsyncConnection[Any], *, statement_seconds: float = STATEMENT_SECONDS) -> None:
    """Give a new connection its limits. Raises `psycopg.Error`.

    Not its way to write arrays: the job library's are of a composite type, which has no binary form in the driver.
    """
    await connection.execute(_SET, [_milliseconds(statement_seconds)])
    if not connection.autocommit:
        await connection.commit()  # else the next rollback takes them away


def look_before_use(engine: AsyncEngine, *, seconds: Callable[[], float] = time.monotonic) -> None:
    """Have a connection of *engine* replaced before it is lent, and all that are as old, if it is not there any
    more. *seconds* tells how long it rested."""
    dialect = engine.sync_engine.dialect

    @event.listens_for(engine.sync_engine, "checkin")
    def rests(_connection: Any, record: ConnectionPoolEntry) -> None:
        record.info["rests_since"] = seconds()

    @event.listens_for(engine.sync_engine, "checkout")
    def look(connection: Any, record: ConnectionPoolEntry, _lent: object) -> None:
        since = record.info.get("rests_since")
        if since is None:
            return
        if seconds() - since < RESTED_SECONDS and not has_news(connection.driver_connection):
            return
        try:
            dialect.do_ping(connection)
        except psycopg.Error as error:
            raise InvalidatePoolError from error


def has_news(connection: AsyncConnection[Any]) -> bool:
    """Whether there is something to read although nothing was asked: that it was closed, most likely."""
    looking = select.poll()
    looking.register(connection.fileno(), select.POLLIN)
    return bool(looking.poll(0))


def limit_all(engine: AsyncEngine) -> None:
    """Give every new connection of *engine* its limits, and its way to write arrays."""

    @event.listens_for(engine.sync_engine, "connect")
    def limit(connection: Any, _record: object) -> None:
        connection.driver_connection.adapters.register_dumper(list, ListBinaryDumper)
        cursor = connection.cursor()
        cursor.execute(_SET.decode(), [_milliseconds(STATEMENT_SECONDS)])
        cursor.close()
        connection.commit()


@asynccontextmanager
async def reading(engine: AsyncEngine) -> AsyncIterator[Tx]:
    """A connection of *engine* for one question, or some that need not fit together: each is one round trip."""
    async with engine.connect() as plain:
        yield await plain.execution_options(isolation_level="AUTOCOMMIT")


@asynccontextmanager
async def driver_transaction(engine: AsyncEngine) -> AsyncIterator[AsyncConnection[Any]]:
    """A transaction on a connection of *engine* as the driver has it, committed at the end; its first statements
    can share a round trip with its beginning, the last ones with its end, in a pipeline of the driver's.

    Raises what the driver raises. A connection on which a statement was cut off is not used again.
    """
    async with engine.connect() as borrowed:
        driver: AsyncConnection[Any] = (await borrowed.get_raw_connection()).driver_connection  # type: ignore[assignment]
        try:
            yield driver
            await driver.commit()
        finally:
            if driver.info.transaction_status in {TransactionStatus.ACTIVE, TransactionStatus.UNKNOWN}:
                await borrowed.invalidate()


@asynccontextmanager
async def committing(engine: AsyncEngine) -> AsyncIterator[AsyncConnection[Any]]:
    """A connection of *engine* as the driver has it: each statement is one round trip and commits by itself.

    Raises what the driver raises. A connection on which a statement was cut off is not used again.
    """
    async with engine.connect() as borrowed:
        driver: AsyncConnection[Any] = (await borrowed.get_raw_connection()).driver_connection  # type: ignore[assignment]
        await driver.set_autocommit(True)
        try:
            yield driver
        finally:
            if driver.info.transaction_status is TransactionStatus.IDLE:
                await driver.set_autocommit(False)
            else:
                await borrowed.invalidate()


def _milliseconds(seconds: float) -> str:
    return str(int(seconds * 1000))
