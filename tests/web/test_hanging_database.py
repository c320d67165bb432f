"""No visitor waits for a database that hangs: a calm page in time, in their language, nothing half done."""

import asyncio
import html
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from tests.support.clock import NOON, expired, manual_timers
from tests.support.database_gate import Gate, gate_to
from tests.support.pages import EN, TOKEN_ANSWER, Enter, Remote, browser_of, pages_app, said_by
from tests.support.postgres import wait_for_lock
from tests.support.rows import connection_row, document_row, insert_rows, lease_row, order_row
from tests.support.shops import MakeShop
from upbridge.core.deadline import left_behind_ends
from upbridge.core.encryption import Cipher
from upbridge.core.i18n import LANGUAGES, Texts
from upbridge.domain.lane import Lane
from upbridge.engine import lanes
from upbridge.engine.lanes import exclusive
from upbridge.store.connections import Connections
from upbridge.store.database import sqlalchemy_url
from upbridge.web.context import Pages
from upbridge.web.navigation import PLACES
from upbridge.web.sessions import Sessions

#: Without a deadline a request would be answered after a minute, or never.
pytestmark = pytest.mark.timeout(50)


@pytest.fixture
async def gate(database_url: str) -> AsyncIterator[Gate]:
    async with gate_to(database_url) as gate:
        yield gate
        gate.open()


@pytest.fixture
async def engine(gate: Gate) -> AsyncIterator[AsyncEngine]:
    """Every connection of the test leads through the gate."""
    engine = create_async_engine(sqlalchemy_url(gate.address), pool_size=10, max_overflow=0, pool_pre_ping=True)
    yield engine
    gate.open()
    await left_behind_ends(within=30)
    await engine.dispose()


@pytest.fixture
async def home(make_shop: MakeShop, enter: Enter) -> str:
    """The start page of a visitor who came in while all was well, in English."""
    return await enter(await make_shop())


def calm(page: httpx.Response, language: str = "en") -> None:
    """The page that says what is the matter."""
    assert page.status_code == 503
    assert int(page.headers["retry-after"]) > 0
    assert page.headers["cache-control"] == "no-store"
    assert f'<html lang="{language}">' in page.text
    assert Texts(language).get("ui.not_now.what") in html.unescape(page.text)


@pytest.mark.parametrize("place", ["", *PLACES[1:], "products.csv", "progress", "connections/upp/disconnect"])
async def test_a_postgres_that_hangs_is_a_calm_page_on_every_page(
    browser: httpx.AsyncClient, home: str, gate: Gate, place: str
) -> None:
    gate.shut()

    page = await expired(browser.get(f"{home}{place}"), gate.stuck.wait)

    calm(page)
    assert EN.get("ui.not_now.safe") in html.unescape(page.text)
    assert 'href="">' in page.text, "no way to try again"


@pytest.mark.parametrize(
    ("table", "place"),
    [
        ("sessions", ""),
        ("shops", "rules"),
        ("variants", "products"),
        ("variants", "products.csv"),
        ("problems", "problems"),
    ],
)
async def test_a_locked_table_is_one_too(
    browser: httpx.AsyncClient, home: str, engine: AsyncEngine, table: str, place: str
) -> None:
    async with engine.begin() as other:
        await other.execute(text(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE"))
        page = await expired(browser.get(f"{home}{place}"), lambda: wait_for_lock(engine))

    calm(page)
    assert (await browser.get(f"{home}{place}")).status_code == 200


async def test_pages_come_back_with_postgres_however_many_were_asked_for(
    browser: httpx.AsyncClient, home: str, gate: Gate
) -> None:
    gate.shut()
    for _ in range(12):  # more than there are connections
        calm(await expired(browser.get(home), gate.stuck.wait))

    gate.open()

    assert (await browser.get(home)).status_code == 200


@pytest.mark.parametrize("language", LANGUAGES)
async def test_it_speaks_the_session_s_language_though_it_cannot_be_read(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, gate: Gate, language: str
) -> None:
    home = await enter(await make_shop(), language)
    gate.shut()

    calm(await expired(browser.get(home, headers={"Accept-Language": "en"}), gate.stuck.wait), language)


async def test_a_process_that_never_saw_the_session_speaks_as_the_browser_wishes(
    home: str, gate: Gate, pages: Pages, cipher: Cipher
) -> None:
    other = replace(pages, sessions=Sessions(pages.engine, pages.clock, cipher))
    gate.shut()

    async with browser_of(pages_app(other)) as browser:
        for wish, language in (("sk,cs;q=0.5", "sk"), ("cs", "cs"), ("de", "en"), ("", "en")):
            calm(await expired(browser.get(home, headers={"Accept-Language": wish}), gate.stuck.wait), language)


@pytest.mark.parametrize("address", ["/ui/s/{}/", "/ui/open/{}"])
async def test_an_invented_address_is_refused_without_the_database(
    browser: httpx.AsyncClient, home: str, gate: Gate, address: str
) -> None:
    del home  # the application has served a visitor before
    gate.shut()

    refused = await browser.get(address.format("A" * 59), headers={"Accept-Language": "cs"})

    assert refused.status_code == 410
    assert Texts("cs").get("ui.ended.how") in refused.text


async def test_a_ticket_that_could_not_be_redeemed_is_still_good(
    browser: httpx.AsyncClient, make_shop: MakeShop, pages: Pages, engine: AsyncEngine
) -> None:
    ticket = await pages.ticket_address(await make_shop(), "cs")
    async with engine.begin() as other:
        await other.execute(text("LOCK TABLE sessions IN ACCESS EXCLUSIVE MODE"))
        page = await expired(browser.get(ticket, headers={"Accept-Language": "cs"}), lambda: wait_for_lock(engine))

    calm(page, "cs")
    assert Texts("cs").get("ui.ended.how") in page.text
    assert (await browser.get(ticket)).status_code == 303


# --- forms --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("form", "page_of_it"),
    [
        ("language", ""),
        ("rules", "rules"),
        ("import/pause", ""),
        ("problems/retry", "problems"),
        ("connections/upp", "connections"),
        ("connections/upp/test", "connections"),
        ("overview/run", ""),
    ],
)
async def test_a_form_leads_back_to_its_page_and_says_that_nothing_is_half_done(
    browser: httpx.AsyncClient, home: str, gate: Gate, form: str, page_of_it: str
) -> None:
    gate.shut()

    page = await expired(browser.post(f"{home}{form}", data={"x": "y"}), gate.stuck.wait)

    calm(page)
    assert EN.get("ui.not_now.form") in html.unescape(page.text)
    assert f'href="{home}{page_of_it}">' in page.text


async def test_settings_that_could_not_be_saved_in_time_are_not_saved_at_all(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, engine: AsyncEngine, pages: Pages
) -> None:
    shop_id = await make_shop(settings={"stock.write": True})
    await insert_rows(engine, connection_row(shop_id, "uphance"))
    await insert_rows(engine, document_row(shop_id, "uphance", "A1", state="parked"))
    home = await enter(shop_id)
    form = {"stock.safety": "3", "uphance.payment_term": "net 14"}
    async with engine.begin() as other:
        await other.execute(text("LOCK TABLE documents, changes IN EXCLUSIVE MODE"))
        calm(await expired(browser.post(f"{home}rules", data=form), lambda: wait_for_lock(engine)))

    shop_settings = (await pages.shops.get(shop_id)).settings.chosen
    assert shop_settings == {"stock.write": True}
    assert (await browser.post(f"{home}rules", data=form)).status_code == 303
    assert (await pages.shops.get(shop_id)).settings.chosen == {
        "stock.write": True,
        "stock.safety": 3,
        "uphance.payment_term": "net 14",
    }


async def test_a_system_that_takes_its_time_is_waited_for(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, remote: Remote, connections: Connections
) -> None:
    shop_id = await make_shop()
    remote.answers["/auth/oauth/token"] = TOKEN_ANSWER
    remote.answering.clear()
    home, typed = await enter(shop_id), {"client_id": "mine", "client_secret": "s"}

    with manual_timers() as timers:
        connecting = asyncio.create_task(browser.post(f"{home}connections/upp", data=typed))
    await remote.called.wait()
    timers.advance(3600)
    remote.answering.set()

    assert "said=connected_upp" in (await connecting).headers["location"]
    assert "upp" in await connections.of(shop_id)


async def test_the_page_says_that_all_calls_of_the_shop_are_taken(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, engine: AsyncEngine
) -> None:
    shop_id = await make_shop(facts={"company": "Dílna"})
    await insert_rows(engine, order_row(shop_id, "O-1"))
    await insert_rows(engine, *(lease_row(shop_id, slot) for slot in range(5)))
    home = await enter(shop_id)
    form = await browser.post(f"{home}order/whom", data={"number": "O-1"})

    page = await browser.get(form.headers["location"])

    assert page.status_code == 200
    assert EN.get("ui.person.why_later", at=NOON).partition(".")[0] in html.unescape(page.text)


async def test_what_was_tested_is_not_stored_by_a_database_that_hangs_after_it(
    browser: httpx.AsyncClient, home: str, engine: AsyncEngine, remote: Remote
) -> None:
    remote.answers["/auth/oauth/token"] = TOKEN_ANSWER
    typed = {"client_id": "mine", "client_secret": "s"}
    async with engine.begin() as other:
        await other.execute(text("LOCK TABLE runs, changes IN EXCLUSIVE MODE"))
        calm(await expired(browser.post(f"{home}connections/upp", data=typed), lambda: wait_for_lock(engine)))
        stored = await other.scalar(text("SELECT count(*) FROM connections"))

    assert remote.asked
    assert stored == 0


# --- while a worker is at it --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Connected:
    """A shop that is connected to Upp.ai, and a visitor of its pages."""

    lane: Lane
    home: str

    async def leave(self, browser: httpx.AsyncClient) -> httpx.Response:
        """Disconnect."""
        return await browser.post(f"{self.home}connections/upp/disconnect")


@pytest.fixture
async def connected(make_shop: MakeShop, enter: Enter, engine: AsyncEngine) -> Connected:
    shop_id = await make_shop()
    await insert_rows(engine, connection_row(shop_id, "upp"))
    return Connected(Lane.push(shop_id, "upp"), await enter(shop_id))


async def test_the_end_of_a_worker_s_slice_is_waited_for(
    browser: httpx.AsyncClient, connected: Connected, engine: AsyncEngine, connections: Connections
) -> None:
    async with exclusive(engine, connected.lane):
        with manual_timers() as timers:
            leaving = asyncio.create_task(connected.leave(browser))
        await wait_for_lock(engine)
        timers.advance(lanes.HUNG_SECONDS - 1)

    assert said_by(await leaving) == f"{connected.home}connections?said=disconnected_upp"
    assert await connections.of(connected.lane.shop_id) == {}


async def test_a_postgres_that_hangs_while_a_worker_is_waited_for_is_a_calm_page_too(
    browser: httpx.AsyncClient, connected: Connected, engine: AsyncEngine, gate: Gate
) -> None:
    async with exclusive(engine, connected.lane):
        with manual_timers() as timers:
            leaving = asyncio.create_task(connected.leave(browser))
        await wait_for_lock(engine)
        gate.shut()
        timers.advance(lanes.HUNG_SECONDS)
        await gate.stuck.wait()
        gate.open()  # the driver tells the server, for seconds, before it gives up
        page = await leaving

    assert page.status_code == 503
    assert EN.get("ui.not_now.form") in html.unescape(page.text)


async def test_clicks_while_a_worker_is_at_it_take_no_page_from_another_shop(
    browser: httpx.AsyncClient, connected: Connected, home: str, engine: AsyncEngine, connections: Connections
) -> None:
    worker = create_async_engine(engine.url)

    async with exclusive(worker, connected.lane):
        clicks = [
            asyncio.create_task(browser.post(f"{connected.home}connections/upp/disconnect"))
            for _ in range(12)  # more than there are connections
        ]
        await wait_for_lock(worker)
        assert (await browser.get(home)).status_code == 200

    answers = await asyncio.gather(*clicks)
    said = f"{connected.home}connections?said=disconnected_upp"
    assert {said_by(answer) for answer in answers} == {said}
    assert await connections.of(connected.lane.shop_id) == {}
    await worker.dispose()
