"""A key is lost: the shops and who enters what again are listed, and the service goes on."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence

from cryptography.fernet import Fernet
from sqlalchemy.ext.asyncio import AsyncEngine
from structlog.testing import capture_logs

from tests.support.clock import NOON
from tests.support.engine import Engine
from tests.support.rows import fill, full_row, insert_rows
from tests.support.shops import MakeShop
from tests.support.simulated import Said
from tests.support.upp import make_product, make_variant
from upbridge.core.encryption import Cipher
from upbridge.core.errors import CredentialsRefused, LoginUnreadable
from upbridge.domain.delivery import Document
from upbridge.domain.shop import BY_LOST_KEY, ShopState
from upbridge.domain.shop_id import ShopId
from upbridge.maintenance.key_rotation import ENCRYPTED, rotate_all
from upbridge.maintenance.lost_keys import REMEDIES, Lost, forget_lost, lost_values
from upbridge.maintenance.own_keys import until_others_are_used
from upbridge.store.changes import Kind
from upbridge.store.schema import secrets
from upbridge.webhooks.addresses import load_addresses

KEPT, LOST = (Fernet.generate_key().decode() for _ in range(2))


async def sealed_shop(engine: AsyncEngine, make_shop: MakeShop, key: str, name: str) -> ShopId:
    """A shop with a value in every sealed column."""
    cipher = Cipher([key])
    values = {column.name: cipher.encrypt(f"the {column}") for column in ENCRYPTED}
    shop_id = await make_shop(key=name, api_key=values["api_key"])
    await fill(engine, shop_id, now=NOON, **values)
    return shop_id


def test_of_every_sealed_column_it_is_known_who_enters_it_again() -> None:
    assert REMEDIES.keys() == {str(column) for column in ENCRYPTED}


async def test_the_shops_of_a_lost_key_are_listed_and_no_others(engine: AsyncEngine, make_shop: MakeShop) -> None:
    await sealed_shop(engine, make_shop, LOST, "lost")
    await sealed_shop(engine, make_shop, KEPT, "kept")
    await insert_rows(engine, full_row(secrets, NOON, value=Cipher([LOST]).encrypt("ours")))

    found = await lost_values(engine, Cipher([KEPT]))

    assert found[0] == Lost(None, "secrets.value", None, 1)
    assert {(one.shop, one.column, one.values) for one in found[1:]} == {
        ("lost", column, 1) for column in REMEDIES if column != "secrets.value"
    }
    assert {one.remedy.who for one in found if one.column.startswith("connections.")} == {"merchant"}


async def test_without_what_is_lost_the_service_goes_on(engine: AsyncEngine, make_shop: MakeShop) -> None:
    shop_id = await sealed_shop(engine, make_shop, LOST, "lost")
    await sealed_shop(engine, make_shop, KEPT, "kept")
    before = (await load_addresses(engine, Cipher([LOST]))).token(shop_id, "uphance", "any")
    cipher = Cipher([KEPT])

    forgotten = await forget_lost(engine, cipher, lambda: NOON)

    assert {one.column for one in forgotten} == REMEDIES.keys()
    assert [one.column for one in await lost_values(engine, cipher)] == ["documents.body"]
    assert (await load_addresses(engine, cipher)).token(shop_id, "uphance", "any") != before
    counts = await rotate_all(engine, cipher)
    assert counts["shops.api_key"] == (1, 0)
    assert counts["documents.body"] == (1, 1)


FOREIGN = Cipher([LOST]).encrypt("{}")


async def test_a_shop_whose_key_no_key_opens_rests_and_loses_nothing(machine: Engine) -> None:
    await machine.run("UPDATE shops SET api_key = :sealed WHERE id = :shop_id", sealed=FOREIGN)
    await machine.mark(Kind.PRODUCT, "12")

    with capture_logs() as logs:
        assert await machine.pull() is False

    assert [one["reason"] for one in logs if one["event"] == "lane_stopped"] == [str(LoginUnreadable())]
    shop = await machine.shop()
    assert (shop.state, shop.reason) == (ShopState.SUSPENDED, BY_LOST_KEY)
    assert machine.upgates.requests == []
    for _ in range(2):  # asked whether it is back, and whether it has left
        machine.watch.move(hours=2)
        await machine.mark(Kind.PROBE, "probe")
        await machine.pull()
    assert await machine.value("SELECT api_key FROM shops WHERE id = :shop_id") == FOREIGN
    assert ("product", "12") in await machine.change_keys()


async def test_a_login_that_no_key_opens_is_a_problem_of_its_shop(machine: Engine) -> None:
    await machine.run("UPDATE connections SET tokens = :sealed WHERE shop_id = :shop_id", sealed=FOREIGN)
    await machine.settle(make_product(make_variant(1)))
    vault = machine.service.connections.vault(machine.shop_id, "upp")

    async def log_in(documents: Sequence[Document]) -> AsyncIterator[Said]:
        await vault.tokens()
        yield []

    machine.target.script = log_in

    assert await machine.push() is False

    [problem] = await machine.problems()
    assert (problem.key, problem.target, problem.entity) == ("connection.unreadable", "upp", "upp")
    assert (await machine.shop()).state is ShopState.ACTIVE
    assert len(await machine.documents()) == 1


async def test_what_rests_for_want_of_a_key_goes_on_when_the_key_is_found(machine: Engine) -> None:
    columns = {"shops": ("api_key", "id"), "connections": ("tokens", "shop_id")}
    tokens = machine.service.cipher.encrypt('{"access": "a"}')
    await machine.run("UPDATE connections SET tokens = :sealed WHERE shop_id = :shop_id", sealed=tokens)
    kept = {
        table: await machine.value(f"SELECT {name} FROM {table} WHERE {key} = :shop_id")
        for table, (name, key) in columns.items()
    }

    async def put(values: Mapping[str, bytes]) -> None:
        for table, (name, key) in columns.items():
            await machine.run(f"UPDATE {table} SET {name} = :sealed WHERE {key} = :shop_id", sealed=values[table])

    await put(dict.fromkeys(columns, FOREIGN))
    logins, shop = machine.service.logins, await machine.shop()
    await logins.refused_by_platform(shop, LoginUnreadable())
    await logins.refused_by_target(shop, "upp", LoginUnreadable())
    await machine.service.found_keys.go_on()
    assert (await machine.shop()).state is ShopState.SUSPENDED

    await put(kept)
    await machine.service.found_keys.go_on()

    assert (await machine.shop()).state is ShopState.ACTIVE
    assert await machine.value("SELECT state FROM connections WHERE shop_id = :shop_id") == "connected"
    assert await machine.problems() == []


async def test_what_a_system_refused_does_not_go_on_by_itself(machine: Engine) -> None:
    logins, shop = machine.service.logins, await machine.shop()
    await logins.refused_by_platform(shop, CredentialsRefused())
    await logins.refused_by_target(shop, "upp", CredentialsRefused())

    await machine.service.found_keys.go_on()

    assert (await machine.shop()).state is ShopState.SUSPENDED
    assert await machine.value("SELECT state FROM connections WHERE shop_id = :shop_id") == "broken"


async def test_a_process_with_keys_of_yesterday_judges_no_login(machine: Engine, engine: AsyncEngine) -> None:
    await insert_rows(engine, full_row(secrets, NOON, value=FOREIGN))
    logins, shop = machine.service.logins, await machine.shop()

    await logins.refused_by_platform(shop, LoginUnreadable())
    await logins.refused_by_target(shop, "upp", LoginUnreadable())

    assert (await machine.shop()).state is ShopState.ACTIVE
    assert await machine.value("SELECT state FROM connections WHERE shop_id = :shop_id") == "connected"


async def test_a_running_process_notices_once_that_others_are_used(engine: AsyncEngine) -> None:
    old, new = Cipher([LOST]), Cipher([KEPT, LOST])
    await load_addresses(engine, old)
    with capture_logs() as logs:
        noticed = asyncio.create_task(until_others_are_used(engine, old, every=0.01))
        await rotate_all(engine, new)
        async with asyncio.timeout(30):
            await noticed

    assert [one["event"] for one in logs] == ["encryption_keys_do_not_fit"]


async def test_what_waits_and_no_key_opens_is_read_again_and_reported_once(machine: Engine) -> None:
    await machine.settle(make_product(make_variant(1)), make_product(make_variant(2), product_id=13))
    await machine.run("UPDATE documents SET body = :sealed WHERE parent = '12'", sealed=FOREIGN)

    with capture_logs() as logs:
        await machine.push()
        await machine.push()

    [told] = [one for one in logs if one["event"] == "documents_unreadable"]
    assert (told["documents"], told["target"]) == (1, "upp")
    assert await machine.change_keys() == [("product", "12")]
    assert len(machine.target.received) == 1
