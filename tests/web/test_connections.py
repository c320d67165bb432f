"""The Connections page: tested before it is stored, never shown again."""

import asyncio
import html
import json
import re
from datetime import timedelta

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.support.clock import NOON
from tests.support.pages import EN, TOKEN_ANSWER, Enter, Remote, said_by
from tests.support.rows import connection_row, document_row, insert_rows, problem_row
from tests.support.shops import MakeShop
from upbridge.core.encryption import Cipher
from upbridge.domain.lane import Lane
from upbridge.engine.lanes import exclusive
from upbridge.store.connections import Connections


async def test_a_login_that_is_refused_stores_nothing_and_keeps_all_but_the_secret(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, connections: Connections
) -> None:
    shop_id = await make_shop()

    page = await browser.post(
        f"{await enter(shop_id)}connections/upp",
        data={"client_id": 'my "id" <b>', "client_secret": "do-not-show-this"},
    )

    assert page.status_code == 422
    assert EN.get("ui.connections.refused", system="Upp.ai") in page.text
    assert "my &#34;id&#34; &lt;b&gt;" in page.text
    assert "do-not-show-this" not in page.text
    assert await connections.of(shop_id) == {}


async def test_after_five_wrong_logins_the_page_asks_to_wait(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, remote: Remote
) -> None:
    home = await enter(await make_shop())
    for _ in range(6):
        page = await browser.post(f"{home}connections/upp", data={"client_id": "x", "client_secret": "y"})

    assert page.status_code == 422
    assert EN.get("error.too_many_logins") in page.text
    assert len(remote.asked) == 5


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
    row = connection_row(
        shop_id, "upp", login_at=NOON, connected_at=NOON - timedelta(days=9), secret=b"sealed-secret"
    )
    await insert_rows(engine, row)

    page = html.unescape((await browser.get(f"{await enter(shop_id)}connections")).text)

    assert EN.get("ui.connections.set_since", since=NOON) in page
    assert "sealed-secret" not in page


async def test_the_webhook_address_is_shown_once_uphance_is_connected(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, engine: AsyncEngine
) -> None:
    shop_id = await make_shop()
    home = await enter(shop_id)
    before = (await browser.get(f"{home}connections")).text
    await insert_rows(engine, connection_row(shop_id, "uphance"))

    after = (await browser.get(f"{home}connections")).text

    assert f"webhooks/uphance/{shop_id}" not in before
    assert f"webhooks/uphance/{shop_id}" in after


async def test_disconnecting_asks_first_and_forgets_what_waits(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, engine: AsyncEngine, connections: Connections
) -> None:
    shop_id = await make_shop()
    await insert_rows(engine, connection_row(shop_id, "upp"))
    await insert_rows(engine, document_row(shop_id, "upp", "A1"))
    home = await enter(shop_id)

    question = await browser.get(f"{home}connections/upp/disconnect")
    assert EN.get("ui.disconnect.stays") in question.text
    assert "upp" in await connections.of(shop_id)
    await browser.post(f"{home}connections/upp/disconnect")

    assert await connections.of(shop_id) == {}


@pytest.mark.parametrize("system", ["upgates", "x", "%00"])
async def test_a_system_that_there_is_not_cannot_be_tested_or_disconnected(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, system: str
) -> None:
    home = await enter(await make_shop())

    assert (await browser.get(f"{home}connections/{system}/disconnect")).status_code == 404
    assert (await browser.post(f"{home}connections/{system}/disconnect")).status_code == 404
    assert (await browser.post(f"{home}connections/{system}/test")).status_code == 404


async def test_a_second_click_says_what_the_first_has_done(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, engine: AsyncEngine
) -> None:
    shop_id = await make_shop()
    await insert_rows(engine, connection_row(shop_id, "upp"))
    home = await enter(shop_id)

    clicks = [browser.post(f"{home}connections/upp/disconnect") for _ in range(3)]

    assert {said_by(answer) for answer in await asyncio.gather(*clicks)} == {
        f"{home}connections?said=disconnected_upp"
    }


async def test_a_page_that_was_open_while_another_user_disconnected_leads_to_what_is_so_now(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, remote: Remote
) -> None:
    home = await enter(await make_shop())

    for answer in (
        await browser.get(f"{home}connections/uphance/disconnect"),
        await browser.post(f"{home}connections/uphance/test"),
    ):
        assert (answer.status_code, answer.headers["location"]) == (303, f"{home}connections")
    assert remote.asked == []


@pytest.mark.parametrize("organisation", ["9" * 19, "9" * 5000, "²", "-1"])
async def test_a_number_that_no_organisation_has_is_asked_for_again(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, organisation: str
) -> None:
    form = {"email": "a@b.cz", "password": "do-not-show-this", "organisation": organisation}

    page = await browser.post(f"{await enter(await make_shop())}connections/uphance", data=form)

    assert page.status_code == 422
    assert "do-not-show-this" not in page.text


async def test_who_has_to_choose_an_organisation_types_the_password_once(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, remote: Remote, connections: Connections
) -> None:
    shop_id, other = await make_shop(), await make_shop()
    organisations = [{"id": 501, "name": "Hemline"}, {"id": 502, "name": "Not this one"}]
    remote.answers |= {
        "/oauth/token": TOKEN_ANSWER,
        "/organisations": httpx.Response(200, json={"organisations": organisations}),
        "/organisations/set_current_org": httpx.Response(200, json={}),
        **{f"/{name}": httpx.Response(200, json={name: []}) for name in ("channels", "seasons", "sales_orders")},
        "/products": httpx.Response(200, json={"products": [{"id": 1}], "meta": {"total_count": 1250}}),
    }
    home = await enter(shop_id)
    typed = {"email": "a@b.cz", "password": "do-not-show-this"}

    page = await browser.post(f"{home}connections/uphance", data=typed)
    [held] = re.findall(r'name="held_login" value="([^"]+)"', page.text)
    form = {"held_login": held, "organisation": "501"}
    elsewhere = await browser.post(f"{await enter(other)}connections/uphance", data=form)
    spoiled = await browser.post(f"{home}connections/uphance", data={**form, "held_login": held[:-9] + "x" * 9})
    answer = await browser.post(f"{home}connections/uphance", data=form)

    assert page.status_code == 422
    assert EN.get("ui.connections.choose_organisation") in html.unescape(page.text)
    assert "Hemline (501), 1,250 products, no orders</option>" in page.text
    assert 'name="password"' not in page.text.partition('action="' + home + 'connections/uphance"')[2]
    assert "do-not-show-this" not in page.text
    assert EN.get("error.login_ended") in elsewhere.text
    assert EN.get("error.login_ended") in spoiled.text
    assert said_by(answer) == f"{home}connections?said=connected_uphance"
    assert (await connections.of(shop_id))["uphance"].account == "501"
    assert remote.asked.count("POST /oauth/token") == 1


async def test_an_organisation_that_cannot_be_looked_at_is_offered_by_its_name(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, remote: Remote
) -> None:
    organisations = [{"id": 501, "name": "Hemline"}, {"id": 502, "name": "Not this one"}]
    remote.answers |= {
        "/oauth/token": TOKEN_ANSWER,
        "/organisations": httpx.Response(200, json={"organisations": organisations}),
        "/organisations/set_current_org": httpx.Response(200, json={}),
        "/products": httpx.Response(200, json={"products": []}),
        "/sales_orders": httpx.Response(500, json={}),
    }

    page = await browser.post(
        f"{await enter(await make_shop())}connections/uphance", data={"email": "a@b.cz", "password": "secret"}
    )

    assert page.status_code == 422
    assert "Hemline (501)</option>" in page.text
    assert "Not this one (502)</option>" in page.text


async def test_the_spaces_around_a_password_belong_to_it(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, remote: Remote
) -> None:
    form = {"email": " a@b.cz ", "password": " two words "}

    await browser.post(f"{await enter(await make_shop())}connections/uphance", data=form)

    (login,) = (json.loads(body) for body in remote.sent)
    assert (login["email"], login["password"]) == ("a@b.cz", " two words ")


async def test_a_new_secret_for_the_same_account_promises_no_first_import(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, remote: Remote
) -> None:
    remote.answers["/auth/oauth/token"] = TOKEN_ANSWER
    home = await enter(await make_shop())

    said = [
        said_by(await browser.post(f"{home}connections/upp", data={"client_id": "a", "client_secret": secret}))
        for secret in ("first", "second")
    ]

    assert said == [f"{home}connections?said=connected_upp", f"{home}connections?said=test_upp"]


async def test_a_broken_connection_whose_login_works_again_goes_on(  # noqa: PLR0917
    browser: httpx.AsyncClient,
    make_shop: MakeShop,
    enter: Enter,
    engine: AsyncEngine,
    remote: Remote,
    cipher: Cipher,
    connections: Connections,
) -> None:
    shop_id = await make_shop()
    secret = cipher.encrypt(json.dumps({"client_id": "a", "client_secret": "b"}))
    await insert_rows(engine, connection_row(shop_id, "upp", state="broken", reason="401", secret=secret))
    await insert_rows(engine, document_row(shop_id, "upp", "O-1", state="parked"))
    refused = problem_row(shop_id, "upp", key="connection.refused", kind="connection", target="upp")
    await insert_rows(engine, refused)
    home = await enter(shop_id)

    still = await browser.post(f"{home}connections/upp/test")
    assert still.status_code == 422
    assert str((await connections.of(shop_id))["upp"].state) == "broken"

    remote.answers["/auth/oauth/token"] = TOKEN_ANSWER
    answer = await browser.post(f"{home}connections/upp/test")

    assert said_by(answer) == f"{home}connections?said=mended"
    assert str((await connections.of(shop_id))["upp"].state) == "connected"
    async with engine.connect() as tx:
        assert await tx.scalar(text("SELECT state FROM documents")) == "waiting"
        assert await tx.scalar(text("SELECT count(*) FROM problems")) == 0


@pytest.mark.parametrize("status", [404, 429, 500, 503])
async def test_what_does_not_answer_is_not_said_to_be_tried_again_by_itself(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, remote: Remote, status: int
) -> None:
    remote.answers["/auth/oauth/token"] = httpx.Response(status, json={})
    home = await enter(await make_shop())

    page = await browser.post(f"{home}connections/upp", data={"client_id": "a", "client_secret": "b"})

    assert page.status_code == 422
    assert EN.get("ui.connections.no_answer", system="Upp.ai") in page.text


async def test_a_system_that_is_just_in_use_is_not_said_to_answer(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, engine: AsyncEngine, remote: Remote
) -> None:
    shop_id = await make_shop()
    await insert_rows(engine, connection_row(shop_id, "uphance"))
    home = await enter(shop_id)

    async with exclusive(engine, Lane.push(shop_id, "uphance")):
        answer = await browser.post(f"{home}connections/uphance/test")

    assert said_by(answer) == f"{home}connections?said=test_later_uphance"
    assert remote.asked == []


async def test_a_tab_that_the_browser_restored_is_led_to_its_page(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter
) -> None:
    home = await enter(await make_shop())

    assert (await browser.get(f"{home}connections/upp")).headers["location"] == f"{home}connections"
    assert (await browser.get(f"{home}connections/nothing")).status_code == 404
