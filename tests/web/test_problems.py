"""The problems page: grouped by cause, treated by this shop's people only."""

import html
import re

import httpx
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.support.pages import EN, Enter
from tests.support.rows import document_row, insert_rows, problem_row
from tests.support.shops import MakeShop
from upbridge.domain.shop_id import ShopId


async def states(engine: AsyncEngine, shop_id: ShopId) -> dict[str, str]:
    async with engine.connect() as tx:
        rows = await tx.execute(text("SELECT key, state FROM documents WHERE shop_id = :id"), {"id": shop_id})
        return {row.key: row.state for row in rows}


async def test_one_cause_is_one_group_with_its_remedy_and_the_place_that_has_it(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, engine: AsyncEngine
) -> None:
    shop_id = await make_shop()
    await insert_rows(engine, *(problem_row(shop_id, f"A{number}") for number in range(3)))
    await insert_rows(engine, problem_row(shop_id, "B", key="order.unknown_sku", params={"codes": ["X"]}))

    page = html.unescape((await browser.get(f"{await enter(shop_id)}problems")).text)

    assert page.count('<h2 id="group-') == 2
    assert EN.get("problem.order.no_channel", currency="EUR", language="sk") in page
    there = EN.get("ui.problems.cure_there", page=EN.get("ui.nav.rules"))
    assert f'rules?part=uphance.orders#uphance.channels">{there}</a>' in page
    more = EN.get("ui.problems.see_there", page=EN.get("ui.nav.products"))
    assert f'products?show=unmatched">{more}</a>' in page
    assert page.index("A2") < page.index(">B<")


async def test_a_login_that_stops_a_connection_comes_first_and_names_the_system_as_its_maker_does(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, engine: AsyncEngine
) -> None:
    shop_id = await make_shop()
    await insert_rows(engine, *(problem_row(shop_id, f"A{number}") for number in range(3)))
    for key in ("connection.refused", "connection.unreadable", "connection.wrong_organisation"):
        row = problem_row(shop_id, "uphance", kind="connection", key=key, params={"said": "401"})
        await insert_rows(engine, row)

    page = html.unescape((await browser.get(f"{await enter(shop_id)}problems")).text)

    causes = ("refused", "unreadable", "wrong_organisation")
    said = [EN.get(f"problem.connection.{why}", system="Uphance") for why in causes]
    assert max(page.index(one) for one in said) < page.index(">A2<")
    there = EN.get("ui.problems.cure_there", page=EN.get("ui.nav.connections"))
    assert page.count(f'connections">{there}</a>') == len(said)


async def test_trying_again_releases_what_was_parked_of_a_whole_cause(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, engine: AsyncEngine
) -> None:
    shop_id = await make_shop()
    for entity in ("A1", "A2"):
        await insert_rows(engine, problem_row(shop_id, entity))
        await insert_rows(engine, document_row(shop_id, "uphance", entity, state="parked"))
    home = await enter(shop_id)

    answer = await browser.post(
        f"{home}problems/retry", data={"key": "order.no_channel", "target": "uphance", "kind": "order"}
    )

    assert answer.status_code == 303
    assert EN.get("ui.said.retried", count=2) in (await browser.get(answer.headers["location"])).text
    assert await states(engine, shop_id) == {"A1": "waiting", "A2": "waiting"}


async def test_what_cannot_be_tried_again_has_no_button_for_it(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, engine: AsyncEngine
) -> None:
    shop_id = await make_shop()
    said = {"number": "A1", "uphance_order": "S7", "ours": "121.00", "theirs": "115.00", "currency": "CZK"}
    remark = problem_row(shop_id, "A1", stage="remark", key="order.taxed_otherwise", params=said)
    await insert_rows(engine, remark)

    page = html.unescape((await browser.get(f"{await enter(shop_id)}problems")).text)

    assert EN.get("problem.order.taxed_otherwise", **said) in page
    assert "problems/retry" not in page
    assert "problems/by-hand" in page


async def test_what_was_handled_by_hand_is_not_sent(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, engine: AsyncEngine
) -> None:
    shop_id = await make_shop()
    await insert_rows(engine, problem_row(shop_id, "A1", id=4711))
    await insert_rows(engine, document_row(shop_id, "uphance", "A1", state="parked"))
    home = await enter(shop_id)

    await browser.post(f"{home}problems/by-hand", data={"id": "4711"})

    assert await states(engine, shop_id) == {}
    assert EN.get("ui.problems.none") in (await browser.get(f"{home}problems")).text


async def test_what_came_after_the_page_was_shown_is_not_handled_with_the_rest(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, engine: AsyncEngine
) -> None:
    shop_id = await make_shop()
    for entity in ("A1", "A2", "A3"):
        await insert_rows(engine, document_row(shop_id, "uphance", entity, state="parked"))
    await insert_rows(engine, problem_row(shop_id, "A1"), problem_row(shop_id, "A2"))
    home = await enter(shop_id)
    shown = (await browser.get(f"{home}problems")).text
    form = shown[shown.index("problems/by-hand") :].partition("</form>")[0]
    await insert_rows(engine, problem_row(shop_id, "A3"))

    answer = await browser.post(
        f"{home}problems/by-hand", data=dict(re.findall(r'name="(\w+)" value="([^"]*)"', form))
    )

    assert answer.headers["location"].endswith("said=by_hand&n=2")
    assert await states(engine, shop_id) == {"A3": "parked"}


async def test_another_shop_s_problem_cannot_be_treated(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, engine: AsyncEngine
) -> None:
    mine, theirs = await make_shop(), await make_shop()
    await insert_rows(engine, problem_row(theirs, "A1", id=4711))
    await insert_rows(engine, document_row(theirs, "uphance", "A1", state="parked"))
    home = await enter(mine)

    for form in ({"id": "4711"}, {"key": "order.no_channel", "target": "uphance", "kind": "order"}):
        for action in ("retry", "by-hand"):
            await browser.post(f"{home}problems/{action}", data=form)

    assert await states(engine, theirs) == {"A1": "parked"}


async def test_an_id_that_is_none_is_refused(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter
) -> None:
    home = await enter(await make_shop())

    for number in ("x", "9" * 30, "1; DROP TABLE shops"):
        for name in ("id", "newest"):
            assert (await browser.post(f"{home}problems/retry", data={name: number})).status_code == 400


async def test_a_guard_has_buttons_of_its_own_and_a_button_that_can_do_nothing_is_not_there(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, engine: AsyncEngine
) -> None:
    shop_id, other = await make_shop(), await make_shop()
    guard = {"changed": 94, "matched": 95, "zeroed": 94, "percent": 30}
    stock = {"kind": "stock", "target": "upgates"}
    await insert_rows(
        engine,
        problem_row(shop_id, "stock.guard", key="stock.guard", params=guard, **stock),
        problem_row(other, "stock.ambiguous", key="stock.ambiguous", **stock),
        problem_row(other, "uphance", key="connection.refused", kind="connection", params={"system": "Uphance"}),
    )

    guarded = html.unescape((await browser.get(f"{await enter(shop_id)}problems")).text)
    others = html.unescape((await browser.get(f"{await enter(other)}problems")).text)

    assert f">{EN.get('ui.decision.open', count=94)}</a>" in guarded
    assert "problems/by-hand" not in guarded
    assert EN.get("ui.problems.retry") not in guarded.partition(EN.get("ui.problems.what_buttons_do"))[0]
    assert f"<button>{EN.get('ui.problems.retry')}</button>" not in others
    assert others.count(f"<button>{EN.get('ui.problems.by_hand')}</button>") == 1, "a dead login cannot be handled"
