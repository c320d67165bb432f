"""Servers that are no help: one that takes a connection and says nothing, one that refuses in Postgres's words."""

import asyncio
import socket
import struct
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

_SSL, _GSS = 80877103, 80877104


@contextmanager
def silent_server() -> Iterator[int]:
    """A port where the kernel takes connections, and no process ever answers."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(64)
        yield listening.getsockname()[1]


def _refusal(code: str, message: str) -> bytes:
    fields = [(b"S", "FATAL"), (b"V", "FATAL"), (b"C", code), (b"M", message)]
    body = b"".join(kind + text.encode() + b"\0" for kind, text in fields) + b"\0"
    return b"E" + struct.pack("!I", len(body) + 4) + body


async def _packet(reader: asyncio.StreamReader) -> bytes:
    (length,) = struct.unpack("!I", await reader.readexactly(4))
    return await reader.readexactly(length - 4)


@asynccontextmanager
async def refusing_postgres(code: str, message: str) -> AsyncIterator[str]:
    """A server that ends each connection at its first packet, as Postgres does; its address."""

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while struct.unpack("!I", (await _packet(reader))[:4])[0] in {_SSL, _GSS}:
                writer.write(b"N")
            writer.write(_refusal(code, message))
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the caller has gone: there is nothing left to refuse
        finally:
            writer.close()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        yield f"postgresql://upbridge:hush@127.0.0.1:{port}/upbridge"


@contextmanager
def refusing_postgres_in_a_thread(code: str, message: str) -> Iterator[str]:
    """The same, for callers that have no event loop."""
    loop = asyncio.new_event_loop()
    started: list[str] = []
    ready, over = threading.Event(), asyncio.Event()

    async def run() -> None:
        async with refusing_postgres(code, message) as address:
            started.append(address)
            ready.set()
            await over.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(run(),))
    thread.start()
    ready.wait()
    try:
        yield started[0]
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join()
        loop.close()
