"""Shipments on their way to the shop: status, tracking, and a note per parcel, written once."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.systems.upgates.shop import KINDS, Setup, answered, lost, parcel, shipment_of
from upbridge.core.errors import Throttled, Unreachable
from upbridge.domain.delivery import Delivered, Dropped, Outcome, Parked, Retry
from upbridge.domain.shop_profile import ShopProfile
from upbridge.systems.upgates.payloads import ItemResult, OrderChange, orders_body, orders_results


def issue_of(outcome: Outcome) -> str:
    assert isinstance(outcome, Parked)
    return outcome.issue.key


async def test_a_shipped_order_gets_its_status_its_number_and_a_note() -> None:
    setup = Setup()
    order = setup.order("1", external_order_number=None)

    outcome = (await setup.send(shipment_of("1")))["1"]

    assert (order["status_id"], order["tracking_code"], order["external_order_number"]) == (4, "CZ1", "1001")
    assert setup.shop.entries("1") == [("Uphance #1", "S-1 · 2026-11-24 · ppl · CZ1")]
    assert isinstance(outcome, Delivered)
    assert outcome.keep is not None
    assert json.loads(outcome.keep) == {"status": 4, "tracking": "CZ1", "external": "1001"}
    assert (list(outcome.created_keys), outcome.metadata) == ([1], {"at": "2026-11-24T11:00:00+00:00"})


async def test_a_hundred_shipments_are_read_once_and_changed_once() -> None:
    setup = Setup()
    for number in range(100):
        setup.order(str(number))

    await setup.send(*(shipment_of(str(number), []) for number in range(100)))

    assert setup.calls() == ["GET /orders", "PUT /orders"]
    assert all(order["status_id"] == 4 for order in setup.shop.orders.values())


_ROW = {"order_number": "1", "order_url": "https://x", "updated_yn": True}


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param({"orders": [{**_ROW, "messages": []}]}, id="a list"),
        pytest.param({"orders": {"4": {**_ROW, "messages": []}}}, id="a list with gaps"),
        pytest.param({**_ROW, "orders": {"messages": []}}, id="on top"),
        pytest.param({**_ROW, "orders": []}, id="on top, without messages"),
        pytest.param({"orders": {**_ROW, "messages": []}}, id="inside"),
        pytest.param({"orders": _ROW}, id="inside, without messages"),
        pytest.param({**_ROW, "updated_yn": None, "orders": {"updated_yn": True}}, id="both"),
        pytest.param({**_ROW, "orders": {**dict.fromkeys(_ROW), "messages": None}}, id="nulls inside"),
    ],
)
def test_the_answer_is_understood_in_every_shape(answer: dict[str, Any]) -> None:
    changes = [OrderChange("1", status_id=4)]

    assert orders_results(changes, answer) == [ItemResult("1", updated=True)]


@pytest.mark.parametrize("inside", [True, False])
def test_a_refusal_is_understood_in_the_shape_of_one_object(inside: bool) -> None:
    said = {"order_number": "1", "updated_yn": False}
    messages = {"messages": [{"property": "status_id", "message": "no", "level": "error"}]}
    answer = {"orders": {**said, **messages}} if inside else {**said, "orders": messages}

    assert orders_results([OrderChange("1")], answer) == [ItemResult("1", False, ("status_id: no",))]


def test_a_change_says_nothing_of_the_orders_lines() -> None:
    """What is not sent cannot be lost, whichever way the shop reads a list that is incomplete."""
    body = orders_body([OrderChange("1", 4, "CZ1", "1001")], notify=True)

    assert [set(order) for order in body["orders"]] == [
        {"order_number", "status_id", "tracking_code", "external_order_number"}
    ]


async def test_a_part_is_noted_once_and_changes_no_status() -> None:
    setup = Setup()
    order = setup.order("1")

    await setup.send(shipment_of("1", [parcel(1)], complete=False))
    await setup.send(shipment_of("1", [parcel(1), parcel(2, "CZ2")], complete=True))

    assert [name for name, _ in setup.shop.entries("1")] == ["Uphance #1", "Uphance #2"]
    assert (order["status_id"], order["tracking_code"]) == (4, "CZ1")
    assert setup.calls().count("PUT /orders") == 1


async def test_the_first_number_that_there_is_becomes_the_tracking_code() -> None:
    setup = Setup()
    order = setup.order("1")

    await setup.send(shipment_of("1", [parcel(1, None), parcel(2, "CZ2"), parcel(3, "CZ3")]))

    assert order["tracking_code"] == "CZ2"
    assert [value for _, value in setup.shop.entries("1")] == [
        "S-1 · 2026-11-24 · ppl",
        "S-2 · 2026-11-24 · ppl · CZ2",
        "S-3 · 2026-11-24 · ppl · CZ3",
    ]


async def test_a_number_that_comes_late_is_written_and_noted_no_second_time() -> None:
    setup = Setup()
    order = setup.order("1")

    await setup.send(shipment_of("1", [parcel(1, None)]))
    await setup.send(shipment_of("1", [parcel(1, "CZ1")]))

    assert order["tracking_code"] == "CZ1"
    assert len(setup.shop.entries("1")) == 1


@pytest.mark.parametrize(("backfill", "told"), [(False, ["1"]), (True, [])], ids=["new", "before connecting"])
async def test_shoppers_get_mails_only_about_new_shipments(backfill: bool, told: list[str]) -> None:
    setup = Setup(settings={"shipments.notify": True})
    setup.order("1")

    await setup.send(shipment_of("1", backfill=backfill))

    assert setup.shop.mails == told


async def test_shoppers_get_no_mail_unless_the_shop_chose_so() -> None:
    setup = Setup()
    setup.order("1")

    await setup.send(shipment_of("1"))

    assert setup.shop.mails == []
    assert setup.upgates.bodies()[1]["send_sms_yn"] is False


async def test_old_and_new_shipments_go_in_two_calls() -> None:
    setup = Setup(settings={"shipments.notify": True})
    setup.order("1")
    setup.order("2")

    await setup.send(shipment_of("1", []), shipment_of("2", [], backfill=True))

    assert setup.calls() == ["GET /orders", "PUT /orders", "PUT /orders"]
    assert setup.shop.mails == ["1"]


async def test_a_canceled_order_stays_so() -> None:
    setup = Setup()
    order = setup.order("1", status_id=5)

    assert issue_of((await setup.send(shipment_of("1")))["1"]) == "shipment.order_canceled"
    assert order["status_id"] == 5
    assert setup.calls() == ["GET /orders"]


@pytest.mark.parametrize("kinds", [{1: "Received"}, {**KINDS, 7: "Sent"}], ids=["none", "several"])
async def test_a_status_that_cannot_be_told_is_asked_for(kinds: dict[int, str]) -> None:
    setup = Setup(facts=ShopProfile(status_types=kinds))
    order = setup.order("1")

    assert issue_of((await setup.send(shipment_of("1")))["1"]) == "shipment.no_status"
    setup.settings = {"shipments.status": 7}
    await setup.send(shipment_of("1"))

    assert order["status_id"] == 7


async def test_a_part_needs_no_status() -> None:
    setup = Setup(facts=ShopProfile())
    setup.order("1")

    assert isinstance((await setup.send(shipment_of("1", complete=False)))["1"], Delivered)


async def test_what_staff_changed_afterwards_is_left_alone() -> None:
    setup = Setup()
    order = setup.order("1")
    await setup.send(shipment_of("1"))
    order.update(status_id=1, tracking_code="by hand")

    await setup.send(shipment_of("1", [parcel(1), parcel(2, "CZ2")]))

    assert (order["status_id"], order["tracking_code"]) == (1, "by hand")
    assert [name for name, _ in setup.shop.entries("1")] == ["Uphance #1", "Uphance #2"]


async def test_another_system_keeps_its_order_number() -> None:
    setup = Setup()
    order = setup.order("1", external_order_number="ERP-9")

    await setup.send(shipment_of("1"))

    assert order["external_order_number"] == "ERP-9"


async def test_the_order_number_of_uphance_costs_no_call_of_its_own() -> None:
    setup = Setup()
    setup.order("1", external_order_number=None, status_id=4, tracking_code="CZ1")

    await setup.send(shipment_of("1"))

    assert setup.calls() == ["GET /orders", "POST /orders/1/history"]


async def test_an_order_that_is_gone_is_no_issue_once_it_was_missing_several_times() -> None:
    document = shipment_of("1")
    first, last = document, replace(document, attempts=2)

    assert isinstance((await Setup().send(first))["1"], Retry)
    assert isinstance((await Setup().send(last))["1"], Dropped)


async def test_a_shipment_that_was_taken_back_is_written() -> None:
    setup = Setup()
    order = setup.order("1")
    await setup.send(shipment_of("1", [parcel(1), parcel(2)]))

    assert (
        issue_of((await setup.send(shipment_of("1", [parcel(1)], complete=False)))["1"]) == "shipment.taken_back"
    )
    assert order["status_id"] == 4


async def test_a_refused_order_waits_and_the_rest_goes() -> None:
    setup = Setup()
    for number in "123":
        setup.order(number)
    setup.shop.refuse = {"2"}

    outcomes = await setup.send(*(shipment_of(number) for number in "123"))

    assert issue_of(outcomes["2"]) == "shipment.refused"
    assert [setup.shop.orders[number]["status_id"] for number in "123"] == [4, 1, 4]
    assert setup.shop.entries("2") == []


async def test_a_call_that_is_refused_as_a_whole_is_halved() -> None:
    setup = Setup()
    for number in "12345":
        setup.order(number)
    setup.shop.before = answered(
        400, "PUT", "/orders", when=lambda body: "3" in [one["order_number"] for one in body["orders"]]
    )

    outcomes = await setup.send(*(shipment_of(number) for number in "12345"))

    assert [key for key, outcome in outcomes.items() if isinstance(outcome, Parked)] == ["3"]


async def test_an_answer_that_does_not_mention_the_order_is_checked_by_reading_it() -> None:
    setup = Setup()
    order = setup.order("1")
    setup.shop.silent = True

    first = (await setup.send(shipment_of("1")))["1"]
    second = (await setup.send(shipment_of("1")))["1"]

    assert isinstance(first, Retry)
    assert isinstance(second, Delivered)
    assert order["status_id"] == 4
    assert setup.calls().count("PUT /orders") == 1


async def test_a_change_whose_answer_was_lost_tells_the_shopper_once() -> None:
    setup = Setup(settings={"shipments.notify": True})
    setup.order("1")
    setup.shop.after = lost("PUT", "/orders")
    with pytest.raises(Unreachable):
        await setup.send(shipment_of("1"))

    await setup.send(shipment_of("1"))

    assert setup.shop.mails == ["1"]


async def test_a_note_whose_answer_was_lost_is_looked_for_before_it_is_repeated() -> None:
    setup = Setup()
    setup.order("1")
    setup.shop.after = lost("POST", "/history")

    outcome = (await setup.send(shipment_of("1")))["1"]

    assert isinstance(outcome, Delivered)
    assert len(setup.shop.entries("1")) == 1
    assert setup.calls().count("GET /orders/1/history") == 1


async def test_a_note_whose_process_died_is_looked_for_by_the_next_one() -> None:
    setup = Setup()
    setup.order("1")
    setup.shop.after = lost("POST", "/history")
    setup.shop.before = lost("GET", "/history")
    with pytest.raises(Unreachable):
        await setup.send(shipment_of("1"))

    outcome = (await setup.send(shipment_of("1")))["1"]

    assert isinstance(outcome, Delivered)
    assert len(setup.shop.entries("1")) == 1


async def test_a_note_that_never_arrived_is_written_after_looking() -> None:
    setup = Setup()
    setup.order("1")
    setup.shop.before = lost("POST", "/history")
    await setup.send(shipment_of("1"))
    setup.wait(minutes=3)

    await setup.send(shipment_of("1"))

    assert len(setup.shop.entries("1")) == 1


async def test_a_note_that_may_still_be_on_its_way_is_not_repeated_yet() -> None:
    setup = Setup()
    setup.order("1")
    setup.shop.before = lost("POST", "/history")
    await setup.send(shipment_of("1"))
    setup.wait(seconds=5)

    outcome = (await setup.send(shipment_of("1")))["1"]

    assert isinstance(outcome, Retry)
    assert outcome.until is not None
    assert (outcome.until - setup.now).total_seconds() == 175
    assert setup.calls().count("POST /orders/1/history") == 1


async def test_a_note_that_was_not_taken_is_repeated_without_looking() -> None:
    setup = Setup()
    setup.order("1")
    setup.shop.before = answered(429, "POST", "/history")
    with pytest.raises(Throttled):
        await setup.send(shipment_of("1"))
    setup.shop.before = lambda _: None

    outcome = (await setup.send(shipment_of("1")))["1"]

    assert isinstance(outcome, Delivered)
    assert setup.calls().count("GET /orders/1/history") == 0


async def test_after_a_doubt_only_the_missing_parcels_are_noted() -> None:
    setup = Setup()
    setup.order("1")
    setup.shop.after = lost("POST", "/history")
    setup.shop.before = lost("GET", "/history")
    with pytest.raises(Unreachable):
        await setup.send(shipment_of("1", [parcel(1)], complete=False))

    await setup.send(shipment_of("1", [parcel(1), parcel(2)]))

    assert [name for name, _ in setup.shop.entries("1")] == ["Uphance #1", "Uphance #2"]


async def test_what_was_shipped_before_connecting_may_be_noted_already() -> None:
    """A restored database has lost its links, the shop has not lost its history."""
    setup = Setup()
    setup.order("1")
    await setup.send(shipment_of("1", backfill=True))
    setup.links.rows.clear()

    await setup.send(shipment_of("1", backfill=True))

    assert len(setup.shop.entries("1")) == 1


@pytest.mark.situation("restored")
@pytest.mark.parametrize("theirs", [None, "1001", "OWN-7"])
async def test_a_restored_database_repeats_no_note_no_status_and_no_mail(theirs: str | None) -> None:
    """Staff have moved the order on since: it stays where they put it."""
    setup = Setup(settings={"shipments.notify": True})
    order = setup.order("1", external_order_number=theirs)
    await setup.send(shipment_of("1"))
    assert (order["status_id"], len(setup.shop.entries("1"))) == (4, 1)
    setup.links.rows.clear()
    setup.links.put_back = datetime(2026, 11, 24, 18, tzinfo=UTC)
    order["status_id"] = 2
    setup.upgates.requests.clear()

    await setup.send(shipment_of("1"))

    assert setup.calls().count("PUT /orders") == 0
    assert len(setup.shop.entries("1")) == 1
    assert order["status_id"] == 2


async def test_a_parcel_that_came_after_the_backup_is_noted_beside_those_that_are_there() -> None:
    setup = Setup()
    order = setup.order("1")
    await setup.send(shipment_of("1", [parcel(1)], complete=False))
    setup.links.rows.clear()
    setup.links.put_back = datetime(2026, 11, 24, 18, tzinfo=UTC)

    await setup.send(shipment_of("1", [parcel(1), parcel(2)]))

    assert [name for name, _ in setup.shop.entries("1")] == ["Uphance #1", "Uphance #2"]
    assert order["status_id"] == 4


async def test_an_order_that_has_the_external_number_of_a_shipment_is_looked_at_first() -> None:
    """Nothing says that the database was put back."""
    setup = Setup()
    order = setup.order("1")
    await setup.send(shipment_of("1"))
    assert order["external_order_number"] == "1001"
    setup.links.rows.clear()

    await setup.send(shipment_of("1"))

    assert len(setup.shop.entries("1")) == 1


async def test_what_was_shipped_after_the_database_was_put_back_costs_no_look() -> None:
    setup = Setup()
    setup.order("1")
    setup.links.put_back = datetime(2026, 11, 20, tzinfo=UTC)

    await setup.send(shipment_of("1"))

    assert setup.calls().count("GET /orders/1/history") == 0


async def test_nothing_is_written_where_the_shop_does_not_want_it() -> None:
    setup = Setup(settings={"shipments.write": False})

    assert isinstance((await setup.send(shipment_of("1")))["1"], Dropped)
    assert setup.calls() == []


@pytest.mark.parametrize("right", ["deny", "readonly"])
async def test_nothing_is_tried_without_the_right(right: str) -> None:
    setup = Setup(facts=ShopProfile(status_types=KINDS, rights={"orders": right}))

    assert issue_of((await setup.send(shipment_of("1")))["1"]) == "shipment.no_right"
    assert setup.calls() == []


async def test_an_order_that_cannot_be_read_is_tried_again() -> None:
    setup = Setup()
    setup.order("1", currency_id=None)

    assert isinstance((await setup.send(shipment_of("1")))["1"], Retry)


async def test_names_and_values_fit_the_history() -> None:
    setup = Setup()
    setup.order("1")

    await setup.send(shipment_of("1", [parcel(10**17, "X" * 900)]))

    name, value = setup.shop.entries("1")[0]
    assert len(name) <= 50
    assert len(value) == 500
