"""Secret addresses: made for one shop, source and event, recognised without a query."""

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from structlog.testing import capture_logs

from tests.support.engine import settings
from tests.support.postgres import empty_database
from upbridge.core.encryption import Cipher, DecryptionError
from upbridge.domain.shop_id import ShopId
from upbridge.store.database import Database, open_database, sqlalchemy_url
from upbridge.store.migrate import migrate
from upbridge.systems.http.transport import http_client
from upbridge.web_container import WebContainer, create_web_container
from upbridge.webhooks.addresses import WebhookAddresses, load_addresses

ADDRESSES = WebhookAddresses(b"k" * 32)
SHOP = ShopId(UUID(int=7))
TOKEN = ADDRESSES.token(SHOP, "upgates", "Orders.create")


@given(number=st.uuids(), event=st.text(max_size=30))
def test_a_token_names_its_shop(number: UUID, event: str) -> None:
    token = ADDRESSES.token(ShopId(number), "upgates", event)

    assert ADDRESSES.shop(token, "upgates", event) == (number, 0)
    assert len(token) == 48
    assert token.isascii()


@pytest.mark.rule("R41", "R42")
@pytest.mark.parametrize(
    ("source", "event"),
    [("uphance", "Orders.create"), ("upgates", "Orders.update"), ("upgates", "orders.create"), ("", "")],
)
def test_a_token_is_good_for_one_source_and_event(source: str, event: str) -> None:
    assert ADDRESSES.shop(TOKEN, "upgates", "Orders.create") is not None
    assert ADDRESSES.shop(TOKEN, source, event) is None


def test_many_addresses_are_told_apart_and_not_all_remembered() -> None:
    addresses = WebhookAddresses(b"k" * 32)
    shops = [ShopId(UUID(int=number)) for number in range(12_000)]
    tokens = [addresses.token(shop, "upgates", "Orders.create") for shop in shops]

    for _ in range(2):
        assert [addresses.shop(token, "upgates", "Orders.create") for token in tokens] == [
            (shop, 0) for shop in shops
        ]


def test_a_token_of_another_service_is_worth_nothing() -> None:
    assert WebhookAddresses(b"x" * 32).shop(TOKEN, "upgates", "Orders.create") is None


@pytest.mark.rule("R41")
def test_a_token_cannot_be_turned_to_another_shop() -> None:
    raw = base64.urlsafe_b64decode(TOKEN)
    forged = base64.urlsafe_b64encode(uuid4().bytes + raw[16:]).decode()

    assert ADDRESSES.shop(forged, "upgates", "Orders.create") is None


@given(place=st.integers(0, 47), other=st.characters(min_codepoint=33, max_codepoint=0x2FFF))
def test_one_wrong_character_is_enough(place: int, other: str) -> None:
    forged = TOKEN[:place] + other + TOKEN[place + 1 :]

    assert (ADDRESSES.shop(forged, "upgates", "Orders.create") is None) == (forged != TOKEN)


@given(token=st.text(max_size=80))
def test_any_text_is_no_token(token: str) -> None:
    assert ADDRESSES.shop(token, "upgates", "Orders.create") is None


def test_parts_of_a_name_do_not_run_into_each_other() -> None:
    assert ADDRESSES.token(SHOP, "a", "bc") != ADDRESSES.token(SHOP, "ab", "c")


async def test_every_process_reads_the_key_that_the_first_one_made(engine: AsyncEngine, cipher: Cipher) -> None:
    loaded = await asyncio.gather(*(load_addresses(engine, cipher) for _ in range(5)))

    assert {one.token(SHOP, "upgates", "x") for one in loaded} == {loaded[0].token(SHOP, "upgates", "x")}


async def test_the_key_is_encrypted(engine: AsyncEngine, cipher: Cipher) -> None:
    await load_addresses(engine, cipher)

    with pytest.raises(DecryptionError):
        await load_addresses(engine, Cipher(["MTExMTExMTExMTExMTExMTExMTExMTExMTExMTExMTE="]))


@dataclass
class Loading:
    """A web process that loads the key of its addresses, and tries again when a test says so."""

    container: WebContainer
    failed: asyncio.Event = field(default_factory=asyncio.Event)
    again: asyncio.Event = field(default_factory=asyncio.Event)

    async def sleep(self, _seconds: float) -> None:
        self.failed.set()
        await self.again.wait()


@asynccontextmanager
async def loading(database: Database) -> AsyncIterator[Loading]:
    """A web process has begun and could not load them; they are loaded when the block has ended."""
    async with asyncio.timeout(60), http_client() as http:
        process = Loading(create_web_container(settings(), database, http))
        task = asyncio.create_task(process.container.load_webhook_key(sleep=process.sleep))
        await process.failed.wait()
        assert not process.container.addresses.ready
        yield process
        process.again.set()
        await task
        assert process.container.addresses.ready
        await process.container.close()


async def test_a_process_that_began_when_all_connections_were_taken_loads_them_when_one_is_free(
    database: Database,
) -> None:
    """By visitors of a database that hangs. Else it would answer no webhook for as long as it lives."""
    few = create_async_engine(sqlalchemy_url(database.conninfo), pool_size=1, max_overflow=0, pool_timeout=0)

    with capture_logs() as logs:
        async with few.connect() as taken, loading(replace(database, engine=few)):
            await taken.close()
    await few.dispose()

    assert [line["event"] for line in logs] == ["webhook_addresses_not_loaded"]


async def test_a_web_process_on_an_empty_database_says_what_to_run_and_goes_on_when_it_ran(postgres: str) -> None:
    with empty_database(postgres) as address, capture_logs() as logs:
        async with open_database(settings(database_url=address)) as database, loading(database):
            await asyncio.to_thread(migrate, address)

    said = next(line for line in logs if line["event"] == "database_refused")
    assert "run `upbridge migrate` first" in said["what_to_do"]


def test_each_generation_has_addresses_of_its_own() -> None:
    tokens = [ADDRESSES.token(SHOP, "upgates", "x", generation) for generation in (0, 1, 2, 70_000)]

    assert len(set(tokens)) == 4
    found = [ADDRESSES.shop(token, "upgates", "x") for token in tokens]
    assert found == [(SHOP, generation) for generation in (0, 1, 2, 70_000)]
