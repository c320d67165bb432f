"""The Rules page in a browser: each part fits the frame, Enter saves nothing, leaving with changes asks."""

from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Dialog, expect

from tests.browser.furnished import Furnished
from tests.support.clock import NOON
from tests.support.rows import connection_row, insert_rows, shop_row
from upbridge.core.i18n import LANGUAGES, Texts
from upbridge.domain.shop_id import ShopId
from upbridge.systems.registry import SYSTEMS
from upbridge.web.rule_parts import parts_of

_TYPES = ("Received", "PaymentSuccessful", "", "Sent", "Canceled", "PaymentFailed", "")
_NAMES = ("Přijatá", "Zaplacená", "Připravuje se", "Odeslaná", "Stornovaná", "Platba selhala", "Reklamace")
FACTS: dict[str, Any] = {
    "company": "Šatník u Lípy s.r.o.",
    "email": "majitel@satnik.example",
    "currencies": {"cs": "CZK", "sk": "EUR", "en": "EUR"},
    "pricelists": ["Výchozí", "VIP"],
    "rights": {"orders": "all", "products": "all"},
    "status_types": {str(number): kind for number, kind in enumerate(_TYPES, 1)},
    "status_names": {str(number): {"cs": name} for number, name in enumerate(_NAMES, 1)},
    "carriers": {"4": {"cs": "PPL domů"}, "5": {"cs": "Balíkovna"}},
    "payments": {"1": {"cs": "Kartou"}, "2": {"cs": "Dobírka"}},
}
UPHANCE = {
    "channels": [{"id": 3, "name": "Web CZ", "currency": "CZK"}, {"id": 5, "name": "Web EU", "currency": "EUR"}],
    "seasons": [{"id": 7, "name": "SS26"}],
}


@pytest.fixture(scope="module")
def shop(unrehearsed: Furnished) -> tuple[Furnished, ShopId]:
    """A shop with everything to choose from, and its pages."""
    row = shop_row(facts=FACTS, facts_at=NOON, settings={"stock.write": True})
    shop_id = ShopId(row.values["id"])
    rows = (row, connection_row(shop_id, "uphance", facts=UPHANCE), connection_row(shop_id, "upp"))
    unrehearsed.run(insert_rows(unrehearsed.engine, *rows))
    return unrehearsed, shop_id


def _home(shop: tuple[Furnished, ShopId], language: str) -> str:
    pages, shop_id = shop
    return pages.enter(pages.run(pages.pages.ticket_address(shop_id, language)))


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_part_with_its_buttons_fits_a_frame_of_720_pixels(
    shop: tuple[Furnished, ShopId], browser: BrowserContext, language: str
) -> None:
    home, page = _home(shop, language), browser.new_page()
    page.set_viewport_size({"width": 1280, "height": 720})

    for part in parts_of(SYSTEMS):
        answer = page.goto(f"{home}rules?part={part.name}")
        assert answer is not None
        assert answer.ok, (part.name, answer.status, page.title())

        ends = page.evaluate(
            "[document.querySelector('form > section').getBoundingClientRect().bottom,"
            " document.querySelector('.bar').getBoundingClientRect().top, innerHeight]"
        )
        assert ends[0] <= ends[1] + 8 <= ends[2], (part.name, ends)


def test_enter_looks_leaving_asks_and_what_does_nothing_is_hidden(
    shop: tuple[Furnished, ShopId], browser: BrowserContext
) -> None:
    home, page, texts = _home(shop, "en"), browser.new_page(), Texts("en")
    asked: list[str] = []

    def stay(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.dismiss()

    page.on("dialog", stay)
    page.goto(f"{home}rules?part=stock#stock.safety")
    safety = page.get_by_label(texts.get("ui.rule.stock.safety"))
    color = page.locator(".rule:has(:target)").evaluate("one => getComputedStyle(one).backgroundColor")
    assert color != "rgba(0, 0, 0, 0)", "the rule that a link leads to stands out"

    page.get_by_label(texts.get("ui.rule.stock.write")).select_option("false")
    expect(page.get_by_label(texts.get("ui.rule.stock.guard_percent"))).to_be_hidden()
    page.get_by_label(texts.get("ui.rule.stock.write")).select_option("true")
    expect(page.get_by_label(texts.get("ui.rule.stock.guard_percent"))).to_be_visible()

    safety.fill("3")
    with page.expect_event("dialog"):
        page.get_by_role("link", name=texts.get("ui.nav.orders"), exact=True).click()
    assert asked == ["beforeunload"]
    assert safety.input_value() == "3"

    safety.press("Enter")
    expect(page.get_by_role("heading", name=texts.get("ui.rules.preview"))).to_be_focused()
    page.get_by_role("button", name=texts.get("ui.rules.save")).first.click()
    expect(page.get_by_text(texts.get("ui.said.rules_saved", count=1))).to_be_focused()
    assert asked == ["beforeunload"], "what is sent is not lost"
