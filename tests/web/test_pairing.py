"""A variant that codes and EANs do not match is paired with a SKU by hand, and that is taken back."""

import html

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.support.orders import make_line
from tests.support.pages import EN, Enter
from tests.support.rows import connection_row, document_row, insert_rows, sku_row, variant_row
from tests.support.shops import MakeShop
from upbridge.domain.history import What
from upbridge.domain.shop_id import ShopId
from upbridge.store import history
from upbridge.systems.uphance.sku_copy import SkuCopy


@pytest.fixture
async def shop(make_shop: MakeShop, engine: AsyncEngine) -> ShopId:
    """`ODD` is no SKU; `B` is the SKU `B`; an order waits for one."""
    shop_id = await make_shop()
    await insert_rows(
        engine,
        connection_row(shop_id, "uphance"),
        sku_row(shop_id, 1, sku_number="A-1", name="Dress red S"),
        sku_row(shop_id, 2, sku_number="B", name="Dress red M"),
        document_row(shop_id, "uphance", "O1", state="parked", reason="order.unknown_sku"),
    )
    await insert_rows(engine, variant_row(shop_id, 10, code="ODD", title="Red dress", stock=1))
    await insert_rows(engine, variant_row(shop_id, 11, code="B", match="code", sku_id=2, stock=1))
    return shop_id


async def matches(engine: AsyncEngine, shop_id: ShopId) -> dict[str, tuple[str, int | None]]:
    async with engine.connect() as tx:
        query = text("SELECT key, match, sku_id FROM variants WHERE shop_id = :id")
        return {row.key: (row.match, row.sku_id) for row in await tx.execute(query, {"id": shop_id})}


async def seen(browser: httpx.AsyncClient, address: str) -> str:
    answer = await browser.get(address)
    assert answer.status_code == 200
    return html.unescape(answer.text)


async def test_a_sku_is_looked_for_chosen_and_taken_back(
    browser: httpx.AsyncClient, shop: ShopId, enter: Enter, engine: AsyncEngine
) -> None:
    home = await enter(shop)
    assert "pair?key=v-10" in await seen(browser, f"{home}products?show=unmatched")
    found = await seen(browser, f"{home}pair?key=v-10&q=dress")
    assert found.count(">Dress red") == 2

    answer = await browser.post(f"{home}pair", data={"key": "v-10", "sku": "1"})

    assert EN.get("ui.said.pair_done") in await seen(browser, answer.headers["location"])
    assert await matches(engine, shop) == {"v-10": ("code", 1), "v-11": ("code", 2)}
    async with engine.connect() as tx:
        assert await tx.scalar(text("SELECT state FROM documents")) == "waiting"
    sold = make_line("ODD", variant_id=10)
    assert getattr((await SkuCopy(engine).book(shop, [sold])).match_sold(sold), "sku_id", None) == 1

    undone = await browser.post(f"{home}unpair", data={"key": "v-10"})

    assert EN.get("ui.said.pair_undone") in await seen(browser, undone.headers["location"])
    assert await matches(engine, shop) == {"v-10": ("unmatched", None), "v-11": ("code", 2)}
    async with engine.connect() as tx:
        told = await history.latest(tx, shop, limit=2)
    assert [(one.what, one.subject) for one in told] == [(What.UNPAIRED, "ODD"), (What.PAIRED, "ODD")]


async def test_what_a_person_has_paired_is_for_no_other_variant(
    browser: httpx.AsyncClient, shop: ShopId, enter: Enter, engine: AsyncEngine
) -> None:
    home = await enter(shop)
    await insert_rows(engine, variant_row(shop, 12, code="OTHER"))

    await browser.post(f"{home}pair", data={"key": "v-10", "sku": "2"})
    again = await browser.post(f"{home}pair", data={"key": "v-12", "sku": "2"})
    gone = await browser.post(f"{home}pair", data={"key": "v-12", "sku": "9"})

    assert await matches(engine, shop) == {
        "v-10": ("code", 2),
        "v-11": ("doubled", 2),
        "v-12": ("unmatched", None),
    }
    assert EN.get("ui.said.pair_taken") in await seen(browser, again.headers["location"])
    assert EN.get("ui.said.pair_gone") in await seen(browser, gone.headers["location"])
    assert (await browser.get(f"{home}pair?key=v-99")).status_code == 404
