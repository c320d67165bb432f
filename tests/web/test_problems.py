"""The problems page: grouped by cause, treated by this shop's people only."""

import html
import re
from typing import Any

import httpx
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.support.clock import NOON
from tests.support.pages import Enter
from tests.support.shops import MakeShop
from tests.web.test_endpoints import EN, document, put
from upbridge.domain.shop_id import ShopId


def problem(shop_id: ShopId, entity: str, **more: Any) -> dict[str, Any]:
    values = {
        "stage": "push",
        "key": "order.no_channel",
        "target": "uphance",
        "kind": "order",
        "entity": entity,
        "parent": entity,
        "params": {"currency": "EUR", "language": "sk"},
        "message": f"words for the operator about {entity}",
        "since": NOON,
    }
    return {"shop_id": shop_id, **values, **more}


async def states(engine: AsyncEngine, shop_id: ShopId) -> dict[str, str]:
    async with engine.connect() as tx:
        rows = await tx.execute(text("SELECT key, state FROM documents WHERE shop_id = :id"), {"id": shop_id})
        return {row.key: row.state for row in rows}


async def test_one_cause_is_one_group_with_its_cure_and_the_place_that_cures_it(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, engine: AsyncEngine
) -> None:
    shop_id = await make_shop()
    await put(engine, "problems", *(problem(shop_id, f"A{number}") for number in range(3)))
    await put(engine, "problems", problem(shop_id, "B", key="order.unknown_sku", params={"codes": ["X"]}))

    page = html.unescape((await browser.get(f"{await enter(shop_id)}problems")).text)

    assert page.count('<h2 id="group-') == 2
    assert EN.get("problem.order.no_channel", currency="EUR", language="sk") in page
    there = EN.get("ui.problems.cure_there", page=EN.get("ui.nav.rules"))
    assert f'rules#uphance.channels">{there}</a>' in page
    more = EN.get("ui.problems.see_there", page=EN.get("ui.nav.products"))
    assert f'products?show=unmatched">{more}</a>' in page
    assert page.index("A2") < page.index(">B<")


async def test_a_login_that_stops_a_connection_comes_first_and_names_the_system_as_its_maker_does(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, engine: AsyncEngine
) -> None:
    shop_id = await make_shop()
    await put(engine, "problems", *(problem(shop_id, f"A{number}") for number in range(3)))
    login: dict[str, Any] = {
        "kind": "connection",
        "entity": "uphance",
        "parent": "uphance",
        "params": {"said": "401"},
    }
    await put(engine, "problems", problem(shop_id, **{**login, "key": "connection.refused"}))
    await put(engine, "problems", problem(shop_id, **{**login, "key": "connection.wrong_organisation"}))

    page = html.unescape((await browser.get(f"{await enter(shop_id)}problems")).text)

    said = [EN.get(f"problem.connection.{why}", system="Uphance") for why in ("refused", "wrong_organisation")]
    assert page.index(said[0]) < page.index(said[1]) < page.index(">A2<")
    there = EN.get("ui.problems.cure_there", page=EN.get("ui.nav.connections"))
    assert page.count(f'connections">{there}</a>') == len(said)


async def test_trying_again_releases_what_was_parked_of_a_whole_cause(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, engine: AsyncEngine
) -> None:
    shop_id = await make_shop()
    for entity in ("A1", "A2"):
        await put(engine, "problems", problem(shop_id, entity))
        await put(engine, "documents", document(shop_id, "uphance", entity, "parked"))
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
    remark = problem(shop_id, "A1", stage="remark", key="order.taxed_otherwise", params=said)
    await put(engine, "problems", remark)

    page = html.unescape((await browser.get(f"{await enter(shop_id)}problems")).text)

    assert EN.get("problem.order.taxed_otherwise", **said) in page
    assert "problems/retry" not in page
    assert "problems/by-hand" in page


async def test_what_was_handled_by_hand_is_not_sent(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, engine: AsyncEngine
) -> None:
    shop_id = await make_shop()
    await put(engine, "problems", problem(shop_id, "A1", id=4711))
    await put(engine, "documents", document(shop_id, "uphance", "A1", "parked"))
    home = await enter(shop_id)

    await browser.post(f"{home}problems/by-hand", data={"id": "4711"})

    assert await states(engine, shop_id) == {}
    assert EN.get("ui.problems.none") in (await browser.get(f"{home}problems")).text


async def test_what_came_after_the_page_was_shown_is_not_handled_with_the_rest(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, engine: AsyncEngine
) -> None:
    shop_id = await make_shop()
    for entity in ("A1", "A2", "A3"):
        await put(engine, "documents", document(shop_id, "uphance", entity, "parked"))
    await put(engine, "problems", problem(shop_id, "A1"), problem(shop_id, "A2"))
    home = await enter(shop_id)
    shown = (await browser.get(f"{home}problems")).text
    form = shown[shown.index("problems/by-hand") :].partition("</form>")[0]
    await put(engine, "problems", problem(shop_id, "A3"))

    answer = await browser.post(
        f"{home}problems/by-hand", data=dict(re.findall(r'name="(\w+)" value="([^"]*)"', form))
    )

    assert answer.headers["location"].endswith("said=by_hand&n=2")
    assert await states(engine, shop_id) == {"A3": "parked"}


async def test_another_shop_s_problem_cannot_be_treated(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, engine: AsyncEngine
) -> None:
    mine, theirs = await make_shop(), await make_shop()
    await put(engine, "problems", problem(theirs, "A1", id=4711))
    await put(engine, "documents", document(theirs, "uphance", "A1", "parked"))
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
