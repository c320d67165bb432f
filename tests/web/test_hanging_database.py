"""Nobody waits for a database that hangs: a calm page in time, in the visitor's language, nothing half done."""

import asyncio
import html
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from tests.support.clock import NOON
from tests.support.database_gate import Gate, gate_to
from tests.support.pages import Enter, Remote
from tests.support.shops import MakeShop
from tests.web.test_connections import TOKEN
from tests.web.test_endpoints import EN, document, put
from upbridge.core.i18n import LANGUAGES, Texts
from upbridge.domain.lane import Lane
from upbridge.engine import lanes
from upbridge.engine.lanes import exclusive
from upbridge.rate_limits import ledger
from upbridge.store.connections import Connections
from upbridge.store.database import sqlalchemy_url
from upbridge.web.context import Pages
from upbridge.web.navigation import PLACES
from upbridge.web.sessions import Sessions

PATIENCE = 0.4
AIR = 10.0
"""For a busy machine, in seconds; without a deadline it would be a minute, or for ever."""


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
    await engine.dispose()


@pytest.fixture
async def home(make_shop: MakeShop, enter: Enter) -> str:
    """The start page of somebody who came in while all was well, in English."""
    return await enter(await make_shop())


def calm(page: httpx.Response, took: float, language: str = "en") -> None:
    """The page that says what is the matter, in time."""
    assert took < PATIENCE + AIR
    assert page.status_code == 503
    assert int(page.headers["retry-after"]) > 0
    assert page.headers["cache-control"] == "no-store"
    assert f'<html lang="{language}">' in page.text
    assert Texts(language).get("ui.not_now.what") in html.unescape(page.text)


async def timed(
    browser: httpx.AsyncClient, method: str, address: str, *, deadline: float = PATIENCE, **more: Any
) -> tuple[httpx.Response, float]:
    """One request to pages that are in a hurry, and how long it took. All other requests have their time."""
    state = browser._transport.app.state  # type: ignore[attr-defined]
    before = state.container
    state.container = SimpleNamespace(pages=replace(before.pages, deadline=deadline))
    started = time.monotonic()
    try:
        answer = await browser.request(method, address, **more)
    finally:
        state.container = before
    return answer, time.monotonic() - started


@pytest.mark.parametrize("place", ["", *PLACES[1:], "products.csv", "progress", "connections/upp/disconnect"])
async def test_a_postgres_that_hangs_is_a_calm_page_whatever_the_page(
    browser: httpx.AsyncClient, home: str, gate: Gate, place: str
) -> None:
    gate.shut()

    page, took = await timed(browser, "GET", f"{home}{place}")

    calm(page, took)
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
        page, took = await timed(browser, "GET", f"{home}{place}")

    calm(page, took)
    assert (await browser.get(f"{home}{place}")).status_code == 200


async def test_pages_come_back_with_postgres_however_many_were_asked_for(
    browser: httpx.AsyncClient, home: str, gate: Gate
) -> None:
    gate.shut()
    for _ in range(12):  # more than there are connections
        calm(*await timed(browser, "GET", home))

    gate.open()

    assert (await browser.get(home)).status_code == 200


@pytest.mark.parametrize("language", LANGUAGES)
async def test_it_speaks_the_session_s_language_though_nobody_can_read_it(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, gate: Gate, language: str
) -> None:
    home = await enter(await make_shop(), language)
    gate.shut()

    calm(*await timed(browser, "GET", home, headers={"Accept-Language": "en"}), language)


async def test_a_process_that_never_saw_the_session_speaks_as_the_browser_wishes(
    browser: httpx.AsyncClient, home: str, gate: Gate, pages: Pages
) -> None:
    other = replace(pages, sessions=Sessions(pages.engine, pages.clock))
    browser._transport.app.state.container = SimpleNamespace(pages=other)  # type: ignore[attr-defined]
    gate.shut()

    for wish, language in (("sk,cs;q=0.5", "sk"), ("cs", "cs"), ("de", "en"), ("", "en")):
        calm(*await timed(browser, "GET", home, headers={"Accept-Language": wish}), language)


async def test_a_ticket_that_could_not_be_redeemed_is_still_good(
    browser: httpx.AsyncClient, make_shop: MakeShop, pages: Pages, engine: AsyncEngine
) -> None:
    ticket = await pages.ticket_address(await make_shop(), "cs")
    async with engine.begin() as other:
        await other.execute(text("LOCK TABLE sessions IN ACCESS EXCLUSIVE MODE"))
        page, took = await timed(browser, "GET", ticket, headers={"Accept-Language": "cs"})

    calm(page, took, "cs")
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
        ("overview/run", "overview"),
    ],
)
async def test_a_form_leads_back_to_its_page_and_says_that_nothing_is_half_done(
    browser: httpx.AsyncClient, home: str, gate: Gate, form: str, page_of_it: str
) -> None:
    gate.shut()

    page, took = await timed(browser, "POST", f"{home}{form}", data={"x": "y"})

    calm(page, took)
    assert EN.get("ui.not_now.form") in html.unescape(page.text)
    assert f'href="{home}{page_of_it}">' in page.text


async def test_settings_that_could_not_be_saved_in_time_are_not_saved_at_all(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, engine: AsyncEngine, pages: Pages
) -> None:
    shop_id = await make_shop(settings={"stock.write": True})
    await put(
        engine,
        "connections",
        {"shop_id": shop_id, "system": "uphance", "state": "connected", "account": "7", "connected_at": NOON},
    )
    await put(engine, "documents", document(shop_id, "uphance", "A1", "parked"))
    home = await enter(shop_id)
    form = {"stock.safety": "3", "uphance.payment_term": "net 14"}
    async with engine.begin() as other:
        await other.execute(text("LOCK TABLE documents, changes IN ACCESS EXCLUSIVE MODE"))
        calm(*await timed(browser, "POST", f"{home}rules", data=form))

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
    remote.answers["/auth/oauth/token"] = TOKEN
    remote.latency = 1.5
    home, typed = await enter(shop_id), {"client_id": "mine", "client_secret": "s"}

    answer, _took = await timed(browser, "POST", f"{home}connections/upp", deadline=1.0, data=typed)

    assert "said=connected_upp" in answer.headers["location"]
    assert "upp" in await connections.of(shop_id)


async def test_who_asks_while_all_calls_of_the_shop_are_taken_is_told_so(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, pages: Pages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger, "PATIENCE", timedelta(seconds=3 * PATIENCE))
    shop_id = await make_shop(facts={"company": "Dílna"})
    await put(pages.engine, "orders", {"shop_id": shop_id, "number": "O-1", "ordered_at": NOON, "read_at": NOON})
    taken = [
        {"shop_id": shop_id, "slot": slot, "holder": uuid4(), "expires_at": NOON + timedelta(minutes=1)}
        for slot in range(5)
    ]
    await put(pages.engine, "call_leases", *taken)
    home = await enter(shop_id)
    form = await browser.post(f"{home}find", data={"q": "O-1", "key": "O-1"})

    page, _took = await timed(browser, "GET", form.headers["location"])

    assert page.status_code == 200
    assert EN.get("ui.person.why_later", at=NOON).partition(".")[0] in html.unescape(page.text)


async def test_what_was_tested_is_not_stored_by_a_database_that_hangs_after_it(
    browser: httpx.AsyncClient, home: str, engine: AsyncEngine, remote: Remote
) -> None:
    remote.answers["/auth/oauth/token"] = TOKEN
    typed = {"client_id": "mine", "client_secret": "s"}
    async with engine.begin() as other:
        await other.execute(text("LOCK TABLE runs, changes IN ACCESS EXCLUSIVE MODE"))
        calm(*await timed(browser, "POST", f"{home}connections/upp", data=typed))
        stored = await other.scalar(text("SELECT count(*) FROM connections"))

    assert remote.asked
    assert stored == 0


# --- while a worker is at it --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Connected:
    """A shop that is connected to Upp.ai, and somebody in front of its pages."""

    lane: Lane
    home: str

    async def leave(self, browser: httpx.AsyncClient) -> tuple[httpx.Response, float]:
        """Disconnect, in a hurry."""
        return await timed(browser, "POST", f"{self.home}connections/upp/disconnect")


@pytest.fixture
async def connected(make_shop: MakeShop, enter: Enter, engine: AsyncEngine) -> Connected:
    shop_id = await make_shop()
    row = {"shop_id": shop_id, "system": "upp", "state": "connected", "account": "7", "connected_at": NOON}
    await put(engine, "connections", row)
    return Connected(Lane.push(shop_id, "upp"), await enter(shop_id))


async def somebody_waits(engine: AsyncEngine) -> None:
    """Return as soon as some session of this database waits for a lock."""
    query = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    async with asyncio.timeout(10), engine.connect() as tx:
        looking = await tx.execution_options(isolation_level="AUTOCOMMIT")
        while not await looking.scalar(query):  # noqa: ASYNC110 - the server gives no event for this
            await asyncio.sleep(0.01)


async def test_the_end_of_a_worker_s_bite_is_waited_for(
    browser: httpx.AsyncClient, connected: Connected, engine: AsyncEngine, connections: Connections
) -> None:
    async with exclusive(engine, connected.lane):
        leaving = asyncio.create_task(connected.leave(browser))
        await somebody_waits(engine)
        await asyncio.sleep(2 * PATIENCE)

    answer, _took = await leaving
    assert answer.headers["location"] == f"{connected.home}connections?said=disconnected_upp"
    assert await connections.of(connected.lane.shop_id) == {}


async def test_a_postgres_that_hangs_while_a_worker_is_waited_for_is_a_calm_page_too(
    browser: httpx.AsyncClient,
    connected: Connected,
    engine: AsyncEngine,
    gate: Gate,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lanes, "HUNG_SECONDS", PATIENCE)

    async with exclusive(engine, connected.lane):
        leaving = asyncio.create_task(connected.leave(browser))
        await somebody_waits(engine)
        gate.shut()
        await asyncio.sleep(2 * PATIENCE)
        gate.open()  # the driver tells the server, for seconds, before it gives up
        page, _took = await leaving

    assert page.status_code == 503
    assert EN.get("ui.not_now.form") in html.unescape(page.text)


async def test_clicks_while_a_worker_is_at_it_take_no_page_from_anybody(
    browser: httpx.AsyncClient, connected: Connected, home: str, engine: AsyncEngine, connections: Connections
) -> None:
    worker, deadline = create_async_engine(engine.url), 30.0

    async with exclusive(worker, connected.lane):
        clicks = [
            asyncio.create_task(browser.post(f"{connected.home}connections/upp/disconnect"))
            for _ in range(12)  # more than there are connections
        ]
        await somebody_waits(worker)
        page, took = await timed(browser, "GET", home, deadline=deadline)

    assert (page.status_code, took < deadline) == (200, True)
    answers = await asyncio.wait_for(asyncio.gather(*clicks), deadline)
    said = f"{connected.home}connections?said=disconnected_upp"
    assert {answer.headers["location"] for answer in answers} == {said}
    assert await connections.of(connected.lane.shop_id) == {}
    await worker.dispose()
