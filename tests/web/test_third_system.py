"""A third system, which is a folder of the tests, stands on every page with not one line changed elsewhere."""

import html

import httpx
import pytest

from tests.conformance.systems.abacus import SIDE
from tests.conformance.testbed import SYSTEMS, open_testbed
from tests.support.clock import MovableClock
from tests.support.pages import Enter, Remote, said_by
from tests.support.shops import MakeShop
from upbridge.core.encryption import Cipher
from upbridge.core.i18n import LANGUAGES, Texts
from upbridge.systems.base import Systems
from upbridge.web.context import Pages
from upbridge.web.queries.health import health_of
from upbridge.web.queries.overview import Overviews


@pytest.fixture
def systems() -> Systems:
    """The systems of the service, and Abacus."""
    return SYSTEMS


@pytest.mark.parametrize("language", LANGUAGES)
async def test_it_is_connected_by_its_form_and_has_its_settings(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, remote: Remote, language: str
) -> None:
    home = await enter(await make_shop(facts={"company": "A", "currencies": {"cs": "CZK"}}), language)
    remote.answers["/account"] = httpx.Response(200, json={})

    connected = await browser.post(
        f"{home}connections/abacus", data={"abacus_account": "demo", "abacus_key": "secret"}
    )

    assert said_by(connected) == f"{home}connections?said=connected_abacus"
    said = (await browser.get(connected.headers["location"])).text
    assert "Abacus" in said
    assert "<code>demo</code>" in said
    for page in ("", "connections"):
        assert "Abacus" in (await browser.get(f"{home}{page}")).text, page
    assert 'name="abacus.send"' in (await browser.get(f"{home}rules?part=abacus.orders")).text


async def test_a_setting_of_it_is_saved(browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter) -> None:
    home = await enter(await make_shop())

    answer = await browser.post(f"{home}rules", data={"abacus.send": "false"})

    assert "said=rules_saved" in answer.headers["location"]


async def test_the_first_page_counts_its_orders_and_find_tells_their_way(
    browser: httpx.AsyncClient,
    cipher: Cipher,
    pages: Pages,
    enter: Enter,
    watch: MovableClock,
) -> None:
    async with open_testbed(pages.engine, cipher) as testbed:
        await SIDE.connect(testbed)
        await testbed.settle()
        refused = SIDE.refuse(testbed)
        written = str(testbed.edits.create_order(testbed.origin)["order_number"])
        await testbed.settle()
        shop, watch.now = await testbed.shop(), testbed.hours()
    home = await enter(shop.id)

    async with pages.engine.connect() as tx:
        health = await health_of(tx, pages.systems, shop, now=watch())
    view = await Overviews(pages.systems, pages.engine).of(health, watch())
    found = {number: (await browser.get(f"{home}order?number={number}")).text for number in (written, refused)}
    problems = (await browser.get(f"{home}problems")).text

    assert [(one.system, one.delivered > 0, one.parked) for one in view.boxes] == [("abacus", True, 1)]
    assert {flow.name for flow in health.flows if flow.target == "abacus"} == {"order.abacus", "product.abacus"}
    said = Texts("en").get("problem.abacus.refused", said="PUT /orders: 422 not acceptable")
    for number, page in found.items():
        assert "Abacus" in page, number
    assert said not in html.unescape(found[written])
    assert said in html.unescape(found[refused])
    assert Texts("en").get("ui.cause.abacus.refused") in html.unescape(problems)
