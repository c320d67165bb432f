"""The merchant's pages in a browser, and the systems behind their forms."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from types import SimpleNamespace

import httpx
from fastapi import FastAPI

from upbridge.core.i18n import Texts
from upbridge.core.telemetry.seldom import Seldom
from upbridge.web import routes
from upbridge.web.context import Pages

ORIGIN = "https://upbridge.example"
#: The texts as an English browser sees them.
EN = Texts("en")


Enter = Callable[..., Awaitable[str]]


def set_event() -> asyncio.Event:
    """An event that has happened."""
    event = asyncio.Event()
    event.set()
    return event


@dataclass
class Remote:
    """The systems that forms call: each path answers what a test put there, else 401, once *answering* is set."""

    answers: dict[str, httpx.Response] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    sent: list[bytes] = field(default_factory=list)
    called: asyncio.Event = field(default_factory=asyncio.Event)
    answering: asyncio.Event = field(default_factory=set_event)

    async def handle(self, request: httpx.Request) -> httpx.Response:
        """One call."""
        self.asked.append(f"{request.method} {request.url.path}")
        self.sent.append(request.content)
        self.called.set()
        await self.answering.wait()
        answer = self.answers.get(request.url.path, httpx.Response(401, json={"error": "unauthorized"}))
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)  # anew each time


TOKEN_ANSWER = httpx.Response(200, json={"access_token": "t", "expires_in": 86400, "token_type": "Bearer"})


def pages_app(pages: Pages) -> FastAPI:
    """An application that serves *pages* and nothing else."""
    app = FastAPI()
    app.include_router(routes.router)
    app.state.container = SimpleNamespace(pages=pages, seldom=Seldom())
    return app


@asynccontextmanager
async def browser_of(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A browser that follows nothing by itself."""
    hooks = {"response": [says_everything_in_words]}
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=app), base_url=ORIGIN, event_hooks=hooks
    ) as client:
        yield client


async def says_everything_in_words(response: httpx.Response) -> None:
    """A text that is missing shows as its key: no page that any test asks for may have one, and none fails."""
    assert response.status_code != HTTPStatus.INTERNAL_SERVER_ERROR, response.url.path
    if response.headers.get("content-type", "").startswith("text/html"):
        await response.aread()
        bare = re.findall(r"(?<![\w./-])(?:ui|problem|error)\.[a-z_]+[a-z_.]*", response.text)
        assert not bare, f"{response.url.path} shows the keys {bare}"


def said_by(answer: httpx.Response) -> str:
    """Where a form leads and what it has done, without what permits the next page to say so."""
    return re.sub(r"once=[^&]*&", "", str(answer.headers["location"]))
