"""The simulated Upp.ai: four headers, batches of a thousand, numbers that are numbers, and no person's name."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from upbridge_sandbox import Sandbox

ORDER = {
    "externalOrderId": "1",
    "orderSubmittedOn": "2026-11-20T09:15:00Z",
    "currency": "CZK",
    "netOrderAmount": 818.18,
    "grossOrderAmount": 990.0,
    "sourceChannel": "web",
    "items": [{"sku": "A", "name": "Tričko", "quantity": 1, "price": 990.0}],
}


@pytest.fixture
async def upp(box: Sandbox) -> AsyncIterator[httpx.AsyncClient]:
    """A client with a token and all headers."""
    headers = {"Content-Type": "application/json", "Accept": "application/json", "Api-Version": "1"}
    async with httpx.AsyncClient(base_url=box.addresses.upp, verify=False, trust_env=False, timeout=20) as client:
        form = {"grant_type": "client_credentials", "client_id": "upp-demo", "client_secret": "sandbox-secret"}
        answer = await client.post("/auth/oauth/token", data=form)
        client.headers.update({**headers, "Authorization": f"Bearer {answer.json()['access_token']}"})
        yield client


async def _rules(box: Sandbox) -> list[str]:
    return [item["rule"] for item in await box.violations()]


async def test_products_and_orders_are_kept_and_overwritten(box: Sandbox, upp: httpx.AsyncClient) -> None:
    for price in (990, 890):
        answer = await upp.post("/ingest/bulk", json={"products": [{"externalProductId": "p-1", "price": price}]})
        assert answer.status_code == 202
    assert (await upp.post("/orders/bulk", json=[ORDER])).status_code == 201
    assert (await upp.post("/orders", json={**ORDER, "grossOrderAmount": 1})).status_code == 201

    products = await box.control("GET", "/upp/upp-demo/products")
    orders = await box.control("GET", "/upp/upp-demo/orders")
    assert products == {"items": {"p-1": {"externalProductId": "p-1", "price": 890}}, "writes": {"p-1": 2}}
    assert orders["items"]["1"]["grossOrderAmount"] == 1
    assert await _rules(box) == []


@pytest.mark.parametrize("name", ["Accept", "Api-Version", "Content-Type"])
async def test_a_missing_header_is_a_violation(box: Sandbox, upp: httpx.AsyncClient, name: str) -> None:
    upp.headers[name] = "text/plain"

    await upp.post("/orders/bulk", content=b"[]")

    assert await _rules(box) == ["missing-header"]


async def test_more_than_a_thousand_is_413_and_nothing_is_kept(box: Sandbox, upp: httpx.AsyncClient) -> None:
    products = [{"externalProductId": str(number)} for number in range(1001)]

    answer = await upp.post("/ingest/bulk", json={"products": products})

    assert answer.status_code == 413
    assert (await box.control("GET", "/upp/upp-demo"))["products"] == 0
    assert await _rules(box) == ["too-large"]


@pytest.mark.parametrize(
    ("path", "body", "rule"),
    [
        pytest.param("/ingest/bulk", [], "bad-body", id="products in a bare array"),
        pytest.param("/orders/bulk", {"orders": []}, "bad-body", id="orders in an object"),
        pytest.param("/ingest/bulk", {"products": [{"sku": "A"}]}, "bad-body", id="no id"),
        pytest.param(
            "/ingest/bulk", {"products": [{"externalProductId": "1", "price": "9"}]}, "bad-body", id="text price"
        ),
        pytest.param("/orders/bulk", [{**ORDER, "netOrderAmount": None}], "bad-body", id="no net amount"),
    ],
)
async def test_what_does_not_fit_is_400_for_the_whole_batch(
    box: Sandbox, upp: httpx.AsyncClient, path: str, body: Any, rule: str
) -> None:
    answer = await upp.post(path, json=body)

    assert answer.status_code == 400
    assert await _rules(box) == [rule]


async def test_nan_is_not_json(box: Sandbox, upp: httpx.AsyncClient) -> None:
    answer = await upp.post("/ingest/bulk", content=b'{"products": [{"externalProductId": "1", "price": NaN}]}')

    assert answer.status_code == 400
    assert "not-a-number" in await _rules(box)


async def test_one_id_twice_in_a_batch_is_a_violation(box: Sandbox, upp: httpx.AsyncClient) -> None:
    await upp.post("/orders/bulk", json=[ORDER, ORDER])

    assert await _rules(box) == ["doubled-in-batch"]


@pytest.mark.parametrize("told", ["{firstname_invoice} {surname_invoice}", "{phone}", "{street_invoice}"])
@pytest.mark.parametrize("note", ["{}", "sent to {}, please", "to:\n{}\tsoon", 'said: "{}"', "\\{}"])
async def test_what_tells_of_a_shopper_is_personal_data_even_when_escaped(
    box: Sandbox, upp: httpx.AsyncClient, told: str, note: str
) -> None:
    shopper = (await box.control("GET", "/shops/demo/orders"))["items"][0]["customer"]

    await upp.post("/orders", json={**ORDER, "note": note.format(told.format(**shopper))})

    assert await _rules(box) == ["personal-data"]


async def test_parts_of_what_tells_of_a_shopper_are_none(box: Sandbox, upp: httpx.AsyncClient) -> None:
    shopper = (await box.control("GET", "/shops/demo/orders"))["items"][0]["customer"]
    parts = [shopper["surname_invoice"], shopper["phone"].split()[0], shopper["street_invoice"].split()[0]]

    await upp.post("/orders", json={**ORDER, "note": ", ".join(parts)})

    assert await _rules(box) == []


async def test_a_refused_item_fails_its_batch(box: Sandbox, upp: httpx.AsyncClient) -> None:
    await box.control("PUT", "/faults/upp", {"refuse": ["1"]})

    refused = await upp.post("/orders/bulk", json=[ORDER, {**ORDER, "externalOrderId": "2"}])
    alone = await upp.post("/orders/bulk", json=[{**ORDER, "externalOrderId": "2"}])

    assert (refused.status_code, alone.status_code) == (400, 201)


async def test_ended_tokens_are_401_without_blame(box: Sandbox, upp: httpx.AsyncClient) -> None:
    await box.control("POST", "/upp/expire")

    assert (await upp.post("/orders/bulk", json=[])).status_code == 401
    assert await _rules(box) == []


async def test_a_look_at_the_root_breaks_no_rule_and_any_other_path_does(
    box: Sandbox, upp: httpx.AsyncClient
) -> None:
    assert (await upp.get("/")).status_code == 404
    assert await _rules(box) == []

    assert (await upp.get("/products")).status_code == 404
    assert (await upp.get("/cpa")).status_code == 405
    assert await _rules(box) == ["unknown-endpoint", "wrong-method"]
