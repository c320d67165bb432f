"""The pages of the simulated administration, used as a person would."""

from collections.abc import AsyncIterator
from html.parser import HTMLParser
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


class _Forms(HTMLParser):
    """The forms of a page: where each is sent, its fields as they stand, and the text of its button."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str], str]] = []
        self._action, self._fields, self._said = "", dict[str, str](), ""
        self._select = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        has = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._action, self._fields, self._said = has.get("action", ""), {}, ""
        elif tag == "input" and (has.get("type") != "checkbox" or "checked" in has):
            self._fields[has["name"]] = has.get("value", "")
        elif tag == "select":
            self._select = has["name"]
        elif tag == "option" and ("selected" in has or self._select not in self._fields):
            self._fields[self._select] = has.get("value", "")

    def handle_data(self, data: str) -> None:
        self._said += data.strip()

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self.found.append((self._action, self._fields, self._said))


async def _press(
    browser: httpx.AsyncClient, path: str, button: str, at: str = "", /, **changed: str | None
) -> str:
    """Press the first *button* of the page at *path* whose form is sent to an address that ends with *at*, with
    some fields *changed*; None leaves one out. The page that follows."""
    page = _Forms()
    page.feed((await browser.get(path)).text)
    action, fields, _ = next(
        one
        for one in page.found
        if one[2].endswith(button) and one[0].endswith(at) and changed.keys() <= one[1].keys()
    )
    sent = {name: value for name, value in {**fields, **changed}.items() if value is not None}
    answer = await browser.post(action, data=sent, headers={"Referer": f"{browser.base_url}{path}"})
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
    assert "Activate again" in await _press(browser, "/shops/demo", "Activate")

    opened = await _press(browser, "/shops/demo", "Open")
    assert '<iframe src="https://addon.example/ui?ticket=t"' in opened
    assert "<iframe" not in (await browser.get("/shops/demo")).text  # a ticket is good for one use
    assert "ticket=t" not in (await browser.get("/shops/demo")).text

    assert "not active" in await _press(browser, "/shops/demo", "Deactivate")
    assert len(addon.received("/addon/uninstall")) == 1


async def test_a_person_edits_products(box: Sandbox, browser: httpx.AsyncClient) -> None:
    changed: dict[str, str | None] = {"title": "<b>Nová</b>", "stock:json": "7", "active_yn:json": "false"}
    page = await _press(browser, "/shops/demo/products/41", "Save", **changed)
    assert "&lt;b&gt;Nová&lt;/b&gt;" in page

    variant: dict[str, str | None] = {"variant_id:json": "5001", "stock:json": ""}
    await _press(browser, "/shops/demo/products/41", "Set", **variant)
    await _press(browser, "/shops/demo/products", "Delete", "/42")
    await _press(browser, "/shops/demo/products", "Random changes", **{"changes:json": "5"})
    new = await _press(browser, "/shops/demo/products", "New product")

    products = {row["product_id"]: row for row in (await box.control("GET", "/shops/demo/products"))["items"]}
    assert products[41]["active_yn"] is False
    assert products[41]["stock"] == 7
    assert products[41]["variants"][0]["stock"] is None
    assert 42 not in products
    assert products[max(products)]["descriptions"][0]["title"] in new


async def test_a_person_works_with_orders(box: Sandbox, browser: httpx.AsyncClient) -> None:
    await _press(browser, "/shops/demo/orders", "New order")
    await _press(browser, "/shops/demo/orders", "Set", "/26000003", **{"status_id:json": "4"})
    before = (await box.control("GET", "/shops/demo/orders"))["items"][4]
    await _press(browser, "/shops/demo/orders", "+1 piece", "/26000005")
    await _press(browser, "/shops/demo/orders", "Delete", "/26000004")

    orders = {row["order_number"]: row for row in (await box.control("GET", "/shops/demo/orders"))["items"]}
    assert "26000041" in orders
    assert orders["26000003"]["status_id"] == 4
    assert orders["26000005"]["products"][0]["quantity"] == before["products"][0]["quantity"] + 1
    assert "26000004" not in orders


async def test_a_person_switches_faults(box: Sandbox, browser: httpx.AsyncClient) -> None:
    await _press(browser, "/faults", "Set", "/upp", **{"latency:json": "0.5", "match:json": '"/orders"'})
    await _press(browser, "/faults", "Set", "/webhooks", **{"lose_share:json": "0.2"})

    assert (await box.control("GET", "/faults"))["upp"]["latency"] == 0.5
    assert (await box.control("GET", "/shops/demo"))["webhook_faults"]["lose_share"] == 0.2
    wrong = {"method": "PUT", "latency:json": '"long"'}
    refused = await browser.post("/control/faults/upp", data=wrong)
    assert (refused.status_code, "latency is a float" in refused.text) == (400, True)
    await _press(browser, "/faults", "Everything works again")
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
    await _press(browser, "/shops/demo/orders", "Delete", number)
    await _press(browser, "/shops/demo/orders", f"Restore {number}")
    await _press(browser, "/shops/demo", "Set", "/facts", **{"language": "sk", "pricelist:json": "2"})
    await _press(browser, "/shops/demo", "Rename", **{"rename.2": "Věrní"})
    await _press(browser, "/shops/demo", "Add", **{"status.type": "Custom", "status.name": "Balí se"})
    shop = await box.control("GET", "/shops/demo")

    assert number in {row["order_number"] for row in (await box.control("GET", "/shops/demo/orders"))["items"]}
    assert (shop["facts"]["language"], shop["facts"]["pricelist"]) == ("sk", "Věrní")
    assert "Balí se" in shop["facts"]["statuses"].values()
    assert "Balí se" in (await browser.get("/shops/demo/orders")).text


async def test_every_switch_is_explained_and_can_be_set(browser: httpx.AsyncClient, box: Sandbox) -> None:
    text = (await browser.get("/faults")).text
    api = {"page_items:json": "7", "lag_next:json": "1", "no_deleted_lists:json": "true"}
    await _press(browser, "/faults", "Set", "/shops/demo/faults", **api)
    await _press(browser, "/faults", "Set", "/uphance", **{"broken:json": '["hang page 2 of /products"]'})
    await _press(browser, "/faults", "Set", "/uphance/lists", **{"page_items:json": "5", "move_share:json": "0.5"})
    shop, faults = await box.control("GET", "/shops/demo"), await box.control("GET", "/faults")

    assert all(name in text and says in text for name, says in SAYS.items())
    assert (shop["faults"]["page_items"], shop["faults"]["no_deleted_lists"]) == (7, True)
    assert faults["uphance"]["broken"] == ["hang page 2 of /products"]


async def test_staff_ship_and_count_in_uphance(browser: httpx.AsyncClient, box: Sandbox) -> None:
    product = (await box.control("GET", "/uphance/501/products"))["items"][0]
    sku = product["variations"][0]["skus"][0]
    await _press(browser, "/uphance/501", "Save webhook", url="http://127.0.0.1:9/hook")
    await _press(browser, "/uphance/501", "Set", f"/skus/{sku['id']}", **{"pieces:json": "77"})

    counted = (await box.control("GET", "/uphance/501/products"))["items"][0]["variations"][0]["skus"][0]
    assert {counted[name] for name in ("in_stock", "available_to_sell", "available_to_sell_from_stock")} == {77}


async def test_mails_are_refused_and_thrown_away(browser: httpx.AsyncClient, box: Sandbox) -> None:
    assert 'value="silent" selected' in await _press(browser, "/mail", "Set", fault="silent")
    await _press(browser, "/mail", "Throw the mails away")

    assert (await box.control("GET", "/mail"))["mails"] == []
