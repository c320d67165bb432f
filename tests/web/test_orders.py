"""The list of orders, and the page of one: where it is, why, and what can be done."""

import csv
import html
import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.support.clock import NOON
from tests.support.pages import EN, ORIGIN, Enter, browser_of, pages_app, said_by
from tests.support.rows import (
    connection_row,
    document_row,
    insert_rows,
    link_row,
    order_event_row,
    order_row,
    problem_row,
)
from tests.support.shops import MakeShop
from upbridge.core.encryption import Cipher
from upbridge.core.i18n import LANGUAGES, Texts
from upbridge.domain.shop_id import ShopId
from upbridge.settings import Settings
from upbridge.web.context import Pages
from upbridge.web.rendering import Rendering
from upbridge.worker_container import WorkerContainer

OUTLINE: dict[str, Any] = {
    "currency": "CZK",
    "total": "6425",
    "status_id": 3,
    "origin": "frontend",
    "admin_url": "https://shop.admin.upgates.com/orders/edit/1",
    "shipping": "89",
    "lines": [{"code": "GAR-1", "title": "Šaty", "quantity": "2", "amount": "6336"}],
}


@pytest.fixture
async def shop_id(engine: AsyncEngine, make_shop: MakeShop, cipher: Cipher) -> ShopId:
    """A connected shop with an order in each box of Uphance."""
    shop_id = await make_shop(facts={"company": "A", "status_names": {"3": {"cs": "Přijatá"}}})
    await insert_rows(
        engine,
        connection_row(shop_id, "uphance"),
        *(
            order_row(shop_id, number, ordered_at=NOON - timedelta(hours=place), outline=OUTLINE)
            for place, number in enumerate(("DELIVERED", "WAITING", "PARKED"))
        ),
        *(
            order_row(shop_id, f"HELD-{place}", ordered_at=NOON - timedelta(days=3), kept_back={"uphance": why})
            for place, why in enumerate(("too_old", "waits"))
        ),
        order_row(shop_id, "OLDER", ordered_at=NOON - timedelta(days=40)),
        link_row(shop_id, "uphance", "DELIVERED", remote_id="77", metadata={"order_number": "8000266"}),
        document_row(shop_id, "uphance", "WAITING", body=cipher.encrypt(b"{}")),
        document_row(
            shop_id, "uphance", "PARKED", state="parked", reason="order.totals_differ", body=cipher.encrypt(b"{}")
        ),
        problem_row(
            shop_id,
            "PARKED",
            key="order.totals_differ",
            params={
                "lines": "2640.00",
                "discounts": "-175.00",
                "shipping": "0.00",
                "payment": "0.00",
                "sum": "2465.00",
                "expected": "2502.00",
                "difference": "-37.00",
                "currency": "CZK",
            },
        ),
    )
    return shop_id


def listed(page: str) -> list[str]:
    """The numbers in the list."""
    return re.findall(r'order\?number=([\w-]+)">', page)


async def test_every_number_of_the_first_page_opens_the_very_orders_that_it_counts(
    browser: httpx.AsyncClient, enter: Enter, shop_id: ShopId
) -> None:
    home = await enter(shop_id)
    first = html.unescape((await browser.get(home)).text)

    counted = re.findall(rf'href="{home}(orders\?system=uphance&box=(\w+)&days=30)">(\d+)<', first)

    assert [(box, int(number)) for _, box, number in counted] == [
        ("delivered", 1),
        ("waiting", 1),
        ("held", 2),
        ("parked", 1),
    ]
    for address, box, number in counted:
        page = (await browser.get(home + address)).text
        assert len(listed(page)) == int(number), box
        assert EN.get("ui.orders.count", count=int(number)) in page
    held = html.unescape((await browser.get(f"{home}orders?system=uphance&box=held&days=30")).text)
    assert EN.get("ui.why.too_old") in held
    assert EN.get("ui.why.waits") in held


async def test_the_list_is_narrowed_by_number_reason_and_day_the_newest_first(
    browser: httpx.AsyncClient, enter: Enter, shop_id: ShopId
) -> None:
    home = await enter(shop_id)

    async def found(query: str) -> list[str]:
        return listed((await browser.get(f"{home}orders{query}")).text)

    assert await found("") == ["DELIVERED", "WAITING", "PARKED", "HELD-1", "HELD-0", "OLDER"]
    assert await found("?q=held") == []
    assert await found("?q=%23HELD-1") == ["HELD-1"]
    assert await found("?q=8000266") == ["DELIVERED"]
    assert await found("?reason=too_old") == ["HELD-0"]
    assert await found("?reason=order.totals_differ") == ["PARKED"]
    assert await found("?until=2026-11-01") == ["OLDER"]
    assert await found("?since=2026-11-24") == ["DELIVERED", "WAITING", "PARKED"]
    assert await found("?since=24.+11.+2026&until=24/11/2026") == ["DELIVERED", "WAITING", "PARKED"]
    assert await found("?page=2") == []
    for strange in ("?page=-1", "?since=never", "?box=none", "?days=x", "?system=nothing", "?q=%00%25"):
        assert (await browser.get(f"{home}orders{strange}")).status_code == 200


async def test_where_nothing_is_connected_the_list_says_so_alone(
    browser: httpx.AsyncClient, enter: Enter, make_shop: MakeShop
) -> None:
    home = await enter(await make_shop())

    page = (await browser.get(f"{home}orders")).text
    missed = html.unescape((await browser.get(f"{home}order?number=none")).text)

    assert EN.get("ui.orders.not_connected") in page
    assert 'role="search"' not in page
    assert EN.get("ui.orders.none") not in page
    nothing = EN.get("ui.find.nothing", wanted="none")
    assert f"<title>{nothing} " in missed
    assert f"<h1>{nothing}</h1>" in missed


async def test_a_day_is_typed_in_our_order_and_what_is_no_day_is_said(
    browser: httpx.AsyncClient, enter: Enter, shop_id: ShopId
) -> None:
    home = await enter(shop_id)

    linked = (await browser.get(f"{home}orders?since=2026-11-04")).text
    wrong = html.unescape((await browser.get(f"{home}orders?until=31.+2.+2026")).text)

    assert 'type="date"' not in linked
    assert 'name="since" value="4. 11. 2026"' in linked
    assert EN.get("ui.said.no_day") in wrong
    assert 'value="31. 2. 2026"' in wrong
    assert 'aria-invalid="true" aria-describedby="wrong-day"' in wrong


@pytest.mark.parametrize("language", LANGUAGES)
async def test_the_list_is_a_file_too_with_the_same_filters(
    browser: httpx.AsyncClient, enter: Enter, engine: AsyncEngine, shop_id: ShopId, language: str
) -> None:
    await insert_rows(engine, order_row(shop_id, "=1+1", ordered_at=NOON + timedelta(minutes=1)))
    home, texts = await enter(shop_id, language), Texts(language)

    async def file(query: str = "") -> list[list[str]]:
        answer = await browser.get(f"{home}orders.csv{query}")
        return list(csv.reader(answer.content.decode("utf-8-sig").splitlines(), delimiter=";"))

    everything, held = await file(), await file("?reason=too_old")

    assert len(everything) == 8
    assert everything[1][0] == "'=1+1"
    assert ";".join(everything[2]).count(f"6425;CZK;{texts.get('ui.box.delivered')}") == 1
    assert [line[0] for line in held[1:]] == ["HELD-0"]
    assert texts.get("ui.why.too_old") in held[1]


async def test_the_page_of_an_order_is_a_card_with_the_arithmetic_of_its_difference(
    browser: httpx.AsyncClient, enter: Enter, shop_id: ShopId
) -> None:
    home = await enter(shop_id)

    delivered = html.unescape((await browser.get(f"{home}order?number=DELIVERED")).text)
    parked = html.unescape((await browser.get(f"{home}order?number=PARKED")).text)

    assert "Přijatá" in delivered
    assert EN.get("ui.order.has_it", name="8000266", at=NOON) in delivered
    assert EN.price("6425", "CZK") in delivered
    assert 'href="https://shop.admin.upgates.com/orders/edit/1" target="_top"' in delivered
    assert 'href="https://app.uphance.com" target="_blank" rel="noopener"' in delivered
    assert EN.get("ui.order.open_system", system="Uphance") in delivered
    assert "app.uphance.com" not in parked
    assert "Šaty" in delivered
    assert EN.get("ui.order.handled") not in delivered, "a button that could do nothing"
    sums = re.findall(r'<tr[^>]*><th scope="row">([^<]+)</th><td class="number">([^<]+)</td></tr>', parked)
    assert (EN.get("ui.sums.difference"), EN.price("-37.00", "CZK")) in sums
    assert len(sums) == 7
    assert EN.get("ui.order.handled") in parked


async def test_an_order_is_opened_in_uphance_where_the_operator_said_how(
    pages: Pages, service: WorkerContainer, shop_id: ShopId
) -> None:
    settings = Settings(
        _env_file=None, public_url=ORIGIN, uphance_order_url="https://app.uphance.com/sales/{id}?tab=1"
    )
    told = replace(pages, rendering=Rendering.of(settings, service.systems))

    async with browser_of(pages_app(told)) as browser:
        home = (await browser.get(await told.ticket_address(shop_id, "en"))).headers["location"]
        page = html.unescape((await browser.get(f"{home}order?number=DELIVERED")).text)

    assert 'href="https://app.uphance.com/sales/77?tab=1" target="_blank" rel="noopener"' in page
    assert EN.get("ui.order.in_system", system="Uphance") in page


async def test_an_address_that_is_none_is_no_link(
    browser: httpx.AsyncClient, enter: Enter, engine: AsyncEngine, make_shop: MakeShop
) -> None:
    shop_id = await make_shop()
    strange = {**OUTLINE, "admin_url": "javascript:alert(1)"}
    await insert_rows(engine, order_row(shop_id, "O-1", outline=strange))

    assert "javascript" not in (await browser.get(f"{await enter(shop_id)}order?number=O-1")).text


async def test_what_happened_again_at_once_is_shown_once_and_in_order(
    browser: httpx.AsyncClient, enter: Enter, engine: AsyncEngine, make_shop: MakeShop
) -> None:
    shop_id = await make_shop()
    stops = [
        order_event_row(shop_id, "O-1", "parked", detail="order.no_channel", at=NOON + timedelta(minutes=place))
        for place in range(7)
    ]
    read = order_event_row(shop_id, "O-1", "read", target="upgates", at=NOON)
    await insert_rows(engine, order_row(shop_id, "O-1"), *stops, read)

    page = html.unescape((await browser.get(f"{await enter(shop_id)}order?number=O-1")).text)

    stopped = EN.get("ui.moment.stopped", system="Uphance", detail=EN.get("ui.cause.order.no_channel"))
    assert page.count(stopped) == 1
    assert EN.get("ui.moment.times", times=7) in page
    assert page.index(EN.get("ui.moment.read")) < page.index(stopped), "of one time, what comes first comes first"


async def test_an_order_is_sent_again_and_one_that_was_handled_is_not(
    browser: httpx.AsyncClient, enter: Enter, engine: AsyncEngine, cipher: Cipher, shop_id: ShopId
) -> None:
    home, body = await enter(shop_id), cipher.encrypt(b"{}")

    async def state() -> tuple[list[str], list[str]]:
        async with engine.connect() as tx:
            documents = await tx.scalars(text("SELECT key || ' ' || state FROM documents ORDER BY 1"))
            changes = await tx.scalars(text("SELECT key FROM changes ORDER BY 1"))
            return list(documents), list(changes)

    again = await browser.post(f"{home}order/again", data={"number": "PARKED"})
    assert said_by(again) == f"{home}order?number=PARKED&said=order_again"
    assert await state() == (["PARKED waiting", "WAITING waiting"], ["PARKED"])
    await browser.post(f"{home}order/again", data={"number": "NOT-OURS"})
    assert (await state())[1] == ["PARKED"]

    await insert_rows(
        engine,
        document_row(shop_id, "uphance", "OLDER", state="parked", reason="order.no_channel", body=body),
        problem_row(shop_id, "OLDER"),
    )
    handled = await browser.post(f"{home}order/handled", data={"number": "OLDER"})
    assert said_by(handled) == f"{home}order?number=OLDER&said=by_hand&n=1"
    assert "OLDER parked" not in (await state())[0]
