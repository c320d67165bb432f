"""Who listens to a page, or lists its links and buttons, hears of each what it is about."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser

import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.browser.furnished import furnish
from tests.support.pages import EN, Enter
from upbridge.core.i18n import keys
from upbridge.systems.registry import SYSTEMS
from upbridge.web.rule_parts import parts_of


class _Controls(HTMLParser):
    """The links, buttons and summaries of a page: what each is called, and what it does."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, str]] = []
        self._form, self._did, self._said = "", "", ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "form":
            self._form = f"{given.get('id') or (given.get('action'), len(self.found))}"
        elif tag in {"a", "button", "summary"} and not {"hidden", "aria-hidden"} & given.keys():
            does = {
                "a": given.get("href"),
                "button": f"{given.get('form') or self._form} {given.get('value')} {given.get('formaction')}",
            }
            self._did, self._said = str(does.get(tag, f"{tag} {len(self.found)}")), ""

    def handle_data(self, data: str) -> None:
        self._said += data

    def handle_endtag(self, tag: str) -> None:
        if tag in {"a", "button", "summary"} and self._did:
            self.found.append((" ".join(self._said.split()), self._did))
            self._did = ""


def same_names(page: str) -> Iterator[str]:
    """Names that lead to several things."""
    controls = _Controls()
    controls.feed(page)
    does: dict[str, set[str]] = {}
    for name, what in controls.found:
        does.setdefault(name, set()).add(what)
    yield from (f"{name}: {sorted(what)[:3]}" for name, what in does.items() if len(what) > 1)


@pytest.mark.parametrize("state", ["problems", "silent", "guard"])
async def test_no_two_things_to_press_or_to_follow_have_one_name(
    browser: httpx.AsyncClient, enter: Enter, engine: AsyncEngine, state: str
) -> None:
    home = await enter(await furnish(engine, state))
    places = ["", "problems", "connections", "history", "orders", "products", "usage", "support", "costs/upp"]
    places += [f"rules?part={part.name}" for part in parts_of(SYSTEMS)]

    told = {place: list(same_names((await browser.get(home + place)).text)) for place in places}

    assert {place: names for place, names in told.items() if names} == {}


async def test_the_title_says_that_a_login_went_wrong(
    browser: httpx.AsyncClient, enter: Enter, engine: AsyncEngine
) -> None:
    home = await enter(await furnish(engine, "problems"))

    page = (await browser.post(f"{home}connections/upp", data={"client_id": "x", "client_secret": "y"})).text

    title = re.search(r"<title>(.*?)</title>", page)
    assert title is not None
    wrong = EN.get("ui.rules.title_wrong")
    assert title[1].startswith(f"({EN.number(90)}) ")
    assert f"{wrong}{EN.get('ui.connections.heading')}" in title[1]


def test_every_rule_says_when_to_change_it_and_every_cause_what_helps() -> None:
    assert [key for key in SYSTEMS.settings if not EN.has(f"ui.help.{key}")] == []
    causes = [key.removeprefix("ui.cause.") for key in keys("en") if key.startswith("ui.cause.")]
    assert len(causes) > 30
    assert [cause for cause in causes if not EN.has(f"problem.{cause}")] == []
