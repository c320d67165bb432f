"""What the simulated Upgates does that no rule forbids: lists that move, looks that come too soon, things that
cannot be read, facts that change, orders that come back."""

from typing import Any

import httpx
import pytest

from tests.sandbox.addon import Caller
from upbridge_sandbox import Sandbox
from upbridge_sandbox.testing import ControlRefused


async def _numbers(api: Caller, query: str = "") -> list[str]:
    answer = (await api("GET", f"/orders?{query}")).json()
    return [order["order_number"] for order in answer["orders"]]


async def _first(box: Sandbox) -> str:
    return str((await box.control("GET", "/shops/demo/orders"))["items"][0]["order_number"])


async def test_a_list_moves_between_two_pages_if_asked_to(box: Sandbox, api: Caller) -> None:
    await box.control("PUT", "/shops/demo/faults", {"page_items": 10, "move_next": 3})
    before = (await box.control("GET", "/shops/demo/versions"))["versions"]
    size, pages = (
        len(await _numbers(api, "page=1")),
        [await _numbers(api, f"page={number}") for number in (2, 3, 4)],
    )
    after = (await box.control("GET", "/shops/demo/versions"))["versions"]

    assert (size, [len(page) for page in pages]) == (10, [10, 10, 10])
    assert before != after
    assert await api.rules() == []


@pytest.mark.parametrize("how", ["500", "404", "cut", "garbage"])
async def test_an_entity_breaks_every_answer_that_it_stands_in(box: Sandbox, api: Caller, how: str) -> None:
    number = await _first(box)
    await box.control("PUT", "/faults/upgates", {"broken": [f"{how} order_number {number}"]})

    async def ask(path: str) -> Any:
        try:
            answer = await api("GET", path)
        except httpx.HTTPError:
            return "cut"
        try:
            return answer.status_code if answer.is_error else answer.json()
        except ValueError:
            return "garbage"

    expected = int(how) if how.isdigit() else how
    assert await ask("/orders") == expected
    assert await ask(f"/orders/{number}") == expected
    assert (await ask("/orders?order_numbers=none"))["orders"] == []
    await box.control("DELETE", "/faults")
    assert number in await _numbers(api)


async def test_one_page_breaks_and_the_others_do_not(box: Sandbox, api: Caller) -> None:
    await box.control("PUT", "/shops/demo/faults", {"page_items": 10})
    await box.control("PUT", "/faults/upgates", {"broken": ["500 page 2 of /orders"]})

    answers = [(await api("GET", f"/orders?page={number}")).status_code for number in (1, 2, 3)]

    assert answers == [200, 500, 200]


async def test_what_cannot_be_broken_is_refused_and_breaks_nothing(box: Sandbox, api: Caller) -> None:
    with pytest.raises(ControlRefused, match="HOW page N of /PATH"):
        await box.control("PUT", "/faults/upgates", {"broken": ["melt page 2"]})

    assert (await box.control("GET", "/faults"))["upgates"]["broken"] == []


@pytest.mark.parametrize("path", ["/orders/{number}", "/orders?order_numbers={number}"])
async def test_a_change_is_not_there_yet_at_the_first_look(box: Sandbox, api: Caller, path: str) -> None:
    await box.control("PUT", "/shops/demo/faults", {"lag_next": 1})
    number = str((await box.control("POST", "/shops/demo/orders"))["order_number"])

    looks = [(await api("GET", path.format(number=number))).json()["number_of_items"] for _ in range(3)]

    assert looks == [0, 1, 1]


async def test_a_change_is_shown_as_it_was_before_at_the_first_look(box: Sandbox, api: Caller) -> None:
    number = await _first(box)
    [product] = (await api("GET", "/products?page=1&current_page_items=1")).json()["products"]
    order, goods = f"/orders/{number}", f"/products?product_ids={product['product_id']}"
    await box.control("PUT", "/shops/demo/faults", {"stale_next": 2})
    await box.control("PUT", f"/shops/demo{order}", {"internal_note": "nová"})
    await box.control("PUT", f"/shops/demo/products/{product['product_id']}", {"code": "NEW-1"})

    async def shown(path: str, array: str, name: str) -> list[Any]:
        return [(await api("GET", path)).json()[array][0][name] for _ in range(3)]

    notes = await shown(order, "orders", "internal_note")
    assert notes[0] != "nová"
    assert notes[1:] == ["nová", "nová"]
    assert await shown(goods, "products", "code") == [product["code"], "NEW-1", "NEW-1"]
    await box.control("PUT", "/shops/demo/faults", {"stale_next": 1})
    await box.control("PUT", f"/shops/demo{order}", {"internal_note": "novější"})
    assert await shown(order, "orders", "internal_note") == ["novější"] * 3, "the one before is no minute old"


async def test_deleted_orders_are_a_list_of_their_own_and_come_back(box: Sandbox, api: Caller) -> None:
    number = await _first(box)
    await box.control("DELETE", f"/shops/demo/orders/{number}")
    gone = (await api("GET", "/orders?deleted_yn=true")).json()["orders"]
    plain = await _numbers(api)
    await box.control("PUT", "/shops/demo/faults", {"no_deleted_lists": True})
    unknown = await _numbers(api, "deleted_yn=true")
    await box.control("POST", f"/shops/demo/orders/{number}/restore")

    assert [(order["order_number"], order["deleted_yn"]) for order in gone] == [(number, True)]
    assert number not in plain
    assert unknown == plain  # an older API answers with what is alive
    assert number in await _numbers(api)
    assert (await box.control("GET", "/shops/demo/orders"))["deleted"] == []
    assert await api.rules() == []


async def test_put_answers_in_four_shapes(box: Sandbox, api: Caller) -> None:
    await box.control("PUT", "/shops/demo/faults", {"put_shapes": True})
    number = await _first(box)

    body = {"orders": [{"order_number": number, "tracking_code": "T"}]}
    answers = [(await api("PUT", "/orders", json=body)).json() for _ in range(4)]

    assert answers[0]["orders"] == {"messages": []}
    assert (answers[0]["order_number"], answers[0]["updated_yn"]) == (number, True)
    assert answers[1]["orders"]["messages"] == []
    assert answers[2]["orders"].keys() == {"order_number", "order_url", "updated_yn"}
    assert [row["order_number"] for row in answers[3]["orders"]] == [number]


async def test_the_owner_changes_the_facts_of_the_shop(box: Sandbox, api: Caller) -> None:
    before = (await api("GET", "/products?product_ids=41")).json()["products"][0]
    body = {
        "language": "sk",
        "pricelist": 2,
        "rename": {"2": "Věrní"},
        "status": {"type": "Custom", "name": "Balí se"},
        "prices_with_vat": False,
        "limit_orders": "sale",
    }
    facts = await box.control("PUT", "/shops/demo/facts", body)
    lists = (await api("GET", "/pricelists")).json()["pricelists"]
    languages = (await api("GET", "/languages")).json()["languages"]
    config = (await api("GET", "/config")).json()["config"]
    statuses = (await api("GET", "/order-statuses")).json()["order_statuses"]
    product = (await api("GET", "/products?product_ids=41")).json()["products"][0]

    assert [one["name"] for one in lists if one["default_yn"] == "1"] == ["Věrní"]
    assert [one["language_id"] for one in languages if one["default_yn"]] == ["sk"]
    assert (config["prices_with_vat_yn"], config["limit_orders"]) == (False, "sale")
    assert statuses[-1]["descriptions"][0]["name"] == facts["statuses"][str(statuses[-1]["id"])] == "Balí se"
    assert {entry["name"] for row in product["prices"] for entry in row["pricelists"]} == {"Výchozí", "Věrní"}
    assert product["last_update_time"] == before["last_update_time"]
    assert await api.rules() == []
    with pytest.raises(ControlRefused, match="the name is taken"):
        await box.control("PUT", "/shops/demo/facts", {"rename": {"1": "Věrní"}})


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        ("/faults/upp", {"latency": 0.5, "error_share": 3}, "error_share is 0 to 1"),
        ("/faults/upp", {"latency": -1}, "latency is 0 or more"),
        ("/shops/demo/faults", {"move_next": -2}, "move_next is 0 or more"),
        ("/shops/demo/webhooks", {"lose_share": 1.5}, "lose_share is 0 to 1"),
        ("/shops/demo/facts", {"language": "sk", "pricelists": 2}, "unknown: pricelists"),
        ("/shops/demo/settings", {"language": "sk", "ignore_pages": True}, "unknown: ignore_pages"),
        ("/shops/demo/rights", {"products": "deny", "orders": "none"}, "no privilege: none"),
    ],
)
async def test_what_says_nothing_is_refused_and_changes_nothing(
    box: Sandbox, path: str, body: dict[str, Any], said: str
) -> None:
    before = await box.control("GET", "/shops/demo"), await box.control("GET", "/faults")

    with pytest.raises(ControlRefused, match=said):
        await box.control("PUT", path, body)

    assert (await box.control("GET", "/shops/demo"), await box.control("GET", "/faults")) == before


async def test_what_an_api_once_showed_is_taken_without_what_it_left_out(box: Sandbox, api: Caller) -> None:
    """The name of a status and the time of a creation, which a report of a fault leaves out."""
    order = (await box.control("GET", "/shops/demo/orders"))["items"][0]
    product = (await box.control("GET", "/shops/demo/products"))["items"][0]
    placed = {name: value for name, value in order.items() if name not in {"status", "creation_time"}}
    made = {name: value for name, value in product.items() if name != "creation_time"}

    await box.control(
        "POST", "/shops/demo/orders", {"as_is": {**placed, "order_number": "K-1", "order_id": 90001}}
    )
    await box.control("POST", "/shops/demo/products", {"as_is": {**made, "product_id": 90001}})

    [shown] = (await api("GET", "/orders?order_numbers=K-1")).json()["orders"]
    assert shown["status"] == order["status"]
    [shown] = (await api("GET", "/products?product_ids=90001")).json()["products"]
    assert shown["code"] == product["code"]


async def test_an_order_gets_another_number_and_another_order_gets_that_of_one_that_is_gone(
    box: Sandbox, api: Caller
) -> None:
    first, second = (await _numbers(api))[:2]
    before = {order["order_number"]: order for order in (await box.control("GET", "/shops/demo/orders"))["items"]}
    moved = await box.control("POST", f"/shops/demo/orders/{first}/renumber", {"number": "R-1"})
    other = await box.control("POST", f"/shops/demo/orders/{second}/replace")

    assert (moved["uuid"], moved["order_number"]) == (before[first]["uuid"], "R-1")
    assert (other["order_number"], other["uuid"] != before[second]["uuid"]) == (second, True)
    assert {"R-1", second} <= set(await _numbers(api))
    assert first not in await _numbers(api)
    with pytest.raises(ControlRefused, match="already"):
        await box.control("POST", f"/shops/demo/orders/{second}/renumber", {"number": first})


async def test_goods_that_staff_delete_in_uphance_are_in_no_list_any_more(box: Sandbox) -> None:
    products = (await box.control("GET", "/uphance/501/products"))["items"]
    await box.control("DELETE", f"/uphance/501/products/{products[0]['id']}")

    assert (await box.control("GET", "/uphance/501/products"))["items"] == products[1:]
    with pytest.raises(ControlRefused, match="404"):
        await box.control("DELETE", f"/uphance/501/products/{products[0]['id']}")
