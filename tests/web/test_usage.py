"""API usage, and the geometry of its chart."""

import html
from datetime import timedelta
from itertools import pairwise

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.support.clock import NOON
from tests.support.pages import EN, Enter
from tests.support.rows import api_call_row, budget_row, change_row, insert_rows, lane_row, run_row
from tests.support.shops import MakeShop
from upbridge.engine.flows import PAGES
from upbridge.rate_limits.windows import PACKAGE
from upbridge.web.charts import columns, nice, share


@given(st.lists(st.dictionaries(st.sampled_from(["a", "b", "c"]), st.integers(0, 10**6)), max_size=40))
def test_no_bar_leaves_the_chart_and_none_is_lost(data: list[dict[str, int]]) -> None:
    chart = columns([(str(place), parts) for place, parts in enumerate(data)])

    assert chart.narrow is not None
    assert chart.narrow.highest == chart.highest
    for shape in (chart, chart.narrow):
        assert len(shape.bars) == sum(1 for parts in data for value in parts.values() if value)
        for bar in shape.bars:
            assert bar.x >= shape.left
            assert bar.x + bar.width <= shape.width + 0.1
            assert bar.y >= 0
            assert bar.y + bar.height <= shape.height


@pytest.mark.parametrize("days", [1, 2, 5, 9, 24, 25, 29, 30, 40])
def test_words_under_a_narrow_chart_stand_apart_and_inside(days: int) -> None:
    """At 13 pixels "30. 11." and "12:00" take about 45."""
    narrow = columns([("30. 11.", {"a": 1})] * days).narrow

    assert narrow is not None
    places = [label.x for label in narrow.labels]
    assert all(after - before >= 45 for before, after in pairwise(places))
    assert places[-1] + 45 <= narrow.width


@given(st.integers(0, 10**9))
def test_the_top_of_an_axis_is_round_and_not_far_above(value: int) -> None:
    assert value <= nice(value)
    assert nice(value) <= max(value * 2.5, 1)


@given(st.integers(-5, 100), st.integers(-5, 100))
def test_a_share_is_between_nothing_and_all(part: int, whole: int) -> None:
    assert 0 <= share(part, whole) <= 100


async def test_calls_are_shown_by_purpose_with_a_table_that_says_the_same(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, engine: AsyncEngine
) -> None:
    shop_id, other = await make_shop(), await make_shop()
    hour = NOON.replace(minute=0)
    for owner, count in ((shop_id, 1234), (other, 99999)):
        for at in (hour, hour - timedelta(hours=30)):
            await insert_rows(engine, api_call_row(owner, hour=at, count=count))

    page = (await browser.get(f"{await enter(shop_id)}usage")).text

    assert EN.get("ui.usage.total", count=1234) in page
    assert '<td class="number">1,234</td>' in page
    assert page.count('class="p-orders"') == 3  # a bar, wide and narrow, and its key
    assert "99,999" not in page


async def test_known_limits_are_two_gauges(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, engine: AsyncEngine
) -> None:
    shop_id = await make_shop()
    limits = {"hour_limit": 50, "day_limit": 600}
    await insert_rows(engine, budget_row(shop_id, hour_used=20, day_at=NOON - timedelta(hours=12), **limits))

    page = html.unescape((await browser.get(f"{await enter(shop_id)}usage")).text)

    assert EN.get("ui.usage.hour", left=30, limit=50) in page
    assert EN.get("ui.usage.day", left=600, limit=600) in page


async def test_the_import_of_a_shop_that_stands_still_has_no_end_in_sight(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, engine: AsyncEngine
) -> None:
    active, stopped = await make_shop(), await make_shop(state="suspended", reason="refused")
    for shop_id in (active, stopped):
        await insert_rows(engine, change_row(shop_id, str(PAGES["product"]), "1", origin="import", priority=9))
        await insert_rows(engine, run_row(shop_id, "product", total=500, done=300))
        await insert_rows(engine, budget_row(shop_id, hour_limit=1000, day_limit=6000))

    homes = [await enter(shop_id) for shop_id in (active, stopped)]
    begun = [(await browser.get(home)).text for home in homes]
    foreseen = [(await browser.get(f"{home}usage")).text for home in homes]

    soon, none = EN.get("ui.import.ends_in_a_minute"), EN.get("ui.usage.no_import")
    assert [soon in page for page in begun] == [True, False]
    assert [none in page for page in foreseen] == [False, True]


async def test_the_import_ends_not_before_the_shop_is_called_again(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, engine: AsyncEngine
) -> None:
    shop_id, until = await make_shop(), NOON + timedelta(hours=2)
    await insert_rows(engine, change_row(shop_id, str(PAGES["product"]), "1", origin="import", priority=9))
    await insert_rows(engine, run_row(shop_id, "product", total=500, done=300))
    await insert_rows(engine, lane_row(shop_id, "pull", "upgates", reason="no answer", until=until))
    await insert_rows(engine, budget_row(shop_id, hour_limit=1000, day_limit=6000))
    home = await enter(shop_id)

    begun, foreseen = [(await browser.get(home + place)).text for place in ("", "usage")]

    assert EN.get("ui.import.ends_in", left=EN.duration(until - NOON), at=until) in begun
    assert EN.get("ui.import.ends_at", at=until) in foreseen


@pytest.mark.parametrize(
    ("limits", "calls", "said"),
    [
        pytest.param((50, 600), 1400, "enough", id="four in five of 1,800 are left over"),
        pytest.param((50, 600), 1500, "packages", id="packages raise what is short"),
        pytest.param(None, 40_000, "enough", id="the cap is far"),
        pytest.param(None, 50_000, None, id="no package raises the cap"),
    ],
)
async def test_packages_are_advised_where_they_help_and_nothing_is_enough_that_is_short(  # noqa: PLR0917
    browser: httpx.AsyncClient,
    make_shop: MakeShop,
    enter: Enter,
    engine: AsyncEngine,
    limits: tuple[int, int] | None,
    calls: int,
    said: str | None,
) -> None:
    shop_id = await make_shop()
    hour, day = limits or (None, None)
    await insert_rows(engine, budget_row(shop_id, hour_limit=hour, day_limit=day, learned_at=NOON))
    await insert_rows(engine, api_call_row(shop_id, count=calls))

    page = html.unescape((await browser.get(f"{await enter(shop_id)}usage")).text)

    words = {
        "enough": EN.get("ui.usage.enough"),
        "packages": EN.get("ui.usage.packages", hour=PACKAGE.hour, day=PACKAGE.day),
    }
    assert {key for key, text in words.items() if text in page} == ({said} if said else set())
