"""The proof that the other browser tests prove something: this Chromium gives third parties no cookies."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page

from tests.browser.cookie_site import cookie_site
from tests.browser.testbed import chromium


@pytest.fixture
def site() -> Iterator[int]:
    """The port of a site that sets cookies."""
    with cookie_site() as port:
        yield port


def _in_the_frame(page: Page, port: int) -> str:
    """Which cookies that a frame of another site has set are there."""
    page.goto(f"http://localhost:{port}/frame")
    frame = page.frame_locator("iframe")
    frame.get_by_role("link", name="echo").click()
    came = frame.locator("p", has_text="came:")
    came.wait_for()
    return came.inner_text()


def _visited(page: Page, port: int) -> str:
    page.goto(f"http://127.0.0.1:{port}/set")
    page.get_by_role("link", name="echo").click()
    return page.locator("p", has_text="came:").inner_text()


def test_a_cookie_that_a_foreign_frame_sets_is_not_sent_again(browser: BrowserContext, site: int) -> None:
    page = browser.new_page()

    assert _in_the_frame(page, site) == "came: nothing"
    assert not browser.cookies()


def test_nor_is_one_that_was_set_while_the_site_was_visited_itself(browser: BrowserContext, site: int) -> None:
    page = browser.new_page()
    assert "cross=1" in _visited(page, site)

    assert _in_the_frame(page, site) == "came: nothing"


def test_a_chromium_that_blocks_nothing_sends_it(tmp_path: Path, site: int) -> None:
    with chromium(tmp_path / "open", blocking=False) as browser:
        assert "cross=1" in _in_the_frame(browser.new_page(), site)
