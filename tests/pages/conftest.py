"""The pages over a real database, and a browser without cookies."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.conftest import NOON
from upbridge.kit.sealed import Sealer
from upbridge.pages import endpoints
from upbridge.pages.service import Pages
from upbridge.schema import ShopId
from upbridge.settings import Settings
from upbridge.shops.connections import Connections
from upbridge.shops.repository import Shops

ORIGIN = "https://upbridge.example"

Enter = Callable[..., Awaitable[str]]


@dataclass
class Watch:
    """The time of day, to be turned."""

    now: datetime = NOON

    def wait(self, **time: float) -> None:
        """Let time pass."""
        self.now += timedelta(**time)


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def connections(engine: AsyncEngine, sealer: Sealer) -> Connections:
    return Connections(engine, sealer)


@pytest.fixture
def pages(engine: AsyncEngine, sealer: Sealer, connections: Connections, watch: Watch) -> Pages:
    settings = Settings(
        _env_file=None,
        public_url=ORIGIN,
        frame_ancestors=("https://*.upgates.com",),
        support_email="support@upbridge.example",
        support_phone="+420 123 456 789",
    )
    return Pages.of(
        settings,
        engine=engine,
        shops=Shops(engine, sealer),
        connections=connections,
        clock=lambda: watch.now,
    )


@pytest.fixture
async def browser(pages: Pages) -> AsyncIterator[httpx.AsyncClient]:
    """A browser that follows nothing by itself."""
    app = FastAPI()
    app.include_router(endpoints.router)
    app.state.pages = pages
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as client:
        yield client


@pytest.fixture
def enter(pages: Pages, browser: httpx.AsyncClient) -> Enter:
    """Open the add-on for a shop, as the admin does; returns the address of the start page."""

    async def open_and_follow(shop_id: ShopId, language: str = "en") -> str:
        response = await browser.get(await pages.open_door(shop_id, language))
        assert response.status_code == 303
        return str(response.headers["location"])

    return open_and_follow
