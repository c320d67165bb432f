"""The numbers of the first page: a light per flow, every known order in exactly one box, the safety net."""

import asyncio
import html
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.support.amiss import AMISS
from tests.support.clock import NOON, MovableClock
from tests.support.pages import EN, Enter
from tests.support.rows import (
    Row,
    budget_row,
    change_row,
    connection_row,
    cursor_row,
    document_row,
    insert_rows,
    lane_row,
    link_row,
    order_event_row,
    order_row,
    problem_row,
    run_row,
)
from tests.support.shops import MakeShop
from upbridge.core.i18n import LANGUAGES, Texts
from upbridge.domain.shop import ShopState
from upbridge.domain.shop_id import ShopId
from upbridge.engine.completeness import Counted, keep_count
from upbridge.engine.imports import Again
from upbridge.insights.flow_lights import Light
from upbridge.web.context import Pages
from upbridge.web.queries.health import ShopHealth, health_of
from upbridge.web.queries.overview import Overviews, OverviewView

#: What is known of an Uphance with one channel.
UPHANCE = {"channels": [{"id": 1, "name": "Shop", "currency": "CZK"}]}


async def stand(pages: Pages, shop_id: ShopId) -> ShopHealth:
    shop = await pages.shops.get(shop_id)
    async with pages.engine.connect() as tx:
        return await health_of(tx, pages.systems, shop, now=pages.clock())


async def look(pages: Pages, shop_id: ShopId) -> OverviewView:
    return await Overviews(pages.systems, pages.engine).of(await stand(pages, shop_id), pages.clock())


def lights(health: ShopHealth) -> dict[str, tuple[Light, str]]:
    return {flow.name: (flow.light, flow.reason) for flow in health.flows}


@dataclass(frozen=True)
class At:
    """How an order stands with one system."""

    link: str | None
    document: str | None
    problem: str | None


@dataclass(frozen=True)
class Known:
    """An order as the tables may hold it. *made*: days ago; None if it was not read yet."""

    made: int | None
    change: bool
    unreadable: str | None
    at: dict[str, At]

    @property
    def counts(self) -> bool:
        if self.made is None:
            return self.change or self.unreadable == "open"
        return self.made < 30

    def box(self, system: str) -> str:
        there = self.at[system]
        if there.document == "parked" or "open" in (there.problem, self.unreadable):
            return "parked"
        if there.document is not None or self.change:
            return "waiting"
        return there.link if there.link in {"delivered", "by_hand"} else "held"


PROBLEMS = st.sampled_from([None, None, "open", "dismissed"])
HEALTHS = st.builds(
    At,
    link=st.sampled_from([None, "delivered", "by_hand", "creating"]),
    document=st.sampled_from([None, None, "waiting", "sending", "parked"]),
    problem=PROBLEMS,
)
ORDERS = st.builds(
    Known,
    made=st.sampled_from([None, 0, 29, 31, 80]),
    change=st.booleans(),
    unreadable=PROBLEMS,
    at=st.fixed_dictionaries({"upp": HEALTHS, "uphance": HEALTHS}),
)
BOXES = ("delivered", "by_hand", "waiting", "held", "parked")


async def fill(engine: AsyncEngine, shop_id: ShopId, orders: list[Known]) -> None:
    """Write *orders* as the engine would have."""

    def problem(number: str, state: str, **more: Any) -> Row:
        return problem_row(shop_id, number, dismissed_at=NOON if state == "dismissed" else None, **more)

    for place, order in enumerate(orders):
        number = f"O-{place}"
        if order.made is not None:
            made = NOON - timedelta(days=order.made)
            await insert_rows(engine, order_row(shop_id, number, ordered_at=made))
        if order.change:
            await insert_rows(engine, change_row(shop_id, "order", number))
        if order.unreadable:
            await insert_rows(engine, problem(number, order.unreadable, target="upgates", stage="read"))
        for system, there in order.at.items():
            if there.link:
                await insert_rows(engine, link_row(shop_id, system, number, state=there.link))
            if there.document:
                await insert_rows(engine, document_row(shop_id, system, number, state=there.document))
            if there.problem:
                await insert_rows(engine, problem(number, there.problem, target=system))


class TestBoxes:
    @settings(
        max_examples=40,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
        derandomize=True,
    )
    @given(orders=st.lists(ORDERS, max_size=9))
    async def test_every_order_of_the_period_is_in_one_box_of_each_system_and_the_sums_are_equal(
        self, pages: Pages, make_shop: MakeShop, engine: AsyncEngine, orders: list[Known]
    ) -> None:
        shop_id, other = await make_shop(), await make_shop()
        await insert_rows(engine, connection_row(shop_id, "upp"), connection_row(shop_id, "uphance"))
        await fill(engine, shop_id, orders)
        await fill(engine, other, [order for order in orders if order.counts][:1])

        view = await look(pages, shop_id)

        counted = [order for order in orders if order.counts]
        assert view.known == len(counted)
        assert [box.system for box in view.boxes] == ["upp", "uphance"]
        for boxes in view.boxes:
            expected = Counter(order.box(boxes.system) for order in counted)
            assert {box: getattr(boxes, box) for box in BOXES} == {box: expected[box] for box in BOXES}
            assert boxes.total == view.known

    async def test_a_shop_without_connections_sees_its_next_step_and_no_empty_table(
        self, browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter
    ) -> None:
        page = (await browser.get(await enter(await make_shop()))).text

        assert "<table" not in page.partition('id="shop"')[0], "columns of nothing"
        assert page.count(EN.get("ui.step.connected", system="Uphance")) == 1


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        (["waiting", "waiting", "parked"], (Light.ATTENTION, "blocked")),
        (["parked"], (Light.ATTENTION, "problems")),
        ([], (Light.OK, "nothing_yet")),
    ],
)
async def test_a_system_that_takes_nothing_is_the_reason_where_something_waits_for_it_and_only_there(
    pages: Pages, make_shop: MakeShop, engine: AsyncEngine, states: list[str], expected: tuple[Light, str]
) -> None:
    shop_id = await make_shop()
    await insert_rows(engine, connection_row(shop_id, "uphance"))
    rests = lane_row(shop_id, "push", "uphance", reason="502", until=NOON + timedelta(minutes=4))
    await insert_rows(engine, rests)
    for number, state in enumerate(states):
        await insert_rows(engine, document_row(shop_id, "uphance", f"O-{number}", state=state))

    assert lights(await stand(pages, shop_id))["order.uphance"] == expected


@pytest.mark.rule("R45")
@pytest.mark.parametrize("language", LANGUAGES)
async def test_webhooks_whose_last_call_failed_are_shown_and_else_nothing(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, engine: AsyncEngine, language: str
) -> None:
    failures = [{"event": event, "at": NOON.isoformat(), "status": 503} for event in ("a", "b")]
    failing = await make_shop(language=language, subscribed_at=NOON, webhook_failures=failures)
    fine = await make_shop(language=language, subscribed_at=NOON)
    await insert_rows(engine, *(connection_row(shop, "upp") for shop in (failing, fine)))
    said = Texts(language).get("ui.net.failures", count=2, at=NOON)

    pages = [html.unescape((await browser.get(await enter(shop, language))).text) for shop in (failing, fine)]

    assert [said in page for page in pages] == [True, False]


class TestDelays:
    @staticmethod
    def step(shop_id: ShopId, seconds: float | None, *, event: str = "delivered", **more: Any) -> Row:
        since = None if seconds is None else more.get("at", NOON) - timedelta(seconds=seconds)
        return order_event_row(shop_id, "O-1", event, since=since, **more)

    async def test_are_counted_per_day_and_system_without_the_first_import(
        self, pages: Pages, make_shop: MakeShop, engine: AsyncEngine
    ) -> None:
        shop_id, other = await make_shop(), await make_shop()
        today = [self.step(shop_id, seconds) for seconds in (*range(1, 101), None)]
        midnight = NOON - timedelta(hours=11, minutes=30)  # the day before in UTC, this one in Prague
        await insert_rows(
            engine,
            *today,
            self.step(shop_id, 7, at=midnight - timedelta(hours=1)),
            self.step(shop_id, 5000, event="parked"),
            self.step(shop_id, 5000, target="upgates"),
            self.step(shop_id, 5000, at=NOON - timedelta(days=31)),
            self.step(other, 5000),
        )

        delays = (await look(pages, shop_id)).delays

        assert set(delays) == {"uphance"}
        assert len(delays["uphance"]) == 30
        *_, before, last = delays["uphance"]
        assert (last.count, last.median) == (100, 50.5)
        assert 95 <= last.p95 <= 96
        assert (before.count, before.median, before.p95) == (1, 7, 7)

    @pytest.mark.parametrize(("seconds", "unit", "size"), [(12, "seconds", 1), (600, "minutes", 60)])
    async def test_are_drawn_from_seven_days_on_with_the_same_in_words_and_as_a_table(  # noqa: PLR0917
        self,
        browser: httpx.AsyncClient,
        make_shop: MakeShop,
        enter: Enter,
        engine: AsyncEngine,
        seconds: int,
        unit: str,
        size: int,
    ) -> None:
        shop_id, young = await make_shop(), await make_shop()
        for one, number in ((shop_id, 7), (young, 6)):
            await insert_rows(engine, connection_row(one, "uphance"))
            days = [NOON - timedelta(days=back) for back in range(number)]
            await insert_rows(engine, *(self.step(one, seconds, at=day) for day in days))

        for language in LANGUAGES:
            texts = Texts(language)
            page = html.unescape((await browser.get(await enter(shop_id, language))).text)

            day, words = texts.day(NOON.date()), texts.get(f"ui.delay.unit.{unit}")
            figures = {"median": seconds / size, "p95": seconds / size}
            assert texts.get("ui.delay.alt", system="Uphance", unit=words, day=day, **figures) in page
            assert '<rect class="p-median"' in page
            assert f'<th scope="row">{day}</th>' in page
        span = EN.span(timedelta(seconds=seconds))
        page = html.unescape((await browser.get(await enter(young))).text)
        assert EN.get("ui.delay.words", system="Uphance", median=span, p95=span) in page
        assert "<rect" not in page, "a chart of six days"


class TestRunNow:
    """Reading what changed, at once: guarded, and never twice at a time."""

    @pytest.mark.rule("R54")
    async def test_three_clicks_cast_one_net_and_the_button_rests_until_it_has_ended_and_ten_minutes_more(
        self,
        browser: httpx.AsyncClient,
        make_shop: MakeShop,
        enter: Enter,
        engine: AsyncEngine,
        watch: MovableClock,
    ) -> None:
        shop_id = await make_shop()
        await insert_rows(engine, connection_row(shop_id, "upp"), budget_row(shop_id, hour_limit=2000))
        home = await enter(shop_id)
        before = (await browser.get(home)).text
        assert EN.get("ui.net.cost", count=2) in before
        assert not self.rests(before)

        clicks = await asyncio.gather(*(browser.post(f"{home}overview/run") for _ in range(3)))

        said = Counter(answer.headers["location"].rpartition("=")[2] for answer in clicks)
        assert said == {"net_cast": 1, "net_rests": 2}
        async with engine.connect() as connected:
            runs = await connected.execute(text("SELECT kind FROM runs WHERE purpose = 'safety_net' ORDER BY 1"))
            assert [row.kind for row in runs] == ["order", "product"]
        assert EN.get("ui.net.running", at=NOON) in (running := (await browser.get(home)).text)
        assert self.rests(running)

        async with engine.begin() as connected:
            await connected.execute(text("UPDATE runs SET state = 'done', finished_at = :now"), {"now": watch.now})
        watch.move(minutes=9)
        assert EN.get("ui.net.rests", at=watch.now + timedelta(minutes=1)) in (
            page := (await browser.get(home)).text
        )
        assert self.rests(page)
        watch.move(minutes=1)
        assert not self.rests((await browser.get(home)).text)
        answer = await browser.post(f"{home}overview/run")
        assert answer.headers["location"].endswith("said=net_cast")

    @pytest.mark.rule("R54")
    @pytest.mark.parametrize("state", [state for state in ShopState if state is not ShopState.ACTIVE])
    async def test_a_shop_that_is_not_active_is_not_read(
        self, browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, engine: AsyncEngine, state: ShopState
    ) -> None:
        shop_id = await make_shop(state=state)
        await insert_rows(engine, connection_row(shop_id, "upp"))
        home = await enter(shop_id)

        page = (await browser.get(home)).text
        answer = await browser.post(f"{home}overview/run")

        assert self.rests(page)
        assert answer.headers["location"].endswith("said=net_stopped")
        async with engine.connect() as connected:
            assert await connected.scalar(text("SELECT count(*) FROM runs")) == 0

    @staticmethod
    def rests(page: str) -> bool:
        """Whether the button cannot be pressed."""
        [button] = re.findall(rf"<button ([a-z]*) ?[^>]*>{EN.get('ui.net.run')}", page)
        return bool(button == "disabled")


async def test_the_first_page_says_that_all_is_well_only_where_it_is(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, engine: AsyncEngine
) -> None:
    said = {}
    for what, amiss in (("nothing", None), *AMISS.items()):
        facts = {"currencies": {"cs": "CZK"}, **(amiss.shop.get("facts", {}) if amiss else {})}
        chosen = {"stock.write": True, "uphance.channels": {"cs/CZK": 1}}
        shop_id = await make_shop(settings=chosen, facts=facts)
        upp = connection_row(shop_id, "upp", account=what)
        rows = upp, connection_row(shop_id, "uphance", account=what, facts=UPHANCE)
        await insert_rows(engine, *rows, *(amiss.rows(shop_id) if amiss else ()))
        page = html.unescape((await browser.get(await enter(shop_id))).text)
        said[what] = re.findall(r'<h1 id="state" class="light (\w+)">([^<]*)</h1>', page)

    well = ("good", EN.get("ui.first.ok"))
    assert said.pop("nothing") == [well]
    assert [what for what, headings in said.items() if len(headings) != 1 or set(headings[0]) & set(well)] == []


@pytest.mark.parametrize("why", Again)
async def test_the_page_says_why_what_was_read_already_is_read_again(  # noqa: PLR0917
    pages: Pages, browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, engine: AsyncEngine, why: Again
) -> None:
    shop_id = await make_shop()
    await insert_rows(engine, connection_row(shop_id, "upp"))
    home = await enter(shop_id)
    async with engine.begin() as tx:
        shop, rows = await pages.shops.get(shop_id), await pages.connections.of(shop_id)
        await pages.act().settings.imports.start(tx, shop, rows, kinds=("product",), anew=True, again=why)

    page = html.unescape((await browser.get(home)).text)
    assert EN.get(f"ui.import.why.{why}") in page
    async with engine.begin() as tx:
        await pages.act().settings.imports.start(tx, shop, rows, kinds=("product",), anew=True)
    page = html.unescape((await browser.get(home)).text)
    assert EN.get(f"ui.import.why.{why}") not in page


class TestReadingSide:
    """A light looks first at whether its source can be read at all."""

    @staticmethod
    async def of(pages: Pages, shop_id: ShopId) -> dict[str, tuple[Light, str]]:
        return lights(await stand(pages, shop_id))

    @pytest.mark.parametrize(
        ("minutes", "expected"), [(2, (Light.ATTENTION, "shop_silent")), (15, (Light.STOPPED, "shop_silent"))]
    )
    async def test_a_shop_that_does_not_answer_is_the_reason_though_all_that_was_read_is_delivered(
        self,
        pages: Pages,
        make_shop: MakeShop,
        engine: AsyncEngine,
        minutes: int,
        expected: tuple[Light, str],
    ) -> None:
        shop_id = await make_shop()
        since = NOON - timedelta(minutes=minutes)
        await insert_rows(
            engine,
            connection_row(shop_id, "uphance"),
            link_row(shop_id, "uphance", "O-1"),
            lane_row(shop_id, "pull", "upgates", reason="500", since=since, until=NOON + timedelta(minutes=1)),
            *(change_row(shop_id, "order", f"O-{number}", marked_at=since) for number in range(2, 8)),
        )

        [order] = [flow for flow in (await stand(pages, shop_id)).flows if flow.name == "order.uphance"]
        assert ((order.light, order.reason), order.waiting, order.oldest) == (expected, 6, since)

    async def test_changes_that_are_not_read_yet_keep_only_the_flows_of_their_kind_busy(
        self, pages: Pages, make_shop: MakeShop, engine: AsyncEngine
    ) -> None:
        shop_id = await make_shop()
        await insert_rows(engine, connection_row(shop_id, "upp"), change_row(shop_id, "order", "O-1"))

        seen = await self.of(pages, shop_id)

        assert seen["order.upp"] == (Light.BUSY, "reading")
        assert seen["product.upp"] == (Light.OK, "nothing_yet")

    async def test_a_right_that_was_taken_away_stops_the_flows_that_need_it(
        self, pages: Pages, make_shop: MakeShop, engine: AsyncEngine
    ) -> None:
        shop_id = await make_shop(facts={"rights": {"orders": "deny", "products": "readonly"}})
        await insert_rows(engine, connection_row(shop_id, "upp"), link_row(shop_id, "upp", "O-1"))

        seen = await self.of(pages, shop_id)

        assert seen["order.upp"] == (Light.STOPPED, "no_right")
        assert seen["product.upp"] == (Light.OK, "nothing_yet")

    async def test_problems_do_not_hide_an_import_that_is_paused(
        self, pages: Pages, make_shop: MakeShop, engine: AsyncEngine
    ) -> None:
        shop_id = await make_shop()
        await insert_rows(
            engine,
            connection_row(shop_id, "upp"),
            run_row(shop_id, "product", state="paused", total=2799, done=500),
            problem_row(shop_id, "v-1", target="upp", kind="product", key="product.no_price"),
        )

        assert (await self.of(pages, shop_id))["product.upp"] == (Light.ATTENTION, "import_paused")

    @pytest.mark.parametrize("language", LANGUAGES)
    async def test_the_shops_own_number_stands_beside_ours_and_what_differs_is_named(  # noqa: PLR0917
        self,
        pages: Pages,
        browser: httpx.AsyncClient,
        make_shop: MakeShop,
        enter: Enter,
        engine: AsyncEngine,
        language: str,
    ) -> None:
        shop_id = await make_shop(language=language)
        counted = Counted(443, 435, NOON, NOON - timedelta(days=30))
        await insert_rows(engine, connection_row(shop_id, "upp"))
        async with engine.begin() as tx:
            await keep_count(tx, shop_id, "order", counted)

        page = html.unescape((await browser.get(await enter(shop_id, language))).text)

        texts = Texts(language)
        assert texts.get("ui.complete.orders", days=30, shop_says=443, known=435) in page
        assert texts.get("ui.complete.still_missing", count=8) in page
        assert (await self.of(pages, shop_id))["order.upp"] == (Light.ATTENTION, "incomplete")

    async def test_that_it_adds_up_is_said_only_where_the_shop_has_counted_and_can_be_read(
        self, browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, engine: AsyncEngine
    ) -> None:
        fits = {EN.get("ui.complete.fits"), EN.get("ui.boxes.fits")}
        cases: dict[str, tuple[Mapping[str, Any], Callable[[ShopId], Row] | None]] = {
            "counted": ({}, None),
            "never counted": ({}, None),
            "stopped": ({"state": ShopState.SUSPENDED}, None),
            "silent": (
                {},
                lambda shop: lane_row(shop, "pull", "upgates", until=NOON + timedelta(minutes=1)),
            ),
            "not allowed": ({"facts": {"rights": {"orders": "deny"}}}, None),
            "not answered": ({}, lambda shop: cursor_row(shop, "uncounted.order", NOON.isoformat())),
            "an order was announced": ({}, lambda shop: change_row(shop, "order", "A")),
        }
        shown = {}
        for what, (how, row) in cases.items():
            shop_id = await make_shop(**how)
            if what != "never counted":
                async with engine.begin() as tx:
                    await keep_count(tx, shop_id, "order", Counted(0, 0, NOON))
            rows = [] if row is None else [row(shop_id)]
            await insert_rows(engine, connection_row(shop_id, "upp", account=what), *rows)
            page = html.unescape((await browser.get(await enter(shop_id))).text)
            shown[what] = {one for one in re.findall(r'class="light good">([^<]*)<', page) if one in fits}

        assert {what for what, found in shown.items() if found} == {"counted", "an order was announced"}
        assert shown["counted"] == fits
