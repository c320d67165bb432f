"""Webhooks are answered before the application's layers, and exactly as by them."""

from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from starlette.responses import PlainTextResponse

from tests.support.web_application import Site, forget_webhook_key

ORDER = b'{"orders": [{"order_number": "A-1"}]}'


def without_layers(site: Site) -> None:
    """Let the layers answer nothing but one word."""
    site.app.middleware_stack = PlainTextResponse("layers", status_code=418)


async def test_a_delivery_passes_no_layer_and_anything_else_does(site: Site) -> None:
    without_layers(site)
    token = site.addresses.token(site.shop_id, "upgates", "Orders.create")

    assert (await site.post("Orders.create", ORDER)).status_code == 204
    assert (await site.uphance({"event": "product_update", "product": {"id": 1}})).status_code == 204
    assert (await site.post("Orders.create", ORDER, token="x")).status_code == 404
    others = [
        ("GET", f"/webhooks/upgates/Orders.create/{token}"),
        ("POST", f"/webhooks/upgates/Orders.create/{token}/"),
        ("POST", "/webhooks/nobody/x"),
        ("POST", f"//webhooks/upgates/Orders.create/{token}"),
        ("GET", "/livez"),
    ]
    assert {(await site.client.request(*call)).text for call in others} == {"layers"}


@pytest.mark.parametrize(
    "call",
    [
        {"content": ORDER},
        {"content": b"x"},
        {"content": b'{"orders": []}'},
        {"content": ORDER, "headers": {"content-length": "99999999"}},
        {"content": ORDER, "event": "Nothing.create"},
        {"content": ORDER, "token": "x"},
        {"content": ORDER, "method": "GET"},
        {"content": ORDER, "ready": False},
        {"content": ORDER, "broken": True},
    ],
    ids=lambda call: "-".join(f"{name}" for name in call),
)
async def test_an_answer_is_that_of_the_layers(site: Site, call: dict[str, Any]) -> None:
    if not call.get("ready", True):
        forget_webhook_key(site)
    container = site.app.state.container

    async def answer() -> httpx.Response:
        event = call.get("event", "Orders.create")
        site.app.state.container = None if call.get("broken") else container
        token = call.get("token") or site.addresses.token(site.shop_id, "upgates", event)
        answer = await site.client.request(
            call.get("method", "POST"),
            f"/webhooks/upgates/{event}/{token}",
            content=call["content"],
            headers=call.get("headers"),
        )
        site.app.state.container = container
        return answer

    directly = await answer()
    assert isinstance(site.app, FastAPI)
    site.app.answer_directly("/webhooks/", [])  # type: ignore[attr-defined]
    by_layers = await answer()

    assert (directly.status_code, directly.content) == (by_layers.status_code, by_layers.content)
    assert sorted(directly.headers.raw) == sorted(by_layers.headers.raw)
