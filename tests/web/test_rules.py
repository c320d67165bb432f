"""The Rules page: every setting once, and nothing changed by a wrong one."""

import html
import re
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.support.pages import EN, Enter, said_by
from tests.support.rows import connection_row, document_row, insert_rows, problem_row
from tests.support.shop_settings import OTHER
from tests.support.shops import MakeShop
from upbridge.core.i18n import LANGUAGES, Texts
from upbridge.domain.shop_id import ShopId
from upbridge.systems.registry import SYSTEMS
from upbridge.web.rule_parts import OWN, SHARED, parts_of

FACTS: dict[str, Any] = {
    "company": "Móda",
    "currencies": {"cs": "CZK", "sk": "EUR"},
    "pricelists": ["Main", "B2B"],
    "status_types": {"1": "Received", "5": "Sent"},
    "status_names": {"1": {"en": "New"}, "5": {"en": "Gone"}},
}


async def chosen(engine: AsyncEngine, shop_id: ShopId) -> dict[str, Any]:
    async with engine.connect() as tx:
        value = await tx.scalar(text("SELECT settings FROM shops WHERE id = :id"), {"id": shop_id})
    return dict(value or {})


async def test_every_setting_stands_on_the_page_exactly_once(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter
) -> None:
    home = await enter(await make_shop(facts=FACTS))

    pages = await every_part(browser, home)

    assert sorted(re.findall(r'name="was\.([^"]+)"', "".join(pages.values()))) == sorted(SYSTEMS.settings)


async def every_part(browser: httpx.AsyncClient, home: str) -> dict[str, str]:
    """Each part of the page, by its name."""
    return {
        part.name: (await browser.get(f"{home}rules", params={"part": part.name})).text
        for part in parts_of(SYSTEMS)
    }


def test_every_setting_is_in_a_part_that_the_page_has() -> None:
    assert {setting.group for setting in SYSTEMS.settings.values()} <= {*OWN, *SHARED}
    assert {setting.under for setting in SYSTEMS.settings.values()} - {None} <= SYSTEMS.settings.keys()


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_setting_has_a_name_and_a_consequence(language: str) -> None:
    texts = Texts(language)

    assert [
        key for key in SYSTEMS.settings if not (texts.has(f"ui.rule.{key}") and texts.has(f"ui.consequence.{key}"))
    ] == []


async def test_saving_the_page_as_it_is_changes_nothing(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, engine: AsyncEngine
) -> None:
    settings = {
        "uphance.orders_from": "2026-01-01T07:00:00+00:00",
        "uphance.channels": {"cs/CZK": 6933, "de/EUR": 9},
    }
    shop_id = await make_shop(facts=FACTS, settings=settings)
    home = await enter(shop_id)
    for part, page in (await every_part(browser, home)).items():
        answer = await browser.post(f"{home}rules", data=_as_shown(page))

        assert said_by(answer).removesuffix("&n=0") == f"{home}rules?part={part}&said=rules_same"
    assert await chosen(engine, shop_id) == settings


async def test_each_way_to_deliver_has_a_row_and_what_is_gone_keeps_its_own(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, engine: AsyncEngine
) -> None:
    facts = {**FACTS, "carriers": {"4": {"cs": "PPL domů"}, "5": {"cs": "Balíkovna"}}}
    shop_id = await make_shop(facts=facts, settings={"uphance.carriers": {"4": "PPL", "9": "old"}})
    home = await enter(shop_id)
    fields = _as_shown(page := (await browser.get(f"{home}rules?part=uphance.delivery")).text)

    assert ("PPL domů" in page, fields["uphance.carriers.4"]) == (True, ["PPL"])
    changed = {**fields, "uphance.carriers.5": ["Post"]}
    looked = (await browser.post(f"{home}rules", data={**changed, "look": ["1"]})).text
    assert "PPL domů: PPL, Balíkovna: Post" in looked
    refused = await browser.post(f"{home}rules", data={**fields, "uphance.carriers.5": ["a, b"]})
    assert refused.status_code == 422
    await browser.post(f"{home}rules", data=changed)
    assert await chosen(engine, shop_id) == {"uphance.carriers": {"4": "PPL", "5": "Post", "9": "old"}}


async def test_names_that_the_systems_know_are_chosen_and_others_can_still_be_typed(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, engine: AsyncEngine
) -> None:
    facts = {**FACTS, "parameters": ["Barva", "Velikost"], "payments": {"2": {"cs": "Dobírka"}}}
    shop_id = await make_shop(facts=facts, settings={"uphance.payment_terms": {"2": "Old"}})
    seen = {"warehouses": [{"id": "Main", "name": "Main"}], "payment_terms": [{"id": "PIA", "name": "PIA"}]}
    await insert_rows(engine, connection_row(shop_id, "uphance", facts=seen))
    home = await enter(shop_id)
    delivery = (await browser.get(f"{home}rules?part=uphance.delivery")).text
    goods = (await browser.get(f"{home}rules?part=uphance.goods")).text
    fields = _as_shown(delivery)

    for page, value in ((delivery, "Main"), (delivery, "PIA"), (delivery, "Old"), (goods, "Velikost")):
        assert f'<option value="{value}"' in page
    assert fields["uphance.payment_terms.2"] == ["Old"]
    chosen_here = {"uphance.warehouse": "Main", "uphance.payment_terms.2": "PIA"}
    await browser.post(f"{home}rules", data={**fields, **chosen_here})
    await browser.post(f"{home}rules", data={"uphance.payment_term": "", "uphance.payment_term.other": "Net 7"})

    assert await chosen(engine, shop_id) == {
        "uphance.warehouse": "Main",
        "uphance.payment_terms": {"2": "PIA"},
        "uphance.payment_term": "Net 7",
    }


async def test_saving_an_old_page_changes_back_nothing_that_another_user_has_changed(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, engine: AsyncEngine
) -> None:
    shop_id = await make_shop(facts=FACTS, settings={"stock.write": True, "stock.drafts_reserve": True})
    home = await enter(shop_id)
    old = _as_shown((await browser.get(f"{home}rules?part=stock")).text)
    await browser.post(f"{home}rules", data={"stock.write": "false", "stock.drafts_reserve": "false"})
    old["stock.safety"] = ["3"]

    looked = _as_shown((await browser.post(f"{home}rules", data={**old, "look": ["1"]})).text)
    answer = await browser.post(f"{home}rules", data=old)

    assert looked["stock.write"] == ["false"]
    assert looked["stock.safety"] == ["3"]
    assert answer.headers["location"].endswith("said=rules_saved&n=1")
    assert await chosen(engine, shop_id) == {
        "stock.write": False,
        "stock.drafts_reserve": False,
        "stock.safety": 3,
    }


def _as_shown(page: str) -> dict[str, list[str]]:
    """What a browser would send."""
    form = page[page.index('/rules" id="rules"') :]
    fields: dict[str, list[str]] = {}
    for tag in re.findall(r"<input[^>]*>", form):
        attributes = dict(re.findall(r'([a-z-]+)="([^"]*)"', tag))
        ticked = attributes.get("type") not in {"checkbox", "radio"} or " checked" in tag
        if "name" in attributes and ticked:
            fields.setdefault(attributes["name"], []).append(html.unescape(attributes.get("value", "")))
    for name, options in re.findall(r'<select id="[^"]*" name="([^"]+)"[^>]*>(.*?)</select>', form, re.DOTALL):
        values = re.findall(r'<option value="([^"]*)" selected', options) or re.findall(
            r'value="([^"]*)"', options
        )
        fields[name] = [html.unescape(values[0])]
    return {name: values for name, values in fields.items() if name not in {"language", "address"}}


async def test_what_differs_is_changed(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, engine: AsyncEngine
) -> None:
    shop_id = await make_shop(facts=FACTS)
    form = {
        "upp.send": "true",
        "upp.origins": ["", "frontend", "admin"],
        "upp.pricelist": "B2B",
        "uphance.order_statuses": ["", "5"],
        "uphance.channels": "",
        "uphance.channels.sk/EUR": "7001",
        "uphance.channels.cs/CZK": "",
        "uphance.customer_mode": "collective",
        "uphance.customer_mode.number": "12",
        "stock.safety": "3",
        "stock.write": "false",
    }

    answer = await browser.post(f"{await enter(shop_id)}rules", data=form)

    assert "said=rules_saved" in answer.headers["location"]
    assert await chosen(engine, shop_id) == {
        "upp.origins": ["frontend", "admin"],
        "upp.pricelist": "B2B",
        "uphance.order_statuses": [5],
        "uphance.channels": {"sk/EUR": 7001},
        "uphance.customer_mode": "collective:12",
        "stock.safety": 3,
        "stock.write": False,
    }


@pytest.mark.parametrize(
    "wrong",
    [
        "stock.guard_percent=101",
        "uphance.orders_from=yesterday",
        "uphance.orders_from=0001-01-01T00:00",
        "uphance.orders_from=9999-12-31T23:30+00:00",
        "upp.send=perhaps",
        "budget.tariff=diamond",
    ],
)
async def test_a_wrong_value_comes_back_as_typed_and_changes_nothing(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, engine: AsyncEngine, wrong: str
) -> None:
    shop_id = await make_shop(facts=FACTS)
    key, _, typed = wrong.partition("=")
    beside = {"stock": "stock.safety", "upp": "upp.order_days", "budget": "budget.packages"}
    other = beside.get(key.partition(".")[0], "uphance.channels.cs/CZK")

    page = await browser.post(
        f"{await enter(shop_id)}rules", data={key: typed, "uphance.channels": "", other: "7"}
    )

    assert page.status_code == 422
    assert EN.get("ui.rules.wrong", count=1) in page.text
    assert 'value="7"' in page.text
    assert f'id="wrong.{key}"' in page.text
    assert await chosen(engine, shop_id) == {}


async def test_a_year_of_few_digits_is_shown_as_it_was_typed(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter
) -> None:
    home = await enter(await make_shop(facts=FACTS))

    await browser.post(f"{home}rules", data={"uphance.orders_from": "0026-01-01T08:00"})

    assert 'value="1. 1. 0026 8:00"' in (await browser.get(f"{home}rules?part=uphance.orders")).text


async def test_a_setting_says_how_many_orders_wait_for_it(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, engine: AsyncEngine
) -> None:
    shop_id = await make_shop(facts=FACTS)
    await insert_rows(engine, *(problem_row(shop_id, f"A{number}") for number in range(12)))

    page = (await browser.get(f"{await enter(shop_id)}rules?part=uphance.orders")).text

    assert EN.get("ui.rules.releases", count=12) in page


async def test_a_shop_that_is_not_read_yet_can_type_what_it_cannot_choose(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter
) -> None:
    pages = await every_part(browser, await enter(await make_shop()))

    assert EN.get("ui.rules.no_markets").replace("'", "&#39;") in pages["uphance.orders"]
    assert re.search(r'<input id="upp.pricelist"', pages["upp.goods"])


async def test_what_a_choice_needs_is_asked_for(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, engine: AsyncEngine
) -> None:
    shop_id = await make_shop(facts=FACTS)
    form = {"uphance.create_products": "true", "uphance.color_parameter": "Barva", "uphance.size_parameter": ""}

    page = await browser.post(f"{await enter(shop_id)}rules", data=form)

    assert page.status_code == 422
    assert 'id="wrong.uphance.size_parameter"' in page.text
    assert 'id="wrong.uphance.color_parameter"' not in page.text
    assert EN.get("ui.rules.wrong_missing") in page.text
    assert await chosen(engine, shop_id) == {}


async def test_what_a_change_does_is_shown_before_it_is_saved(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, engine: AsyncEngine
) -> None:
    shop_id = await make_shop(facts=FACTS)
    channels = [{"id": 3, "name": "Web CZ", "currency": "CZK"}, {"id": 4, "name": "B2B", "currency": "CZK"}]
    await insert_rows(engine, connection_row(shop_id, "uphance", facts={"channels": channels}))
    await insert_rows(engine, *(document_row(shop_id, "uphance", f"O-{n}", state="parked") for n in range(12)))
    home = await enter(shop_id)
    typed = {"uphance.channels": "", "uphance.channels.cs/CZK": "4", "uphance.send_orders": "true"}

    page = html.unescape((await browser.post(f"{home}rules", data={**typed, "look": "1"})).text)

    assert EN.get("ui.rules.preview_tried", count=12) in page
    assert "<strong>cs/CZK: B2B</strong>" in page
    assert f'<a href="#uphance.channels">{EN.get("ui.rule.uphance.channels")}</a>' in page
    assert '<a href="#uphance.send_orders">' not in page, "it says yes already"
    assert '<option value="4" selected>' in page, "what was typed stays, to be saved or changed"
    assert await chosen(engine, shop_id) == {}

    await browser.post(f"{home}rules", data=typed)

    assert await chosen(engine, shop_id) == {"uphance.channels": {"cs/CZK": 4}}


async def test_a_look_at_no_change_says_so(browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter) -> None:
    home = await enter(await make_shop(facts=FACTS))

    page = (await browser.post(f"{home}rules", data={"stock.safety": "0", "look": "1"})).text

    assert EN.get("ui.rules.preview_same") in page


async def test_a_look_at_every_change_at_once_is_all_in_words(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter
) -> None:
    shop_id = await make_shop(facts=FACTS)
    for language in LANGUAGES:
        home = await enter(shop_id, language)
        typed = {key: value for key, value in OTHER.items() if key != "uphance.customer_mode"}
        typed["uphance.order_statuses"] = "5"  # the other one counts anyhow
        more = {"uphance.customer_mode": "collective", "uphance.customer_mode.number": "42", "look": "1"}

        answer = await browser.post(f"{home}rules", data={**typed, **more})

        assert answer.status_code == 200
        assert answer.text.count('<a href="#') >= len(OTHER)


STATUSES: dict[str, Any] = {
    **FACTS,
    "status_types": {"1": "Received", "5": "Sent", "7": "PaymentSuccessful", "9": "Canceled"},
    "status_names": {"1": {"en": "New"}, "5": {"en": "Gone"}, "7": {"en": "Paid"}, "9": {"en": "Off"}},
}


async def test_statuses_that_count_by_default_are_ticked_and_stay_the_default(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, engine: AsyncEngine
) -> None:
    shop_id = await make_shop(facts=STATUSES)
    home = await enter(shop_id)
    shown = _as_shown((await browser.get(f"{home}rules?part=uphance.orders")).text)

    assert shown["uphance.order_statuses"] == ["", "1", "7"]

    more = {**shown, "uphance.order_statuses": ["", "1", "7", "5"]}
    await browser.post(f"{home}rules", data=more)
    assert await chosen(engine, shop_id) == {"uphance.order_statuses": [1, 7, 5]}

    await browser.post(f"{home}rules", data={"uphance.order_statuses": ["", "7", "1"]})
    assert await chosen(engine, shop_id) == {}, "a new status of these types counts as well"


async def test_the_preview_names_the_statuses_that_no_longer_send_and_warns_of_odd_ones(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter
) -> None:
    home = await enter(await make_shop(facts=STATUSES))
    shown = _as_shown((await browser.get(f"{home}rules?part=uphance.orders")).text)

    page = (
        await browser.post(f"{home}rules", data={**shown, "uphance.order_statuses": ["", "9"], "look": "1"})
    ).text

    assert EN.get("ui.rules.preview_ends", what="New, Paid") in page
    assert EN.get("ui.rules.preview_begins", what="Off") in page
    assert page.count(EN.get("ui.rules.odd", what="Off")) == 2, "in the preview and beside the boxes"


async def test_no_status_at_all_is_no_choice(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, engine: AsyncEngine
) -> None:
    shop_id = await make_shop(facts=STATUSES, settings={"uphance.order_statuses": [5]})
    home = await enter(shop_id)
    shown = _as_shown((await browser.get(f"{home}rules?part=uphance.orders")).text)

    page = await browser.post(f"{home}rules", data={**shown, "uphance.order_statuses": [""]})

    assert page.status_code == 422
    assert EN.get("ui.rules.wrong_none") in page.text
    assert await chosen(engine, shop_id) == {"uphance.order_statuses": [5]}


async def test_of_two_users_with_one_rule_the_second_sees_both_values_before_the_first_is_overwritten(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, engine: AsyncEngine
) -> None:
    shop_id = await make_shop(facts=FACTS)
    home = await enter(shop_id)
    tab = _as_shown((await browser.get(f"{home}rules?part=stock")).text)
    await browser.post(f"{home}rules", data={**tab, "stock.safety": ["2"]})

    clash = await browser.post(f"{home}rules", data={**tab, "stock.safety": ["3"]})

    assert clash.status_code == 409
    assert EN.get("ui.rules.clash_now", now="2") in clash.text
    assert _as_shown(clash.text)["stock.safety"] == ["3"]
    assert await chosen(engine, shop_id) == {"stock.safety": 2}

    await browser.post(f"{home}rules", data=_as_shown(clash.text))
    assert await chosen(engine, shop_id) == {"stock.safety": 3}, "now it is meant"


async def test_now_is_said_as_it_is_where_nothing_is_chosen(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter
) -> None:
    home = await enter(await make_shop(facts=FACTS))
    typed = {
        "uphance.services": "WRAP",
        "uphance.warehouse": "Main",
        "uphance.color_parameter": "Colour",
        "uphance.channels": "",
        "uphance.channels.cs/CZK": "4",
        "stock.write": "true",
    }

    page = (await browser.post(f"{home}rules", data={**typed, "look": "1"})).text

    now = dict(re.findall(r'<a href="#([^"]+)">[^<]*</a></th>\s*<td>([^<]*)</td>', html.unescape(page)))
    assert now == {
        "uphance.services": EN.get("ui.rules.preview_nothing"),
        "uphance.warehouse": EN.get("ui.automatic.uphance.warehouse"),
        "uphance.color_parameter": EN.get("ui.rules.preview_nothing"),
        "uphance.channels": EN.get("ui.undecided.uphance.channels"),
        "stock.write": EN.get("ui.rules.undecided"),
    }


async def test_a_wrong_number_is_answered_by_its_limits_in_a_summary_that_leads_to_it(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter
) -> None:
    home = await enter(await make_shop(facts=FACTS))

    page = (await browser.post(f"{home}rules", data={"stock.guard_percent": "101", "stock.safety": "-1"})).text

    for key, low, high in (("stock.guard_percent", 0, 100), ("stock.safety", 0, 1_000_000)):
        why = EN.get("ui.rules.wrong_number", min=low, max=high)
        assert f'<li><a href="#{key}">{EN.get(f"ui.rule.{key}")}</a>: {why}</li>' in page
    assert 'id="wrong" tabindex="-1" autofocus' in page
    assert f"<title>{EN.get('ui.rules.title_wrong')}" in page


async def test_a_market_that_only_a_problem_names_has_a_row(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, engine: AsyncEngine
) -> None:
    shop_id = await make_shop(facts=FACTS)
    missing = {"language": "cs", "currency": "USD"}
    await insert_rows(engine, problem_row(shop_id, "A1", key="order.no_channel", params=missing))
    home = await enter(shop_id)

    page = (await browser.get(f"{home}rules?part=uphance.orders")).text
    await browser.post(f"{home}rules", data={**_as_shown(page), "uphance.channels.cs/USD": "9"})

    assert 'name="uphance.channels.cs/USD"' in page
    assert await chosen(engine, shop_id) == {"uphance.channels": {"cs/USD": 9}}


async def test_another_language_keeps_what_was_typed(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, engine: AsyncEngine
) -> None:
    shop_id = await make_shop(facts=FACTS)
    home = await enter(shop_id)
    shown = _as_shown((await browser.get(f"{home}rules?part=stock")).text)

    page = (await browser.post(f"{home}rules", data={**shown, "stock.safety": "3", "language": "cs"})).text

    assert '<html lang="cs">' in page
    assert _as_shown(page)["stock.safety"] == ["3"]
    assert "data-unsaved" in page
    assert await chosen(engine, shop_id) == {}
    assert '<html lang="cs">' in (await browser.get(f"{home}rules")).text


async def test_enter_looks_and_saves_nothing(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter
) -> None:
    home = await enter(await make_shop(facts=FACTS))

    for page in (
        (await browser.get(f"{home}rules?part=stock")).text,
        (await browser.post(f"{home}rules", data={"stock.safety": "3", "look": "1"})).text,
    ):
        first = re.search(r'<button[^>]*form="rules"[^>]*>', page)
        assert first is not None
        assert 'name="look"' in first[0], "a browser presses the first button of a form when Enter is pressed"


async def test_a_link_to_a_rule_leads_to_its_part(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter
) -> None:
    home = await enter(await make_shop(facts=FACTS))

    assert f'href="{home}rules?part=stock#stock.write"' in (await browser.get(home)).text


async def test_what_was_typed_into_a_session_that_has_ended_is_shown(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, engine: AsyncEngine
) -> None:
    shop_id = await make_shop(facts=FACTS)
    home = await enter(shop_id)
    shown = _as_shown((await browser.get(f"{home}rules?part=stock")).text)
    assert (await browser.get(f"{home}alive")).status_code == 204
    await browser.post(f"{home}end")

    page = await browser.post(f"{home}rules", data={**shown, "stock.safety": "<3>", "stock.write": "true"})

    assert page.status_code == 410
    lost = re.findall(r'<tr><th scope="row">([^<]*)</th><td>([^<]*)</td>', page.text)
    assert [(html.unescape(rule), html.unescape(typed)) for rule, typed in lost] == [
        (EN.get("ui.rule.stock.write"), EN.get("ui.rules.yes")),
        (EN.get("ui.rule.stock.safety"), "<3>"),
    ]
    assert await chosen(engine, shop_id) == {}
    assert (await browser.get(f"{home}alive")).status_code == 410


async def test_a_day_is_written_as_people_here_do_in_every_browser(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, engine: AsyncEngine
) -> None:
    shop_id = await make_shop(facts=FACTS)
    home = await enter(shop_id)

    for typed, kept in (
        ("28. 11. 2026 14:05", "2026-11-28T13:05:00+00:00"),
        ("1/2/2026", "2026-01-31T23:00:00+00:00"),
        ("2026-03-01", "2026-02-28T23:00:00+00:00"),
    ):
        await browser.post(f"{home}rules", data={"uphance.orders_from": typed})
        assert await chosen(engine, shop_id) == {"uphance.orders_from": kept}
    assert 'value="1. 3. 2026 0:00"' in (await browser.get(f"{home}rules?part=uphance.orders")).text
