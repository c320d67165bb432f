"""`make screenshots`: every page in English, the start page in every language, and the frame in the admin."""

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import BrowserContext, Page

from tests.browser.stage import PLACES, SHOP, Stage, address_of, chromium, connect, open_addon, stage, until
from upbridge.texts import LANGUAGES, Texts

DOCS = Path(__file__).parents[2] / "docs"
_WIDTH, _HEIGHT = 1280, 800


def main() -> int:
    """Write the pictures."""
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        with stage(place / "stage", products=120, orders=60) as up, chromium(place / "profile") as browser:
            _take(up, browser)
    return 0


def _take(up: Stage, browser: BrowserContext) -> None:
    page = browser.new_page()
    up.control("PUT", f"/shops/{SHOP}/settings", {"language": "en"})
    frame = open_addon(page, up)
    home = address_of(page)
    connect(frame, up)
    _earlier_orders(up, browser, home)
    inner = browser.new_page()
    inner.goto(home)
    done = Texts("en").get("ui.step_state.done")
    until(lambda: inner.locator("#step-imported").inner_text() == done, inner)
    inner.wait_for_timeout(12_000)  # some orders arrive, some stop

    _in_the_admin(up, page)
    shots = DOCS / "screenshots"
    shots.mkdir(parents=True, exist_ok=True)
    inner.goto(f"{home}problems")
    number = inner.locator("th a").first.inner_text()
    for place in PLACES:
        _write(
            inner,
            f"{home}{place}?q={number}" if place == "find" else home + place,
            shots / f"{place or 'start'}-en.png",
        )
    for language in LANGUAGES:
        browser.request.post(f"{home}language", form={"language": language, "place": "start"})
        _write(inner, home, shots / f"start-{language}.png")


def _earlier_orders(up: Stage, browser: BrowserContext, home: str) -> None:
    """Let Uphance have the last weeks' orders, so that the pages have something to show."""
    browser.request.post(f"{home}rules", form={"uphance.orders_from": "2020-01-01T00:00"})


def _in_the_admin(up: Stage, page: Page) -> None:
    open_addon(page, up)
    (DOCS / "images").mkdir(parents=True, exist_ok=True)
    page.screenshot(path=DOCS / "images" / "iframe.png", full_page=True)


def _write(page: Page, address: str, path: Path) -> None:
    page.set_viewport_size({"width": _WIDTH, "height": _HEIGHT})
    page.goto(address)
    page.screenshot(path=path)


if __name__ == "__main__":
    sys.exit(main())
