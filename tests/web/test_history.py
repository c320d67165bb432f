"""The page that says who did what and when."""

import html
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.support.clock import NOON, MovableClock
from tests.support.pages import EN, Enter
from tests.support.shops import MakeShop
from upbridge.core.i18n import LANGUAGES, Texts
from upbridge.domain.history import Way, What
from upbridge.store import history
from upbridge.store.history import NewEntry, StockWrite
from upbridge.systems.registry import SYSTEMS
from upbridge.web.endpoints.history import in_words
from upbridge.web.queries.history import PAGE
from upbridge.worker_container import WorkerContainer


async def seen(browser: httpx.AsyncClient, address: str) -> str:
    answer = await browser.get(address)
    assert answer.status_code == 200
    return html.unescape(answer.text)


async def test_a_rule_that_was_changed_on_a_page_is_listed_with_both_values(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, service: WorkerContainer
) -> None:
    shop_id = await make_shop()
    home = await enter(shop_id)
    assert EN.get("ui.history.nothing") in await seen(browser, f"{home}history")
    shop = await service.shops.get(shop_id)

    await replace(service, way=Way.PAGE).settings_editor.change(
        shop, {"stock.write": "true", "stock.safety": "3", "uphance.orders_from": "2026-11-28T14:00+01:00"}
    )

    page = await seen(browser, f"{home}history")
    assert EN.get("ui.history.what.setting", rule=EN.get("ui.rule.stock.safety")) in page
    assert "<td>0</td><td>3</td>" in page
    moment = EN.moment(datetime(2026, 11, 28, 13, tzinfo=UTC))
    assert f"<td>{EN.get('ui.history.not_chosen')}</td><td>{moment}</td>" in page
    assert f"<td>{EN.get('ui.rules.no')}</td><td>{EN.get('ui.rules.yes')}</td>" in page
    assert EN.get("ui.history.way.page") in page


async def test_a_stock_run_leads_to_its_numbers(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, engine: AsyncEngine, watch: MovableClock
) -> None:
    shop_id, other = await make_shop(), await make_shop()
    for shop, code in ((shop_id, "MINE"), (other, "OTHERS")):
        async with engine.begin() as tx:
            written = [StockWrite("v-1", code, None, Decimal(5))]
            await history.record_stock(tx, shop, NOON, written, now=watch())
    async with engine.connect() as tx:
        mine = (await history.latest(tx, shop_id, limit=1))[0].id
        others = (await history.latest(tx, other, limit=1))[0].id
    home = await enter(shop_id)

    assert f"history?run={mine}" in await seen(browser, f"{home}history")
    numbers = await seen(browser, f"{home}history?run={mine}")
    assert ">MINE</a>" in numbers
    assert "OTHERS" not in await seen(browser, f"{home}history?run={others}")


async def test_a_long_history_is_paged_to_its_end(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, engine: AsyncEngine
) -> None:
    shop_id = await make_shop()
    async with engine.begin() as tx:
        entries = [NewEntry(What.SETTING, f"old.rule{number}") for number in range(PAGE + 5)]
        await history.record(tx, shop_id, Way.CLI, entries, now=NOON)
    home = await enter(shop_id)

    first = await seen(browser, f"{home}history")
    older = first.split("history?before=")[1].split('"')[0]
    second = await seen(browser, f"{home}history?before={older}")

    assert first.count("old.rule") == PAGE
    assert second.count("old.rule") == 5
    assert f'href="{home}history?before=' not in second


async def test_an_order_that_a_line_names_leads_to_its_page_and_a_day_is_written_as_people_do(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, engine: AsyncEngine
) -> None:
    shop_id = await make_shop()
    about = {"kind": "order", "target": "uphance"}
    entries = [
        NewEntry(What.SENT_AGAIN, "O-1", details={"kind": "order", "count": 1}),
        NewEntry(What.SENT_AGAIN, "2026-11-28", details={"kind": "order", "count": 7}),
        NewEntry(What.SENT_AGAIN, "P-4", details={"kind": "product", "count": 1}),
        NewEntry(What.PERSON_SHOWN, "O-2"),
        NewEntry(What.HANDLED, "order.no_channel", details={**about, "entity": "O-3"}),
        NewEntry(What.HANDLED, "order.no_channel", details={**about, "count": 5}),
    ]
    async with engine.begin() as tx:
        await history.record(tx, shop_id, Way.CLI, entries, now=NOON)
    home = await enter(shop_id, "cs")

    page = await seen(browser, f"{home}history")

    led = [one.split('"')[0] for one in page.split(f'href="{home}order?number=')[1:]]
    assert sorted(led) == ["O-1", "O-2", "O-3"]
    assert "28.\u00a011.\u00a02026 (7)" in page


@pytest.mark.parametrize("query", ["before=-1", "before=x", "run=x", "run=" + "9" * 30, "run=0", "before=%00"])
async def test_a_place_that_there_is_not_is_answered_by_the_newest(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, query: str
) -> None:
    home = await enter(await make_shop())

    assert EN.get("ui.history.list") in await seen(browser, f"{home}history?{query}")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("what", What)
def test_each_kind_of_change_has_its_words(what: What, language: str) -> None:
    texts = Texts(language)
    for way in Way:
        entry = history.Entry(1, NOON, way, what, "upp", "a", None, {"count": 3, "entity": "v-1"})

        line = in_words(entry, texts, SYSTEMS)

        assert "ui." not in f"{line.what}{line.way}"
        assert "{" not in line.what


def test_words_of_a_newer_version_are_shown_as_they_are() -> None:
    entry = history.Entry(1, NOON, "pigeon", "flown", "north", None, "1", {})

    line = in_words(entry, EN, SYSTEMS)

    assert (line.what, line.way, line.new) == ("flown north", "pigeon", "1")
