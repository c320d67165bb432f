"""Shops: found by any of their names, named once and for ever, moved only along the arrows."""

import asyncio
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.support.clock import NOON
from tests.support.shops import MakeShop
from upbridge.core.encryption import Cipher
from upbridge.core.errors import BadSignature, NotFound
from upbridge.domain.shop import BY_OPERATOR, BY_UPGATES, Credentials, Shop, ShopState
from upbridge.domain.shop_id import ShopId
from upbridge.domain.shop_key import free_key, shop_key
from upbridge.maintenance.erasure import erase_shop
from upbridge.store.shops import Arrival, Installation, Shops, set_facts
from upbridge.systems.registry import SYSTEMS


@pytest.fixture
def shops(engine: AsyncEngine, cipher: Cipher) -> Shops:
    return Shops(engine, cipher, SYSTEMS.settings)


def call(token: str = "t-1", host: str = "garde.admin.s1.upgates.com", later: float = 0) -> Installation:
    return Installation(
        token=token,
        api_url=f"https://{host}/api/v2",
        api_user="12345678",
        api_key=f"key-of-{token}-{later}",
        version=1,
        language="cs",
        signed_at=NOON + timedelta(seconds=later),
    )


async def install(engine: AsyncEngine, shops: Shops, installation: Installation) -> tuple[Shop, Arrival]:
    async with engine.begin() as tx:
        return await shops.install(tx, installation, now=NOON)


# --- names --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "key"),
    [
        ("https://garde.admin.s1.upgates.com/api/v2", "garde"),
        ("https://My_Shop.admin.s1.upgates.com/api/v2", "my-shop"),
        ("https://127.0.0.1:8901/api/v2", "127"),
        ("", "shop"),
        ("https://---.upgates.com", "shop"),
    ],
)
def test_a_shop_is_named_after_its_host(url: str, key: str) -> None:
    assert shop_key(url) == key


@given(wanted=st.text(min_size=1, max_size=5), taken=st.sets(st.text(max_size=7), max_size=20))
def test_a_free_name_is_free(wanted: str, taken: set[str]) -> None:
    assert free_key(wanted, taken) not in taken


def test_taken_names_are_counted_up() -> None:
    assert free_key("garde", {"garde", "garde-2"}) == "garde-3"


async def test_two_shops_on_hosts_of_the_same_name_get_two_keys(engine: AsyncEngine, shops: Shops) -> None:
    calls = [call(f"t-{number}") for number in range(4)]

    installed = await asyncio.gather(*(install(engine, shops, one) for one in calls))

    assert sorted(shop.key for shop, _ in installed) == ["garde", "garde-2", "garde-3", "garde-4"]


async def test_a_shop_that_returns_keeps_its_key(engine: AsyncEngine, shops: Shops) -> None:
    first, arrival = await install(engine, shops, call())
    await shops.move(first.id, to=ShopState.UNINSTALLED, among=[ShopState.ACTIVE], now=NOON)

    again, returned = await install(engine, shops, call(host="moved.admin.s2.upgates.com", later=60))

    assert (arrival, returned) == (Arrival.NEW, Arrival.RETURNED)
    assert (again.id, again.key, again.state) == (first.id, "garde", ShopState.ACTIVE)
    assert again.uninstalled_at is None


# --- installing ---------------------------------------------------------------------------------------------


async def test_a_repeated_installation_renews_the_credentials(engine: AsyncEngine, shops: Shops) -> None:
    first, _ = await install(engine, shops, call())

    _, arrival = await install(engine, shops, call(later=1))

    assert arrival is Arrival.RENEWED
    credentials = await shops.credentials(first.id)
    assert credentials is not None
    assert credentials.api_key == "key-of-t-1-1"


async def test_an_older_installation_changes_nothing(engine: AsyncEngine, shops: Shops) -> None:
    first, _ = await install(engine, shops, call(later=10))

    with pytest.raises(BadSignature):
        await install(engine, shops, call(later=9))

    credentials = await shops.credentials(first.id)
    assert credentials is not None
    assert credentials.api_key == "key-of-t-1-10"


async def test_an_installation_does_not_undo_what_an_operator_did(engine: AsyncEngine, shops: Shops) -> None:
    first, _ = await install(engine, shops, call())
    await shops.move(first.id, to=ShopState.SUSPENDED, among=[ShopState.ACTIVE], now=NOON, reason=BY_OPERATOR)

    again, _ = await install(engine, shops, call(later=1))

    assert (again.state, again.reason) == (ShopState.SUSPENDED, BY_OPERATOR)


async def test_an_installation_heals_what_upgates_had_refused(engine: AsyncEngine, shops: Shops) -> None:
    first, _ = await install(engine, shops, call())
    await shops.move(first.id, to=ShopState.SUSPENDED, among=[ShopState.ACTIVE], now=NOON, reason=BY_UPGATES)

    again, arrival = await install(engine, shops, call(later=1))

    assert (again.state, again.reason, arrival) == (ShopState.ACTIVE, None, Arrival.RETURNED)


# --- finding ------------------------------------------------------------------------------------------------


async def test_an_operator_may_use_any_name(make_shop: MakeShop, shops: Shops) -> None:
    shop_id = await make_shop(key="garde", token="secret-token")

    for name in (str(shop_id), "garde", "secret-token"):
        assert (await shops.find(name)).id == shop_id
    for name in ("gard", "", "00000000-0000-0000-0000-000000000000"):
        with pytest.raises(NotFound):
            await shops.find(name)


async def test_a_token_that_looks_like_an_id_is_found_too(make_shop: MakeShop, shops: Shops) -> None:
    token = "11111111-2222-3333-4444-555555555555"
    shop_id = await make_shop(token=token)

    assert (await shops.find(token)).id == shop_id


async def test_the_shops_are_listed_oldest_first(make_shop: MakeShop, shops: Shops) -> None:
    young = await make_shop(installed_at=NOON)
    old = await make_shop(installed_at=NOON - timedelta(days=1))

    assert [shop.id for shop in await shops.all()] == [old, young]


# --- moving -------------------------------------------------------------------------------------------------


async def test_a_shop_moves_only_from_where_it_was_thought_to_be(make_shop: MakeShop, shops: Shops) -> None:
    shop_id = await make_shop()

    assert not await shops.move(shop_id, to=ShopState.ACTIVE, among=[ShopState.SUSPENDED], now=NOON)
    assert await shops.move(shop_id, to=ShopState.SUSPENDED, among=[ShopState.ACTIVE], now=NOON, reason=BY_UPGATES)
    assert not await shops.move(
        shop_id, to=ShopState.SUSPENDED, among=[ShopState.SUSPENDED], now=NOON, reason=BY_UPGATES
    )
    assert (await shops.get(shop_id)).reason == BY_UPGATES


async def test_an_uninstalled_shop_has_no_credentials_left(
    engine: AsyncEngine, make_shop: MakeShop, shops: Shops
) -> None:
    shop_id = await make_shop(subscribed_at=NOON)

    await shops.move(shop_id, to=ShopState.UNINSTALLED, among=[ShopState.ACTIVE], now=NOON)

    async with engine.connect() as tx:
        row = (await tx.execute(text("SELECT api_user, api_key, subscribed_at FROM shops"))).one()
    assert tuple(row) == (None, None, None)
    assert await shops.credentials(shop_id) is None


async def test_credentials_are_encrypted_and_never_shown(engine: AsyncEngine, shops: Shops) -> None:
    asked = call()
    shop, _ = await install(engine, shops, asked)

    async with engine.connect() as tx:
        raw = bytes(await tx.scalar(text("SELECT api_key FROM shops")) or b"")
    stored = await shops.credentials(shop.id)
    assert stored == Credentials(asked.api_url, asked.api_user, asked.api_key)
    assert asked.api_key.encode() not in raw
    assert asked.api_key not in repr(stored) + repr(shop)


async def test_only_known_moments_can_be_marked(make_shop: MakeShop, shops: Shops) -> None:
    shop_id = await make_shop()

    with pytest.raises(ValueError, match="api_key"):
        await shops.mark(shop_id, "api_key", now=NOON)


async def test_a_shop_is_called_by_its_company_where_it_is_known(
    make_shop: MakeShop, shops: Shops, engine: AsyncEngine
) -> None:
    shop_id = await make_shop(key="garde")
    assert (await shops.get(shop_id)).name == "garde"

    async with engine.begin() as tx:
        await set_facts(tx, shop_id, {"company": "Garde s.r.o."}, read_at=NOON)

    assert (await shops.get(shop_id)).name == "Garde s.r.o."


async def test_what_is_not_there_is_not_found(shops: Shops, engine: AsyncEngine, make_shop: MakeShop) -> None:
    shop_id = ShopId(await make_shop())
    await erase_shop(engine, shop_id)

    with pytest.raises(NotFound):
        await shops.get(shop_id)
    with pytest.raises(NotFound):
        await shops.by_token("t-1")
