"""The real web application over a shared database."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.support.clock import MID_HOUR, MovableClock
from tests.support.engine import settings
from tests.support.shops import MakeShop
from upbridge.app import create_app
from upbridge.core.deferred import Deferred
from upbridge.core.encryption import Cipher
from upbridge.domain.shop_id import ShopId
from upbridge.domain.webhooks import ANY_EVENT
from upbridge.settings import Settings
from upbridge.store.database import Database
from upbridge.web_container import WebContainer, create_web_container
from upbridge.webhooks.addresses import WebhookAddresses, load_addresses
from upbridge.webhooks.inbox import DEADLINE

Json = dict[str, Any]


async def no_network(_request: httpx.Request) -> httpx.Response:
    """Fail, because a web process calls no system for this."""
    raise AssertionError("a web process calls no system for this")


@dataclass
class Site:
    """The web application with one shop in its database, and the requests that a test sends to it."""

    client: httpx.AsyncClient
    addresses: WebhookAddresses
    engine: AsyncEngine
    shop_id: ShopId
    watch: MovableClock
    make_shop: MakeShop
    app: FastAPI

    async def post(
        self, event: str, body: Any, *, token: str | None = None, shop_id: ShopId | None = None
    ) -> httpx.Response:
        """A delivery from Upgates."""
        token = token or self.addresses.token(shop_id or self.shop_id, "upgates", event)
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return await self.client.post(f"/webhooks/upgates/{event}/{token}", content=content)

    async def uphance(self, body: Any) -> httpx.Response:
        """A delivery from Uphance."""
        token = self.addresses.token(self.shop_id, "uphance", ANY_EVENT)
        return await self.client.post(f"/webhooks/uphance/{token}", json=body)

    async def rows(self, query: str) -> list[tuple[Any, ...]]:
        async with self.engine.connect() as tx:
            return [tuple(row) for row in await tx.execute(text(query))]

    async def run(self, statement: str, **values: Any) -> None:
        """Change something, committed."""
        async with self.engine.begin() as tx:
            await tx.execute(text(statement), values)

    async def changes(self) -> list[tuple[Any, ...]]:
        """Source, kind and key of what waits."""
        return await self.rows("SELECT source, kind, key FROM changes ORDER BY 1, 2, 3")

    async def deliveries(self) -> int:
        [(number,)] = await self.rows("SELECT count(*) FROM deliveries")
        return int(number)


MakeClient = Callable[[Database], Awaitable[tuple[FastAPI, httpx.AsyncClient]]]


@pytest.fixture
def webhook_seconds() -> float:
    """How long a webhook may take to be stored."""
    return DEADLINE


@pytest.fixture
async def make_client(webhook_seconds: float) -> AsyncIterator[MakeClient]:
    """The application on a database, and a caller of it. The addresses are not loaded yet."""
    apps: list[tuple[FastAPI, httpx.AsyncClient, httpx.AsyncClient]] = []

    async def make(database: Database) -> tuple[FastAPI, httpx.AsyncClient]:
        app = create_app(settings())
        outward = httpx.AsyncClient(transport=httpx.MockTransport(no_network))
        app.state.container = create_web_container(
            settings(), database, outward, clock=MovableClock(MID_HOUR), webhook_seconds=webhook_seconds
        )
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        client = httpx.AsyncClient(transport=transport, base_url="https://upbridge.example")
        apps.append((app, client, outward))
        return app, client

    yield make
    for app, client, outward in apps:
        await client.aclose()
        await outward.aclose()
        await app.state.container.close()


@pytest.fixture
async def site(database: Database, make_client: MakeClient, make_shop: MakeShop, cipher: Cipher) -> Site:
    """A shop whose webhooks arrive."""
    app, client = await make_client(database)
    container: WebContainer = app.state.container
    container.addresses.set(await load_addresses(database.engine, cipher))
    await container.inbox.warm_up()
    shop_id = ShopId(await make_shop())
    clock = container.clock
    assert isinstance(clock, MovableClock)
    return Site(client, container.addresses.get(), database.engine, shop_id, clock, make_shop, app)


def forget_webhook_key(site: Site) -> None:
    """As if the database had not told the key of the webhook addresses yet."""
    container: WebContainer = site.app.state.container
    site.app.state.container = replace(container, addresses=Deferred("not loaded yet"))


def with_addresses(site: Site, addresses: WebhookAddresses) -> None:
    """Run the application with other webhook addresses."""
    site.app.state.container = replace(site.app.state.container, addresses=Deferred("not loaded yet", addresses))


def with_settings(site: Site, changed: Settings) -> None:
    """Run the application with other settings of the process."""
    site.app.state.container = replace(site.app.state.container, settings=changed)
