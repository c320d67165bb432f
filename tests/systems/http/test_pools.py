"""A system that hangs takes no connection from another."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from tests.support.clock import NOON
from tests.support.silent_servers import silent_server
from upbridge.systems.http.pools import CONNECTIONS
from upbridge.systems.http.transport import Remote, http_client


async def _well(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
    writer.close()


@pytest.mark.timeout(30)
async def test_a_system_that_hangs_takes_no_connection_from_another() -> None:
    async with AsyncExitStack() as stack:
        hanging = stack.enter_context(silent_server())
        server = await stack.enter_async_context(await asyncio.start_server(_well, "127.0.0.1", 0))
        http = await stack.enter_async_context(http_client())
        slow, well = (Remote(name, http, lambda: NOON) for name in ("slow", "well"))
        calls = [
            asyncio.create_task(slow.exchange("GET", f"http://127.0.0.1:{hanging}/", operation="GET /"))
            for _ in range(CONNECTIONS + 10)
        ]

        answer = await well.exchange(
            "GET", f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", operation="GET /"
        )

        assert answer.accepted
        assert not any(call.done() for call in calls)
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
