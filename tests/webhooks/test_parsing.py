"""What a webhook says: the published shapes, and everything else that a stranger may send."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.deliveries import read_connected, read_upgates
from upbridge.core.bounds import WEBHOOK
from upbridge.core.errors import BadRequest, Refused, TooLarge
from upbridge.store.changes import Kind
from upbridge.systems.uphance.source import SOURCE as UPHANCE
from upbridge.webhooks.parsing import (
    MAX_RECORDS,
    ChangedKeys,
)

EVENTS = ("Orders.create", "Orders.update", "Products.update", "Products.delete", "OrderStatuses.update")


def said(event: str, body: Any) -> ChangedKeys:
    return read_upgates(event, json.dumps(body).encode())


# --- published shapes ---------------------------------------------------------------------------------------


def test_an_order_is_named_by_its_number() -> None:
    body = {"orders": [{"order_number": "OBJ-1", "status_id": 1}, {"order_number": 26000123}]}

    assert said("Orders.create", body) == ChangedKeys({Kind.ORDER: ["OBJ-1", "26000123"]}, records=2)


def test_a_product_is_named_by_its_id() -> None:
    assert said(
        "Products.update", {"products": [{"product_id": 1, "code": "A"}, {"product_id": "2"}]}
    ) == ChangedKeys({Kind.PRODUCT: ["1", "2"]}, records=2)


@pytest.mark.rule("R44")
@pytest.mark.parametrize("products", [[{"product_id": 1}], [], None])
def test_deleted_variants_stand_beside_the_products(products: Any) -> None:
    changed = said("Products.delete", {"products": products, "variants": [{"variant_id": 5, "code": "V"}]})

    assert changed.keys[Kind.VARIANT] == ["5"]
    assert changed.keys.get(Kind.PRODUCT, []) == (["1"] if products else [])
    assert changed.records == (2 if products else 1)


def test_a_deletion_of_products_alone_needs_no_variants() -> None:
    assert said("Products.delete", {"products": [{"product_id": 1}]}).keys == {Kind.PRODUCT: ["1"]}


@pytest.mark.parametrize(
    ("event", "deletes"), [("Products.delete", True), ("products.DELETE", True), ("Products.update", False)]
)
def test_only_a_deletion_is_read_as_one(event: str, deletes: bool) -> None:
    assert said(event, {"products": [{"product_id": 1}]}).deletes is deletes


@pytest.mark.rule("R52")
@pytest.mark.parametrize(
    "event",
    ["OrderStatuses.update", "Languages.create", "Pricelists.delete", "Shipments.create", "Payments.delete"],
)
@pytest.mark.parametrize("body", [{}, {"statuses": [{"order_status_id": "1"}]}, {"anything": None}])
def test_what_the_facts_are_made_of_is_read_again_with_any_body(event: str, body: Any) -> None:
    assert said(event, body) == ChangedKeys({Kind.FACTS: ["facts"]}, records=1)


def test_an_empty_delivery_is_harmless() -> None:
    assert said("Orders.update", {"orders": []}) == ChangedKeys({}, records=0)


def test_one_bad_record_harms_no_other() -> None:
    records: list[Any] = [
        {"order_number": "A"},
        {},
        None,
        "B",
        {"order_number": None},
        {"order_number": True},
        {"order_number": " "},
        {"order_number": "x" * 101},
        {"order_number": "nul\0byte"},
        {"order_number": "\ud800"},
        {"order_number": [1]},
        {"order_number": 1.5},
    ]

    assert said("Orders.update", {"orders": records}) == ChangedKeys(
        {Kind.ORDER: ["A"]}, records=12, unreadable=11
    )


@pytest.mark.parametrize("event", ["Orders.update", "Products.update", "Products.delete"])
@given(places=st.sets(st.integers(0, 9), min_size=1))
def test_a_list_with_gaps_comes_as_an_object(event: str, places: set[int]) -> None:
    def body(listed: Any) -> Any:
        return {"orders": listed, "products": listed} | ({"variants": listed} if event.endswith("delete") else {})

    records = [{"order_number": f"A{one}", "product_id": one + 1, "variant_id": one + 1} for one in sorted(places)]
    with_gaps = {str(place): record for place, record in zip(sorted(places), records, strict=True)}

    assert said(event, body(with_gaps)) == said(event, body(records))


@pytest.mark.parametrize(
    ("event", "body", "keys"),
    [
        ("Orders.update", {"orders": {"order_number": "A-1", "status_id": 3}}, {Kind.ORDER: ["A-1"]}),
        ("Products.update", {"products": {"product_id": 41, "code": "X"}}, {Kind.PRODUCT: ["41"]}),
        ("Products.delete", {"variants": {"variant_id": 5001}}, {Kind.VARIANT: ["5001"]}),
    ],
)
def test_one_record_comes_without_its_list(event: str, body: Any, keys: Any) -> None:
    """As answers of the API are read: one object stands for a list of one."""
    assert said(event, body) == ChangedKeys(keys, records=1, deletes=event.endswith("delete"))


@pytest.mark.parametrize("number", ["²", "1²", "-1", "1.0", "1e3", "abc", "٣", 10**18, str(10**30)])
def test_what_is_no_id_of_a_product_is_not_remembered(number: Any) -> None:
    """It would come back as a key that cannot be asked for, and stop the lane again and again."""
    body = {"products": [{"product_id": number}, {"product_id": 1}], "variants": [{"variant_id": number}]}

    changed = said("Products.delete", body)

    assert changed.keys == {Kind.PRODUCT: ["1"]}
    assert changed.unreadable == 2


def test_only_bad_records_are_a_bad_request() -> None:
    with pytest.raises(BadRequest):
        said("Orders.update", {"orders": [{}, None]})


@pytest.mark.parametrize(
    ("event", "body"),
    [
        ("Orders.create", {}),
        ("Orders.create", {"orders": None}),
        ("Orders.create", {"orders": {"number": 1}}),
        ("Products.update", {"orders": []}),
        ("Products.delete", {"products": "1", "variants": []}),
        ("Products.delete", {"variants": {"id": 1}}),
        ("Orders.create", []),
        ("Orders.create", "orders"),
        ("Orders.create", None),
    ],
)
def test_another_shape_is_a_bad_request(event: str, body: Any) -> None:
    with pytest.raises(BadRequest):
        said(event, body)


# --- limits -------------------------------------------------------------------------------------------------


@pytest.mark.rule("R39")
def test_five_thousand_records_are_taken_and_one_more_is_not() -> None:
    records = [{"order_number": str(number)} for number in range(MAX_RECORDS + 1)]
    assert said("Orders.update", {"orders": records[1:]}).records == MAX_RECORDS

    with pytest.raises(TooLarge):
        said("Orders.update", {"orders": records})


def test_products_and_variants_are_counted_together() -> None:
    body = {
        "products": [{"product_id": number} for number in range(1, 3001)],
        "variants": [{"variant_id": number} for number in range(1, 3001)],
    }
    with pytest.raises(TooLarge):
        said("Products.delete", body)


def test_four_mebibytes_are_enough() -> None:
    body = json.dumps({"orders": [{"order_number": "A"}]}).encode()
    assert read_upgates("Orders.update", body.ljust(WEBHOOK.bytes)).records == 1

    with pytest.raises(TooLarge):
        read_upgates("Orders.update", body.ljust(WEBHOOK.bytes + 1))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"null",
        b"[" * 100_000,
        b'{"orders": ' + b"[" * 50_000,
        b'{"a":' + b"1" * 5000 + b"}",
    ],
    ids=["empty", "cut", "not text", "null", "deep", "deep inside", "a number without end"],
)
def test_what_is_not_json_is_a_bad_request(body: bytes) -> None:
    for event in EVENTS:
        with pytest.raises(BadRequest):
            read_upgates(event, body)


# --- Uphance ------------------------------------------------------------------------------------------------


def test_an_event_about_products_has_the_catalogue_read() -> None:
    body = json.dumps({"event": "product_update", "product": {"id": 1}}).encode()

    assert read_connected(UPHANCE, body).keys == {Kind.CATALOGUE: ["catalogue"]}


def test_an_event_about_something_else_is_only_kept() -> None:
    assert read_connected(UPHANCE, b'{"event": "invoice_create", "invoice": {}}').keys == {}


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"event": 1}', b'{"event": null}', b'"event"', b'{"event": "\\ud800"}']
)
def test_what_names_no_event_is_a_bad_request(body: bytes) -> None:
    with pytest.raises(BadRequest):
        read_connected(UPHANCE, body)


# --- anything -----------------------------------------------------------------------------------------------

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(["orders", "products", "variants", "order_number", "product_id", "variant_id", "event"])
SHAPED = st.dictionaries(NAMES, st.lists(st.dictionaries(NAMES, JSON, max_size=3), max_size=3) | JSON, max_size=3)


@given(
    event=st.sampled_from(EVENTS), body=st.binary(max_size=200) | SHAPED.map(lambda one: json.dumps(one).encode())
)
def test_any_body_is_read_or_refused_and_nothing_else(event: str, body: bytes) -> None:
    try:
        changed = read_upgates(event, body)
    except Refused:
        return
    for keys in changed.keys.values():
        for key in keys:
            assert 0 < len(key) <= 100
            assert key.isprintable()
            assert "\0" not in key
            key.encode()
    assert sum(len(keys) for keys in changed.keys.values()) == changed.records - changed.unreadable


@given(body=st.binary(max_size=200) | SHAPED.map(lambda one: json.dumps(one).encode()))
def test_any_body_from_uphance_is_read_or_refused_and_nothing_else(body: bytes) -> None:
    try:
        read_connected(UPHANCE, body)
    except Refused:
        return


def test_nothing_personal_is_kept_of_what_uphance_sends() -> None:
    body = b'{"event": "pick_ticket_update", "pick_ticket": {"id": 7, "contact_email": "jana@example.com"}}'

    changed = read_connected(UPHANCE, body)

    assert changed == ChangedKeys({Kind.PICK_TICKETS: ["7"]}, records=1)


@pytest.mark.parametrize(
    "filler",
    [b"[[]" + b",[]" * 1_300_000 + b"]", b"[" * 4_000_000, b"{" * 300_000, b"[0" + b",0" * 2_000_000 + b"]"],
    ids=["lists", "depth", "braces", "numbers"],
)
def test_more_values_than_records_can_have_are_refused_before_they_are_parsed(filler: bytes) -> None:
    with pytest.raises(TooLarge, match="values"):
        read_upgates("Products.update", b'{"products": [{"product_id": 1}], "x": ' + filler + b"}")


def test_the_largest_delivery_that_upgates_sends_is_read() -> None:
    record = {"product_id": 1, "code": "A,B", "action": "update", "texts": "x" * 700}
    body = json.dumps({"products": [record | {"product_id": number} for number in range(1, MAX_RECORDS + 1)]})
    assert 3_500_000 < len(body) < WEBHOOK.bytes

    assert read_upgates("Products.update", body.encode()).records == MAX_RECORDS
