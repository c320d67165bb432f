"""The whole way of a merchant, in a frame of another site, without a cookie."""

import psycopg
import pytest
from axe_core_python.sync_playwright import Axe
from playwright.sync_api import BrowserContext

from tests.browser.stage import PLACES, SHOP, Stage, address_of, connect, go, open_addon, until
from upbridge.texts import LANGUAGES, Texts

EN = Texts("en")
SECOND = "second"
NARROW = 360


@pytest.fixture(scope="module")
def second_shop(theatre: Stage) -> str:
    theatre.control("POST", "/shops", {"name": SECOND, "products": 3, "orders": 2})
    return SECOND


def test_from_activation_to_a_cured_problem(theatre: Stage, browser: BrowserContext, stage_database: str) -> None:
    page = browser.new_page()
    refused: list[str] = []
    page.on(
        "console", lambda message: refused.append(message.text) if "Content Security" in message.text else None
    )

    frame = open_addon(page, theatre)
    assert frame.get_by_role("heading", level=1).inner_text() == Texts("cs").get("ui.thanks")
    frame.get_by_role("button", name="English").click()
    frame.get_by_text(EN.get("ui.thanks")).wait_for()

    connect(frame, theatre)
    go(frame, "Start")
    frame.locator("#step-imported", has_text=EN.get("ui.step_state.done")).wait_for()
    until(lambda: frame.locator("#waiting-upp").inner_text() == EN.get("ui.waiting.nothing"), page)
    assert frame.locator("#import-product").inner_text().startswith("Done")

    # A collective customer that Uphance does not have: the next order stops, and says so.
    go(frame, "Rules")
    frame.get_by_label("One collective customer").check()
    frame.get_by_label("Number of the collective customer").fill("424242")
    frame.get_by_role("button", name="Save the rules").click()
    frame.get_by_role("status").wait_for()
    number = theatre.control("POST", f"/shops/{SHOP}/orders")["order_number"]

    def seen() -> bool:
        go(frame, "Problems")
        return frame.get_by_role("rowheader", name=number).count() > 0

    until(seen, page)

    # Cured: it goes by itself, and the problem closes by itself.
    go(frame, "Rules")
    frame.get_by_label("Each shopper").check()
    frame.get_by_role("button", name="Save the rules").click()
    frame.get_by_role("status").wait_for()
    until(lambda: not seen(), page)

    go(frame, "Find")
    frame.get_by_label(EN.get("ui.find.what")).fill(number)
    frame.get_by_role("button", name="Find").click()
    until(lambda: frame.locator(".timeline", has_text="Delivered to Uphance").count() > 0 or _again(frame), page)

    assert not browser.cookies()
    assert not refused
    assert "127.0.0.1" in address_of(page)
    assert "localhost" in page.url

    # Half an hour later.
    with psycopg.connect(stage_database, autocommit=True) as connection:
        connection.execute("UPDATE sessions SET expires_at = now() - interval '1 second'")
    frame.get_by_role("navigation").get_by_role("link", name="Overview").click()
    frame.get_by_role("heading", name=EN.get("ui.ended.title")).wait_for()

    theatre.control("POST", f"/shops/{SHOP}/deactivate")
    frame = open_addon(page, theatre)
    frame.locator("#step-upp", has_text=Texts("cs").get("ui.step_state.done")).wait_for()


def _again(frame: object) -> bool:
    frame.get_by_role("button", name="Find").click()  # type: ignore[attr-defined]
    return False


def test_two_shops_in_two_frames_never_see_each_other(
    theatre: Stage, browser: BrowserContext, second_shop: str, stage_database: str
) -> None:
    one, other = browser.new_page(), browser.new_page()
    open_addon(one, theatre)
    open_addon(other, theatre, second_shop)
    mine, theirs = address_of(one), address_of(other)
    with psycopg.connect(stage_database, autocommit=True) as connection:
        row = connection.execute(
            "INSERT INTO problems (shop_id, stage, key, target, kind, entity, parent, message)"
            " SELECT id, 'map', 'order.quantity', 'upp', 'order', 'SECRET-1', 'SECRET-1', 'x' FROM shops"
            " ORDER BY installed_at DESC LIMIT 1 RETURNING id"
        ).fetchone()
    assert row is not None

    request = browser.request
    for path in ("problems", "overview", "", "find?q=SECRET"):
        assert "SECRET-1" not in request.get(mine + path).text()
    request.post(f"{mine}problems/by-hand", form={"id": str(row[0])})
    request.post(f"{mine}problems/by-hand", form={"key": "order.quantity", "target": "upp", "kind": "order"})

    assert "SECRET-1" in request.get(f"{theirs}problems").text()


def test_a_used_ticket_opens_nothing(theatre: Stage, browser: BrowserContext, second_shop: str) -> None:
    theatre.control("POST", f"/shops/{second_shop}/activate")
    url = theatre.control("POST", f"/shops/{second_shop}/open")["answer"]["url"]

    assert browser.request.get(url).status == 200
    assert browser.request.get(url).status == 410


def test_every_page_passes_axe_fits_a_phone_and_speaks_every_language(
    theatre: Stage, browser: BrowserContext
) -> None:
    page = browser.new_page()
    open_addon(page, theatre)
    home = address_of(page)
    page.set_viewport_size({"width": NARROW, "height": 740})
    complaints = []
    for place in PLACES:
        page.goto(home + place)
        found = Axe().run(page)["violations"]
        complaints += [f"{place or 'start'}: {one['id']}: {one['nodes'][0]['html'][:150]}" for one in found]
        if page.evaluate("document.documentElement.scrollWidth") > NARROW:
            complaints.append(f"{place or 'start'} is wider than {NARROW} pixels")
    for language in LANGUAGES:
        browser.request.post(f"{home}language", form={"language": language, "place": "start"})
        for place in PLACES:
            text = browser.request.get(home + place).text()
            if f'<html lang="{language}">' not in text or "ui." in text.replace("/ui/", ""):
                complaints.append(f"{place or 'start'} is not all in {language}")

    assert not complaints
