"""One order, one product or the orders of a day are compared with the shop again."""

import html
from datetime import timedelta

import httpx
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.support.clock import NOON
from tests.support.pages import EN, Enter
from tests.support.rows import connection_row, insert_rows, order_row, variant_row
from tests.support.shops import MakeShop
from upbridge.domain.history import What
from upbridge.store import history


async def test_an_order_a_product_and_a_day_are_read_again_and_the_history_says_so(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, engine: AsyncEngine
) -> None:
    shop_id = await make_shop()
    await insert_rows(engine, connection_row(shop_id, "uphance"), variant_row(shop_id, 7, code="C7"))
    for number, days in (("O1", 0), ("O2", 0), ("O3", 1)):
        await insert_rows(engine, order_row(shop_id, number, ordered_at=NOON - timedelta(days=days)))
    home = await enter(shop_id)
    assert f'action="{home}find/again"' in (await browser.get(f"{home}find?q=C7")).text
    assert f'action="{home}orders/again"' in (await browser.get(f"{home}orders")).text

    answer = await browser.post(f"{home}orders/again", data={"day": NOON.date().isoformat()})
    await browser.post(f"{home}order/again", data={"number": "O3"})
    await browser.post(f"{home}find/again", data={"key": "7", "q": "C7"})

    assert EN.get("ui.said.day_again", count=2) in html.unescape(
        (await browser.get(answer.headers["location"])).text
    )
    async with engine.connect() as tx:
        rows = await tx.execute(text("SELECT kind, key FROM changes ORDER BY kind, key"))
        assert [tuple(row) for row in rows] == [
            ("order", "O1"),
            ("order", "O2"),
            ("order", "O3"),
            ("product", "7"),
        ]
        told = [one for one in await history.latest(tx, shop_id, limit=9) if one.what == What.SENT_AGAIN]
    assert [one.subject for one in told] == ["7", "O3", NOON.date().isoformat()]
    assert (await browser.post(f"{home}find/again", data={"key": "x"})).status_code == 404
