"""What lies outside of the service that Upgates calls: the time, the key host, the pages and the lanes."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import httpx
from fastapi import FastAPI

from tests.installation.signing import TOKEN, UPGATES
from tests.support.clock import NOON
from upbridge.domain.lane import Lane
from upbridge.domain.shop_id import ShopId
from upbridge.installation import endpoints
from upbridge.installation.service import InstallationService
from upbridge.settings import Settings


@dataclass
class Outside:
    """What tests turn: the time, the key host, what was opened and woken."""

    now: datetime = NOON
    key_status: int = 200
    key_pem: bytes = UPGATES.pem
    issued: list[tuple[ShopId, str]] = field(default_factory=list)
    woken: list[Lane] = field(default_factory=list)

    def wait(self, **time: float) -> None:
        """Let time pass."""
        self.now += timedelta(**time)

    async def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.wait(seconds=seconds)

    async def key(self, _request: httpx.Request) -> httpx.Response:
        return httpx.Response(self.key_status, content=self.key_pem)

    async def ticket_address(self, shop_id: ShopId, language: str) -> str:
        self.issued.append((shop_id, language))
        return "https://upbridge.example/ui/open/ticket"

    async def wake(self, lane: Lane) -> None:
        self.woken.append(lane)


Call = Callable[[str, Any], Awaitable[httpx.Response]]


Rows = Callable[[str], Awaitable[list[dict[str, Any]]]]


def settings(**overrides: Any) -> Settings:
    """Settings of a service with a token, independent of the environment of the tests."""
    return Settings(
        _env_file=None,
        **{"signature_token": TOKEN, "upgates_hosts": "*.upgates.com", "allow_insecure": False, **overrides},
    )


@asynccontextmanager
async def client_of(service: InstallationService) -> AsyncIterator[httpx.AsyncClient]:
    """A caller of the endpoints that *service* answers."""
    app = FastAPI()
    app.include_router(endpoints.router)
    app.state.container = SimpleNamespace(installation=service)
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="https://upbridge.example") as client:
        yield client
