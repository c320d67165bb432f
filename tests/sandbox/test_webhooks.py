"""Webhooks of the simulated Upgates: their shapes, the second that they wait, repeats, and losses on the way."""

from typing import Any

from tests.sandbox.addon import Addon, Caller
from upbridge_sandbox.upgates.announcements import PLACES


async def _subscribe(api: Caller, addon: Addon, *events: str) -> None:
    for event in events:
        body = {"name": event, "url": f"{addon.url}/hooks/{event}", "event": event}
        assert (await api("POST", "/webhooks", json=body)).status_code == 200


async def _product(api: Caller) -> dict[str, Any]:
    rows = (await api.box.control("GET", "/shops/demo/products"))["items"]
    found: dict[str, Any] = next(row for row in rows if row["variants"])
    return found


async def test_a_change_is_announced_with_what_the_page_of_the_event_shows(api: Caller, addon: Addon) -> None:
    await _subscribe(api, addon, "Products.update", "Orders.create")
    product = await _product(api)

    await api.box.control("PUT", f"/shops/demo/products/{product['product_id']}", {"title": "Nové"})
    order = await api.box.control("POST", "/shops/demo/orders")
    await addon.wait_for(lambda: len(addon.calls) == 3)

    changed = addon.received("/hooks/Products.update")[0]
    created = addon.received("/hooks/Orders.create")[0]
    assert changed["project_name"] == "Šatník demo"
    assert set(changed["products"][0]) == {"product_id", "code", "last_update_time"}
    assert created["orders"][0] == {
        name: order[name] for name in ("order_number", "creation_time", "status_id", "status")
    }


async def test_a_deleted_product_has_its_variants_beside_it(api: Caller, addon: Addon) -> None:
    await _subscribe(api, addon, "Products.delete")
    product = await _product(api)

    await api.box.control("DELETE", f"/shops/demo/products/{product['product_id']}")
    await addon.wait_for(lambda: bool(addon.received("/hooks/Products.delete")))

    body = addon.received("/hooks/Products.delete")[0]
    assert [row["product_id"] for row in body["products"]] == [product["product_id"]]
    assert {row["variant_id"] for row in body["variants"]} == {row["variant_id"] for row in product["variants"]}


async def test_a_write_by_the_api_is_announced_too(api: Caller, addon: Addon) -> None:
    await _subscribe(api, addon, "Orders.update")

    answer = await api("PUT", "/orders", json={"orders": [{"order_number": "26000003", "status_id": 4}]})
    await addon.wait_for(lambda: bool(addon.received("/hooks/Orders.update")))

    assert answer.json()["orders"][0]["updated_yn"] is True
    assert addon.received("/hooks/Orders.update")[0]["orders"][0]["status_id"] == 4


async def test_the_last_state_of_an_item_is_announced_once(api: Caller, addon: Addon) -> None:
    await _subscribe(api, addon, "Products.update")

    await api.box.control("POST", "/shops/demo/mutate", {"changes": 300, "seed": 3})
    await addon.wait_for(lambda: bool(addon.received("/hooks/Products.update")))

    ids = [row["product_id"] for row in addon.received("/hooks/Products.update")[0]["products"]]
    assert len(ids) == len(set(ids)) > 20


async def test_the_second_of_a_call_begins_when_it_is_made(api: Caller, addon: Addon) -> None:
    addon.delays["/hooks/hangs"] = 60
    for name in ["hangs"] * PLACES + ["answers"] * 3:
        body = {"name": name, "url": f"{addon.url}/hooks/{name}", "event": "Orders.create"}
        assert (await api("POST", "/webhooks", json=body)).status_code == 200

    await api.box.control("POST", "/shops/demo/orders")
    await addon.wait_for(lambda: len(addon.received("/hooks/answers")) == 3)

    assert len(addon.received("/hooks/hangs")) == PLACES


async def test_anything_but_200_and_204_is_repeated(api: Caller, addon: Addon) -> None:
    await _subscribe(api, addon, "Orders.create")
    addon.answers["/hooks/Orders.create"] = (503, None)

    await api.box.control("POST", "/shops/demo/orders")
    await addon.wait_for(lambda: len(addon.received("/hooks/Orders.create")) == 1)
    addon.answers["/hooks/Orders.create"] = (200, None)
    await addon.wait_for(lambda: len(addon.received("/hooks/Orders.create")) == 2)

    first, second = addon.received("/hooks/Orders.create")
    assert first == second
    assert await api.rules() == []


async def test_an_answer_after_a_second_counts_as_delivered_and_is_a_violation(api: Caller, addon: Addon) -> None:
    await _subscribe(api, addon, "Orders.create")
    addon.delays["/hooks/Orders.create"] = 1.4

    await api.box.control("POST", "/shops/demo/orders")
    await addon.wait_for(lambda: bool(addon.received("/hooks/Orders.create")))
    while not (deliveries := (await api.box.control("GET", "/shops/demo/deliveries"))["deliveries"]):
        pass

    assert [row["outcome"] for row in deliveries] == ["late"]
    assert await api.rules() == ["late-webhook-answer"]


async def test_lost_records_are_listed_and_never_sent(api: Caller, addon: Addon) -> None:
    await _subscribe(api, addon, "Orders.create")
    await api.box.control("PUT", "/shops/demo/webhooks", {"lose_share": 1.0})
    lost = await api.box.control("POST", "/shops/demo/orders")
    await api.box.control("PUT", "/shops/demo/webhooks", {"lose_share": 0.0})
    kept = await api.box.control("POST", "/shops/demo/orders")
    await addon.wait_for(lambda: bool(addon.received("/hooks/Orders.create")))

    state = await api.box.control("GET", "/shops/demo/deliveries")
    numbers = [row["order_number"] for body in addon.received("/hooks/Orders.create") for row in body["orders"]]
    assert state["lost"] == [{"event": "Orders.create", "id": lost["order_number"]}]
    assert numbers == [kept["order_number"]]


async def test_doubled_records_come_twice(api: Caller, addon: Addon) -> None:
    await _subscribe(api, addon, "Orders.create")
    await api.box.control("PUT", "/shops/demo/webhooks", {"double_share": 1.0, "late_seconds": 0.6})

    await api.box.control("POST", "/shops/demo/orders")
    await addon.wait_for(lambda: len(addon.received("/hooks/Orders.create")) == 2)

    assert addon.received("/hooks/Orders.create")[0] == addon.received("/hooks/Orders.create")[1]


async def test_nothing_is_sent_after_the_deactivation(api: Caller, addon: Addon) -> None:
    await _subscribe(api, addon, "Orders.create")
    await api.box.control("POST", "/shops/demo/deactivate")

    await api.box.control("POST", "/shops/demo/orders")

    state = await api.box.control("GET", "/shops/demo/deliveries")
    assert (state["pending"], state["deliveries"]) == (0, [])
    assert (await api.box.control("GET", "/shops/demo/webhooks"))["webhooks"] == []
