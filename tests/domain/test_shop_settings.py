"""The settings of a shop: one table, one validation, defaults that are safe until a person answers."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.shop_settings import make_settings
from upbridge.core.errors import BadRequest
from upbridge.domain.shop_settings import Hours, as_text
from upbridge.systems.registry import SYSTEMS

#: As docs/settings.md has them; None where the shop decides.
DEFAULTS: dict[str, Any] = {
    "upp.send": True,
    "upp.language": None,
    "upp.pricelist": None,
    "upp.sku_from": "code",
    "upp.purchase_vat": "shop",
    "upp.variant_titles": False,
    "upp.order_days": 30,
    "upp.guard_percent": 30,
    "upp.origins": ["frontend"],
    "uphance.send_orders": True,
    "uphance.origins": ["frontend", "admin", "api", "cash-register"],
    "uphance.orders_from": None,
    "uphance.order_statuses": None,
    "uphance.channels": {},
    "uphance.season": None,
    "uphance.warehouse": None,
    "uphance.payment_term": None,
    "uphance.payment_terms": {},
    "uphance.carriers": {},
    "uphance.customer_mode": "per_shopper",
    "uphance.prices_with_tax": False,
    "uphance.services": [],
    "uphance.create_products": False,
    "uphance.color_parameter": None,
    "uphance.size_parameter": None,
    "stock.write": False,
    "stock.quantity": "available_to_sell_from_stock",
    "stock.drafts_reserve": False,
    "stock.safety": 0,
    "stock.guard_percent": 30,
    "shipments.write": True,
    "shipments.status": None,
    "shipments.notify": False,
    "notify.email": None,
    "notify.digest": "off",
    "notify.quiet": "21-7",
    "budget.tariff": None,
    "budget.packages": 0,
}

GOOD = {
    "upp.send": ("off", False),
    "upp.language": (" cs ", "cs"),
    "upp.sku_from": ("ean", "ean"),
    "upp.order_days": ("0", 0),
    "upp.origins": ("frontend, admin,cash-register", ["frontend", "admin", "cash-register"]),
    "uphance.orders_from": ("2026-11-01", "2026-10-31T23:00:00+00:00"),
    "uphance.order_statuses": ("1,2", [1, 2]),
    "uphance.channels": ("cs/czk:6933, sk/EUR:7001", {"cs/CZK": 6933, "sk/EUR": 7001}),
    "uphance.carriers": ("4: DPD classic ,05:Packeta", {"4": "DPD classic", "5": "Packeta"}),
    "uphance.customer_mode": ("collective:12", "collective:12"),
    "uphance.origins": ("frontend,api", ["frontend", "api"]),
    "uphance.services": ("Dárkové balení, SLUZBA-1", ["Dárkové balení", "SLUZBA-1"]),
    "stock.guard_percent": ("100", 100),
    "notify.email": (" owner@example.com", "owner@example.com"),
    "notify.digest": ("weekly", "weekly"),
    "notify.quiet": ("22 - 06", "22-6"),
    "budget.tariff": ("gold", "gold"),
}
BAD = {
    "upp.send": "perhaps",
    "upp.sku_from": "sku",
    "upp.order_days": "-1",
    "upp.origins": "frontend,phone",
    "uphance.orders_from": "yesterday",
    "uphance.order_statuses": "1,zwei",
    "uphance.channels": "CZK:6933",
    "uphance.carriers": "DPD:classic",
    "uphance.payment_terms": "2:",
    "uphance.season": "0",
    "uphance.customer_mode": "collective:all",
    "stock.guard_percent": "101",
    "stock.quantity": "some",
    "notify.email": "owner@example.com, another@example.com",
    "notify.digest": "hourly",
    "notify.quiet": "7-7",
    "budget.tariff": "wood",
    "budget.packages": "61",
}


def changed(chosen: dict[str, Any], texts: dict[str, str]) -> Mapping[str, Any]:
    """What is chosen after typing *texts*."""
    return make_settings(chosen).changed(texts).chosen


def test_the_defaults_are_those_that_are_promised() -> None:
    shop_settings = make_settings()

    assert {key: shop_settings.get(key) for key in DEFAULTS} == DEFAULTS
    assert DEFAULTS.keys() <= SYSTEMS.settings.keys()


@pytest.mark.parametrize(("key", "text", "value"), [(key, *pair) for key, pair in GOOD.items()])
def test_a_good_text_becomes_its_value(key: str, text: str, value: Any) -> None:
    assert changed({}, {key: text}) == {key: value}


@pytest.mark.parametrize(("key", "text"), BAD.items())
def test_a_bad_text_is_refused_with_what_would_be_right(key: str, text: str) -> None:
    with pytest.raises(BadRequest) as caught:
        changed({}, {key: text})

    assert str(caught.value).startswith(f"{key}: {text!r} is not ")


@pytest.mark.parametrize(("key", "text"), [(key, text) for key, (text, _) in GOOD.items()])
def test_what_is_printed_can_be_typed_again(key: str, text: str) -> None:
    chosen = changed({}, {key: text})
    printed = make_settings(chosen).as_text()[key]
    assert printed is not None

    assert changed({}, {key: printed}) == chosen


def test_an_empty_text_goes_back_to_the_default() -> None:
    assert changed({"upp.sku_from": "ean", "upp.send": False}, {"upp.sku_from": " "}) == {"upp.send": False}


@pytest.mark.parametrize("moment", ["0001-01-01", "9999-12-31T23:30+00:00", "9999-12-31T23:59-01:00"])
def test_a_moment_outside_all_years_is_refused(moment: str) -> None:
    with pytest.raises(BadRequest):
        changed({}, {"uphance.orders_from": moment})


@pytest.mark.parametrize("number", ["²", "9" * 5000])
@pytest.mark.parametrize(
    ("key", "text"), [("uphance.channels", "cs/CZK:"), ("uphance.customer_mode", "collective:")]
)
def test_what_is_no_number_of_the_target_is_refused(key: str, text: str, number: str) -> None:
    with pytest.raises(BadRequest):
        changed({}, {key: text + number})


def test_every_complaint_has_its_line_and_nothing_changes() -> None:
    before = {"upp.send": False}
    with pytest.raises(BadRequest) as caught:
        changed(before, {**BAD, "no.such": "1", "upp.language": "sk"})

    assert len(str(caught.value).splitlines()) == len(BAD) + 1
    assert before == {"upp.send": False}


@given(key=st.sampled_from(sorted(SYSTEMS.settings)), text=st.text(max_size=40))
def test_any_text_is_taken_or_refused_and_nothing_else(key: str, text: str) -> None:
    try:
        chosen = changed({}, {key: text})
    except BadRequest as error:
        assert key in str(error)  # noqa: PT017 - both ends are right
    else:
        assert as_text(make_settings(chosen).get(key)) is None or isinstance(
            as_text(make_settings(chosen).get(key)), str
        )


def test_typed_reading() -> None:
    shop_settings = make_settings(
        {"uphance.orders_from": "2026-11-01T00:00:00+00:00", "upp.order_days": 7, "upp.language": "sk"}
    )

    assert shop_settings.moment("uphance.orders_from") == datetime(2026, 11, 1, tzinfo=UTC)
    assert (
        shop_settings.number("upp.order_days"),
        shop_settings.text("upp.language"),
        shop_settings.yes("upp.send"),
    ) == (7, "sk", True)
    assert make_settings().moment("uphance.orders_from") is None


class TestWhatNeedsMore:
    def test_products_are_made_only_where_colour_and_size_are_chosen(self) -> None:
        with pytest.raises(BadRequest, match=r"needs uphance\.color_parameter and uphance\.size_parameter first"):
            changed({}, {"uphance.create_products": "true"})

    def test_all_may_be_chosen_together(self) -> None:
        texts = {"uphance.create_products": "1", "uphance.color_parameter": "Barva", "uphance.size_parameter": "V"}

        assert changed({}, texts)["uphance.create_products"] is True

    def test_what_is_needed_cannot_be_taken_away(self) -> None:
        chosen = {"uphance.create_products": True, "uphance.color_parameter": "B", "uphance.size_parameter": "V"}

        with pytest.raises(BadRequest, match=r"needs uphance\.size_parameter first"):
            changed(chosen, {"uphance.size_parameter": ""})
        assert make_settings(chosen).needed({"uphance.size_parameter": ""}) == ["uphance.size_parameter"]


@pytest.mark.parametrize(
    ("hours", "quiet"),
    [("21-7", {21, 22, 23, *range(7)}), ("1-3", {1, 2}), ("off", set())],
)
def test_hours_go_from_the_first_to_before_the_second_over_midnight_too(hours: str, quiet: set[int]) -> None:
    assert {hour for hour in range(24) if Hours.among(hours, hour)} == quiet


@pytest.mark.parametrize("wrong", ["24-7", "21", "-", "21-7-9", "a-b", "²-3", "OFF"])
def test_what_are_no_hours_is_refused(wrong: str) -> None:
    with pytest.raises(BadRequest, match="two different hours"):
        changed({}, {"notify.quiet": wrong})
