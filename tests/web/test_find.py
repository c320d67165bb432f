"""Find: one thing's way, and nothing about people."""

import asyncio
import html
import json
import zlib
from datetime import timedelta
from typing import Any

import httpx
import pytest
from cryptography.fernet import Fernet
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.support.clock import NOON, MovableClock
from tests.support.pages import EN, Enter, Remote
from tests.support.rows import (
    delivery_row,
    document_row,
    insert_rows,
    link_row,
    order_event_row,
    order_row,
    problem_row,
    variant_row,
)
from tests.support.shops import MakeShop
from tests.support.upgates import listed, raw_order
from upbridge.core.encryption import Cipher
from upbridge.domain.masking import MASK, masked
from upbridge.store import variant_queries


async def test_an_order_s_way_is_one_timeline(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, engine: AsyncEngine, cipher: Cipher
) -> None:
    shop_id, other = await make_shop(), await make_shop()
    for owner, remote in ((shop_id, "remote-77"), (other, "not-ours")):
        await insert_rows(engine, delivery_row(owner, "O-1"), delivery_row(owner, "O-2"))
        await insert_rows(engine, link_row(owner, "upp", "O-1", remote_id=remote))
        body = cipher.encrypt(json.dumps({"order_number": "O-1", "email": "jana@example.com"}).encode())
        await insert_rows(engine, document_row(owner, "uphance", "O-1", state="parked", body=body))
        await insert_rows(engine, document_row(owner, "upgates", "O-1", kind="shipment", state="unwanted"))
        await insert_rows(engine, problem_row(owner, "O-1"))

    page = (await browser.get(f"{await enter(shop_id)}order", params={"number": "O-1"})).text

    heard = EN.get("ui.moment.heard", system="Upgates", detail="orders.create")
    delivered = EN.get("ui.moment.delivered", system="Upp.ai", detail="remote-77")
    assert page.count(heard) == 1
    assert page.index(heard) < page.index(delivered)
    assert page.count(delivered) == 1
    assert page.count(EN.get("ui.moment.problem", system="Uphance")) == 1
    assert page.index('class="timeline"') < page.index("<pre>"), (
        "our own data stands under the technical description"
    )
    assert "jana@example.com" not in page
    assert MASK in page
    assert "not-ours" not in page


async def test_what_no_key_opens_takes_no_page_away(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, engine: AsyncEngine
) -> None:
    shop_id = await make_shop()
    lost = Cipher([Fernet.generate_key().decode()]).encrypt(b'{"order_number": "O-1"}')
    await insert_rows(engine, delivery_row(shop_id, "O-1"), document_row(shop_id, "uphance", "O-1", body=lost))

    answer = await browser.get(f"{await enter(shop_id)}order", params={"number": "O-1"})

    assert answer.status_code == 200
    assert "<pre>" not in answer.text


async def test_a_product_is_found_by_code_ean_and_a_part_of_its_name(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, engine: AsyncEngine
) -> None:
    shop_id = await make_shop()
    await insert_rows(engine, variant_row(shop_id, 1, code="ABC-1", ean="859", title="Modrá košile"))
    await insert_rows(engine, variant_row(shop_id, 2, code="ABC-2", ean="860", title="Červená sukně"))
    home = await enter(shop_id)

    for wanted in ("abc-1", "859", "KOŠIL", "kosil", "v-1"):
        page = (await browser.get(f"{home}find", params={"q": wanted})).text
        assert "Modrá košile" in page
        assert "Červená sukně" not in page


async def test_what_has_the_code_is_found_once_and_before_what_has_it_in_its_name(
    make_shop: MakeShop, engine: AsyncEngine
) -> None:
    shop_id = await make_shop()
    for product, code in enumerate(["B", "PLUS", "A", "C"], start=1):
        title = "Košile PLUS" if code == "PLUS" else f"{code} ke košili plus"
        await insert_rows(engine, variant_row(shop_id, product, code=code, title=title))

    async with engine.connect() as tx:
        found = await variant_queries.search(tx, shop_id, "plus", most=3)

    assert [one.code for one in found] == ["PLUS", "A", "B"]


@pytest.mark.parametrize("wanted", ["\u200b", "x" * 501], ids=["nothing_seen", "longer_than_any_code"])
async def test_what_can_be_no_code_does_not_find_what_has_none(
    make_shop: MakeShop, engine: AsyncEngine, wanted: str
) -> None:
    shop_id = await make_shop()
    await insert_rows(engine, variant_row(shop_id, 1, code=None, ean=None, title="Modrá košile"))

    async with engine.connect() as tx:
        assert await variant_queries.search(tx, shop_id, wanted, most=3) == []


@pytest.mark.parametrize("wanted", ["O-1", "#O-1", "UPG-moda-O-1", "moda-O-1", "8000266", "77"])
async def test_an_order_is_found_by_every_number_that_people_have_of_it(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, engine: AsyncEngine, wanted: str
) -> None:
    shop_id = await make_shop(key="moda")
    link = link_row(shop_id, "uphance", "O-1", remote_id="77", metadata={"order_number": "8000266"})
    await insert_rows(engine, order_row(shop_id, "O-1"), order_row(shop_id, "P-1"), link)
    home = await enter(shop_id)

    answer = await browser.get(f"{home}find", params={"q": wanted})

    assert answer.headers["location"] == f"{home}order?number=O-1"


async def test_what_is_not_there_is_said_as_it_was_typed(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter
) -> None:
    home = await enter(await make_shop())

    for wanted in ("<b>x</b>", "%", "' OR 1=1", "\x00", "ž" * 500):
        page = await browser.get(f"{home}find", params={"q": wanted})
        assert page.status_code == 200
        assert "<b>x</b>" not in page.text


def test_of_a_document_only_harmless_fields_are_shown() -> None:
    body = {
        "order_number": "O-1",
        "currency": "CZK",
        "customer": {"name": "Jana Nováková", "email": "jana@example.com", "phone": 777123456},
        "lines": [{"sku": "ABC", "quantity": 2, "price": "100.00", "note": "for Jana"}],
    }

    shown = json.loads(masked(json.dumps(body).encode()))

    assert shown["customer"] == {"name": MASK, "email": MASK, "phone": MASK}
    assert shown["lines"] == [{"sku": "ABC", "quantity": 2, "price": "100.00", "note": MASK}]
    assert masked(b"not json") == MASK


async def test_what_was_sent_is_shown_once_after_its_delivery_and_after_its_shipment(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, engine: AsyncEngine
) -> None:
    shop_id = await make_shop()
    await insert_rows(engine, order_row(shop_id, "O-1"))
    await insert_rows(engine, link_row(shop_id, "uphance", "O-1", remote_id="77"))
    await insert_rows(engine, link_row(shop_id, "upgates", "O-1", kind="shipment", remote_id="O-1"))
    kept = zlib.compress(b'{"order_number": "O-1"}')
    for place, (what, target) in enumerate((("read", "upgates"), ("parked", "uphance"), ("delivered", "uphance"))):
        at = NOON + timedelta(seconds=place)
        detail = {"parked": "order.no_channel", "delivered": "77"}.get(what, "")
        body = kept if what == "delivered" else None
        await insert_rows(
            engine, order_event_row(shop_id, "O-1", what, target=target, at=at, detail=detail, body=body)
        )
    shipped = order_event_row(
        shop_id, "O-1", "delivered", target="upgates", at=NOON + timedelta(hours=1), body=kept
    )
    await insert_rows(engine, shipped)

    page = html.unescape((await browser.get(f"{await enter(shop_id)}order", params={"number": "O-1"})).text)
    page = page.partition('id="timeline"')[2]

    told = [
        EN.get("ui.moment.made"),
        EN.get("ui.moment.read"),
        EN.get("ui.moment.stopped", system="Uphance", detail=EN.get("ui.cause.order.no_channel")),
        EN.get("ui.moment.delivered", system="Uphance", detail="77"),
        EN.get("ui.moment.shipped"),
    ]
    assert [page.count(words) for words in told] == [1] * len(told)
    assert [page.index(words) for words in told] == sorted(page.index(words) for words in told)
    assert page.count(EN.get("ui.find.body_sent")) == 2
    assert EN.get("ui.moment.delivered", system="Upgates", detail="O-1") not in page


def shop_has(remote: Remote, *orders: dict[str, Any]) -> None:
    """What the shop's API answers to every question about orders."""
    remote.answers["/api/v2/orders"] = httpx.Response(200, json=listed("orders", list(orders)))


async def test_whom_an_order_is_about_is_hidden_until_a_user_asks_the_shop(  # noqa: PLR0917
    browser: httpx.AsyncClient,
    make_shop: MakeShop,
    enter: Enter,
    engine: AsyncEngine,
    remote: Remote,
    watch: MovableClock,
) -> None:
    shop_id = await make_shop(facts={"company": "Dílna"})
    await insert_rows(engine, order_row(shop_id, "O/1 ž"))
    postal = {"postal_yn": True, "firstname_postal": "Eva", "street_postal": "Dlouhá 5", "city_postal": "Brno"}
    customer = {**raw_order()["customer"], **postal, "phone": "+420777123456"}
    shop_has(remote, raw_order(order_number="O/1 ž", customer=customer))
    home = await enter(shop_id)

    hidden = (await browser.get(f"{home}order", params={"number": "O/1 ž"})).text
    asked_before = len(remote.asked)
    answer = await browser.post(f"{home}order/whom", data={"number": "O/1 ž"})
    shown = await browser.get(answer.headers["location"])
    again = (await browser.get(answer.headers["location"])).text

    names = ("jana@example.cz", "+420777123456", "Jana Nová", "Eva, Dlouhá 5, Brno")
    assert EN.get("ui.person.show") in html.unescape(hidden)
    assert asked_before == 0
    assert not [name for name in names if name in hidden or name in again]
    page = html.unescape(shown.text)
    assert [name for name in names if name not in page] == []
    assert EN.get("ui.person.read", at=watch.now) in page
    assert shown.headers["cache-control"] == "no-store"
    assert "jana" not in str(shown.url)
    assert remote.asked == ["GET /api/v2/orders"]


async def test_of_many_who_come_with_one_permit_one_is_shown_whom_the_order_is_about(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, engine: AsyncEngine, remote: Remote
) -> None:
    shop_id = await make_shop()
    await insert_rows(engine, order_row(shop_id, "O-1"))
    shop_has(remote, raw_order(order_number="O-1"))
    home = await enter(shop_id)
    address = (await browser.post(f"{home}order/whom", data={"number": "O-1"})).headers["location"]

    pages = await asyncio.gather(*(browser.get(address) for _ in range(8)))

    assert sum("jana@example.cz" in page.text for page in pages) == 1
    assert len(remote.asked) == 1


async def test_why_no_person_can_be_shown_is_said_in_words(  # noqa: PLR0917
    browser: httpx.AsyncClient,
    make_shop: MakeShop,
    enter: Enter,
    engine: AsyncEngine,
    remote: Remote,
    watch: MovableClock,
) -> None:
    shop_id = await make_shop(facts={"company": "Dílna"})
    await insert_rows(engine, order_row(shop_id, "O-1"))
    home = await enter(shop_id)

    async def says(why: str, **params: object) -> bool:
        page = await asked(browser, home, "O-1")
        return EN.get(f"ui.person.why_{why}", **params) in html.unescape(page.text)

    shop_has(remote)
    assert await says("gone")
    shop_has(remote, raw_order(order_number="O-1", currency_id=None, creation_time="tomorrow"))
    assert await says("unreadable")
    remote.answers["/api/v2/orders"] = httpx.Response(500)
    assert await says("unreachable")
    remote.answers["/api/v2/orders"] = httpx.Response(429, json={}, headers={"Retry-After": "600"})
    assert await says("later", at=watch.now + timedelta(minutes=10))
    watch.move(minutes=11)
    remote.answers["/api/v2/orders"] = httpx.Response(401, json={})
    assert await says("stopped")


async def asked(browser: httpx.AsyncClient, home: str, number: str) -> httpx.Response:
    """The page after the form."""
    answer = await browser.post(f"{home}order/whom", data={"number": number})
    assert answer.status_code == 303
    return await browser.get(answer.headers["location"])


async def test_of_an_order_that_is_unknown_here_the_shop_is_not_asked(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, remote: Remote
) -> None:
    home = await enter(await make_shop())

    page = await asked(browser, home, "O-1")

    assert page.status_code == 404
    assert EN.get("ui.find.nothing", wanted="O-1") in page.text
    assert remote.asked == []


@pytest.mark.parametrize("late", [False, True])
async def test_a_permit_is_of_one_shop_and_of_one_minute(  # noqa: PLR0917
    browser: httpx.AsyncClient,
    make_shop: MakeShop,
    enter: Enter,
    engine: AsyncEngine,
    remote: Remote,
    watch: MovableClock,
    late: bool,
) -> None:
    mine, theirs = await make_shop(), await make_shop()
    for shop_id in (mine, theirs):
        await insert_rows(engine, order_row(shop_id, "O-1"))
    shop_has(remote, raw_order(order_number="O-1"))
    home, foreign = await enter(mine), await enter(theirs)
    address = (await browser.post(f"{home}order/whom", data={"number": "O-1"})).headers["location"]

    for place in (
        address.replace(home, foreign),
        f"{home}order?number=O-1&permit=made-up",
        f"{home}order?number=O-1&permit=ž",
    ):
        assert "jana@example.cz" not in (await browser.get(place)).text
    if late:
        watch.move(seconds=61)

    assert ("jana@example.cz" in (await browser.get(address)).text) is not late
    assert len(remote.asked) == (not late)
