"""The pages of the simulated administration, used as a person would."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tests.sandbox.addon import Addon
from upbridge_sandbox import Plan, Sandbox
from upbridge_sandbox.faults import SAYS
from upbridge_sandbox.seed.plan import open_shop
from upbridge_sandbox.state import State


@pytest.fixture
async def browser(box: Sandbox) -> AsyncIterator[httpx.AsyncClient]:
    """A browser that follows redirects."""
    async with httpx.AsyncClient(
        base_url=box.addresses.admin, verify=False, trust_env=False, follow_redirects=True
    ) as client:
        yield client


async def _press(browser: httpx.AsyncClient, path: str, **form: Any) -> str:
    answer = await browser.post(path, data=form)
    assert answer.status_code == 200, answer.text
    return answer.text


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/shops/demo",
        "/shops/demo/products",
        "/shops/demo/products?q=mikina&page=1",
        "/shops/demo/products/41",
        "/shops/demo/orders",
        "/shops/demo/orders?page=2",
        "/shops/demo/deliveries",
        "/upp/upp-demo",
        "/uphance/501",
        "/faults",
        "/violations",
        "/mail",
    ],
)
async def test_every_page_opens(browser: httpx.AsyncClient, path: str) -> None:
    answer = await browser.get(path)

    assert answer.status_code == 200
    assert "<h1>" in answer.text


async def test_a_person_activates_opens_and_deactivates(browser: httpx.AsyncClient, addon: Addon) -> None:
    assert "not active" in (await browser.get("/shops/demo")).text
    assert "Activate again" in await _press(browser, "/shops/demo", do="activate")

    opened = await _press(browser, "/shops/demo", do="open")
    assert '<iframe src="https://addon.example/ui?ticket=t"' in opened
    assert "<iframe" not in (await browser.get("/shops/demo")).text  # a ticket is good for one use
    assert "ticket=t" not in (await browser.get("/shops/demo")).text

    assert "not active" in await _press(browser, "/shops/demo", do="deactivate")
    assert len(addon.received("/addon/uninstall")) == 1


async def test_a_person_edits_products(box: Sandbox, browser: httpx.AsyncClient) -> None:
    page = await _press(browser, "/shops/demo/products/41", do="save", title="<b>Nová</b>", stock="7", percent="0")
    assert "&lt;b&gt;Nová&lt;/b&gt;" in page

    await _press(browser, "/shops/demo/products/41", do="variant", variant="5001", stock="")
    await _press(browser, "/shops/demo/products/42", do="delete")
    await _press(browser, "/shops/demo/products", do="many", count="5")

    products = {row["product_id"]: row for row in (await box.control("GET", "/shops/demo/products"))["items"]}
    assert products[41]["active_yn"] is False
    assert products[41]["variants"][0]["stock"] is None
    assert 42 not in products


async def test_a_person_works_with_orders(box: Sandbox, browser: httpx.AsyncClient) -> None:
    await _press(browser, "/shops/demo/orders", do="new")
    await _press(browser, "/shops/demo/orders", do="status", order="26000003", status="4")
    await _press(browser, "/shops/demo/orders", do="delete", order="26000004")

    orders = {row["order_number"]: row for row in (await box.control("GET", "/shops/demo/orders"))["items"]}
    assert "26000041" in orders
    assert orders["26000003"]["status_id"] == 4
    assert "26000004" not in orders


async def test_a_person_switches_faults(box: Sandbox, browser: httpx.AsyncClient) -> None:
    await _press(browser, "/faults", system="upp", latency="0.5", match='"/orders"')
    await _press(browser, "/faults", system="shop:demo", lose_share="0.2")

    assert (await box.control("GET", "/faults"))["upp"]["latency"] == 0.5
    assert (await box.control("GET", "/shops/demo"))["webhook_faults"]["lose_share"] == 0.2
    await _press(browser, "/faults", system="")
    assert (await box.control("GET", "/faults"))["upp"]["latency"] == 0.0


@pytest.mark.parametrize("path", ["/nothing", "/shops/nobody", "/shops/demo/products/1", "/uphance/1", "/upp/x"])
async def test_what_is_not_there_is_404(browser: httpx.AsyncClient, path: str) -> None:
    assert (await browser.get(path)).status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/nothing", {}, 404),
        ("GET", "/shops/nobody", {}, 404),
        ("PUT", "/faults/upp", {"latenzy": 1}, 400),
        ("PUT", "/faults/upp", {"latency": "long"}, 400),
        ("POST", "/shops", {"name": "demo"}, 400),
        ("POST", "/shops", {"name": "b", "shoes": 1}, 400),
        ("PUT", "/shops/demo/tariff", {"tariff": "copper"}, 400),
        ("PUT", "/shops/demo/orders/26000003", {"colour": 1}, 400),
    ],
)
async def test_the_control_api_says_what_is_wrong(
    browser: httpx.AsyncClient, method: str, path: str, body: dict[str, Any], status: int
) -> None:
    answer = await browser.request(method, f"/control{path}", json=body)

    assert answer.status_code == status
    assert answer.json()["error"]


async def test_two_shops_live_in_one_sandbox_and_keep_apart(box: Sandbox, addon: Addon) -> None:
    second = await box.control("POST", "/shops", {"name": "second", "products": 12, "orders": 6, "seed": 2})
    await box.control("POST", "/shops/second/activate")
    body = addon.received("/addon/install")[-1]

    async with httpx.AsyncClient(verify=False, trust_env=False, auth=(body["apiUser"], body["apiKey"])) as client:
        answer = await client.get(f"{body['apiUrl']}/products")

    assert body["token"] == second["token"]
    assert answer.json()["number_of_items"] == 12
    assert second["credentials"]["uphance"]["organisation"] == 503
    assert (await box.control("GET", "/shops/demo"))["active"] is False


def test_the_same_seed_makes_the_same_shop() -> None:
    def made(seed: int) -> list[Any]:
        state = State("token", None, seed=seed)
        shop = open_shop(state, Plan(products=30, orders=10))
        prices = [row["prices"] for row in shop.goods.products.values()]
        return [*prices, *(order["order_total"] for order in shop.orders.values())]

    assert made(1) == made(1)
    assert made(1) != made(2)


async def test_a_person_changes_the_shop_s_facts_and_restores_an_order(
    browser: httpx.AsyncClient, box: Sandbox
) -> None:
    number = (await box.control("GET", "/shops/demo/orders"))["items"][-1]["order_number"]
    await _press(browser, "/shops/demo/orders", do="delete", order=number)
    await _press(browser, "/shops/demo/orders", do="restore", order=number)
    await _press(browser, "/shops/demo", do="defaults", default_language="sk", pricelist="2")
    await _press(browser, "/shops/demo", do="rename", pricelist="2", name="Věrní")
    await _press(browser, "/shops/demo", do="status", type="Custom", name="Balí se")
    shop = await box.control("GET", "/shops/demo")

    assert number in {row["order_number"] for row in (await box.control("GET", "/shops/demo/orders"))["items"]}
    assert (shop["facts"]["language"], shop["facts"]["pricelist"]) == ("sk", "Věrní")
    assert "Balí se" in shop["facts"]["statuses"].values()
    assert "Balí se" in (await browser.get("/shops/demo/orders")).text


async def test_every_switch_is_explained_and_can_be_set(browser: httpx.AsyncClient, box: Sandbox) -> None:
    text = (await browser.get("/faults")).text
    await _press(browser, "/faults", system="api:demo", page_items="7", lag_next="1", no_deleted_lists="true")
    await _press(browser, "/faults", system="uphance", broken='["hang page 2 of /skus"]')
    await _press(browser, "/faults", system="lists", page_items="5", move_share="0.5", move_next="0")
    shop, faults = await box.control("GET", "/shops/demo"), await box.control("GET", "/faults")

    assert all(name in text and says in text for name, says in SAYS.items())
    assert (shop["faults"]["page_items"], shop["faults"]["no_deleted_lists"]) == (7, True)
    assert faults["uphance"]["broken"] == ["hang page 2 of /skus"]
