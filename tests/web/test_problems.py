"""The problems page: grouped by cause, treated by this shop's people only."""

import html
import re
from datetime import timedelta

import httpx
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.support.clock import NOON
from tests.support.pages import EN, Enter, said_by
from tests.support.rows import document_row, insert_rows, order_row, problem_row, variant_row
from tests.support.shops import MakeShop
from upbridge.core.i18n import Texts
from upbridge.domain.shop_id import ShopId

CS = Texts("cs")


async def states(engine: AsyncEngine, shop_id: ShopId) -> dict[str, str]:
    async with engine.connect() as tx:
        rows = await tx.execute(text("SELECT key, state FROM documents WHERE shop_id = :id"), {"id": shop_id})
        return {row.key: row.state for row in rows}


async def hidden_fields(browser: httpx.AsyncClient, address: str, form: str) -> dict[str, str]:
    page = html.unescape((await browser.get(address)).text)
    return dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page.partition(f'{form}">')[2]))


async def test_one_cause_is_one_group_with_its_remedy_and_the_place_that_has_it(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, engine: AsyncEngine
) -> None:
    shop_id = await make_shop()
    await insert_rows(engine, *(problem_row(shop_id, f"A{number}") for number in range(3)))
    await insert_rows(engine, problem_row(shop_id, "B", key="order.unknown_sku", params={"codes": ["X"]}))

    page = html.unescape((await browser.get(f"{await enter(shop_id)}problems")).text)

    assert page.count('<h2 id="group-') == 2
    assert EN.get("problem.order.no_channel", currency="EUR", language="sk") in page
    there = EN.get("ui.problems.resolve_there", page=EN.get("ui.nav.rules"))
    assert f'rules?part=uphance.orders#uphance.channels">{there}<span' in page
    more = EN.get("ui.problems.see_there", page=EN.get("ui.nav.products"))
    assert f'products?show=unmatched">{more}<span' in page
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
    there = EN.get("ui.problems.resolve_there", page=EN.get("ui.nav.connections"))
    assert page.count(f'connections">{there}<span') == len(said)


async def test_trying_again_releases_what_was_parked_of_a_whole_cause(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, engine: AsyncEngine
) -> None:
    shop_id = await make_shop()
    for entity in ("A1", "A2"):
        await insert_rows(engine, problem_row(shop_id, entity))
        await insert_rows(engine, document_row(shop_id, "uphance", entity, state="parked"))
    home = await enter(shop_id)

    answer = await browser.post(
        f"{home}problems/retry",
        data={"key": "order.no_channel", "target": "uphance", "kind": "order", "all": "yes"},
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
    assert f">{EN.get('ui.problems.retry')}<" not in page
    assert "problems/by-hand" in page


async def test_what_was_handled_by_hand_is_not_sent(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, engine: AsyncEngine
) -> None:
    shop_id = await make_shop()
    await insert_rows(engine, problem_row(shop_id, "A1", id=4711))
    await insert_rows(engine, document_row(shop_id, "uphance", "A1", state="parked"))
    home = await enter(shop_id)

    asked = await browser.post(f"{home}problems/by-hand", data={"only": "4711", "back": "q=A1"})

    assert f'<h1 tabindex="-1" autofocus>{EN.get("ui.problems.sure", count=1)}</h1>' in asked.text
    assert await states(engine, shop_id) == {"A1": "parked"}, "nothing is done before the person is sure"
    form = re.findall(r'name="(\w+)" value="([^"]*)"', asked.text.partition('problems/by-hand">')[2])
    done = await browser.post(f"{home}problems/by-hand", data=dict(form))
    assert said_by(done).endswith("problems?q=A1&said=by_hand&n=1")

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
    whole = await hidden_fields(browser, f"{home}problems", "problems/retry")
    await insert_rows(engine, problem_row(shop_id, "A3"))

    asked = await browser.post(f"{home}problems/by-hand", data={**whole, "all": "yes"})
    [file] = re.findall(r'href="([^"]+)" data-file', html.unescape(asked.text))
    listed = (await browser.get(file)).text.splitlines()
    answer = await browser.post(f"{home}problems/by-hand", data={**whole, "all": "yes", "sure": "yes"})

    assert EN.get("ui.problems.lasts") in listed[0]
    assert sorted(line.split(";")[0] for line in listed[1:]) == ['"A1"', '"A2"']
    assert said_by(answer).endswith("said=by_hand&n=2")
    assert await states(engine, shop_id) == {"A3": "parked"}


async def test_another_shop_s_problem_cannot_be_treated(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, engine: AsyncEngine
) -> None:
    mine, theirs = await make_shop(), await make_shop()
    await insert_rows(engine, problem_row(theirs, "A1", id=4711))
    await insert_rows(engine, document_row(theirs, "uphance", "A1", state="parked"))
    home = await enter(mine)

    whole = {"key": "order.no_channel", "target": "uphance", "kind": "order", "all": "yes"}
    for form in ({"id": "4711"}, {"only": "4711"}, whole):
        for action in ("retry", "by-hand", "take-back"):
            await browser.post(f"{home}problems/{action}", data={**form, "sure": "yes"})

    assert await states(engine, theirs) == {"A1": "parked"}


async def test_an_id_that_is_none_is_refused(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter
) -> None:
    home = await enter(await make_shop())

    for number in ("x", "9" * 30, "1; DROP TABLE shops"):
        for name in ("id", "only", "newest"):
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
    assert f">{EN.get('ui.problems.retry')}<" not in others
    assert others.count(f">{EN.get('ui.problems.by_hand')}<") == 1, "a dead login cannot be handled"


async def test_a_cause_is_said_once_and_a_row_says_only_what_differs(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, engine: AsyncEngine
) -> None:
    shop_id = await make_shop(api_url="https://x.admin.s24.upgates.com/api/v2")
    outline = {"currency": "CZK", "total": "1200", "origin": "web", "admin_url": "https://admin.example/orders/1"}
    of_upp = {"target": "upp", "kind": "product", "stage": "map", "parent": "7"}
    await insert_rows(
        engine,
        problem_row(shop_id, "A1", key="order.unknown_sku", params={"codes": ["X-1"]}),
        problem_row(shop_id, "A2", key="order.unknown_sku", params={"codes": ["X-2"]}, found_at=NOON + _LATER),
        problem_row(shop_id, "v-7", key="product.sku_twice", params={"sku": "w" * 500, "other": "v-8"}, **of_upp),
        problem_row(shop_id, "v-9", key="product.sku_twice", params={"sku": "abc", "other": "v-8"}, **of_upp),
        variant_row(shop_id, 8, title="Svetr", code="SVE-8"),
        order_row(shop_id, "A1", outline=outline),
    )

    page = html.unescape((await browser.get(f"{await enter(shop_id)}problems")).text)

    assert page.count(EN.get("problems.order.unknown_sku")) == 1
    assert [page.count(f"<bdi>X-{number}</bdi>") for number in (1, 2)] == [1, 1]
    assert "<bdi>Svetr (SVE-8)</bdi>" in page, "the older one is called as the merchant calls it"
    assert EN.get("ui.problems.tried_at", at=NOON + _LATER) in page
    assert 'href="https://admin.example/orders/1" target="_top"' in page
    assert 'href="https://x.admin.s24.upgates.com/manager/products/main/default/7"' in page
    names = re.findall(r"<button[^>]*>([^<]*<span[^>]*>[^<]*)<", page)
    assert len(names) == len(set(names)) == 16, "each button is named after its record or its cause"


_LATER = timedelta(minutes=9)


async def test_numbers_and_variants_in_a_sentence_are_written_as_people_know_them(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, engine: AsyncEngine
) -> None:
    shop_id = await make_shop()
    amounts = {"total": "2106.90", "difference": "-37.00", "currency": "CZK"}
    older = {"title": "Šaty Letní", "code": "GAR-1"}
    await insert_rows(
        engine, variant_row(shop_id, 7, key="v-7", **older), variant_row(shop_id, 8, key="v-8", code=None)
    )
    twice = {"sku": "gar-1", "other": "v-7"}
    await insert_rows(
        engine,
        problem_row(shop_id, "A1", key="order.quantity", params={"lines": "GAR-1: 1.5, Lem: 3"}),
        problem_row(shop_id, "A2", key="order.net_estimated", params=amounts),
        problem_row(shop_id, "v-8", key="product.sku_twice", kind="product", target="upp", params=twice),
        problem_row(
            shop_id, "stock.no_code", key="stock.no_code", kind="stock", params={"number": 1, "names": ["X"]}
        ),
    )

    home = await enter(shop_id, "cs")
    first = html.unescape((await browser.get(home)).text)
    page = html.unescape((await browser.get(f"{home}problems")).text)

    for shown in (first, page):
        assert "GAR-1: 1,5, Lem: 3" in shown
        assert "2\u00a0106,90\u00a0Kč (rozdíl \u221237,00\u00a0Kč)" in shown
        assert "v-7" not in shown
    assert f'<a href="{home}order?number=A1">A1</a>: ' in first
    assert "zboží Šaty Letní (GAR-1);" in page
    assert "1\u00a0položka je s\u00a0Uphance spárovaná podle EAN" in page
    assert CS.get("ui.cause.product.sku_twice") in first


async def test_those_that_are_ticked_are_handled_after_a_question_and_taken_back_from_a_list(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, engine: AsyncEngine
) -> None:
    shop_id = await make_shop()
    for number in range(1, 4):
        await insert_rows(engine, problem_row(shop_id, f"A{number}", id=number))
        await insert_rows(engine, document_row(shop_id, "uphance", f"A{number}", state="parked"))
    home = await enter(shop_id)

    for action in ("retry", "by-hand", "take-back"):
        nothing = await browser.post(f"{home}problems/{action}", data={"key": "order.no_channel"})
        assert said_by(nothing).endswith("said=none_ticked")
    asked = html.unescape((await browser.post(f"{home}problems/by-hand", data={"id": ["1", "3"]})).text)
    again = re.findall(
        r'name="(\w+)" value="([^"]*)"', asked.partition('problems/by-hand">')[2].partition("</form")[0]
    )
    assert [value for name, value in again if name == "id"] == ["1", "3"]
    await browser.post(f"{home}problems/by-hand", data={"sure": "yes", "id": ["1", "3"]})
    assert await states(engine, shop_id) == {"A2": "parked"}

    listed = html.unescape((await browser.get(f"{home}problems?state=handled")).text)
    assert [f">A{number}<" in listed for number in (1, 2, 3)] == [True, False, True]
    back = await browser.post(f"{home}problems/take-back", data={"only": "1", "back": "state=handled"})

    assert said_by(back).endswith("problems?state=handled&said=taken_back&n=1")
    opened = html.unescape((await browser.get(f"{home}problems")).text)
    assert EN.get("ui.problems.under_way") in opened, "its order is read again, to be stopped or sent"
    assert [f">A{number}<" in opened for number in (1, 2, 3)] == [True, True, False]
    told = re.sub("<[^>]+>", "", html.unescape((await browser.get(f"{home}history")).text))
    cause = EN.get("ui.cause.order.no_channel")
    assert EN.get("ui.history.what.taken_back", cause=cause, entity="A1") in told
    assert EN.get("ui.history.what.handled", cause=cause, entity=EN.get("ui.size.order", count=2)) in told


async def test_many_problems_are_searched_turned_over_and_downloaded(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, engine: AsyncEngine
) -> None:
    shop_id = await make_shop()
    of_upp = {"key": "product.no_price", "kind": "product", "target": "upp", "stage": "map", "params": {}}
    await insert_rows(
        engine,
        *(problem_row(shop_id, f"2600{number:03}") for number in range(120)),
        problem_row(shop_id, "v-1", **of_upp),
        variant_row(shop_id, 1, title="Šaty letní"),
    )
    home = await enter(shop_id)

    async def shown(query: str) -> list[str]:
        page = html.unescape((await browser.get(f"{home}problems?{query}")).text)
        return re.findall(r'<th scope="row"><a [^>]*><bdi>([^<]*)', page)

    cause = "key=order.no_channel&target=uphance&kind=order"
    assert await shown("") == [*(f"2600{number}" for number in range(119, 114, -1)), "Šaty letní"]
    assert await shown(f"{cause}&page=3") == [f"2600{number:03}" for number in range(19, -1, -1)]
    assert await shown("q=saty") == ["Šaty letní"]
    assert await shown("q=%23260011") == [f"2600{number}" for number in range(119, 109, -1)]
    assert len(await shown("q=channel")) == 50, "the name of a cause is found, too"
    assert await shown("q=100%25") == []
    file = (await browser.get(f"{home}problems.csv?q=26")).content.decode().splitlines()
    assert len(file) == 121
    assert file[1].startswith(f'"2600119";"{EN.get("ui.cause.order.no_channel")}";')


async def test_a_retry_that_does_nothing_says_so(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, engine: AsyncEngine
) -> None:
    shop_id = await make_shop()
    status = {
        "key": "status.not_chosen",
        "kind": "status",
        "stage": "map",
        "params": {"name": "Nový", "status": 7},
    }
    await insert_rows(engine, problem_row(shop_id, "7", id=1, **status), problem_row(shop_id, "A1", id=2))
    home = await enter(shop_id)

    page = html.unescape((await browser.get(f"{home}problems")).text)
    answers = [await browser.post(f"{home}problems/retry", data={"id": ids}) for ids in (["1"], ["1", "2"], ["2"])]

    assert page.count(f">{EN.get('ui.problems.retry')}<") == 1, "a new status can only be chosen in the rules"
    assert [said_by(answer).partition("?")[2] for answer in answers] == [
        "of=1&said=retried_none&n=0",
        "of=2&said=retried_some&n=1",
        "said=retried&n=1",
    ]
    said = html.unescape((await browser.get(answers[1].headers["location"])).text)
    assert f'tabindex="-1" autofocus>{EN.get("ui.said.retried_some", count=1, of=2)}<' in said
