"""A web side with the four endpoints and the pages, and an Upgates that signs for it."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.installation.outside import Call, Outside, Rows, client_of, settings
from tests.installation.signing import UPGATES, Upgates
from upbridge.core.encryption import Cipher
from upbridge.installation.keys import SignatureKeys
from upbridge.installation.service import InstallationService
from upbridge.store.shops import Shops
from upbridge.systems.registry import SYSTEMS


@pytest.fixture
def upgates() -> Upgates:
    return UPGATES


@pytest.fixture
def outside() -> Outside:
    return Outside()


@pytest.fixture
def shops(engine: AsyncEngine, cipher: Cipher) -> Shops:
    return Shops(engine, cipher, SYSTEMS.settings)


@pytest.fixture
async def service(engine: AsyncEngine, shops: Shops, outside: Outside) -> AsyncIterator[InstallationService]:
    async with httpx.AsyncClient(transport=httpx.MockTransport(outside.key)) as http:
        keys = SignatureKeys(http, "https://files.example/key", lambda: outside.now, sleep=outside.sleep)
        yield InstallationService.of(
            settings(),
            engine=engine,
            shops=shops,
            keys=keys,
            ticket_address=outside.ticket_address,
            clock=lambda: outside.now,
            wake=outside.wake,
        )
        await keys.close()


@pytest.fixture
async def client(service: InstallationService) -> AsyncIterator[httpx.AsyncClient]:
    """A caller of the endpoints."""
    async with client_of(service) as client:
        yield client


@pytest.fixture
def call(client: httpx.AsyncClient) -> Call:
    """Call an endpoint with a JSON body."""

    async def post(endpoint: str, body: Any) -> httpx.Response:
        return await client.post(f"/addon/{endpoint}", json=body)

    return post


@pytest.fixture
def rows(engine: AsyncEngine) -> Rows:
    """All rows of a table."""

    async def read(table: str) -> list[dict[str, Any]]:
        async with engine.connect() as tx:
            return [dict(row) for row in (await tx.execute(text(f"SELECT * FROM {table}"))).mappings()]

    return read
