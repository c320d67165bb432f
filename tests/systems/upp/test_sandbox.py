"""The whole target against the simulated Upp.ai, with a simulated shop's goods and orders; and real captures."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any, cast

import httpx
import pytest

from tests.support.upp import MemoryVault, drafts, make_document, make_front, money
from tests.support.vendor_files import CAPTURED, vendor_file
from upbridge.core.clock import utc_now
from upbridge.core.errors import LoginRefused, Throttled, Unreachable
from upbridge.domain.delivery import Delivered, Document, Entity, Parked
from upbridge.domain.shop_profile import ShopProfile
from upbridge.systems.base import MappingContext
from upbridge.systems.http.exact_json import decode
from upbridge.systems.links import Links
from upbridge.systems.upgates.orders import parse_order
from upbridge.systems.upgates.products import parse_product
from upbridge.systems.upp.client import UppClient
from upbridge.systems.upp.mapping import order_documents
from upbridge.systems.upp.target import UppTarget
from upbridge_sandbox.seed.plan import SECRET, Plan, open_shop
from upbridge_sandbox.shop import Shop
from upbridge_sandbox.state import State
from upbridge_sandbox.upp.api import upp_api
from upbridge_sandbox.upp.tenant import Tenant

NO_LINKS = cast("Links", None)


@pytest.fixture
def world() -> State:
    return State(signature_token="sig", addon_url=None)


@pytest.fixture
def shop(world: State) -> Shop:
    return open_shop(world, Plan(name="demo", products=120, orders=120))


@pytest.fixture
def tenant(world: State, shop: Shop) -> Tenant:
    return world.tenants["upp-demo"]


def a_vault(secret: str = SECRET) -> MemoryVault:
    return MemoryVault({"client_id": "upp-demo", "client_secret": secret})


class Wire(httpx.ASGITransport):
    """The way to the sandbox; loses the first answer from the path *lose*."""

    def __init__(self, world: State, lose: str) -> None:
        super().__init__(app=cast("Any", upp_api(world)))
        self.lose = lose

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await super().handle_async_request(request)
        if request.url.path == self.lose:
            self.lose = ""
            raise httpx.ReadTimeout("the answer is lost")
        return response


@asynccontextmanager
async def target_of(world: State, *, lose: str = "") -> AsyncIterator[UppTarget]:
    transport = Wire(world, lose)
    async with httpx.AsyncClient(transport=transport) as http:
        yield UppTarget(UppClient(http, "http://upp.test", utc_now))


def a_front() -> MappingContext:
    facts = ShopProfile(
        default_language="cs",
        currencies={"cs": "CZK", "sk": "EUR", "en": "EUR"},
        default_pricelist="Výchozí",
        status_types={7: "Canceled"},
    )
    plain = make_front(connected_at=utc_now())
    return MappingContext(plain.settings, facts, plain.connection, plain.now)


def everything(target: UppTarget, shop: Shop, context: MappingContext) -> list[Document]:
    products = [parse_product(raw) for raw in _read(list(shop.goods.products.values()))]
    orders = [parse_order(raw) for raw in _read(list(shop.orders.values()))]
    entities: list[Entity] = [*products, *orders]
    wanted = [draft for entity in entities for draft in drafts(target.desired_documents(entity, context))]
    return [make_document(draft, seq) for seq, draft in enumerate(wanted) if not draft.only_if_known]


def _read(raw: Any) -> Any:
    return decode(json.dumps(raw).encode())


async def push(
    target: UppTarget, waiting: list[Document], context: MappingContext, vault: MemoryVault
) -> dict[str, Any]:
    steps = [step async for step in target.sender(context.connection, vault, NO_LINKS).push(waiting, context)]
    return {document.key: outcome for step in steps for document, outcome in step}


async def test_a_whole_shop_arrives_as_sent_and_breaks_no_rule(world: State, shop: Shop, tenant: Tenant) -> None:
    context, vault = a_front(), a_vault()
    async with target_of(world) as target:
        waiting = everything(target, shop, context)
        outcomes = await push(target, waiting, context, vault)

    assert len(outcomes) == len(waiting) > 300
    assert all(isinstance(outcome, Delivered) for outcome in outcomes.values())
    assert world.call_log.violations == []
    there = {**tenant.products, **tenant.orders}
    assert there == {outcomes[one.key].remote_id: json.loads(one.body) for one in waiting}


async def test_refused_items_are_parked_and_all_others_arrive(world: State, shop: Shop, tenant: Tenant) -> None:
    context, vault = a_front(), a_vault()
    async with target_of(world) as target:
        waiting = everything(target, shop, context)
        bad = [waiting[7].key, waiting[100].key, waiting[-1].key]
        world.faults["upp"].refuse = bad
        outcomes = await push(target, waiting, context, vault)

    assert sorted(key for key, outcome in outcomes.items() if isinstance(outcome, Parked)) == sorted(bad)
    assert len(tenant.products) + len(tenant.orders) == len(waiting) - len(bad)
    assert f"validation failed for {bad[0]}" in outcomes[bad[0]].issue.params["said"]


@pytest.mark.parametrize(
    ("faults", "error"),
    [
        pytest.param({"busy_next": 1}, Throttled, id="too many requests"),
        pytest.param({"error_next": 1, "error_status": 503}, Unreachable, id="closed"),
    ],
)
async def test_what_was_not_taken_is_sent_again(
    world: State, shop: Shop, tenant: Tenant, faults: dict[str, Any], error: type[Exception]
) -> None:
    context, vault = a_front(), a_vault()
    async with target_of(world) as target:
        waiting = everything(target, shop, context)
        world.faults["upp"].set({**faults, "match": "/orders"})
        with pytest.raises(error):
            await push(target, waiting, context, vault)
        assert not tenant.orders
        outcomes = await push(target, waiting, context, vault)

    assert len(outcomes) == len(tenant.products) + len(tenant.orders) == len(waiting)


async def test_an_answer_that_is_lost_costs_a_repeat_and_doubles_nothing(
    world: State, shop: Shop, tenant: Tenant
) -> None:
    context, vault = a_front(), a_vault()
    async with target_of(world, lose="/orders/bulk") as target:
        waiting = everything(target, shop, context)
        with pytest.raises(Unreachable):
            await push(target, waiting, context, vault)
        assert tenant.orders
        await push(target, waiting, context, vault)

    assert set(tenant.sent_orders.values()) == {2}
    assert len(tenant.products) + len(tenant.orders) == len(waiting)


async def test_a_token_that_died_early_is_renewed_in_mid_sending(world: State, shop: Shop, tenant: Tenant) -> None:
    context, vault = a_front(), a_vault()
    async with target_of(world) as target:
        waiting = everything(target, shop, context)
        await push(target, waiting[:1], context, vault)
        tenant.tokens.clear()
        outcomes = await push(target, waiting, context, vault)

    assert len(outcomes) == len(waiting)


async def test_a_wrong_secret_is_refused(world: State, shop: Shop) -> None:
    context = a_front()
    async with target_of(world) as target:
        waiting = everything(target, shop, context)
        with pytest.raises(LoginRefused):
            await push(target, waiting, context, a_vault("wrong"))


def test_real_orders_map_and_add_up() -> None:
    captured = decode((vendor_file(CAPTURED) / "orders-2024-02.json").read_bytes())
    orders = [parse_order(raw) for raw in captured["orders"]]
    context = make_front(upp_origins=["frontend", "admin", "api", "cash-register"])

    for order in orders:
        wanted = list(order_documents(order, context))
        (draft,) = drafts(wanted)
        body = json.loads(draft.body)
        assert len(wanted) == 1, "the parts of a real order add up"
        assert 0 < body["netOrderAmount"] < body["grossOrderAmount"]
        assert Decimal(str(body["netOrderAmount"])) >= money(order.total, 21).without_vat - 1
