"""A sandbox with a small shop, and an add-on with scripted answers."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from tests.sandbox.addon import Addon, Caller
from upbridge_sandbox import Options, Plan, Sandbox, running_sandbox


@pytest.fixture
async def addon() -> AsyncIterator[Addon]:
    """The add-on, listening."""
    made = Addon()
    made.answers = {
        "/addon/install": (200, {"error": False, "message": ""}),
        "/addon/open": (200, {"url": "https://addon.example/ui?ticket=t", "type": "iframe"}),
    }
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield made


@pytest.fixture
async def box(addon: Addon) -> AsyncIterator[Sandbox]:
    """A sandbox with the shop `demo`: 40 products, 40 orders."""
    plan = Plan(name="demo", products=40, orders=40)
    options = Options(addon_url=addon.url, signature_token="sig", clock_factor=100, plan=plan)
    async with running_sandbox(options) as running:
        yield running


@pytest.fixture
async def api(box: Sandbox, addon: Addon) -> AsyncIterator[Caller]:
    """The API of the activated shop."""
    result = await box.control("POST", "/shops/demo/activate")
    assert result["activated"], result
    body = addon.received("/addon/install")[-1]
    async with httpx.AsyncClient(verify=False, trust_env=False, timeout=20) as client:
        yield Caller(box, client, body["apiUser"], body["apiKey"])
