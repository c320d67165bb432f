"""The whole way of a merchant, in a frame of another site, without a cookie."""

import time

import psycopg
import pytest
from playwright.sync_api import BrowserContext, ConsoleMessage, Error, FrameLocator, Page, Request

from tests.browser.testbed import PLACES, SHOP, Testbed, address_of, connect, go, open_addon, until, wait_until
from upbridge.core.i18n import Texts
from upbridge.domain.masking import MASK

EN = Texts("en")
SECOND = "second"


@pytest.fixture(scope="module")
def second_shop(testbed: Testbed) -> str:
    testbed.control("POST", "/shops", {"name": SECOND, "products": 3, "orders": 2})
    return SECOND


def test_from_activation_to_a_return(  # noqa: PLR0915 - one way, told in one go
    testbed: Testbed, browser: BrowserContext, testbed_database: str
) -> None:
    page = browser.new_page()
    refused, referrers = _listen(page)

    frame = open_addon(page, testbed)
    first = Texts("cs").get("ui.step.connected", system="Upp.ai")
    assert frame.get_by_role("heading", level=1).inner_text() == Texts("cs").get(
        "ui.setup.next", step=2, of=5, what=first
    )
    frame.get_by_role("button", name="English").click()
    frame.get_by_text(EN.get("ui.thanks")).wait_for()

    connect(frame, testbed)
    go(frame, "Home")
    frame.locator("#step-imported", has_text=EN.get("ui.step_state.done")).wait_for()
    frame.locator("#nothing-waits").wait_for()
    assert frame.locator("#import-product").inner_text().startswith("Done")

    # A mapping breaks: a collective customer that Uphance does not have. The next order stops, and says so.
    go(frame, "Rules")
    frame.get_by_role("link", name=EN.get("ui.rules.part.advanced")).click()
    frame.get_by_label("One collective customer").check()
    frame.get_by_label("Number of the collective customer").fill("424242")
    frame.get_by_role("button", name=EN.get("ui.rules.look")).click()
    frame.get_by_role("heading", name=EN.get("ui.rules.preview")).wait_for()
    frame.get_by_role("button", name=EN.get("ui.rules.save")).first.click()
    frame.locator(".said").wait_for()
    number = testbed.control("POST", f"/shops/{SHOP}/orders")["order_number"]

    def seen() -> bool:
        go(frame, "Problems")
        return frame.get_by_role("rowheader", name=number).count() > 0

    until(seen, page)

    # What its cure does is said before it is saved; then the order goes, and the problem closes, by themselves.
    frame.get_by_role("link", name=number, exact=True).click()
    frame.locator(".timeline").wait_for()
    go(frame, "Rules")
    frame.get_by_role("link", name=EN.get("ui.rules.part.advanced")).click()
    frame.get_by_label("Each shopper").check()
    frame.get_by_role("button", name=EN.get("ui.rules.look")).click()
    frame.get_by_text(EN.get("ui.rules.preview_tried", count=1)).wait_for()
    frame.get_by_role("button", name=EN.get("ui.rules.save")).first.click()
    frame.locator(".said").wait_for()
    until(lambda: not seen(), page)

    go(frame, "Orders")
    delivered = frame.locator(".timeline li", has_text="Delivered to Uphance")
    until(lambda: _look(frame, number) and delivered.count() > 0, page)
    technical = frame.locator("details", has_text=EN.get("ui.problems.raw")).first
    technical.locator("summary").first.click()
    technical.locator("details", has_text=EN.get("ui.find.body_sent")).locator("summary").first.click()
    assert MASK in technical.locator("pre:visible").first.inner_text()

    # Whom it is about is asked of the shop, shown once, and gone with the next look.
    assert "@" not in frame.locator("main").inner_text()
    frame.get_by_role("button", name=EN.get("ui.person.show")).click()
    customer = frame.locator("section.person")
    customer.get_by_role("rowheader", name=EN.get("ui.person.email")).wait_for()
    assert "@" in customer.get_by_role("table").inner_text()
    customer.get_by_text(EN.get("ui.person.same", system="Uphance")).click()
    assert f'"order_number": "{number}"' in customer.locator("pre:visible").inner_text()
    customer.get_by_role("link", name=EN.get("ui.person.hide")).click()
    frame.get_by_role("button", name=EN.get("ui.person.show")).wait_for()
    assert "@" not in frame.locator("main").inner_text()

    frame.get_by_role("button", name="Slovenčina").click()
    frame.get_by_role("heading", level=1, name=Texts("sk").get("ui.order.heading", number=number)).wait_for()
    frame.get_by_role("button", name="English").click()
    frame.get_by_role("heading", level=1, name=EN.get("ui.order.heading", number=number)).wait_for()

    assert not browser.cookies()
    assert not refused
    assert not referrers
    assert "127.0.0.1" in address_of(page)
    assert "localhost" in page.url
    with pytest.raises(Error, match="cross-origin"):  # the admin cannot read where its frame is
        page.evaluate("document.querySelector('iframe').contentWindow.location.href")

    # Half an hour later.
    session = address_of(page).rpartition("/ui/s/")[2].rstrip("/")
    with psycopg.connect(testbed_database, autocommit=True) as tx:
        tx.execute("UPDATE sessions SET expires_at = now() - interval '1 second'")
    frame.get_by_role("navigation").get_by_role("link", name="Home").click()
    frame.get_by_role("heading", name=EN.get("ui.ended.title")).wait_for()
    for log in testbed.processes.directory.glob("*.log"):
        assert session not in log.read_text(), log.name

    testbed.control("POST", f"/shops/{SHOP}/deactivate")
    # A deactivation and an opening of one second have one signature, and a signature opens nothing twice.
    second = int(time.time())
    wait_until(lambda: int(time.time()) > second)
    frame = open_addon(page, testbed)
    frame.locator("#step-upp", has_text=Texts("cs").get("ui.step_state.done")).wait_for()


def _listen(page: Page) -> tuple[list[str], list[str]]:
    """What the browser will refuse for our policy, and the referrers with a session in them that it will send."""
    refused: list[str] = []
    referrers: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        if "Content Security" in message.text:
            refused.append(message.text)

    def look(request: Request) -> None:
        referrer = request.headers.get("referer", "")
        if "/ui/" in referrer:
            referrers.append(referrer)

    page.on("console", hear)
    page.on("request", look)
    return refused, referrers


def _look(frame: FrameLocator, number: str) -> bool:
    go(frame, "Orders")
    frame.get_by_label(EN.get("ui.orders.what")).fill(number)
    frame.get_by_role("button", name=EN.get("ui.orders.show"), exact=True).click()
    frame.get_by_role("link", name=number, exact=True).click()
    frame.locator("#timeline").wait_for()
    return True


def test_two_shops_in_two_frames_never_see_each_other(
    testbed: Testbed, browser: BrowserContext, second_shop: str, testbed_database: str
) -> None:
    one, other = browser.new_page(), browser.new_page()
    open_addon(one, testbed)
    open_addon(other, testbed, second_shop)
    mine, theirs = address_of(one), address_of(other)
    with psycopg.connect(testbed_database, autocommit=True) as tx:
        row = tx.execute(
            "INSERT INTO problems (shop_id, stage, key, target, kind, entity, parent, message)"
            " SELECT id, 'map', 'order.quantity', 'upp', 'order', 'SECRET-1', 'SECRET-1', 'x' FROM shops"
            " ORDER BY installed_at DESC LIMIT 1 RETURNING id"
        ).fetchone()
    assert row is not None

    request = browser.request
    for path in (*PLACES, "find?q=SECRET", "orders?q=SECRET", "progress", "products.csv", "orders.csv"):
        assert "SECRET-1" not in request.get(mine + path).text()
    request.post(f"{mine}problems/by-hand", form={"id": str(row[0])})
    request.post(f"{mine}problems/by-hand", form={"key": "order.quantity", "target": "upp", "kind": "order"})

    assert "SECRET-1" in request.get(f"{theirs}problems").text()
    one.bring_to_front()
    assert _shown_key(one) != _shown_key(other)


def _shown_key(page: Page) -> str:
    return page.frame_locator("iframe").locator("#shop ~ table code").inner_text()


def test_a_used_ticket_opens_nothing(testbed: Testbed, browser: BrowserContext, second_shop: str) -> None:
    testbed.control("POST", f"/shops/{second_shop}/activate")
    url = testbed.control("POST", f"/shops/{second_shop}/open")["answer"]["url"]

    assert browser.request.get(url).status == 200
    assert browser.request.get(url).status == 410
