"""A scripted Upp at the transport."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime

import httpx

from tests.support.clock import NOON
from upbridge.systems.upp.client import UppClient

Reply = httpx.Response | Exception


class Upp:
    """A scripted Upp: tokens are t1, t2, …; the other calls get *replies* in turn, then 202."""

    def __init__(self, *replies: Reply | Callable[[httpx.Request], Reply]) -> None:
        self.replies = list(replies)
        self.token_reply: Reply | None = None
        self.requests: list[httpx.Request] = []
        self.tokens = 0
        self.expires_in: object = 86_400
        self.now = NOON

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if request.url.path == "/auth/oauth/token":
            await asyncio.sleep(0)  # lets the others run, as a network does
            self.tokens += 1
            answer = {"access_token": f"t{self.tokens}", "expires_in": self.expires_in, "token_type": "Bearer"}
            reply: Reply = self.token_reply or httpx.Response(200, json=answer)
        else:
            script = self.replies.pop(0) if self.replies else httpx.Response(202)
            reply = script if isinstance(script, httpx.Response | Exception) else script(request)
        if isinstance(reply, Exception):
            raise reply
        return httpx.Response(reply.status_code, headers=reply.headers, content=reply.content)

    def clock(self) -> datetime:
        return self.now

    @property
    def calls(self) -> list[httpx.Request]:
        return [request for request in self.requests if request.url.path != "/auth/oauth/token"]

    @asynccontextmanager
    async def client(self) -> AsyncIterator[UppClient]:
        async with httpx.AsyncClient(transport=httpx.MockTransport(self)) as http:
            yield UppClient(http, "https://svc.upp.example/", self.clock)
