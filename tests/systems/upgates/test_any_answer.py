"""Any answer of Upgates: an entity is read or refused with a reason, and what was read can be stored."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.junk import JUNK, places, with_junk
from tests.support.upgates import (
    CONFIG,
    LANGUAGES,
    OWNER,
    PRICELISTS,
    STATUS,
    STATUSES,
    facts_of,
    raw_line,
    raw_order,
    raw_prices,
    raw_product,
    raw_variant,
)
from upbridge.systems.http.exact_json import decode
from upbridge.systems.upgates.fields import parse_list
from upbridge.systems.upgates.orders import parse_order
from upbridge.systems.upgates.products import parse_product
from upbridge.systems.upgates.subscriptions import Webhook, WebhookEvent, plan

DISCOUNTS = {"code": "S", "discounts": [{"price": 1, "price_with_vat": 1, "price_without_vat": 1, "vat": 21}]}
PRODUCT = raw_product(variants=[raw_variant(prices=[raw_prices()]), raw_variant(variant_id=5002, stock=3)])
ORDER = raw_order(
    products=[
        raw_line(),
        raw_line(type="gift"),
        raw_line(configurations=[{"name": "n", "values": [{"value": "v"}]}]),
    ],
    discount_voucher=DISCOUNTS,
    loyalty_points=DISCOUNTS,
)
FACTS = {
    "owner": OWNER,
    "languages": LANGUAGES,
    "pricelists": PRICELISTS,
    "config": CONFIG,
    "order_statuses": STATUSES,
    "status": STATUS,
}


def replaced(value: Any, path: tuple[Any, ...], junk: Any) -> Any:
    """A copy of *value* with *junk* at *path*, as it comes out of the JSON of an answer."""
    return decode(json.dumps(with_junk(value, path, junk)).encode())


@settings(max_examples=200)
@given(st.sampled_from(places(PRODUCT)), JUNK)
def test_a_product_with_anything_anywhere(path: tuple[Any, ...], junk: Any) -> None:
    good, bad = parse_list([replaced(PRODUCT, path, junk)], parse_product)

    assert len(good) + len(bad) == 1
    for product in good:
        assert product.model_dump_json().encode()
        assert "\\u0000" not in product.model_dump_json()


@settings(max_examples=200)
@given(st.sampled_from(places(ORDER)), JUNK)
def test_an_order_with_anything_anywhere(path: tuple[Any, ...], junk: Any) -> None:
    good, bad = parse_list([replaced(ORDER, path, junk)], parse_order)

    assert len(good) + len(bad) == 1
    for order in good:
        assert order.model_dump_json().encode()
        assert "\\u0000" not in order.model_dump_json()


@given(JUNK)
def test_a_list_of_anything(junk: Any) -> None:
    parse_list(junk, parse_product)
    parse_list([junk, junk], parse_order)


@settings(max_examples=200)
@given(st.sampled_from(places(FACTS)), JUNK)
def test_facts_with_anything_anywhere(path: tuple[Any, ...], junk: Any) -> None:
    raw = replaced(FACTS, path, junk)
    if not all(isinstance(answer, dict) for answer in raw.values()):
        return  # the client takes JSON objects only
    good, bad = parse_list([raw], lambda answers: facts_of(**answers))

    assert len(good) + len(bad) == 1
    for facts in good:
        assert facts.model_dump_json().encode()


@given(st.lists(st.fixed_dictionaries({"id": st.integers(), "event": st.text(), "url": st.text()})))
def test_webhooks_of_anything_are_left_alone(rows: list[Any]) -> None:
    hooks = [Webhook.model_validate(row) for row in rows if abs(row["id"]) < 2**62]
    events = [WebhookEvent(name="Orders.update")]

    actions = plan(events, hooks, ours="https://a/webhooks/upgates/", url_for=lambda event: f"https://a/{event}")

    assert actions.delete == ()
