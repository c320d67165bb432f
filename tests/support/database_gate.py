"""A gate between us and Postgres: while it is shut, connections are accepted and nothing is ever answered."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import psycopg.conninfo


def _open() -> asyncio.Event:
    event = asyncio.Event()
    event.set()
    return event


@dataclass
class Gate:
    """The way to a database; *address* leads through it."""

    behind: dict[str, str]
    passing: asyncio.Event = field(default_factory=_open)
    stuck: asyncio.Event = field(default_factory=asyncio.Event)
    """Something waits at the shut gate."""
    port: int = 0

    @property
    def address(self) -> str:
        """The libpq URL of the same database through the gate."""
        name, user = self.behind["dbname"], self.behind.get("user", "postgres")
        password = f":{self.behind['password']}" if self.behind.get("password") else ""
        return f"postgresql://{user}{password}@127.0.0.1:{self.port}/{name}?sslmode=disable"

    def shut(self) -> None:
        """From now on Postgres hangs."""
        self.passing.clear()
        self.stuck.clear()

    def open(self) -> None:
        """Postgres goes on where it was."""
        self.passing.set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, both ways, until either side ends."""
        host, port = self.behind.get("host", "127.0.0.1"), self.behind.get("port", "5432")
        if host.startswith("/"):
            inner, outer = await asyncio.open_unix_connection(f"{host}/.s.PGSQL.{port}")
        else:
            inner, outer = await asyncio.open_connection(host, int(port))
        ways = [asyncio.create_task(self._pass(reader, outer)), asyncio.create_task(self._pass(inner, writer))]
        with suppress(asyncio.CancelledError):  # the test is over
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        for end in (outer, writer):
            end.close()

    async def _pass(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        while part := await source.read(65_536):
            if not self.passing.is_set():
                self.stuck.set()
            await self.passing.wait()
            target.write(part)
            await target.drain()


@asynccontextmanager
async def gate_to(address: str) -> AsyncIterator[Gate]:
    """A gate to the database at *address*, open."""
    behind = psycopg.conninfo.conninfo_to_dict(address)
    gate = Gate({name: str(value) for name, value in behind.items() if value is not None})
    async with await asyncio.start_server(gate.serve, "127.0.0.1", 0) as server:
        gate.port = server.sockets[0].getsockname()[1]
        yield gate
