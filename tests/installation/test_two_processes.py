"""Web keeps nothing between two calls: any two processes serve one session, one shop, one webhook address."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from tests.installation.outside import Outside
from tests.installation.signing import TOKEN, UPGATES, Upgates
from tests.support.engine import settings
from upbridge.app import create_app
from upbridge.domain.shop_id import ShopId
from upbridge.store.database import Database, sqlalchemy_url
from upbridge.web_container import WebContainer, create_web_container

ORIGIN = "https://upbridge.example"
EVENTS = ("Orders.create", "Orders.update")


@dataclass(frozen=True, slots=True)
class Process:
    """A web process with connections of its own, and a caller that a balancer has sent to it."""

    container: WebContainer
    client: httpx.AsyncClient

    async def addon(self, endpoint: str, body: object) -> dict[str, object]:
        """What a signed call is answered, which is right."""
        answer = await self.client.post(f"/addon/{endpoint}", json=body)
        assert answer.status_code == 200, answer.text
        found: dict[str, object] = answer.json()
        return found

    async def webhook(self, shop_id: ShopId, event: str = "Orders.create") -> int:
        """The status that a webhook of the shop is answered with."""
        token = self.container.addresses.get().token(shop_id, "upgates", event)
        body = {"orders": [{"order_number": "A-1"}]}
        return (await self.client.post(f"/webhooks/upgates/{event}/{token}", json=body)).status_code


@asynccontextmanager
async def process(address: str, outside: Outside) -> AsyncIterator[Process]:
    """A process that has started."""
    engine = create_async_engine(sqlalchemy_url(address), pool_size=4)
    mine = settings(signature_token=TOKEN)
    app = create_app(mine)
    async with (
        httpx.AsyncClient(transport=httpx.MockTransport(outside.key)) as http,
        httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url=ORIGIN) as client,
    ):
        database = Database(engine=engine, conninfo=address, embedded=None)
        container = create_web_container(mine, database, http, clock=lambda: outside.now)
        app.state.container = container
        await container.load_webhook_key()
        yield Process(container, client)
        await container.close()
    await engine.dispose()


async def test_what_one_process_began_another_one_goes_on_with(database_url: str) -> None:
    outside = Outside()
    async with process(database_url, outside) as one:
        async with process(database_url, outside) as two:
            assert (await one.addon("install", UPGATES.install())).get("error") is not True
            engine = two.container.database.engine
            async with engine.connect() as tx:
                shop_id = ShopId(await tx.scalar(text("SELECT id FROM shops")))

            opened = await two.addon("open", UPGATES.open(at=outside.now))
            entered = await one.client.get(str(opened["url"]))
            home = entered.headers["location"]
            assert (await two.client.get(home)).status_code == 200
            saved = await one.client.post(f"{home}rules", data={"stock.safety": "3"})
            assert "said=rules_saved" in saved.headers["location"]
            assert 'value="3"' in (await two.client.get(saved.headers["location"])).text
            assert (await two.client.get(str(opened["url"]))).status_code != 303, "a ticket is good once"

            statuses = [await where.webhook(shop_id, event) for where in (one, two) for event in EVENTS]
            assert statuses == [204] * len(statuses)
            async with engine.connect() as tx:
                assert await tx.scalar(text("SELECT count(*) FROM deliveries")) == len(statuses)

            renewed = Upgates()
            outside.key_pem = renewed.pem
            outside.wait(seconds=5)
            await two.addon("open", renewed.open(at=outside.now))
            outside.wait(seconds=5)
            await one.addon("open", renewed.open(at=outside.now))

        assert (await one.client.get(home)).status_code == 200, "the other process has ended"
        outside.wait(seconds=5)
        async with process(database_url, outside) as two:
            await two.addon("uninstall", renewed.uninstall(at=outside.now))
            assert (await one.client.get(home)).status_code != 200, "sessions end with the shop, everywhere"


async def test_a_call_that_one_process_has_taken_the_other_refuses(database_url: str) -> None:
    outside, body = Outside(), UPGATES.open()
    async with process(database_url, outside) as one, process(database_url, outside) as two:
        await one.addon("install", UPGATES.install())
        await one.addon("open", body)

        assert (await two.client.post("/addon/open", json=body)).status_code != 200
