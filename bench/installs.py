"""How soon an installation is answered: signature checked, credentials sealed, shop stored."""

import asyncio
import contextlib
import json
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import httpx
from sqlalchemy import text

from bench.load import at_a_rate
from bench.report import Row
from bench.testbed import Testbed
from upbridge_sandbox.demo.processes import Failed, free_port
from upbridge_sandbox.signing import INSTALL, Signer

CALLS, RATE = 300, 30


async def answers(testbed: Testbed) -> tuple[list[Row], dict[str, Any]]:
    """New shops at a steady rate, signed with a key of our own that the web side fetches."""
    signer = Signer()
    async with _key_host(signer.public_pem) as address:
        port = free_port()
        processes = testbed.processes
        before = processes.environment["UPBRIDGE_SIGNATURE_KEY_URL"]
        processes.environment["UPBRIDGE_SIGNATURE_KEY_URL"] = address
        processes.start("installs", "serve", "--host", "127.0.0.1", "--port", str(port))
        processes.environment["UPBRIDGE_SIGNATURE_KEY_URL"] = before
        await _ready(port)
        bodies = [_body(testbed, signer, number) for number in range(CALLS)]
        taken = await at_a_rate(
            port, lambda number: ("/addon/install", bodies[number]), rate=RATE, seconds=CALLS / RATE
        )
        processes.processes.pop("installs").terminate()
    installed = int(await testbed.value("SELECT count(*) FROM shops WHERE token LIKE 'bench-%'"))
    async with testbed.engine.begin() as tx:
        await tx.execute(text("DELETE FROM shops WHERE token LIKE 'bench-%'"))
    p99 = taken.quantile(0.99)
    return [
        Row(f"p99 of {installed} installations", f"{p99:.0f} ms", "under 500 ms", p99 < 500 and installed == CALLS)  # noqa: PLR2004
    ], taken.as_json()


def _body(testbed: Testbed, signer: Signer, number: int) -> bytes:
    body = {
        "token": f"bench-{number}-{secrets.token_hex(8)}",
        "version": 1,
        "apiUser": str(10_000_000 + number),
        "apiKey": secrets.token_hex(16),
        "apiUrl": f"{testbed.processes.addresses['upgates']}/api/v2",
        "current_admin_language": "cs",
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    signature = signer.sign(body, INSTALL, testbed.processes.signature_token)
    return json.dumps({**body, "signature_v2": signature}).encode()


@asynccontextmanager
async def _key_host(pem: bytes) -> AsyncIterator[str]:
    """The address of a server that has one answer."""
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(pem) + pem

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}/key"


async def _ready(port: int) -> None:
    """Until the second web side answers."""
    async with httpx.AsyncClient(trust_env=False, timeout=2) as client:
        for _ in range(600):
            with contextlib.suppress(httpx.HTTPError):
                if (await client.get(f"http://127.0.0.1:{port}/readyz")).is_success:
                    return
            await asyncio.sleep(0.1)
    raise Failed("the second web side is not ready")
