"""The first page in each state of a shop: its first screenful says what is wrong and what to do."""

import re
from dataclasses import dataclass

import pytest
from axe_core_python.sync_playwright import Axe
from playwright.sync_api import BrowserContext, Page

from tests.browser.furnished import STATES, Furnished, furnish
from tests.support.clock import NOON
from tests.support.rows import insert_rows, order_row
from upbridge.core.i18n import LANGUAGES, Texts

#: The frame of the admin in a window of a notebook.
WIDTH, HEIGHT = 720, 640


@dataclass(frozen=True)
class Told:
    """What the first screenful of a state has to say: the keys of its heading, a sentence and the button."""

    heading: str
    sentence: str
    button: str | None
    leads_to: str = ""
    problems: int = 0


TOLD = {
    "well": Told("ui.first.ok", "ui.first.nothing_to_do", None),
    "half": Told("ui.setup.next", "ui.steps.heading", "ui.step.connected", "connections#uphance"),
    "login": Told("ui.first.partly_stopped", "ui.news.broken", "ui.news_next.broken", "connections#uphance", 1),
    "silent": Told("ui.first.partly_stopped", "ui.news.shop_silent", None),
    "rights": Told("ui.first.partly_stopped", "ui.news.no_right", "ui.news_next.no_right", "problems", 1),
    "paused": Told("ui.first.attention", "ui.news.import_paused", "ui.news_next.import_paused", "import/resume"),
    "problems": Told(
        "ui.first.attention",
        "ui.cause.order.unknown_sku",
        "ui.news_next.problems",
        "order-unknown_sku-uphance",
        90,
    ),
    "guard": Told("ui.first.attention", "problem.stock.guard", "ui.decision.open", "decision?id=", 1),
}


def _pattern(texts: Texts, key: str, **values: object) -> re.Pattern[str]:
    """The text of *key* with anything where it has values that are not given."""
    said = texts.get(key, count=5, **values)
    return re.compile(r"\s+".join(re.escape(part) for part in said.split("-")[0].split()[:6]))


def test_every_state_is_shown() -> None:
    assert set(TOLD) == set(STATES)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("state", sorted(TOLD))
def test_the_first_screenful_says_what_is_wrong_and_what_to_do(
    house: Furnished, browser: BrowserContext, state: str, language: str
) -> None:
    told, texts, page = TOLD[state], Texts(language), browser.new_page()
    page.set_viewport_size({"width": WIDTH, "height": HEIGHT})

    home = house.open(state, language)
    page.goto(home)

    step = texts.get("ui.step.connected", system="Uphance")
    heading = texts.get(told.heading, step=3, of=5, what=step)
    assert page.locator("h1").inner_text() == heading
    count = f"({told.problems}) " if told.problems else ""
    assert page.title().startswith(count)
    assert heading in page.title()
    sentence = page.locator("main").get_by_text(_pattern(texts, told.sentence, system="Uphance")).first
    assert _on_the_first_screen(page, sentence)
    buttons = page.locator(".main:visible")
    if told.button is None:
        assert buttons.count() == 0
    else:
        assert buttons.count() == 1, "one next action"
        assert buttons.inner_text().startswith(texts.get(told.button, system="Uphance", count=94))
        assert _on_the_first_screen(page, buttons)
        target = buttons.get_attribute("href") or buttons.locator("xpath=..").get_attribute("action") or ""
        assert told.leads_to in target
    assert page.evaluate("document.documentElement.scrollWidth") <= WIDTH
    tops = {link.bounding_box()["y"] for link in page.locator("nav a").all()}  # type: ignore[index]
    assert len(tops) == 1, "the navigation takes more than a line"
    if language == "cs":
        assert not Axe().run(page)["violations"]


def _on_the_first_screen(page: Page, one: object) -> bool:
    box = one.bounding_box()  # type: ignore[attr-defined]
    return box is not None and box["y"] + box["height"] <= HEIGHT


def test_orders_that_the_rules_keep_from_both_systems_fit_the_frame(
    house: Furnished, browser: BrowserContext
) -> None:
    shop_id, page = house.run(furnish(house.engine, "well")), browser.new_page()
    outline = {"total": "10797", "currency": "CZK", "status_id": 1, "origin": "frontend", "lines": []}
    kept = {"upp": "not_chosen", "uphance": "at_rest"}
    house.run(
        insert_rows(house.engine, order_row(shop_id, "260011", ordered_at=NOON, outline=outline, kept_back=kept))
    )
    page.set_viewport_size({"width": WIDTH, "height": HEIGHT})

    page.goto(f"{house.enter(house.run(house.pages.ticket_address(shop_id, 'cs')))}orders?q=260011")

    assert page.locator("tbody tr").count() == 1
    assert (
        page.evaluate(
            "(all => all.filter(one => one.scrollWidth > one.clientWidth).length)"
            "([...document.querySelectorAll('.scroll')])"
        )
        == 0
    )
