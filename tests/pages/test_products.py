"""The match report: by the rules of an order's lines."""

import csv
import html
from typing import Any

import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.conftest import MakeShop
from tests.pages.conftest import Enter
from tests.pages.test_endpoints import EN, put
from upbridge.pages.views.products import PAGE, products_of
from upbridge.schema import ShopId
from upbridge.sync import matches
from upbridge.sync.matches import Match


def item(shop_id: ShopId, number: int, **more: Any) -> dict[str, Any]:
    values = {"key": f"v-{number}", "product_id": number, "code": None, "ean": None, "title": f"Item {number}"}
    return {"shop_id": shop_id, "stock_own": True, "active": True, "listed": True, **values, **more}


def sku(shop_id: ShopId, number: int, **more: Any) -> dict[str, Any]:
    values = {"sku_number": None, "ean": None, "name": f"SKU {number}"}
    return {"shop_id": shop_id, "sku_id": number, "product_id": number, **values, **more}


async def test_code_decides_then_ean_and_what_is_doubled_is_not_guessed(
    engine: AsyncEngine, make_shop: MakeShop
) -> None:
    shop_id, other = await make_shop(), await make_shop()
    await put(engine, "items", item(shop_id, 1, code=" abc ", ean="1"))
    await put(engine, "items", item(shop_id, 2, code="nowhere", ean="2"))
    await put(engine, "items", item(shop_id, 3, code="x", ean="9"))
    await put(engine, "items", item(shop_id, 4, code="twice", ean="2"))
    await put(engine, "items", item(shop_id, 5, code="same"), item(shop_id, 6, code="SAME"))
    await put(engine, "items", item(shop_id, 7))
    await put(engine, "skus", sku(shop_id, 1, sku_number="ABC", ean="7"), sku(shop_id, 2, ean="2"))
    await put(engine, "skus", sku(shop_id, 3, sku_number="twice"), sku(shop_id, 4, sku_number="Twice "))
    await put(engine, "skus", sku(shop_id, 5, sku_number="same"))
    await put(engine, "skus", sku(other, 6, sku_number="x", ean="9"))
    async with engine.begin() as connection:
        await matches.renew_all(connection, shop_id)

    view = await products_of(engine, shop_id, Match.DOUBLED, 1)

    assert view.counts == {Match.CODE: 1, Match.EAN: 1, Match.UNMATCHED: 2, Match.DOUBLED: 3}
    assert [one.code for one in view.items] == ["twice", "same", "SAME"]


async def test_a_long_list_is_paged(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, engine: AsyncEngine
) -> None:
    shop_id = await make_shop()
    await put(engine, "items", *(item(shop_id, number) for number in range(PAGE + 5)))
    home = await enter(shop_id)

    first, second, beyond = [
        (await browser.get(f"{home}products", params={"show": "unmatched", "page": page})).text
        for page in ("1", "2", "99999999")
    ]

    assert first.count("<tr><td>Item") == PAGE
    assert second.count("<tr><td>Item") == 5
    assert beyond.count("<tr><td>Item") == 5
    assert EN.get("ui.products.page", page=2, pages=2) in beyond


@pytest.mark.parametrize("page", ["0", "-1", "²", "9" * 9, "1" + "0" * 22, "1" + "0" * 5000, "%00", "1e9"])
async def test_a_page_that_there_is_not_is_answered_by_one_that_there_is(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, engine: AsyncEngine, page: str
) -> None:
    shop_id = await make_shop()
    await put(engine, "items", item(shop_id, 1))

    answer = await browser.get(f"{await enter(shop_id)}products?show=unmatched&page={page}")

    assert answer.status_code == 200
    assert "Item 1" in answer.text


async def test_the_file_holds_every_variant_and_no_formula(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, engine: AsyncEngine
) -> None:
    shop_id = await make_shop(key="moda")
    await put(engine, "items", *(item(shop_id, number) for number in range(1200)))
    await put(engine, "items", item(shop_id, 5000, title='=HYPERLINK("x");"ž'))

    answer = await browser.get(f"{await enter(shop_id)}products.csv")
    rows = list(csv.reader(answer.text.removeprefix("\ufeff").splitlines(), delimiter=";"))

    assert answer.text.startswith("\ufeff")
    assert "products-moda.csv" in answer.headers["content-disposition"]
    assert len(rows) == 1202
    assert [row[0] for row in rows if "HYPERLINK" in row[0]] == ['\'=HYPERLINK("x");"ž']


async def test_an_empty_catalogue_says_what_will_be_here(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter
) -> None:
    page = html.unescape((await browser.get(f"{await enter(await make_shop())}products")).text)

    assert EN.get("ui.products.empty") in page
