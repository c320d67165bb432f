"""Every page, full and empty, right and wrong: for everybody, on a phone, by keyboard, without scripts."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import psycopg
import pytest
from axe_core_python.sync_playwright import Axe
from playwright.sync_api import BrowserContext, Page

from tests.browser.testbed import (
    PLACES,
    Testbed,
    address_of,
    chromium,
    connect_by_form,
    enter,
    go,
    made_up_past,
    made_up_problems,
    open_addon,
    settled,
    until,
    wait_until,
)
from upbridge.core.i18n import LANGUAGES, Texts

EN = Texts("en")
FULL, EMPTY = "full", "empty"
WIDE, NARROW = 1280, 360
#: What a page looks like when something was typed wrong: its address and the form.
WRONG = {
    "rules": {"upp.order_days": "many"},
    "connections/upp": {"client_id": "nobody", "client_secret": "wrong"},
    "connections/uphance": {"email": "nobody@example.com", "password": "wrong"},
}


@pytest.fixture(scope="module")
def full(testbed: Testbed, testbed_database: str) -> str:
    """A shop with something in every corner: connected, imported, a month old, with problems of every cause."""
    testbed.control("POST", "/shops", {"name": FULL, "products": 40, "orders": 12, "tariff": "platinum"})
    testbed.control("PUT", f"/shops/{FULL}/settings", {"language": "en"})
    with httpx.Client(trust_env=False, timeout=60) as client:
        home = enter(client, testbed, FULL)
        connect_by_form(client, home, testbed, FULL)

        def imported() -> bool:
            return settled(client.get(home).text)

        wait_until(imported)
    with psycopg.connect(testbed_database, autocommit=True) as tx:
        made_up_past(tx, testbed.token(FULL))
        made_up_problems(tx, testbed.token(FULL))
    return FULL


@pytest.fixture(scope="module")
def empty(testbed: Testbed) -> str:
    """A shop that has just been activated."""
    testbed.control("POST", "/shops", {"name": EMPTY, "products": 2, "orders": 1})
    testbed.control("PUT", f"/shops/{EMPTY}/settings", {"language": "en"})
    return EMPTY


@pytest.fixture(params=[FULL, EMPTY])
def shop(request: pytest.FixtureRequest) -> str:
    """Both of them, one after the other."""
    name: str = request.getfixturevalue(request.param)
    return name


def _home(browser: BrowserContext, testbed: Testbed, shop: str) -> tuple[Page, str]:
    page = browser.new_page()
    open_addon(page, testbed, shop)
    return page, address_of(page)


#: What a finger has to hit; a link in the middle of a sentence is none of it.
_TOO_SMALL = """() => [...document.querySelectorAll('button, a, summary, select, input:not([type=hidden])')]
  .filter(one => one.checkVisibility() && !one.closest('.unseen') && !one.matches('.skip, p > a:not(:only-child)'))
  .filter(one => { const box = (one.closest('label') ?? one).getBoundingClientRect();
    return Math.round(box.height) < 44 || Math.round(box.width) < 24 })
  .map(one => one.outerHTML.replace(/\\/ui\\/s\\/[^/]+/, '').slice(0, 150))"""


def _complaints(page: Page, name: str) -> Iterator[str]:
    """What axe finds on a bright desk and on a dark phone, and what does not fit that or is too small there."""
    touched = page.context.new_cdp_session(page)
    for width in (WIDE, NARROW):
        phone = width == NARROW
        page.set_viewport_size({"width": width, "height": 740})
        page.emulate_media(color_scheme="dark" if phone else "light")
        touched.send("Emulation.setTouchEmulationEnabled", {"enabled": phone})
        if phone:
            yield from (f"{name}: too small for a finger: {one}" for one in page.evaluate(_TOO_SMALL))
        for found in Axe().run(page)["violations"]:
            yield f"{name}, {width}: {found['id']}: {found['nodes'][0]['html'][:150]}"
        if page.evaluate("document.documentElement.scrollWidth") > width:
            yield f"{name} is wider than {width} pixels"


def test_every_page_passes_axe_and_fits_a_phone(testbed: Testbed, browser: BrowserContext, shop: str) -> None:
    page, home = _home(browser, testbed, shop)
    complaints: list[str] = []
    places = (
        *PLACES,
        "orders?box=held",
        "orders?q=nothing-like-it",
        "order?number=none",
        "find?q=26",
        "find?q=nothing-like-it",
        "products?show=code",
    )

    for place in places:
        page.goto(home + place)
        page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")
        complaints += _complaints(page, place or "start")

    assert not complaints


def test_whom_an_order_is_about_passes_axe_too(testbed: Testbed, browser: BrowserContext, full: str) -> None:
    page, home = _home(browser, testbed, full)
    number = testbed.control("POST", f"/shops/{full}/orders")["order_number"]
    ask = page.get_by_role("button", name=EN.get("ui.person.show"))
    until(lambda: page.goto(f"{home}order?number={number}") is not None and ask.count() > 0, page)

    ask.click()
    page.locator("section.person table").wait_for()
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")

    assert not list(_complaints(page, "whom"))
    # A person who comes back to it later finds it hidden, and is not asked to send anything again.
    page.goto(f"{home}problems")
    page.go_back()
    ask.wait_for()
    assert "@" not in page.locator("main").inner_text()


def test_what_went_wrong_passes_axe_too(testbed: Testbed, browser: BrowserContext, full: str) -> None:
    page, home = _home(browser, testbed, full)
    complaints: list[str] = []

    for address, form in WRONG.items():
        page.goto(home + address.partition("/")[0])
        page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")
        for name, value in form.items():
            field = page.locator(f"[name='{name}']").last
            if field.get_attribute("type") == "radio":
                field.check()
            else:
                field.fill(value)
        page.locator(f"form[action$='{address}'] button.main").last.click()
        page.get_by_role("alert").first.wait_for()
        complaints += _complaints(page, f"{address}, wrong")
    for address in ("/ui/s/nobody/", "/ui/open/nobody", "/ui/nothing/here"):
        page.goto(re.sub(r"/ui/s/.*", address, home))
        complaints += _complaints(page, address)

    assert not complaints


def test_every_page_speaks_every_language(testbed: Testbed, browser: BrowserContext, shop: str) -> None:
    _, home = _home(browser, testbed, shop)
    complaints = []

    for language in LANGUAGES:
        browser.request.post(f"{home}language", form={"language": language, "place": "start"})
        for place in (*PLACES, "find?q=26", "orders?box=held"):
            text = browser.request.get(home + place).text()
            bare = re.findall(r"(?<![\w./-])(?:ui|problem|error)\.[a-z_]+[a-z_.]*", text)
            if f'<html lang="{language}">' not in text or bare:
                complaints.append(f"{place or 'start'} is not all in {language}: {bare}")

    assert not complaints


_REACHABLE = """() => [...document.querySelectorAll(
    'a[href], button:enabled, input:enabled:not([type=hidden]), select:enabled, summary, [tabindex="0"]')]
  .filter(one => one.checkVisibility() && one.tabIndex >= 0 && !(one.type === 'radio' && !one.checked))
  .map((one, place) => {
    one.dataset.place = place; return one.outerHTML.slice(0, 100) })"""
_PARTS = 10
_FOCUSED = """() => { const one = document.activeElement, style = getComputedStyle(one);
  return [one.dataset.place ?? '', style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 1] }"""


def test_every_page_is_used_by_keyboard_alone(testbed: Testbed, browser: BrowserContext, full: str) -> None:
    page, home = _home(browser, testbed, full)

    for place in PLACES:
        page.goto(home + place)
        wanted = page.evaluate(_REACHABLE)
        order: list[int] = []
        for _ in range(len(wanted) + _PARTS):
            page.keyboard.press("Tab")
            number, outlined = page.evaluate(_FOCUSED)
            if not number or (number == "0" and len(order) > 1):
                break  # past the last one: out of the page, or back at its beginning
            assert outlined, f"{place}: one does not see the focus on {wanted[int(number)]}"
            if int(number) not in order[-1:]:  # a date has parts
                order.append(int(number))
        assert order == list(range(len(wanted))), f"{place or 'start'}: not everything is reached, or not in order"

    # Past the navigation, to the search, and back to a page: without a mouse.
    page.goto(f"{home}find")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.type("nothing-like-it")
    page.keyboard.press("Enter")
    page.get_by_text(EN.get("ui.find.nothing", wanted="nothing-like-it")).wait_for()
    page.goto(f"{home}usage")
    page.locator("summary").focus()
    page.keyboard.press("Enter")
    page.get_by_role("table").wait_for()


_HIDDEN = """() => { const bar = document.querySelector('.bar').getBoundingClientRect(),
  one = document.activeElement, at = one.getBoundingClientRect();
  return !one.closest('.bar') && one.closest('form') !== null && at.top >= bar.top && at.bottom <= bar.bottom }"""


@pytest.mark.parametrize(("width", "height"), [(WIDE, 740), (NARROW, 740), (WIDE // 2, 400)])
def test_the_bar_of_the_rules_hides_nothing_that_has_the_focus(
    testbed: Testbed, browser: BrowserContext, full: str, width: int, height: int
) -> None:
    page, home = _home(browser, testbed, full)
    page.set_viewport_size({"width": width, "height": height})
    page.goto(f"{home}rules")
    hidden = []

    for _ in page.evaluate(_REACHABLE):
        page.keyboard.press("Tab")
        if page.evaluate(_HIDDEN):
            hidden.append(page.evaluate("document.activeElement.outerHTML.slice(0, 80)"))

    assert not hidden
    page.emulate_media(media="print")
    assert page.locator(".bar").evaluate("one => getComputedStyle(one).position") == "static", "it covers the page"


#: The sizes, in pixels of the screen, in which the words of all charts that are seen are drawn.
_SIZES = """() => [...document.querySelectorAll('svg text')].filter(one => one.checkVisibility()).map(one =>
  parseFloat(getComputedStyle(one).fontSize) * one.getScreenCTM().a)"""


@pytest.mark.parametrize("place", ["", "usage"])
def test_the_words_of_charts_can_be_read_on_every_screen(
    testbed: Testbed, browser: BrowserContext, full: str, place: str
) -> None:
    page, home = _home(browser, testbed, full)

    for width in (320, NARROW, 414, 600, 759, 760, 1100, WIDE):
        page.set_viewport_size({"width": width, "height": 740})
        page.goto(home + place)
        sizes = page.evaluate(_SIZES)
        assert len(sizes) > 4
        assert min(sizes) >= (11 if width >= NARROW else 9.5), width
        assert page.evaluate("document.documentElement.scrollWidth") <= width


_COLORS = """() => { const color = (one, name) => getComputedStyle(one)[name], ink = color(document.body, 'color'),
  all = (choice) => [...document.querySelectorAll(choice)];
  return { text: all('svg text').every(one => color(one, 'fill') === ink),
    key: new Set(all('.key span').map(one => color(one, 'backgroundColor'))).size === all('.key span').length,
    here: new Set(all('nav a').map(one => color(one, 'borderBottomColor'))).size === 2 } }"""


def test_colors_that_the_visitor_forces_leave_charts_and_the_place_readable(
    testbed: Testbed, browser: BrowserContext, full: str
) -> None:
    page, home = _home(browser, testbed, full)
    page.emulate_media(forced_colors="active", color_scheme="dark")

    page.goto(f"{home}usage")

    assert page.locator(".key span").count() > 1
    assert page.evaluate(_COLORS) == {"text": True, "key": True, "here": True}


def test_all_but_live_progress_works_without_scripts(testbed: Testbed, full: str, tmp_path: Path) -> None:
    with chromium(tmp_path / "profile", scripts=False) as browser:
        page = browser.new_page()
        frame = open_addon(page, testbed, full)
        for place in PLACES[1:]:
            go(frame, EN.get(f"ui.nav.{place}"))

        # A form, a look before it is saved, a message after it.
        go(frame, EN.get("ui.nav.rules"))
        frame.get_by_label(EN.get("ui.rule.upp.order_days"), exact=True).fill("31")
        # By the keyboard: a click into a frame of another site may be lost while a busy machine still paints it.
        frame.get_by_role("button", name=EN.get("ui.rules.look")).press("Enter")
        frame.get_by_role("heading", name=EN.get("ui.rules.preview")).wait_for()
        frame.get_by_role("button", name=EN.get("ui.rules.save")).first.click()
        frame.get_by_text(EN.get("ui.said.rules_saved", count=1)).wait_for()
        # "Run now", once: afterwards it rests.
        go(frame, EN.get("ui.nav.start"))
        frame.get_by_role("button", name=EN.get("ui.net.run")).click()
        frame.get_by_text(EN.get("ui.said.net_cast")).wait_for()
        assert frame.get_by_role("button", name=EN.get("ui.net.run")).is_disabled()
        # A problem, handled by hand.
        go(frame, EN.get("ui.nav.problems"))
        frame.get_by_role("button", name=EN.get("ui.problems.by_hand")).first.click()
        frame.get_by_role("button", name=EN.get("ui.problems.by_hand_now", count=1)).click()
        frame.get_by_text(EN.get("ui.said.by_hand", count=1)).wait_for()
        frame.get_by_role("button", name="Čeština").click()
        frame.get_by_role("heading", level=1, name=Texts("cs").get("ui.problems.heading")).wait_for()


def test_a_page_that_stays_open_shows_what_comes(
    testbed: Testbed, browser: BrowserContext, full: str, testbed_database: str
) -> None:
    page, home = _home(browser, testbed, full)
    page.goto(home)
    before = page.locator("#updated").inner_text()

    until(lambda: page.locator("#updated").inner_text() != before, page)
    with psycopg.connect(testbed_database, autocommit=True) as tx:
        tx.execute("UPDATE sessions SET expires_at = now() - interval '1 second'")
    page.get_by_role("alert").filter(has_text=EN.get("ui.first.ended")).wait_for()
    assert EN.get("ui.first.ended") in page.title()


def test_names_without_a_space_fit_a_phone(
    testbed: Testbed, browser: BrowserContext, full: str, testbed_database: str
) -> None:
    page, home = _home(browser, testbed, full)
    page.set_viewport_size({"width": NARROW, "height": 740})
    name = f"www.{'shopofclothes' * 4}.example"
    names = {
        "shops": {"company": name, "status_names": {"1": {"en": name}}},
        "connections": {"organisation": {"name": name}, "channels": [{"id": 1, "name": name, "currency": "CZK"}]},
    }

    with psycopg.connect(testbed_database, autocommit=True) as tx:
        for table, facts in names.items():
            tx.execute(f"UPDATE {table} SET facts = facts || %s::jsonb".encode(), [json.dumps(facts)])
        tx.execute(b"UPDATE variants SET title = %s, code = code || %s", [name, name])
    for place in ("", "connections", "rules?part=uphance.orders", "products?show=unmatched", "find?q=www"):
        page.goto(home + place)
        assert page.get_by_text(name).count(), f"{place or 'start'} does not show it"
        assert page.evaluate("document.documentElement.scrollWidth") <= NARROW, f"{place or 'start'} is too wide"
