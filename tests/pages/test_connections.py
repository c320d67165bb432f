"""The Connections page: tested before it is stored, never shown again."""

import html

import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.conftest import NOON, MakeShop
from tests.pages.conftest import Enter, Remote
from tests.pages.test_endpoints import EN, document, put
from upbridge.shops.connections import Connections

TOKEN = httpx.Response(200, json={"access_token": "t", "expires_in": 86400, "token_type": "Bearer"})


async def test_a_login_that_is_refused_stores_nothing_and_keeps_all_but_the_secret(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, connections: Connections
) -> None:
    shop_id = await make_shop()

    page = await browser.post(
        f"{await enter(shop_id)}connections/upp",
        data={"client_id": 'my "id" <b>', "client_secret": "do-not-show-this"},
    )

    assert page.status_code == 422
    assert EN.get("error.login_refused") in page.text
    assert "my &#34;id&#34; &lt;b&gt;" in page.text
    assert "do-not-show-this" not in page.text
    assert await connections.of(shop_id) == {}


@pytest.mark.parametrize(
    "form", [{"client_id": "", "client_secret": "x"}, {"client_id": "x"}, {"client_id": "x", "client_secret": " "}]
)
async def test_an_empty_field_is_asked_for_without_a_call(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, remote: Remote, form: dict[str, str]
) -> None:
    page = await browser.post(f"{await enter(await make_shop())}connections/upp", data=form)

    assert EN.get("ui.connections.fill_in") in page.text
    assert remote.asked == []


async def test_a_shop_that_switched_the_add_on_off_cannot_connect(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter
) -> None:
    home = await enter(await make_shop(state="uninstalled"))

    page = await browser.post(f"{home}connections/upp", data={"client_id": "a", "client_secret": "b"})

    assert page.status_code == 422


async def test_a_stored_secret_is_set_since_and_never_shown(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, engine: AsyncEngine
) -> None:
    shop_id = await make_shop()
    row = {"shop_id": shop_id, "system": "upp", "state": "connected", "account": "mine", "connected_at": NOON}
    await put(engine, "connections", {**row, "secret": b"sealed-secret"})

    page = html.unescape((await browser.get(f"{await enter(shop_id)}connections")).text)

    assert EN.get("ui.connections.set_since", since=NOON) in page
    assert "sealed-secret" not in page


async def test_the_webhook_address_is_shown_once_uphance_is_connected(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, engine: AsyncEngine
) -> None:
    shop_id = await make_shop()
    home = await enter(shop_id)
    before = (await browser.get(f"{home}connections")).text
    await put(
        engine,
        "connections",
        {"shop_id": shop_id, "system": "uphance", "state": "connected", "account": "7", "connected_at": NOON},
    )

    after = (await browser.get(f"{home}connections")).text

    assert f"webhooks/uphance/{shop_id}" not in before
    assert f"webhooks/uphance/{shop_id}" in after


async def test_disconnecting_asks_first_and_forgets_what_waits(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, engine: AsyncEngine, connections: Connections
) -> None:
    shop_id = await make_shop()
    await put(
        engine,
        "connections",
        {"shop_id": shop_id, "system": "upp", "state": "connected", "account": "a", "connected_at": NOON},
    )
    await put(engine, "documents", document(shop_id, "upp", "A1"))
    home = await enter(shop_id)

    question = await browser.get(f"{home}connections/upp/disconnect")
    assert EN.get("ui.disconnect.stays") in question.text
    assert "upp" in await connections.of(shop_id)
    await browser.post(f"{home}connections/upp/disconnect")

    assert await connections.of(shop_id) == {}


@pytest.mark.parametrize("system", ["uphance", "upgates", "x"])
async def test_what_is_not_connected_cannot_be_tested_or_disconnected(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, system: str
) -> None:
    home = await enter(await make_shop())

    assert (await browser.get(f"{home}connections/{system}/disconnect")).status_code == 404
    assert (await browser.post(f"{home}connections/{system}/test")).status_code == 404
