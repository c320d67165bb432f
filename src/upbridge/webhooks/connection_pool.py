"""The inbox's own connections: one statement, one round trip, one commit.

SQLAlchemy's pool begins, commits and rolls back around each statement; here a statement commits by itself. Why
that is worth a pool of our own: docs/decisions/0008.
"""

import asyncio
from collections.abc import Mapping
from typing import Any, TypeAlias

import psycopg
from psycopg import AsyncConnection
from psycopg.pq import TransactionStatus

from upbridge.store.session import set_limits

SIZE = 8

_Connection: TypeAlias = AsyncConnection[tuple[Any, ...]]


class InboxPool:
    """At most eight connections, opened when they are needed; what a statement leaves in disorder is closed."""

    def __init__(self, conninfo: str, *, statement_seconds: float, lock_seconds: float) -> None:
        self._conninfo = conninfo
        self._statement_seconds = statement_seconds
        self._lock = f"SET lock_timeout = {round(1000 * lock_seconds)}".encode()
        self._idle: list[_Connection] = []
        self._free = asyncio.Semaphore(SIZE)
        self._closed = False

    async def value(self, query: bytes, values: Mapping[str, Any], *, patient: bool = False) -> Any:
        """Run *query*, committed when this returns; its one value. Raises `psycopg.Error` or `OSError`.

        It waits for a lock for `lock_seconds` at most or, if it is *patient*, as long as a statement may take.
        A connection that turns out to be dead is replaced and the query run again: it may run twice.
        """
        async with self._free:
            while self._idle:  # the one used last is used next: the others may sleep
                connection = self._idle.pop()
                try:
                    return await self._ask(connection, query, values, patient=patient)
                except psycopg.OperationalError:
                    if not connection.broken:  # a server that lives said no
                        raise
                    await self._clear()  # where one was cut, the others were too
                finally:
                    await self._keep(connection)
            connection = await self._open()
            try:
                return await self._ask(connection, query, values, patient=patient)
            finally:
                await self._keep(connection)

    async def _ask(
        self, connection: _Connection, query: bytes, values: Mapping[str, Any], *, patient: bool
    ) -> Any:
        if patient:
            await connection.execute(b"SET lock_timeout = 0")
        try:
            cursor = await connection.execute(query, values, prepare=True)
            row = await cursor.fetchone()
        finally:
            if patient and connection.info.transaction_status is TransactionStatus.IDLE:
                await connection.execute(self._lock)
        return None if row is None else row[0]

    async def _keep(self, connection: _Connection) -> None:
        """Put a connection that is at rest aside for the next; close any other."""
        if connection.info.transaction_status is TransactionStatus.IDLE and not self._closed:
            self._idle.append(connection)
        else:
            await connection.close()

    async def _open(self) -> _Connection:
        connection = await psycopg.AsyncConnection.connect(
            self._conninfo,
            autocommit=True,
            connect_timeout=2,
            tcp_user_timeout=5000,  # milliseconds until a vanished server frees its slot
            application_name="inbox",
        )
        try:
            await set_limits(connection, statement_seconds=self._statement_seconds)
            await connection.execute(self._lock)
        except BaseException:
            await connection.close()
            raise
        return connection

    async def dispose(self) -> None:
        """Close what is open, and each connection that is in use when its statement has ended."""
        self._closed = True
        await self._clear()

    async def _clear(self) -> None:
        while self._idle:
            await self._idle.pop().close()
