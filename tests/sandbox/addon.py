"""An add-on of a few lines, and a caller of the Upgates API as the add-on would."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

from upbridge_sandbox import Sandbox


@dataclass(slots=True)
class Addon:
    """An add-on of a few lines: remembers what reached it, answers as it was told."""

    url: str = ""
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    answers: dict[str, tuple[int, Any]] = field(default_factory=dict)
    delays: dict[str, float] = field(default_factory=dict)
    heard: asyncio.Event = field(default_factory=asyncio.Event)

    def received(self, path: str) -> list[dict[str, Any]]:
        """The bodies that came to *path*."""
        return [body for where, body in self.calls if where == path]

    async def wait_for(self, arrived: Callable[[], bool]) -> None:
        """Wait until *arrived* says so; every call wakes it."""
        async with asyncio.timeout(10):
            while not arrived():
                self.heard.clear()
                await self.heard.wait()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection of HTTP/1.1, one request at a time."""
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                request, *rows = head.decode().split("\r\n")
                headers = {name.lower(): value for name, _, value in (row.partition(": ") for row in rows)}
                body = json.loads(await reader.readexactly(int(headers.get("content-length", 0))))
                path = request.split(" ")[1]
                self.calls.append((path, body))
                status, answer = self.answers.get(path, (204, None))
                self.heard.set()
                await asyncio.sleep(self.delays.get(path, 0))
                text = b"" if answer is None else json.dumps(answer).encode()
                writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: {len(text)}\r\n\r\n".encode() + text)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@dataclass(slots=True)
class Caller:
    """Calls the Upgates API of the shop as the add-on would."""

    box: Sandbox
    client: httpx.AsyncClient
    user: str
    key: str

    async def __call__(self, method: str, path: str, **more: Any) -> httpx.Response:
        """One call below /api/v2."""
        url = f"{self.box.addresses.upgates}/api/v2{path}"
        return await self.client.request(method, url, auth=(self.user, self.key), **more)

    async def rules(self) -> list[str]:
        """The rules broken so far."""
        return [item["rule"] for item in await self.box.violations()]
