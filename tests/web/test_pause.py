"""One switch pauses everything of a shop: said on every page, ended by the same staff, and by nothing else."""

import html

import httpx
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.support.clock import MovableClock
from tests.support.pages import EN, Enter
from tests.support.rows import connection_row, insert_rows
from tests.support.shops import MakeShop
from upbridge.domain.history import What
from upbridge.domain.shop import BY_OPERATOR, LISTENING, ShopState
from upbridge.store import history
from upbridge.web.context import Pages


async def seen(browser: httpx.AsyncClient, address: str) -> str:
    answer = await browser.get(address)
    assert answer.status_code == 200
    return html.unescape(answer.text)


async def test_staff_pause_everything_and_go_on(  # noqa: PLR0917
    browser: httpx.AsyncClient,
    make_shop: MakeShop,
    enter: Enter,
    engine: AsyncEngine,
    pages: Pages,
    watch: MovableClock,
) -> None:
    shop_id = await make_shop()
    await insert_rows(engine, connection_row(shop_id, "uphance"))
    home = await enter(shop_id)
    assert f'href="{home}pause"' in await seen(browser, home)
    assert EN.get("ui.pause.yes") in await seen(browser, f"{home}pause")

    answer = await browser.post(f"{home}pause")

    told = EN.get("ui.state.suspended_shop", at=watch())
    for place in ("", "orders", "rules"):
        page = await seen(browser, f"{home}{place}")
        assert told in page
        assert f'action="{home}resume"' in page
    assert EN.get("ui.said.paused") in await seen(browser, answer.headers["location"])
    shop = await pages.shops.get(shop_id)
    assert shop.state in LISTENING, "webhooks are still taken"

    await browser.post(f"{home}resume")

    assert told not in await seen(browser, home)
    assert (await pages.shops.get(shop_id)).state is ShopState.ACTIVE
    async with engine.connect() as tx:
        lines = await history.latest(tx, shop_id, limit=2)
    assert [(one.what, one.new) for one in lines] == [(What.STATE, "active"), (What.STATE, "suspended")]


async def test_staff_end_no_suspension_of_the_operator(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, pages: Pages
) -> None:
    shop_id = await make_shop(state="suspended", reason=BY_OPERATOR)
    home = await enter(shop_id)

    page = await seen(browser, home)
    answer = await browser.post(f"{home}resume")

    assert f"{home}resume" not in page
    assert EN.get("ui.said.pause_still") in await seen(browser, answer.headers["location"])
    assert (await pages.shops.get(shop_id)).state is ShopState.SUSPENDED
