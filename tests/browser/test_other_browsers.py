"""The add-on in the frame of another site in Firefox and WebKit, with all cookies of third parties blocked.

Each is skipped where Debian's package is not installed: `make browsers` installs both and runs this.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.browser.cookie_site import cookie_site
from tests.browser.other_browsers import Driven, firefox, missing, webkit
from tests.browser.testbed import Testbed
from upbridge.core.i18n import Texts

EN = Texts("en")
SHOP = "elsewhere"
_WEBKIT = ("WebKitWebDriver", "MiniBrowser", "Xvfb")


@pytest.fixture(
    params=[
        pytest.param(
            firefox, id="firefox", marks=pytest.mark.skipif(bool(missing("firefox-esr")), reason="no Firefox")
        ),
        pytest.param(webkit, id="webkit", marks=pytest.mark.skipif(bool(missing(*_WEBKIT)), reason="no WebKit")),
    ]
)
def driven(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Driven]:
    """Each browser."""
    start: Callable[[Path], AbstractContextManager[Driven]] = request.param
    with start(tmp_path / "profile") as browser:
        yield browser


@pytest.fixture(scope="module")
def shop(testbed: Testbed) -> str:
    """An activated shop whose admin is Czech."""
    testbed.control("POST", "/shops", {"name": SHOP, "products": 2, "orders": 1})
    testbed.control("PUT", f"/shops/{SHOP}/settings", {"language": "cs"})
    testbed.control("POST", f"/shops/{SHOP}/activate")
    return SHOP


def test_a_merchant_sees_all_pages_and_sends_forms_without_a_cookie(
    driven: Driven, testbed: Testbed, shop: str
) -> None:
    with cookie_site() as port:
        driven.goto(f"http://localhost:{port}/frame")
        driven.into_frame()
        driven.click("a")
        driven.until(lambda: driven.text("p").startswith("came:"), "no page says what came")
        assert driven.text("p") == "came: nothing", "the proof that it is blocked"
    driven.goto(f"{testbed.admin}/shops/{shop}")
    driven.click("form[action$='/open'] button")
    driven.into_frame()

    # A form, and the page after it.
    driven.click("button[name='language'][value='en']")
    driven.until(lambda: driven.text("#support") == EN.get("ui.support.heading"), "it does not speak English")
    # A page that renews itself by a script.
    before = driven.text("#updated")
    driven.until(lambda: driven.text("#updated") != before, "it does not renew itself")
    # A login that is refused: the message has the focus of the page, and what was typed is there.
    driven.click("nav a[href$='/connections']")
    driven.fill("#client_id", "nobody")
    driven.fill("#client_secret", "wrong")
    driven.click("form[action$='connections/upp'] button")
    refused = EN.get("ui.connections.refused", system="Upp.ai")
    driven.until(lambda: driven.text("#upp-wrong") == refused, "it does not say that the login was refused")
    for place in ("orders", "problems", "products", "rules", "history"):
        driven.click(f"nav a[href$='/{place}']")
        driven.until(lambda: driven.text("nav a[aria-current]").startswith(EN.get(f"ui.nav.{place}")), place)  # noqa: B023
