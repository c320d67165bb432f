"""What stands in front of several web processes: a connection goes to the next of those that are let in."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field


@dataclass
class Balancer:
    """The way to the web processes at *ports*; who changes that list rolls a new version out."""

    port: int = 0
    ports: list[int] = field(default_factory=list)
    _turn: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, both ways, until either side ends."""
        if not self.ports:
            writer.close()
            return
        self._turn += 1
        try:
            inner, outer = await asyncio.open_connection("127.0.0.1", self.ports[self._turn % len(self.ports)])
        except OSError:
            writer.close()
            return
        ways = [asyncio.create_task(_pass(reader, outer)), asyncio.create_task(_pass(inner, writer))]
        with suppress(asyncio.CancelledError):  # the test is over
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        for end in (outer, writer):
            end.close()


async def _pass(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):  # the other side has gone
        while part := await source.read(65_536):
            target.write(part)
            await target.drain()


@asynccontextmanager
async def balancer() -> AsyncIterator[Balancer]:
    """A balancer that listens, with no process let in yet."""
    made = Balancer()
    async with await asyncio.start_server(made.serve, "127.0.0.1", 0) as server:
        made.port = server.sockets[0].getsockname()[1]
        yield made
