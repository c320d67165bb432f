"""Forms, messages and failures, the same on every page."""

import html
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import httpx
import pytest
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine
from structlog.testing import capture_logs

from tests.support.pages import EN, ORIGIN, Enter, browser_of, pages_app
from tests.support.rows import connection_row, insert_rows
from tests.support.shops import MakeShop
from upbridge.core.errors import NotReady
from upbridge.core.i18n import Texts
from upbridge.domain.shop import Shop
from upbridge.domain.shop_id import ShopId
from upbridge.store.connections import ConnectionRow, Connections
from upbridge.web.context import Pages


class DefectiveConnections(Connections):
    """Has a defect of ours."""

    def __init__(self) -> None:
        pass

    async def of(self, shop_id: ShopId) -> dict[str, ConnectionRow]:
        raise ZeroDivisionError("secret-in-an-error")


@contextmanager
def statements(engine: AsyncEngine) -> Iterator[list[str]]:
    """What is said to the database while the block lasts."""
    said: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        said.append(statement)

    event.listen(engine.sync_engine, "before_cursor_execute", note)
    try:
        yield said
    finally:
        event.remove(engine.sync_engine, "before_cursor_execute", note)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        pytest.param({}, 303, id="an old browser says nothing"),
        pytest.param({"Origin": ORIGIN, "Sec-Fetch-Site": "same-origin"}, 303, id="our own page"),
        pytest.param({"Origin": "null", "Sec-Fetch-Site": "same-origin"}, 303, id="our own page, no referrer"),
        pytest.param({"Origin": "null", "Sec-Fetch-Site": "cross-site"}, 303, id="our own page in a sandbox"),
        pytest.param({"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}, 403, id="another site"),
        pytest.param({"Sec-Fetch-Site": "cross-site"}, 403, id="another site that hides its name"),
        pytest.param({"Origin": "https://evil.example"}, 403, id="another site in an old browser"),
    ],
)
async def test_a_form_of_another_site_is_refused(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, headers: dict[str, str], status: int
) -> None:
    home = await enter(await make_shop())

    answer = await browser.post(f"{home}language", data={"language": "cs", "address": "rules"}, headers=headers)

    assert answer.status_code == status


async def test_the_language_stays_with_the_session(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter
) -> None:
    home = await enter(await make_shop(), "cs")

    answer = await browser.post(f"{home}language", data={"language": "sk", "address": "orders?q=a+b&page=2"})

    assert answer.headers["location"] == f"{home}orders?q=a+b&page=2"
    assert '<html lang="sk">' in (await browser.get(home)).text


async def test_a_form_that_leads_to_another_page_does_not_ask_how_the_shop_stands(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, engine: AsyncEngine
) -> None:
    home = await enter(await make_shop(), "cs")

    with statements(engine) as said:
        answer = await browser.post(f"{home}language", data={"language": "sk", "address": ""})

    assert answer.status_code == 303
    assert [one for one in said if "documents" in one or "problems" in one] == []


async def test_a_form_that_is_too_large_is_refused(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter
) -> None:
    home = await enter(await make_shop())

    assert (await browser.post(f"{home}language", data={"x": "y" * 70_000})).status_code == 413


@pytest.mark.parametrize("body", [b"\xff=1", b"a=%ff", b"&".join(b"a=1" for _ in range(3000))])
async def test_a_form_that_cannot_be_read_is_refused(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, body: bytes
) -> None:
    home = await enter(await make_shop())

    assert (await browser.post(f"{home}language", content=body)).status_code == 400


async def test_an_address_cannot_make_a_page_say_something(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter
) -> None:
    home = await enter(await make_shop())

    for query in ("said=<b>pay here</b>", "said=../error.general", "said=rules_saved&n=99999999999999"):
        page = await browser.get(f"{home}problems?{query}")
        assert page.status_code == 200
        assert "pay here" not in page.text


async def test_what_was_done_is_said_once_and_by_no_invented_address(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter
) -> None:
    home = await enter(await make_shop())
    after = str((await browser.post(f"{home}rules", data={"stock.safety": "3"})).headers["location"])
    saved = EN.get("ui.said.rules_saved", count=1)

    more = (await browser.get(after.replace("n=1", "n=999"))).text
    first, again = [(await browser.get(after)).text for _ in range(2)]

    assert EN.get("ui.said.rules_saved", count=999) not in more
    assert saved in first
    assert saved not in again
    assert saved not in (await browser.get(f"{home}rules?said=rules_saved&n=1")).text


@pytest.mark.parametrize(
    "address", ["//evil.example", "https://evil.example", "../../x", "rules\r\nX: y", "Rules"]
)
async def test_another_language_leads_nowhere_but_to_our_pages(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, address: str
) -> None:
    home = await enter(await make_shop())

    answer = await browser.post(f"{home}language", data={"language": "cs", "address": address})

    assert answer.headers["location"] == home


async def test_a_page_knows_its_own_address_for_another_language(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter
) -> None:
    home = await enter(await make_shop())

    page = (await browser.get(f"{home}orders?q=26+1&box=upp.held&said=x&n=2")).text

    assert '<input type="hidden" name="address" value="orders?q=26+1&amp;box=upp.held">' in page


async def test_a_form_whose_fields_have_names_that_cannot_be_stored_is_refused(
    make_shop: MakeShop, enter: Enter, browser: httpx.AsyncClient
) -> None:
    home = await enter(await make_shop())

    page = await browser.post(
        f"{home}rules",
        content="uphance.channels=&uphance.channels.x%00y/CZK=5",
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )

    assert page.status_code == 400


async def test_a_page_that_is_not_ready_says_so_as_a_page(make_shop: MakeShop, enter: Enter, pages: Pages) -> None:
    def not_yet(_shop: Shop, _system: str) -> str:
        raise NotReady("the addresses are not loaded yet")

    shop_id = await make_shop()
    await insert_rows(pages.engine, connection_row(shop_id, "uphance"))
    home = await enter(shop_id)

    async with browser_of(pages_app(replace(pages, webhook_address=not_yet))) as browser:
        page = await browser.get(f"{home}connections")

    assert page.status_code == 503
    assert EN.get("ui.not_now.what") in page.text
    assert page.headers["retry-after"] == "30"
    assert page.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "place",
    [
        "",
        "overview",
        "connections",
        "rules",
        "problems",
        "find",
        "products",
        "products.csv",
        "orders",
        "orders.csv",
        "order?number=1",
        "usage",
    ],
)
async def test_every_page_needs_a_living_session(browser: httpx.AsyncClient, place: str) -> None:
    assert (await browser.get(f"/ui/s/nobody/{place}")).status_code == 410


@pytest.mark.parametrize(
    "form",
    [
        "language",
        "rules",
        "problems/retry",
        "problems/by-hand",
        "connections/upp",
        "connections/uphance",
        "connections/upp/test",
        "connections/upp/disconnect",
        "overview/run",
        "order/whom",
        "order/again",
        "order/handled",
    ],
)
async def test_every_form_needs_a_living_session(browser: httpx.AsyncClient, form: str) -> None:
    assert (await browser.post(f"/ui/s/nobody/{form}", data={"x": "y"})).status_code == 410


@pytest.mark.parametrize(
    ("method", "place", "data", "status", "words"),
    [
        ("GET", "nowhere", {}, 404, "ui.not_found.there"),
        ("GET", "orders/nowhere", {}, 404, "ui.not_found.there"),
        ("DELETE", "rules", {}, 404, "ui.not_found.there"),
        ("GET", "costs/nothing", {}, 404, "ui.not_found.there"),
        ("POST", "language", {"x": "y" * 70_000}, 413, "error.too_large"),
        ("POST", "language", {str(number): "1" for number in range(3000)}, 400, "error.form"),
    ],
)
async def test_a_failure_is_a_page_in_the_shop_s_language_with_a_way_on(  # noqa: PLR0917
    browser: httpx.AsyncClient,
    make_shop: MakeShop,
    enter: Enter,
    method: str,
    place: str,
    data: dict[str, str],
    status: int,
    words: str,
) -> None:
    home = await enter(await make_shop(), "sk")

    answer = await browser.request(method, f"{home}{place}", data=data, headers={"Accept-Language": "cs"})

    assert answer.status_code == status
    assert '<html lang="sk">' in answer.text
    assert Texts("sk").get(words) in html.unescape(answer.text)
    assert f'<a class="button" href="{home}">' in answer.text


@pytest.mark.parametrize(("asked", "language"), [("cs-CZ,en;q=0.5", "cs"), ("sk", "sk"), ("de", "en")])
async def test_a_stranger_s_failure_is_in_the_browser_s_language_and_leads_to_the_admin(
    browser: httpx.AsyncClient, asked: str, language: str
) -> None:
    for path in ("/ui/nowhere", f"/ui/s/{'x' * 43}/nowhere", "/ui/mail/nobody"):
        answer = await browser.get(path, headers={"Accept-Language": asked})

        assert answer.status_code == 404
        assert f'<html lang="{language}">' in answer.text
        assert Texts(language).get("ui.ended.how") in html.unescape(answer.text)
        assert "/ui/s/" not in answer.text


async def test_a_defect_of_ours_is_a_page_too_and_all_of_it_is_in_the_log(
    make_shop: MakeShop, enter: Enter, pages: Pages
) -> None:
    home = await enter(await make_shop())

    async with browser_of(pages_app(replace(pages, connections=DefectiveConnections()))) as browser:
        browser.event_hooks = {}
        with capture_logs() as logs:
            answer = await browser.get(f"{home}connections")

    assert answer.status_code == 500
    assert EN.get("error.general") in answer.text
    assert "secret-in-an-error" not in answer.text
    assert "frame-ancestors" in answer.headers["content-security-policy"]
    assert [line["error"] for line in logs if line["event"] == "request_failed"] == ["ZeroDivisionError"]
