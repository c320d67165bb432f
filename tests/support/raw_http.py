"""A web server of a test's own, and clients that write bytes to it as they like."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import uvicorn

from upbridge.core.bounds import CONNECTION, ConnectionBounds
from upbridge.web.http_protocol import BoundedProtocol

GENUINE = b"POST /webhooks HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"


@dataclass
class Client:
    """One connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, data: bytes) -> None:
        """Send; a server that hangs up meanwhile is none of the caller's business."""
        try:
            self.writer.write(data)
            await self.writer.drain()
        except OSError:
            return

    async def rest(self) -> bytes:
        """All that comes until the server hangs up."""
        try:
            return await self.reader.read()
        except OSError:
            return b""

    async def answer(self) -> int:
        """The status of the next answer; 0 if the server hangs up instead."""
        try:
            head = await self.reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, OSError):
            return 0
        return int(head.split(b" ", 2)[1])


@dataclass
class Caller:
    """A client of the server at *port* of this machine."""

    port: int
    clients: list[Client] = field(default_factory=list)

    async def connect(self) -> Client:
        """A new connection."""
        client = Client(*await asyncio.open_connection("127.0.0.1", self.port))
        self.clients.append(client)
        return client

    async def genuine(self) -> int:
        """The status that a webhook gets on a new connection."""
        client = await self.connect()
        await client.send(GENUINE)
        status = await client.answer()
        client.writer.close()
        return status


class Server(uvicorn.Server):
    """Says when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listens = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listens.set()

    async def run_on(self, listening: socket.socket) -> None:
        """Serve until `should_exit`. The signals stay the test's."""
        await self._serve(sockets=[listening])


@dataclass(kw_only=True)
class WebServer(Caller):
    """A server on loopback."""

    server: Server

    @property
    def connections(self) -> int:
        """How many are open."""
        return len(self.server.server_state.connections)


async def answer_204(scope: Any, receive: Callable[[], Any], send: Callable[[Any], Any]) -> None:
    """An application that reads the body and has nothing to say."""
    del scope
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


@asynccontextmanager
async def web_server(app: Any = answer_204, **changed: Any) -> AsyncIterator[WebServer]:
    """*app* behind `BoundedProtocol`, with the bounds of the product but those *changed*."""

    class Protocol(BoundedProtocol):
        bounds: ConnectionBounds = replace(CONNECTION, **changed)  # type: ignore[misc]

    config = uvicorn.Config(app, http=Protocol, ws="none", lifespan="off", access_log=False, log_config=None)
    server = Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        task = asyncio.create_task(server.run_on(listening))
        await server.listens.wait()
        running = WebServer(listening.getsockname()[1], server=server)
        try:
            yield running
        finally:
            for client in running.clients:
                client.writer.transport.abort()
            server.should_exit = True
            await task
