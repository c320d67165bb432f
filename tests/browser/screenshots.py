"""`make screenshots`: every page in every language, a phone, and the frame in the admin, into docs/.

Two shops: one whose first import is under way, and one that has worked for a month. The month is made up, because
the pictures are taken within a minute: calls of the last day and deliveries of the last 30 are written into the
tables. All the rest (orders, problems, matches, what waits, an order's way) has come about as it always does.
"""

import html
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from playwright.sync_api import BrowserContext, Page

from tests.browser.furnished import STATES, Furnished, furnished
from tests.browser.testbed import (
    PLACES,
    SHOP,
    Testbed,
    address_of,
    chromium,
    connect,
    go,
    made_up_past,
    open_addon,
    open_testbed,
    until,
)
from tests.support.shops import KEY
from upbridge.core.i18n import LANGUAGES, Texts
from upbridge.store.embedded import EmbeddedPostgres
from upbridge.store.migrate import migrate

DOCS = Path(__file__).parents[2] / "docs"
IMPORTING = "brand"
_WIDTH, _HEIGHT = 1120, 700
_PHONE = 360
#: Pages that no place of the navigation leads to.
_ASIDE = {"costs": "costs/upp", "support": "support"}
_EN = Texts("en")


def main() -> int:
    """Write the pictures."""
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        with (
            _database(place / "database") as url,
            open_testbed(place / "testbed", database_url=url, encryption_key=KEY, products=140, orders=60) as up,
            chromium(place / "profile", width=_WIDTH, height=_HEIGHT) as browser,
        ):
            _take(up, browser, url)
        with (
            _database(place / "states") as url,
            furnished(url, KEY) as pages,
            chromium(place / "second", width=_WIDTH, height=_HEIGHT) as browser,
        ):
            _each_state(pages, browser)
    return 0


def _each_state(pages: Furnished, browser: BrowserContext) -> None:
    """The first screenful of the first page, in each state that it tells apart."""
    page = browser.new_page()
    for state in STATES:
        for language in LANGUAGES:
            page.goto(pages.open(state, language))
            page.screenshot(path=DOCS / "screenshots" / f"first-{state}-{language}.png")


@contextmanager
def _database(home: Path) -> Iterator[str]:
    server = EmbeddedPostgres(home)
    url = server.start()
    try:
        migrate(url)
        yield url
    finally:
        server.close()


def _take(up: Testbed, browser: BrowserContext, url: str) -> None:
    shots = DOCS / "screenshots"
    shots.mkdir(parents=True, exist_ok=True)
    importing = _half_imported(up, browser)
    home, number = _a_month_later(up, browser, url)
    page = browser.new_page()
    for language in LANGUAGES:
        for address in (importing, home):
            browser.request.post(f"{address}language", form={"language": language, "address": ""})
        _write(page, importing, shots / f"start-{language}.png")
        for place in PLACES[1:]:
            query = "?q=sat" if place == "find" else ""
            _write(page, f"{home}{place}{query}", shots / f"{place}-{language}.png")
        _write(page, f"{home}order?number={number}", shots / f"order-{language}.png")
        for name, place in _ASIDE.items():
            _write(page, f"{home}{place}", shots / f"{name}-{language}.png")
        page.emulate_media(color_scheme="dark")
        _write(page, home, shots / f"dark-{language}.png")
        page.emulate_media(color_scheme="light")
        page.set_viewport_size({"width": _PHONE, "height": _HEIGHT})
        _write(page, home, shots / f"phone-{language}.png")
        page.set_viewport_size({"width": _WIDTH, "height": _HEIGHT})


def _half_imported(up: Testbed, browser: BrowserContext) -> str:
    """A shop whose calls are used up in the middle of its first import: it goes on with the next hour."""
    tariff = {"hour": 12, "day": 26}
    up.control("POST", "/shops", {"name": IMPORTING, "products": 1800, "orders": 700, "tariff": tariff})
    up.control("PUT", f"/shops/{IMPORTING}/settings", {"language": "en"})
    page = browser.new_page()
    frame = open_addon(page, up, IMPORTING)
    known = up.credentials(IMPORTING)["upp"]
    go(frame, "Connections")
    frame.get_by_label("Client ID").fill(known["client_id"])
    frame.get_by_label("Client secret").fill(known["secret"])
    frame.locator("form[action$='connections/upp'] button").click()
    frame.get_by_role("status").wait_for()
    home = address_of(page)
    inner = browser.new_page()

    def waits_for_the_next_hour() -> bool:
        inner.goto(home)
        return "around" in inner.locator("#import-ends").inner_text()

    until(waits_for_the_next_hour, inner)
    return home


def _a_month_later(up: Testbed, browser: BrowserContext, url: str) -> tuple[str, str]:
    """A shop with everything: the address of its pages, and the number of an order that was shipped."""
    up.control("PUT", f"/shops/{SHOP}/settings", {"language": "en"})
    page = browser.new_page()
    frame = open_addon(page, up)
    home = address_of(page)
    connect(frame, up)
    inner = browser.new_page()
    inner.goto(home)
    inner.locator("#step-imported", has_text=_EN.get("ui.step_state.done")).wait_for()
    # Let Uphance have the last weeks' orders, and the shop Uphance's stock: some of it asks for a person.
    _save(browser, home, {"uphance.orders_from": "2020-01-01T00:00", "stock.write": "true", "stock.safety": "1"})
    organisation = up.credentials(SHOP)["uphance"]["organisation"]
    inner.goto(f"{home}connections")
    up.control(
        "POST", f"/uphance/{organisation}/webhook", {"url": inner.locator("#webhook-uphance").input_value()}
    )

    def all_sent() -> bool:
        inner.goto(home)
        return inner.locator("#nothing-waits").count() > 0

    until(lambda: len(up.control("GET", f"/uphance/{organisation}/orders")["items"]) > 15 and all_sent(), inner)
    up.control("PUT", f"/shops/{SHOP}/tariff", {"tariff": "platinum", "packages": 0})
    number = up.control("POST", f"/shops/{SHOP}/orders")["order_number"]
    _found(inner, f"{home}order?number={number}", _EN.get("ui.moment.delivered", system="Uphance", detail="")[:-2])
    orders = up.control("GET", f"/uphance/{organisation}/orders")["items"]
    reference = next(
        one["purchase_order_ref"] for one in orders if one["purchase_order_ref"].endswith(f"-{number}")
    )
    up.control("POST", f"/uphance/{organisation}/confirm", {"purchase_order_ref": reference})
    ticket = up.control("POST", f"/uphance/{organisation}/tickets", {"purchase_order_ref": reference})["id"]
    shipped = {"tracking_number": "CZ1234567890", "carrier": "Zásilkovna"}
    up.control("POST", f"/uphance/{organisation}/tickets/{ticket}/ship", shipped)
    _found(inner, f"{home}order?number={number}", _EN.get("ui.moment.shipped"))
    with psycopg.connect(url, autocommit=True) as tx:
        made_up_past(tx, up.token(SHOP))
    # Uphance takes its time for the newest orders, so that something waits.
    up.control("PUT", "/faults/uphance", {"latency": 300})
    for _ in range(5):
        up.control("POST", f"/shops/{SHOP}/orders")

    def something_waits() -> bool:
        inner.goto(home)
        return inner.locator("#waits-sending-uphance .number").all_inner_texts() == ["5"]

    until(something_waits, inner)
    _in_the_admin(up, page)
    return home, number


def _save(browser: BrowserContext, home: str, rules: dict[str, str]) -> None:
    """Save *rules*, and agree to what the page shows that they would do."""
    answer = browser.request.post(f"{home}rules", form={**rules})
    hidden = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', answer.text()))
    if "seen" in hidden:
        browser.request.post(f"{home}rules", form={name: html.unescape(value) for name, value in hidden.items()})


def _found(page: Page, address: str, words: str) -> None:
    def there() -> bool:
        page.goto(address)
        return page.locator(".timeline", has_text=words).count() > 0

    until(there, page)


def _in_the_admin(up: Testbed, page: Page) -> None:
    page.set_viewport_size({"width": 1280, "height": 800})
    frame = open_addon(page, up)
    go(frame, "Home")
    (DOCS / "images").mkdir(parents=True, exist_ok=True)
    page.screenshot(path=DOCS / "images" / "iframe.png", full_page=True)


def _write(page: Page, address: str, path: Path) -> None:
    page.goto(address)
    width = page.viewport_size["width"] if page.viewport_size else _WIDTH
    # As tall as the page, else what sticks to the bottom of the window would lie across its middle.
    page.set_viewport_size({"width": width, "height": page.evaluate("document.documentElement.scrollHeight")})
    page.screenshot(path=path, full_page=True)
    page.set_viewport_size({"width": width, "height": _HEIGHT})


if __name__ == "__main__":
    sys.exit(main())
