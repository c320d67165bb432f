"""The pages over a real database, and a browser without cookies."""

from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.support.clock import MovableClock
from tests.support.pages import ORIGIN, Enter, Remote, browser_of, pages_app
from upbridge.core.encryption import Cipher
from upbridge.domain.shop_id import ShopId
from upbridge.rate_limits.ledger import Ledger
from upbridge.settings import Settings
from upbridge.store.connections import Connections
from upbridge.store.shops import Shops
from upbridge.systems.base import Systems
from upbridge.systems.registry import SYSTEMS
from upbridge.web.context import Pages
from upbridge.worker_container import WorkerContainer


@pytest.fixture
def watch() -> MovableClock:
    return MovableClock()


@pytest.fixture
def connections(engine: AsyncEngine, cipher: Cipher) -> Connections:
    return Connections(engine, cipher)


@pytest.fixture
def remote() -> Remote:
    return Remote()


@pytest.fixture
def systems() -> Systems:
    """The systems of the service."""
    return SYSTEMS


@pytest.fixture
async def service(
    engine: AsyncEngine, cipher: Cipher, watch: MovableClock, remote: Remote, systems: Systems
) -> AsyncIterator[WorkerContainer]:
    """What forms call, over simulated systems."""
    async with httpx.AsyncClient(transport=httpx.MockTransport(remote.handle)) as http:
        yield WorkerContainer(
            settings=Settings(_env_file=None, public_url=ORIGIN),
            systems=systems,
            engine=engine,
            cipher=cipher,
            clock=watch,
            http=http,
            ledger=Ledger(engine, watch, sleep=watch.sleep),
            targets={},
            webhook_url=lambda shop, source, event: f"{ORIGIN}/webhooks/{source}/{shop.id}",
        )


@pytest.fixture
def pages(
    engine: AsyncEngine, cipher: Cipher, connections: Connections, watch: MovableClock, service: WorkerContainer
) -> Pages:
    settings = Settings(
        _env_file=None,
        public_url=ORIGIN,
        frame_ancestors=("https://*.upgates.com",),
        support_email="support@upbridge.example",
        support_phone="+420 123 456 789",
    )
    return Pages.of(
        settings,
        systems=service.systems,
        engine=engine,
        shops=Shops(engine, cipher, service.systems.settings),
        connections=connections,
        cipher=cipher,
        clock=watch,
        act=lambda: service.actions,
        webhook_address=lambda shop, system: f"{ORIGIN}/webhooks/{system}/{shop.id}",
    )


@pytest.fixture
def web_app(pages: Pages) -> FastAPI:
    """The pages as a web server serves them."""
    return pages_app(pages)


@pytest.fixture
async def browser(web_app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A browser that follows nothing by itself."""
    async with browser_of(web_app) as client:
        yield client


@pytest.fixture
def enter(pages: Pages, browser: httpx.AsyncClient) -> Enter:
    """Open the add-on for a shop, as the admin does; returns the address of the start page."""

    async def open_and_follow(shop_id: ShopId, language: str = "en") -> str:
        response = await browser.get(await pages.ticket_address(shop_id, language))
        assert response.status_code == 303
        return str(response.headers["location"])

    return open_and_follow
