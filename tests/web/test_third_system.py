"""A third system, which is a folder of the tests, stands on every page with not one line changed elsewhere."""

import httpx
import pytest

from tests.conformance.third_system.ledger.system import LEDGER
from tests.support.pages import Enter, Remote
from tests.support.shops import MakeShop
from upbridge.core.i18n import LANGUAGES
from upbridge.systems.base import Systems
from upbridge.systems.registry import SYSTEMS


@pytest.fixture
def systems() -> Systems:
    """The systems of the service, and Ledger."""
    return Systems(platform=SYSTEMS.platform, connected=(*SYSTEMS.connected, LEDGER))


@pytest.mark.parametrize("language", LANGUAGES)
async def test_it_is_connected_shown_set_and_found(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, remote: Remote, language: str
) -> None:
    home = await enter(await make_shop(facts={"company": "A", "currencies": {"cs": "CZK"}}), language)
    remote.answers["/account"] = httpx.Response(200, json={})

    connected = await browser.post(
        f"{home}connections/ledger", data={"ledger_account": "demo", "ledger_key": "secret"}
    )

    assert connected.headers["location"] == f"{home}connections?said=connected_ledger"
    said = (await browser.get(connected.headers["location"])).text
    assert "Ledger" in said
    assert "<code>demo</code>" in said
    for page in ("", "connections", "overview"):
        assert "Ledger" in (await browser.get(f"{home}{page}")).text, page
    assert 'name="ledger.send"' in (await browser.get(f"{home}rules")).text
    assert (await browser.get(f"{home}find?q=1")).status_code == 200


async def test_a_setting_of_it_is_saved(browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter) -> None:
    home = await enter(await make_shop())

    answer = await browser.post(f"{home}rules", data={"ledger.send": "false"})

    assert "said=rules_saved" in answer.headers["location"]
