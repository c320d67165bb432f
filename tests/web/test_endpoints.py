"""The pages as a browser in the admin's frame sees them."""

import html
import re
from typing import Any

import httpx
import pytest
from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.support.clock import NOON, MovableClock
from tests.support.pages import EN, ORIGIN, Enter
from tests.support.rows import (
    change_row,
    connection_row,
    document_row,
    insert_rows,
    order_row,
    problem_row,
    run_row,
)
from tests.support.shops import MakeShop
from upbridge.core.i18n import LANGUAGES, Texts
from upbridge.insights.order_search import MOST_COUNTED
from upbridge.store import schema
from upbridge.systems.registry import SYSTEMS
from upbridge.web.context import Pages
from upbridge.web.navigation import PLACES
from upbridge.web.rendering import preferred

COMPANY = 'Móda & "Styl" <s.r.o.>'


class TestEntering:
    @pytest.mark.rule("R20", "R24")
    async def test_a_ticket_leads_to_the_start_page_without_any_cookie(
        self, browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter
    ) -> None:
        page = await browser.get(await enter(await make_shop()))

        assert page.status_code == 200
        assert not browser.cookies
        assert "set-cookie" not in page.headers

    @pytest.mark.rule("R17")
    async def test_the_address_is_of_the_public_origin(self, pages: Pages, make_shop: MakeShop) -> None:
        assert (await pages.ticket_address(await make_shop(), "cs")).startswith(f"{ORIGIN}/ui/open/")

    @pytest.mark.rule("R26")
    async def test_a_used_ticket_says_how_to_go_on_in_the_visitor_s_language(
        self, browser: httpx.AsyncClient, make_shop: MakeShop, pages: Pages
    ) -> None:
        address = await pages.ticket_address(await make_shop(), "sk")
        await browser.get(address)

        page = await browser.get(address, headers={"Accept-Language": "en"})

        assert page.status_code == 410
        assert Texts("sk").get("ui.ended.how") in page.text

    async def test_an_expired_ticket_says_how_to_go_on(
        self, browser: httpx.AsyncClient, make_shop: MakeShop, pages: Pages, watch: MovableClock
    ) -> None:
        address = await pages.ticket_address(await make_shop(), "cs")
        watch.move(seconds=61)

        page = await browser.get(address)

        assert page.status_code == 410
        assert Texts("cs").get("ui.ended.how") in page.text

    async def test_looking_without_opening_does_not_use_a_ticket_up(
        self, browser: httpx.AsyncClient, make_shop: MakeShop, pages: Pages
    ) -> None:
        address = await pages.ticket_address(await make_shop(), "cs")

        assert (await browser.head(address)).status_code == 404
        assert (await browser.get(address)).status_code == 303

    @pytest.mark.parametrize("path", ["/ui/open/{}", "/ui/s/{}/", "/ui/s/{}", "/ui/s/{}/progress"])
    @pytest.mark.parametrize(
        "secret",
        [
            pytest.param("nobody", id="unknown"),
            pytest.param("x" * 5000, id="endless"),
            pytest.param("%00", id="a zero byte"),
            pytest.param("%ff%fe", id="not UTF-8"),
            pytest.param("ž", id="not ASCII"),
            pytest.param("..%2f..", id="dots"),
        ],
    )
    async def test_a_secret_that_is_none_is_answered_by_4xx(
        self, browser: httpx.AsyncClient, path: str, secret: str
    ) -> None:
        page = await browser.get(path.format(secret))

        assert page.status_code in {404, 410}

    @pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
    async def test_where_there_is_no_page_a_page_says_so(self, browser: httpx.AsyncClient, method: str) -> None:
        page = await browser.request(method, "/ui/nowhere")

        assert page.status_code == 404
        assert page.headers["content-type"].startswith("text/html")
        assert "content-security-policy" in page.headers

    async def test_an_expired_session_says_how_to_go_on_and_its_polling_ends(
        self, browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, watch: MovableClock
    ) -> None:
        address = await enter(await make_shop(), "sk")
        watch.move(minutes=31)

        page, poll = await browser.get(address), await browser.get(f"{address}progress")

        assert page.status_code == poll.status_code == 410
        assert Texts("sk").get("ui.ended.how") in page.text

    async def test_the_session_of_an_erased_shop_has_ended(
        self, browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, engine: AsyncEngine
    ) -> None:
        address = await enter(await make_shop())
        async with engine.begin() as tx:
            await tx.execute(schema.shops.delete())

        assert (await browser.get(address)).status_code == 410


class TestTheStartPage:
    @pytest.mark.rule("R22", "R25")
    async def test_shows_the_shop_the_company_and_the_support_with_everything_escaped(
        self, browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter
    ) -> None:
        shop_id = await make_shop(key="moda", facts={"company": COMPANY})

        page = (await browser.get(await enter(shop_id))).text

        assert "Móda &amp; &#34;Styl&#34; &lt;s.r.o.&gt;" in page
        assert COMPANY not in page
        assert "<code>moda</code>" in page
        assert "mailto:support@upbridge.example" in page
        assert "tel:+420123456789" in page
        assert EN.get("ui.thanks") in page

    @pytest.mark.rule("R19")
    @pytest.mark.parametrize("language", LANGUAGES)
    async def test_speaks_the_language_of_the_opening(
        self, browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, language: str
    ) -> None:
        page = (await browser.get(await enter(await make_shop(), language))).text

        assert f'<html lang="{language}">' in page
        assert Texts(language).get("ui.steps.heading") in page
        assert not re.search(r"\bui\.[a-z_]+", page), "a key without a text"

    @pytest.mark.rule("R18")
    @pytest.mark.parametrize(
        ("columns", "state"),
        [
            ({"state": "suspended", "reason": "refused"}, "suspended"),
            ({"state": "suspended", "reason": "operator"}, "suspended_operator"),
            ({"state": "uninstalling"}, "uninstalling"),
            ({"state": "uninstalled"}, "uninstalled"),
        ],
    )
    async def test_says_once_on_every_page_that_the_shop_is_stopped(
        self,
        browser: httpx.AsyncClient,
        make_shop: MakeShop,
        enter: Enter,
        columns: dict[str, Any],
        state: str,
    ) -> None:
        home = await enter(await make_shop(**columns))
        pages = [html.unescape((await browser.get(f"{home}{place}")).text) for place in ("", "rules", "find")]

        assert [page.count(EN.get(f"ui.state.{state}")) for page in pages] == [1, 1, 1]
        titles = [re.findall("<title>(.*?)</title>", page)[0] for page in pages]
        assert all(EN.get("ui.first.stopped_mark") in title for title in titles)
        assert f'class="light bad">{EN.get("ui.first.stopped")}</h1>' in pages[0]

    @pytest.mark.parametrize("broken", [[], ["upp"], ["upp", "uphance"]])
    async def test_says_on_every_page_whose_login_no_longer_works_and_where_to_enter_it(
        self,
        browser: httpx.AsyncClient,
        make_shop: MakeShop,
        enter: Enter,
        engine: AsyncEngine,
        broken: list[str],
    ) -> None:
        shop_id = await make_shop()
        for system in ("upp", "uphance"):
            state = "broken" if system in broken else "connected"
            await insert_rows(engine, connection_row(shop_id, system, state=state))
        await insert_rows(engine, run_row(shop_id, "product", state="done"))
        home = await enter(shop_id)

        for place in ("", "problems"):
            page = html.unescape((await browser.get(f"{home}{place}")).text)
            for system in ("upp", "uphance"):
                said = EN.get("ui.news.broken", system=SYSTEMS.title(system))
                assert (said in page) is (system in broken)
                assert (f'href="{home}connections#{system}">{EN.get("ui.news_next.broken")}' in page) is (
                    system in broken
                )

    @pytest.mark.parametrize("language", LANGUAGES)
    async def test_says_that_a_login_works_and_leads_to_another_account(
        self,
        browser: httpx.AsyncClient,
        make_shop: MakeShop,
        enter: Enter,
        engine: AsyncEngine,
        language: str,
    ) -> None:
        shop_id, texts = await make_shop(), Texts(language)
        await insert_rows(engine, connection_row(shop_id, "uphance", state="broken", broken_by="elsewhere"))
        home = await enter(shop_id, language=language)

        first, connections = [
            html.unescape((await browser.get(f"{home}{place}")).text) for place in ("", "connections")
        ]

        assert texts.get("ui.news.elsewhere", system="Uphance") in first
        assert f'href="{home}connections#uphance">{texts.get("ui.news_next.elsewhere")}' in first
        for page in (first, connections):
            assert texts.get("ui.connection.elsewhere") in page
            assert texts.get("ui.connection.broken") not in page
        assert texts.get("ui.news.broken", system="Uphance") not in first

    async def test_shows_how_far_the_first_import_is(
        self, browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, engine: AsyncEngine
    ) -> None:
        shop_id = await make_shop()
        await insert_rows(engine, run_row(shop_id, "product", total=1200, done=300))
        await insert_rows(engine, run_row(shop_id, "order", total=1400, done=1400, state="done"))

        page = (await browser.get(await enter(shop_id))).text

        assert 'id="bar-product" value="300" max="1200"' in page
        assert EN.get("ui.import.running", done=300, total=1200) in page
        assert EN.get("ui.import.done", done=1400) in page

    async def test_a_later_import_that_had_nothing_to_read_does_not_hide_what_was_read(
        self, browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, engine: AsyncEngine
    ) -> None:
        shop_id = await make_shop()
        ended = {"state": "done", "finished_at": NOON}
        await insert_rows(engine, connection_row(shop_id, "upp"))
        await insert_rows(engine, run_row(shop_id, "order", total=400, done=400, **ended))
        await insert_rows(engine, run_row(shop_id, "order", total=0, done=0, **ended))

        page = (await browser.get(await enter(shop_id))).text

        assert EN.get("ui.import.done_at", done=400, at=NOON) in html.unescape(page)

    @pytest.mark.parametrize("denied", [False, True])
    async def test_nothing_runs_by_itself_while_a_step_waits_or_a_right_is_missing(
        self, browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, engine: AsyncEngine, *, denied: bool
    ) -> None:
        facts = {"company": "Dílna", "rights": {"orders": "deny" if denied else "all"}}
        shop_id = await make_shop(facts=facts, settings={"stock.write": False} if denied else {})
        await insert_rows(engine, connection_row(shop_id, "upp"))
        for kind in ("product", "order"):
            await insert_rows(engine, run_row(shop_id, kind, state="done", total=1, done=1))

        page = (await browser.get(await enter(shop_id))).text

        assert f'id="step-imported">{EN.get("ui.step_state.done")}<' in page
        assert f'id="step-running">{EN.get("ui.step_state.waiting")}<' in page

    async def test_a_bar_never_passes_its_end(
        self, browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, engine: AsyncEngine
    ) -> None:
        shop_id = await make_shop()
        await insert_rows(engine, run_row(shop_id, "product", total=10, done=12))
        await insert_rows(engine, run_row(shop_id, "order", total=0, done=0, state="done"))

        page = (await browser.get(await enter(shop_id))).text

        assert 'id="bar-product" value="10" max="10"' in page
        assert 'id="bar-order" value="1" max="1"' in page

    async def test_shows_what_waits_of_this_shop_alone(
        self, browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, engine: AsyncEngine
    ) -> None:
        shop_id, other = await make_shop(), await make_shop()
        for owner, number in ((shop_id, 1), (other, 5)):
            await insert_rows(engine, connection_row(owner, "upp"))
            for key in map(str, range(number)):
                await insert_rows(engine, change_row(owner, "order", key))
                await insert_rows(engine, document_row(owner, "upp", key))
                await insert_rows(engine, document_row(owner, "uphance", key, state="parked"))

        page = (await browser.get(await enter(shop_id))).text

        waits = re.findall(r'id="waits-([\w-]+)">.*?data-name="[^"]*">(\d+)<', page, re.DOTALL)
        assert waits == [("reading-upgates", "1"), ("sending-upp", "1")]

    async def test_names_the_causes_of_problems_and_says_one_number_of_them_everywhere(
        self, browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, engine: AsyncEngine
    ) -> None:
        shop_id = await make_shop(settings={"stock.write": True})
        await insert_rows(engine, connection_row(shop_id, "upp"), connection_row(shop_id, "uphance"))
        parked = {"kind": "stock", "state": "parked", "reason": "stock.guard"}
        await insert_rows(
            engine,
            *(problem_row(shop_id, f"2026-{number:03}") for number in range(23)),
            problem_row(shop_id, "<b>", key="not.in.the.catalogue", message="words for <script>"),
            problem_row(shop_id, "stock.guard", key="stock.guard", kind="stock", target="upgates"),
            *(document_row(shop_id, "upgates", f"v-{number}", **parked) for number in range(94)),
        )
        home = await enter(shop_id)

        escaped, listed = [(await browser.get(f"{home}{place}")).text for place in ("", "problems")]
        first, problems = html.unescape(escaped), html.unescape(listed)

        size = EN.get("ui.size.order", count=23)
        assert EN.get("ui.news.cause", cause=EN.get("ui.cause.order.no_channel"), size=size, at=NOON) in first
        assert f'href="{home}problems#order-no_channel-uphance"' in first
        assert 'id="order-no_channel-uphance"' in problems
        assert f'order?number=%3Cb%3E">{html.escape("<b>")}</a>: words for &lt;script&gt;' in escaped
        for page in (first, problems):
            assert "<title>(25) " in page
            assert 'Problems <span class="count">25</span>' in page
        assert EN.get("ui.problems.count", count=25) in problems
        assert EN.get("ui.flow_reason.problems", count=1) in first, "the guard is one problem"
        assert "94" not in first.partition("<main")[2].partition('id="orders"')[0]

    @pytest.mark.rule("R22", "R23")
    async def test_shows_the_connections_and_the_steps_that_are_done(
        self, browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, engine: AsyncEngine
    ) -> None:
        shop_id = await make_shop(facts={"company": "Móda"})
        await insert_rows(engine, connection_row(shop_id, "upp"))
        await insert_rows(engine, connection_row(shop_id, "uphance", state="broken"))

        page = (await browser.get(await enter(shop_id))).text

        done = re.findall(rf'id="step-(\w+)">{EN.get("ui.step_state.done")}<', page)
        assert done == ["activated", "upp", "uphance", "mapped", "paired"], (
            "a login that died later is no step, it is an alarm"
        )
        assert EN.get("ui.connection.connected", since=NOON) in page
        assert EN.get("ui.connection.broken") in page

    async def test_nothing_is_said_to_be_imported_for_a_shop_that_is_connected_to_nothing(
        self, browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, engine: AsyncEngine
    ) -> None:
        left, stays = await make_shop(), await make_shop()
        for shop_id in (left, stays):
            for kind in ("product", "order"):
                await insert_rows(engine, run_row(shop_id, kind, state="done", total=0, done=0))
        await insert_rows(engine, connection_row(stays, "upp", state="broken"))

        pages = [(await browser.get(await enter(shop_id))).text for shop_id in (left, stays)]

        done = f'id="step-imported">{EN.get("ui.step_state.done")}<'
        assert [done in page for page in pages] == [False, True]

    async def test_no_channel_is_said_to_be_assigned_before_the_shop_s_languages_are_known(
        self, browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, engine: AsyncEngine
    ) -> None:
        unread, read = await make_shop(), await make_shop(facts={"currencies": {"cs": "CZK"}})
        facts = {"channels": [{"id": 1, "name": "Web", "currency": "CZK"}]}
        for shop_id in (unread, read):
            await insert_rows(engine, connection_row(shop_id, "uphance", facts=facts))

        pages = [(await browser.get(await enter(shop_id))).text for shop_id in (unread, read)]

        done = f'id="step-mapped">{EN.get("ui.step_state.done")}<'
        assert [done in page for page in pages] == [False, True]

    @pytest.mark.rule("R20")
    async def test_holds_nothing_inline_and_asks_no_other_origin(
        self, browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter
    ) -> None:
        page = (await browser.get(await enter(await make_shop()))).text

        assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:|<script(?![^>]*\ssrc=)", page)
        assert not re.search(r'(?:src|href|action)="(?:https?:)?//', page)

    @pytest.mark.rule("R25")
    async def test_two_shops_never_see_each_other(
        self, browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter
    ) -> None:
        first, second = await make_shop(key="first"), await make_shop(key="second")
        one, other = await enter(first), await enter(second)

        assert "<code>first</code>" in (await browser.get(one)).text
        assert "<code>second</code>" in (await browser.get(other)).text


class TestRenewing:
    async def test_a_page_that_renews_itself_gets_all_of_itself_at_once(
        self, browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, engine: AsyncEngine
    ) -> None:
        shop_id = await make_shop()
        home = await enter(shop_id, "cs")
        await insert_rows(engine, run_row(shop_id, "product", total=1200, done=300))

        page, again = [(await browser.get(f"{home}{place}")).text for place in ("", "progress")]

        assert page == again
        assert f'data-renew="{home}progress" data-pause="2"' in page
        assert 'id="bar-product" value="300" max="1200"' in page

    async def test_is_answered_to_a_sandboxed_frame_too(
        self, browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter
    ) -> None:
        address = await enter(await make_shop())

        for path in (f"{address}progress", "/ui/s/nobody/progress"):
            response = await browser.get(path, headers={"Origin": "null"})
            assert response.headers["access-control-allow-origin"] == "*"

    async def test_is_no_activity_of_a_user(
        self, browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, watch: MovableClock
    ) -> None:
        address = await enter(await make_shop())

        for expected in (200, 200, 410):
            assert (await browser.get(f"{address}progress")).status_code == expected
            watch.move(minutes=16)

    async def test_is_slow_when_nothing_moves(
        self, browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter
    ) -> None:
        assert 'data-pause="15"' in (await browser.get(await enter(await make_shop()))).text


class TestHeaders:
    async def test_every_page_is_protected(
        self, browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, pages: Pages
    ) -> None:
        address = await enter(await make_shop())
        ticket = await pages.ticket_address(await make_shop(), "cs")

        for path in (address, f"{address}progress", ticket, ticket, "/ui/s/nobody/", "/ui", "/ui/", "/ui/x/y"):
            headers = (await browser.get(path)).headers
            assert "frame-ancestors https://*.upgates.com" in headers["content-security-policy"], path
            assert headers["referrer-policy"] == "no-referrer", path
            assert headers["x-content-type-options"] == "nosniff", path
            assert headers["cache-control"] == "no-store", path

    async def test_static_files_may_be_kept_for_ever_under_their_hash(
        self, browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter
    ) -> None:
        page = (await browser.get(await enter(await make_shop()))).text
        addresses = re.findall(r'(?:src|href)="(/ui/static/[^"]+)"', page)

        assert len(addresses) == 4
        for address in addresses:
            response = await browser.get(address)
            assert response.status_code == 200
            assert "immutable" in response.headers["cache-control"]
            assert response.headers["content-type"].split(";")[0] in {
                "text/css",
                "text/javascript",
                "image/svg+xml",
            }
            again = await browser.get(address, headers={"If-None-Match": response.headers["etag"]})
            assert again.status_code == 304

    async def test_static_files_without_the_right_hash_are_asked_for_again(
        self, browser: httpx.AsyncClient
    ) -> None:
        assert (await browser.get("/ui/static/pages.css?v=old")).headers["cache-control"] == "no-cache"

    @pytest.mark.parametrize("name", ["nothing.css", "..%2fbase.html", "%2e%2e", "base.html"])
    async def test_nothing_but_static_files_is_served_as_such(self, browser: httpx.AsyncClient, name: str) -> None:
        assert (await browser.get(f"/ui/static/{name}")).status_code == 404


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "en"),
        ("cs-CZ,cs;q=0.9,en;q=0.8", "cs"),
        ("de,sk;q=0.5,en;q=0.9", "en"),
        ("sk;q=x,cs;q=0", "en"),
        ("SK", "sk"),
        (";;;,,,q=", "en"),
    ],
)
def test_a_browser_s_wish_is_heard(header: str, language: str) -> None:
    assert preferred(header) == language


async def test_no_page_reads_the_rows_that_it_only_counts(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, engine: AsyncEngine
) -> None:
    """How fast a page of a big shop is, `make bench` says; this says that no page asks for all that there is."""
    shop_id = await make_shop()
    await insert_rows(engine, connection_row(shop_id, "upp"))
    await insert_rows(engine, *(document_row(shop_id, "upp", str(number)) for number in range(3000)))
    await insert_rows(engine, *(order_row(shop_id, str(number)) for number in range(3000)))
    home = await enter(shop_id)
    most: list[int] = []

    def count(_connection: Any, cursor: Any, *_more: Any) -> None:
        most.append(cursor.rowcount)

    event.listen(engine.sync_engine, "after_cursor_execute", count)
    try:
        for place in PLACES:
            await browser.get(home + ("" if place == "start" else place))
        page = (await browser.get(home)).text
    finally:
        event.remove(engine.sync_engine, "after_cursor_execute", count)

    assert f'data-name="{EN.get("ui.waits.count")}">{EN.number(3000)}<' in page
    assert max(most) <= MOST_COUNTED + 1


class TestPausingTheImport:
    async def test_a_running_import_can_be_paused_and_a_paused_one_continued(
        self, browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, engine: AsyncEngine
    ) -> None:
        shop_id, other = await make_shop(), await make_shop()
        for owner in (shop_id, other):
            await insert_rows(engine, run_row(owner, "product", total=1200, done=300))
        async with engine.begin() as tx:
            await tx.execute(
                text(
                    "INSERT INTO changes (shop_id, source, kind, key, origin, priority)"
                    " SELECT shop_id, 'upgates', 'products.page', id || '\\:4', 'import', 5 FROM runs"
                )
            )
        home, theirs = await enter(shop_id), await enter(other)
        assert EN.get("ui.import.pause") in (await browser.get(home)).text

        answer = await browser.post(f"{home}import/pause")

        assert "said=import_paused" in answer.headers["location"]
        page = (await browser.get(home)).text
        assert EN.get("ui.import.paused", done=300, total=1200) in page
        assert EN.get("ui.import.rests") in page
        assert EN.get("ui.import.pause") not in page
        assert EN.get("ui.import.running", done=300, total=1200) in (await browser.get(theirs)).text
        assert "said=import_resumed" in (await browser.post(f"{home}import/resume")).headers["location"]
        assert EN.get("ui.import.running", done=300, total=1200) in (await browser.get(home)).text

    async def test_without_an_import_there_is_nothing_to_pause(
        self, browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter
    ) -> None:
        home = await enter(await make_shop())

        assert EN.get("ui.import.pause") not in (await browser.get(home)).text
        for what in ("pause", "resume"):
            assert "import_still" in (await browser.post(f"{home}import/{what}")).headers["location"]
