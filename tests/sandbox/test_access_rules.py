"""Who may call the simulated Upgates API, how often, and what a forbidden call leaves behind."""

import asyncio
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import httpx
import pytest

from tests.sandbox.addon import Caller
from upbridge.systems.upgates.url_policy import check_api_url
from upbridge_sandbox import Sandbox


async def test_a_call_without_credentials_is_401_and_a_violation(api: Caller) -> None:
    response = await api.client.get(f"{api.box.addresses.upgates}/api/v2/owner")

    assert response.status_code == 401
    assert await api.rules() == ["missing-auth"]


async def test_the_sixth_login_after_five_wrong_ones_is_403_even_with_the_right_key(api: Caller) -> None:
    right, api.key = api.key, "wrong"
    statuses = [(await api("GET", "/status")).status_code for _ in range(5)]
    api.key = right

    assert statuses == [401] * 5
    assert (await api("GET", "/status")).status_code == 403


async def test_an_inactive_api_user_is_403_and_locks_no_address(api: Caller) -> None:
    await api.box.control("PUT", "/shops/demo/access", {"active": False})
    statuses = [(await api("GET", "/owner")).status_code for _ in range(6)]
    await api.box.control("PUT", "/shops/demo/access", {"active": True})

    assert statuses == [403] * 6
    assert (await api("GET", "/owner")).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status", "rule"),
    [
        pytest.param("GET", "/orders/states", 200, "", id="an order number may be any word"),
        pytest.param("GET", "/stocks", 404, "unknown-endpoint", id="no such endpoint"),
        pytest.param("DELETE", "/orders", 405, "wrong-method", id="not for the add-on"),
        pytest.param("GET", "/orders?per_page=5", 200, "unknown-parameter", id="an invented parameter"),
        pytest.param("GET", "/orders?page=zero", 200, "bad-parameter", id="no number"),
        pytest.param("GET", "/products?current_page_items=500", 200, "bad-parameter", id="page too long"),
        pytest.param(
            "GET", "/orders?last_update_time_from=2026-01-01T00:00:00+01:00", 200, "bad-parameter", id="raw plus"
        ),
    ],
)
async def test_what_the_published_api_does_not_have(
    api: Caller, method: str, path: str, status: int, rule: str
) -> None:
    response = await api(method, path)

    assert response.status_code == status
    assert await api.rules() == ([rule] if rule else [])


async def test_more_ids_than_a_page_holds_are_a_violation(api: Caller) -> None:
    numbers = ";".join(str(number) for number in range(101))

    await api("GET", f"/products?product_ids={numbers}")

    assert await api.rules() == ["too-many-ids"]


async def test_a_denied_service_is_403(api: Caller) -> None:
    await api.box.control("PUT", "/shops/demo/rights", {"orders": "readonly"})

    reading = await api("GET", "/orders")
    writing = await api("PUT", "/orders", json={"orders": []})

    assert (reading.status_code, writing.status_code) == (200, 403)
    assert await api.rules() == ["no-right"]


async def test_changed_rights_deactivate_the_webhooks(api: Caller) -> None:
    hook = {"name": "orders", "url": "http://127.0.0.1:9/hook", "event": "Orders.update"}
    await api("POST", "/webhooks", json=hook)
    await api.box.control("PUT", "/shops/demo/rights", {"customers": "readonly"})

    hooks = (await api("GET", "/webhooks")).json()["webhooks"]

    assert [item["active_yn"] for item in hooks] == [False]


async def test_the_hour_is_spent_before_the_day_and_then_it_is_429_until_the_next_hour(api: Caller) -> None:
    await api.box.control("PUT", "/shops/demo/tariff", {"tariff": {"hour": 2, "day": 1}})

    answers = [await api("GET", "/owner") for _ in range(4)]

    left = [
        (answer.headers["X-Rate-Limit-Hour-Remaining"], answer.headers["X-Rate-Limit-Day-Remaining"])
        for answer in answers
    ]
    assert left == [("1", "1"), ("0", "1"), ("0", "0"), ("0", "0")]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    until = parsedate_to_datetime(answers[-1].headers["Retry-After"])
    assert (until.minute, until.second) == (0, 0)
    assert await api.rules() == ["over-limit"]


async def test_a_verified_add_on_sees_no_limits(api: Caller) -> None:
    answer = await api("GET", "/owner")

    assert not [name for name in answer.headers if name.startswith("x-rate-limit")]


async def test_packages_add_to_both_windows(box: Sandbox) -> None:
    shop = await box.control("PUT", "/shops/demo/tariff", {"tariff": "bronze", "packages": 2})

    assert shop["tariff"] == {"hour": 10 + 50, "day": 100 + 800}


async def test_the_fourth_parallel_call_is_429_and_a_violation(api: Caller) -> None:
    await api.box.control("PUT", "/faults/upgates", {"latency": 0.3})

    statuses = [answer.status_code for answer in await asyncio.gather(*[api("GET", "/owner") for _ in range(4)])]

    assert sorted(statuses) == [200, 200, 200, 429]
    assert await api.rules() == ["too-parallel"]


async def test_three_at_a_time_are_never_a_violation(api: Caller) -> None:
    gate = asyncio.Semaphore(3)

    async def polite() -> int:
        async with gate:
            return (await api("GET", "/owner")).status_code

    assert await asyncio.gather(*[polite() for _ in range(60)]) == [200] * 60
    assert await api.rules() == []


async def test_429_on_demand_names_a_gmt_date_and_a_call_before_it_is_a_violation(api: Caller) -> None:
    await api.box.control("PUT", "/faults/upgates", {"busy_next": 1, "retry_after": 60})
    first = await api("GET", "/owner")
    await api.box.control("POST", "/clock", {"advance_seconds": 5})

    second = await api("GET", "/owner")

    assert first.headers["Retry-After"].endswith("GMT")
    assert second.status_code == 429
    assert await api.rules() == ["call-while-closed"]


async def test_a_moved_shop_answers_301_with_the_new_address_and_no_location(api: Caller) -> None:
    await api.box.control("POST", "/shops/demo/move")

    old = await api("GET", "/owner")
    new = await api.client.get(old.json()["api_url"] + "/owner", auth=(api.user, api.key))

    assert old.status_code == 301
    assert "location" not in old.headers
    assert new.status_code == 200


async def test_a_shop_moves_to_another_host_that_the_add_on_accepts_and_back(api: Caller) -> None:
    for name in ("localhost", "127.0.0.1"):
        moved = (await api.box.control("POST", "/shops/demo/move"))["api_url"]

        assert urlsplit(moved).hostname == name
        assert check_api_url(moved, hosts=("*.upgates.com",), allow_insecure=True) == moved
        assert (await api.client.get(f"{moved}/owner", auth=(api.user, api.key))).status_code == 200
    assert await api.rules() == []


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        pytest.param("[1]", "bad-body", id="an array"),
        pytest.param("{", "bad-body", id="no JSON"),
        pytest.param('{"orders": NaN}', "bad-body", id="NaN"),
    ],
)
async def test_a_body_that_is_no_json_object_is_400(api: Caller, body: str, rule: str) -> None:
    response = await api("PUT", "/orders", content=body, headers={"Content-Type": "application/json"})

    assert response.status_code == 400
    assert await api.rules() == [rule]


async def test_a_field_that_is_not_published_is_a_violation(api: Caller) -> None:
    order = {"order_number": "26000001", "tracking_url": "https://x"}

    await api("PUT", "/orders", json={"orders": [order]})

    violations = await api.box.violations()
    assert [item["detail"] for item in violations if item["rule"] == "unknown-field"] == ["orders[].tracking_url"]


async def test_after_the_deactivation_one_status_call_is_forgiven_and_nothing_else(api: Caller) -> None:
    await api.box.control("POST", "/shops/demo/deactivate")
    await api.box.control("POST", "/clock", {"advance_seconds": 10})

    statuses = [(await api("GET", path)).status_code for path in ("/status", "/status", "/orders")]

    assert statuses == [401, 401, 401]
    assert await api.rules() == ["call-after-deactivation"] * 2


async def test_no_violation_holds_a_secret(api: Caller) -> None:
    await api("GET", "/orders?email=jan@example.com&order_numbers=1&unknown=secret")

    text = str(await api.box.violations())

    assert "secret" not in text.replace("missing", "")
    assert "jan@" not in text
    assert api.key not in text


async def test_the_connection_is_cut_without_an_answer(api: Caller) -> None:
    await api.box.control("PUT", "/faults/upgates", {"cut_next": 1})

    with pytest.raises(httpx.RemoteProtocolError):
        await api("GET", "/owner")

    assert (await api("GET", "/owner")).status_code == 200
