"""Calls to other systems are counted where they leave, whatever comes of them."""

import asyncio

import httpx
import pytest
from prometheus_client import REGISTRY

from upbridge.core.deadline import with_deadline
from upbridge.core.telemetry.metered_transport import Measured, operation_of


def counted(outcome: str) -> float:
    labels = {"system": "test", "operation": "GET /orders", "outcome": outcome}
    return REGISTRY.get_sample_value("upbridge_remote_calls_total", labels) or 0.0


@pytest.mark.parametrize(
    ("path", "operation"),
    [
        pytest.param("/api/v2/orders", "GET /orders", id="a list"),
        pytest.param("/api/v2/orders/26000115/history", "GET /orders/{id}/history", id="an id inside"),
        pytest.param("/ingest/bulk", "GET /ingest/bulk", id="another system"),
        pytest.param("/", "GET /", id="the root"),
    ],
)
def test_an_operation_is_named_without_ids(path: str, operation: str) -> None:
    assert operation_of("GET", path) == operation


async def test_an_answer_is_counted_by_its_status() -> None:
    before = counted("429")
    transport = Measured(httpx.MockTransport(lambda _request: httpx.Response(429)), lambda _url: "test")

    async with httpx.AsyncClient(transport=transport) as client:
        await client.get("https://shop.test/api/v2/orders")

    assert counted("429") == before + 1


@pytest.mark.parametrize(
    ("error", "outcome"), [(httpx.ReadTimeout("slow"), "timeout"), (httpx.ConnectError("away"), "failed")]
)
async def test_a_call_without_an_answer_is_counted_too(error: httpx.HTTPError, outcome: str) -> None:
    def fail(_request: httpx.Request) -> httpx.Response:
        raise error

    before = counted(outcome)
    async with httpx.AsyncClient(transport=Measured(httpx.MockTransport(fail), lambda _url: "test")) as client:
        with pytest.raises(httpx.HTTPError):
            await client.get("https://shop.test/api/v2/orders")

    assert counted(outcome) == before + 1


async def test_who_waits_for_something_of_ours_does_not_count_a_call() -> None:
    async def slow(_request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(0.3)
        return httpx.Response(200)

    transport = Measured(httpx.MockTransport(slow), lambda _url: "test")
    async with httpx.AsyncClient(transport=transport) as client:
        answer = await with_deadline(0.15, client.get("https://shop.test/api/v2/orders"), own=True)

    assert answer.status_code == 200
