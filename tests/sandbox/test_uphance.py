"""The simulated Uphance: its hidden organisation, its money as strings, and orders that are never idempotent."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from upbridge_sandbox import Sandbox

LOGIN = {"email": "demo@uphance.test", "password": "sandbox-password", "grant_type": "password"}


@dataclass(slots=True)
class Uphance:
    """A client with a token."""

    box: Sandbox
    client: httpx.AsyncClient
    token: str = ""

    async def __call__(self, method: str, path: str, **more: Any) -> httpx.Response:
        """One call with the token."""
        headers = {"Authorization": f"Bearer {self.token}"}
        return await self.client.request(method, self.box.addresses.uphance + path, headers=headers, **more)

    async def login(self) -> dict[str, Any]:
        """The password grant."""
        answer = await self.client.post(f"{self.box.addresses.uphance}/oauth/token", json=LOGIN)
        granted: dict[str, Any] = answer.json()
        self.token = granted["access_token"]
        return granted

    async def rules(self) -> list[str]:
        """The rules broken so far."""
        return [item["rule"] for item in await self.box.violations()]


@pytest.fixture
async def uphance(box: Sandbox) -> AsyncIterator[Uphance]:
    """A connected client."""
    async with httpx.AsyncClient(verify=False, trust_env=False, timeout=20) as client:
        made = Uphance(box, client)
        await made.login()
        chosen = await made("POST", "/organisations/set_current_org", json={"organizationId": 501})
        assert (chosen.status_code, chosen.json()) == (201, {"Status": "Updated"})
        yield made


async def _order(uphance: Uphance, **changes: Any) -> dict[str, Any]:
    customer = await uphance("POST", "/customers", json={"customer": {"name": "Jan Novák", "reference": "r"}})
    product = (await uphance("GET", "/products")).json()["products"][0]
    variation = product["variations"][0]
    line = {
        "product_id": product["id"],
        "variation_id": variation["id"],
        "unit_price": "4.5",
        "percentage_discount": "0.0",
        "line_quantities": [{"sku_id": variation["skus"][0]["id"], "quantity": 12}],
    }
    order = {
        "company_id": customer.json()["customer"]["id"],
        "channel_id": 6900,
        "season_id": 300,
        "purchase_order_ref": "UPG-demo-1",
        "shipping_cost": "0.0",
        "line_items": [line],
    }
    return {**order, **changes}


async def test_before_an_organisation_is_chosen_nothing_works(uphance: Uphance) -> None:
    await uphance.login()

    answer = await uphance("GET", "/products")

    assert answer.status_code == 403
    assert await uphance.rules() == ["no-organisation"]


async def test_a_refreshed_token_is_new_and_has_forgotten_the_organisation(uphance: Uphance) -> None:
    granted = await uphance.login()
    body = {"grant_type": "refresh_token", "refresh_token": granted["refresh_token"]}
    new = (await uphance.client.post(f"{uphance.box.addresses.uphance}/oauth/token", json=body)).json()
    again = await uphance.client.post(f"{uphance.box.addresses.uphance}/oauth/token", json=body)
    uphance.token = new["access_token"]

    assert new["refresh_token"] != granted["refresh_token"]
    assert again.status_code == 401
    assert (await uphance("GET", "/channels")).status_code == 403


async def test_expired_tokens_are_401_without_blame(uphance: Uphance) -> None:
    await uphance.box.control("POST", "/uphance/expire")

    assert (await uphance("GET", "/channels")).status_code == 401
    assert await uphance.rules() == []


async def test_lists_come_in_pages_with_meta_and_money_is_text(uphance: Uphance) -> None:
    answer = (await uphance("GET", "/products")).json()

    price = answer["products"][0]["variations"][0]["prices"][0]
    assert answer["meta"]["current_page"] == 1
    assert answer["meta"]["total_count"] == len(answer["products"])
    assert isinstance(price["wsp_money"], str)
    assert (await uphance("GET", "/channels")).json()["channels"][0]["channel_ID"] == 6900


async def test_totals_are_computed_there_with_tax_rounded_per_unit(uphance: Uphance) -> None:
    body = await _order(uphance)
    body["line_items"][0]["unit_price"] = "4.55"

    created = await uphance("POST", "/sales_orders", json={"sales_order": body, "idempotency_key": "k"})

    order = created.json()["sales_order"]
    assert created.status_code == 201
    assert (order["items_total"], order["items_tax"]) == ("54.6", "11.52")  # 12 x 0.96, not 21 % of 54.60
    assert order["status"] == "draft"


async def test_the_idempotency_key_is_ignored_and_a_second_order_is_a_violation(uphance: Uphance) -> None:
    body = {"sales_order": await _order(uphance), "idempotency_key": "same"}

    first = await uphance("POST", "/sales_orders", json=body)
    second = await uphance("POST", "/sales_orders", json=body)

    assert first.json()["sales_order"]["id"] != second.json()["sales_order"]["id"]
    assert await uphance.rules() == ["doubled-order"]


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"company_id": 1}, id="company"),
        pytest.param({"channel_id": 6910}, id="channel of the other organisation"),
        pytest.param({"season_id": 1}, id="season"),
        pytest.param({"line_items": []}, id="no lines"),
        pytest.param({"shipping_cost": "-1"}, id="negative shipping"),
    ],
)
async def test_an_order_that_does_not_fit_is_refused_and_not_made(
    uphance: Uphance, changes: dict[str, Any]
) -> None:
    answer = await uphance("POST", "/sales_orders", json={"sales_order": await _order(uphance, **changes)})

    assert answer.status_code == 422
    assert (await uphance("GET", "/sales_orders")).json()["sales_orders"] == []
    assert await uphance.rules() == ["bad-body"]


async def test_an_unknown_filter_is_ignored_and_returns_everything(uphance: Uphance) -> None:
    await uphance("POST", "/sales_orders", json={"sales_order": await _order(uphance)})

    found = (await uphance("GET", "/sales_orders?by_purchase_order_ref=nobody")).json()["sales_orders"]

    assert len(found) == 1


async def test_the_answer_is_lost_but_the_order_is_there(uphance: Uphance) -> None:
    body = {"sales_order": await _order(uphance)}
    await uphance.box.control("PUT", "/faults/uphance", {"lost_answer_next": 1})

    with pytest.raises(httpx.RemoteProtocolError):
        await uphance("POST", "/sales_orders", json=body)

    assert len((await uphance("GET", "/sales_orders")).json()["sales_orders"]) == 1


async def test_two_requests_at_once_with_one_token_are_noticed(uphance: Uphance) -> None:
    await uphance.box.control("PUT", "/faults/uphance", {"latency": 0.2})

    await asyncio.gather(uphance("GET", "/channels"), uphance("GET", "/seasons"))

    assert await uphance.rules() == ["parallel-uphance"]


async def test_revoking_all_tokens_is_noticed(uphance: Uphance) -> None:
    await uphance("POST", "/oauth/revoke_tokens", json={"revoke_all": True})

    assert (await uphance("GET", "/channels")).status_code == 401
    assert "revoke-all" in await uphance.rules()


async def test_a_shipped_part_leaves_the_stock_and_the_order_open(uphance: Uphance) -> None:
    order = (await uphance("POST", "/sales_orders", json={"sales_order": await _order(uphance)})).json()[
        "sales_order"
    ]
    sku = order["line_items"][0]["line_quantities"][0]["sku_id"]
    before = await _stock(uphance, sku)
    control = uphance.box.control

    ticket = await control("POST", "/uphance/501/tickets", {"order_id": order["id"], "pieces": {str(sku): 5}})
    shipped = await control("POST", f"/uphance/501/tickets/{ticket['id']}/ship", {"tracking_number": "CZ1"})

    now = (await uphance("GET", f"/sales_orders/{order['id']}")).json()
    assert (shipped["status"], shipped["tracking_number"]) == ("shipped", "CZ1")
    assert now["fulfillment_status"] == "partially_shipped"
    assert await _stock(uphance, sku) == before - 5


async def _stock(uphance: Uphance, sku: int) -> int:
    goods = (await uphance.box.control("GET", "/uphance/501/products"))["items"]
    skus = (item for product in goods for variation in product["variations"] for item in variation["skus"])
    found: int = next(item["in_stock"] for item in skus if item["id"] == sku)
    return found


async def test_a_webhook_is_repeated_until_it_is_answered_with_2xx(uphance: Uphance, addon: Any) -> None:
    order = (await uphance("POST", "/sales_orders", json={"sales_order": await _order(uphance)})).json()[
        "sales_order"
    ]
    addon.answers["/hook"] = (503, None)
    await uphance.box.control("POST", "/uphance/501/webhook", {"url": f"{addon.url}/hook"})

    await uphance.box.control("POST", "/uphance/501/tickets", {"order_id": order["id"]})
    await addon.wait_for(lambda: len(addon.received("/hook")) == 1)
    addon.answers["/hook"] = (204, None)
    await addon.wait_for(lambda: len(addon.received("/hook")) == 2)

    assert [body["event"] for body in addon.received("/hook")] == ["pick_ticket_update"] * 2


async def test_a_deleted_pick_ticket_is_gone_and_its_webhook_has_no_more_than_its_id(
    uphance: Uphance, addon: Any
) -> None:
    order = (await uphance("POST", "/sales_orders", json={"sales_order": await _order(uphance)})).json()[
        "sales_order"
    ]
    ticket = await uphance.box.control("POST", "/uphance/501/tickets", {"order_id": order["id"]})
    addon.answers["/hook"] = (204, None)
    await uphance.box.control("POST", "/uphance/501/webhook", {"url": f"{addon.url}/hook"})

    await uphance.box.control("DELETE", f"/uphance/501/tickets/{ticket['id']}")
    await addon.wait_for(lambda: len(addon.received("/hook")) == 1)

    assert (await uphance("GET", f"/pick_tickets/{ticket['id']}")).status_code == 404
    assert addon.received("/hook") == [{"event": "pick_ticket_delete", "pick_ticket": {"id": ticket["id"]}}]


async def test_its_tax_can_be_made_to_differ_from_the_shops(uphance: Uphance) -> None:
    create = {"sales_order": await _order(uphance)}
    usual = (await uphance("POST", "/sales_orders", json=create)).json()["sales_order"]["line_items"][0]
    create["sales_order"]["purchase_order_ref"] = "UPG-demo-2"

    said = await uphance.box.control("PUT", "/uphance", {"tax_level": 10})

    other = (await uphance("POST", "/sales_orders", json=create)).json()["sales_order"]["line_items"][0]
    assert (usual["tax_level"], other["tax_level"], other["unit_tax"]) == ("21.0", "10", "0.45")
    assert (said["tax_level"], await uphance.rules()) == (10, [])
    assert (await uphance.box.control("PUT", "/uphance", {"tax_level": None}))["tax_level"] is None


async def test_its_goods_change_their_place_between_two_pages_if_asked_to(uphance: Uphance) -> None:
    await uphance.box.control("PUT", "/uphance/lists", {"page_items": 5, "move_next": 1})

    pages = [(await uphance("GET", f"/products?page={number}")).json()["products"] for number in (1, 2, 1)]
    first, second, again = ([product["id"] for product in page] for page in pages)

    assert len(first) == 5
    assert (again, first[1:]) == ([*first[1:], again[4]], again[:4])
    assert again[4] not in second  # it stood between the two
