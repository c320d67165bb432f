"""A run of stock is taken back on the page that tells of it."""

import html
import re
from decimal import Decimal

import httpx
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.support.clock import NOON
from tests.support.pages import EN, Enter
from tests.support.rows import insert_rows, variant_row
from tests.support.shops import MakeShop
from upbridge.store import history
from upbridge.store.history import StockWrite


async def seen(browser: httpx.AsyncClient, address: str) -> str:
    answer = await browser.get(address)
    assert answer.status_code == 200
    return html.unescape(answer.text)


async def test_what_a_run_wrote_is_taken_back_where_it_still_stands(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, engine: AsyncEngine
) -> None:
    shop_id = await make_shop()
    await insert_rows(engine, variant_row(shop_id, 1, code="STILL", stock=0))
    await insert_rows(engine, variant_row(shop_id, 2, code="SOLD", stock=3))
    wrote = [StockWrite(f"v-{one}", code, Decimal(7), Decimal(0)) for one, code in ((1, "STILL"), (2, "SOLD"))]
    async with engine.begin() as tx:
        await history.record_stock(tx, shop_id, NOON, wrote, now=NOON)
        run = (await history.latest(tx, shop_id, limit=1))[0].id
    home = await enter(shop_id)

    assert f"undo?run={run}" in await seen(browser, f"{home}history?run={run}")
    page = await seen(browser, f"{home}undo?run={run}")
    file = (await browser.get(f"{home}undo.csv?run={run}")).text
    form = dict(re.findall(r'name="(\w+)" value="(\w+)"', page.partition('/undo">')[2].partition("</form>")[0]))
    answer = await browser.post(f"{home}undo", data=form)
    again = await browser.post(f"{home}undo", data={**form, "seen": "other"})

    assert EN.get("ui.undo.what", count=1) in page
    assert EN.get("ui.undo.changed", count=1) in page
    assert '"STILL"' in file
    assert '"SOLD"' not in file
    told = await seen(browser, answer.headers["location"])
    assert EN.get("ui.said.undone", count=1) in told
    assert EN.get("ui.history.what.undone", at=NOON, number=1) in told
    assert EN.get("ui.said.moved") in await seen(browser, again.headers["location"])
    async with engine.connect() as tx:
        assert list(await tx.scalars(text("SELECT key FROM documents"))) == ["v-1"]
    assert (await browser.get(f"{home}undo?run=0")).status_code == 404
