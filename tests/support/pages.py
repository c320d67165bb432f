"""The merchant's pages in a browser, and the systems behind their forms."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import httpx

ORIGIN = "https://upbridge.example"


Enter = Callable[..., Awaitable[str]]


@dataclass
class Remote:
    """The systems that forms call: each path answers what a test put there, else 401; after *latency* seconds."""

    answers: dict[str, httpx.Response] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    sent: list[bytes] = field(default_factory=list)
    latency: float = 0

    async def handle(self, request: httpx.Request) -> httpx.Response:
        """One call."""
        self.asked.append(f"{request.method} {request.url.path}")
        self.sent.append(request.content)
        await asyncio.sleep(self.latency)
        return self.answers.get(request.url.path, httpx.Response(401, json={"error": "unauthorized"}))
