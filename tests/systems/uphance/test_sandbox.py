"""The whole target against the simulated Uphance, with a simulated shop's goods and orders."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date
from decimal import Decimal
from typing import Any, cast

import httpx
import pytest
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.support.clock import MovableClock
from tests.support.fake_uphance import FakeLinks, FakeVault
from tests.support.shop_settings import make_settings
from tests.support.shops import MakeShop
from tests.support.uphance import refresh_skus
from tests.support.uphance_sandbox import BASE, Cable
from upbridge.core.clock import utc_now
from upbridge.core.errors import Throttled, Unreachable
from upbridge.domain.delivery import Delivered, DesiredDocument, Document, Link, Outcome, Parked
from upbridge.domain.order import Order
from upbridge.domain.shop_id import ShopId
from upbridge.domain.shop_profile import ShopProfile
from upbridge.store import schema
from upbridge.systems.base import Connection, MappingContext
from upbridge.systems.http.exact_json import decode
from upbridge.systems.upgates.orders import parse_order
from upbridge.systems.upgates.products import parse_product
from upbridge.systems.uphance.client import UphanceClient, login
from upbridge.systems.uphance.reads import connect_facts, existing_orders, what_is_in
from upbridge.systems.uphance.target import UphanceTarget
from upbridge_sandbox.seed.orders import STATUSES
from upbridge_sandbox.seed.plan import PASSWORD, Plan, open_shop
from upbridge_sandbox.shop import Shop
from upbridge_sandbox.state import State
from upbridge_sandbox.uphance.api import uphance_api
from upbridge_sandbox.uphance.organisations import Organisation

#: What each way in which the simulated shop breaks an order is called here.
ISSUES = {
    "totals": "order.totals_differ",
    "unknown_sku": "order.unknown_sku",
    "manual_line": "order.manual_line",
    "fractional": "order.quantity",
    "no_channel": "order.no_channel",
}


@pytest.fixture
def world() -> State:
    return State(signature_token="sig", addon_url=None)


@pytest.fixture
def shop(world: State) -> Shop:
    return open_shop(world, Plan(name="demo", products=150, orders=120))


@pytest.fixture
def organisation(world: State, shop: Shop) -> Organisation:
    return world.uphance.organisations[501]


@asynccontextmanager
async def wired(world: State) -> AsyncIterator[httpx.AsyncClient]:
    transport = Cable(app=cast("Any", uphance_api(world)))
    async with httpx.AsyncClient(transport=transport) as http:
        yield http


class Setup:
    """A connected shop: logged in, catalogue read, the engine as small as can be."""

    def __init__(self, http: httpx.AsyncClient, engine: AsyncEngine, shop_id: ShopId) -> None:
        self.http, self.engine, self.shop_id = http, engine, shop_id
        self.vault, self.links = FakeVault(), FakeLinks()
        self.clock = MovableClock(utc_now())
        self.target = UphanceTarget.stored(http, BASE, engine, self.clock)
        self.context: MappingContext

    async def connect(self, shop: Shop) -> None:
        tokens, organisations = await login(self.http, BASE, utc_now, email="demo@uphance.test", password=PASSWORD)
        assert [one.id for one in organisations] == [501, 502]
        await self.vault.save_tokens(tokens.stored(), renew_at=tokens.renew_at)
        client = self.client()
        facts = await connect_facts(client, organisation=501)
        await refresh_skus(self.engine, self.shop_id, client)
        await self.remember(shop)
        tx = Connection(self.shop_id, "demo", "uphance", "501", "", utc_now(), facts)
        shop_settings = make_settings({"uphance.orders_from": "2020-01-01T00:00:00+00:00"})
        kinds = {number: kind for number, kind, *_ in STATUSES}
        self.context = MappingContext(shop_settings, ShopProfile(status_types=kinds), tx, utc_now())

    def client(self) -> UphanceClient:
        return UphanceClient(self.http, BASE, self.vault, utc_now, 501)

    async def remember(self, shop: Shop) -> None:
        """The shop's variants with their own EANs, as the engine keeps them."""
        products = [parse_product(_read(raw)) for raw in shop.goods.products.values()]
        rows = [
            {
                "shop_id": self.shop_id,
                "key": variant.id,
                "product_id": variant.product_id,
                "ean": variant.ean,
                "stock_own": variant.stock_own,
                "active": variant.active,
                "listed": product.active,
            }
            for product in products
            for variant in product.variants
        ]
        async with self.engine.begin() as tx:
            await tx.execute(insert(schema.variants), rows)

    def documents(self, orders: list[Order]) -> list[Document]:
        found = []
        for order in orders:
            [draft] = self.target.desired_documents(order, self.context)
            assert isinstance(draft, DesiredDocument)
            if not draft.only_if_known:
                link = self.links.rows.get(("order", draft.key))
                found.append(Document("order", draft.key, draft.key, 1, draft.body, draft.hash, 0, link))
        return found

    async def push(self, orders: list[Order]) -> dict[str, Outcome]:
        outcomes: dict[str, Outcome] = {}
        sender = self.target.sender(self.context.connection, self.vault, self.links)
        async for settled in sender.push(self.documents(orders), self.context):
            for document, outcome in settled:
                outcomes[document.key] = outcome
                if isinstance(outcome, Delivered):
                    self.links.rows["order", document.key] = Link(
                        "order", document.key, remote_id=outcome.remote_id
                    )
        return outcomes


def _read(raw: Any) -> Any:
    return decode(json.dumps(raw).encode())


def orders_of(shop: Shop) -> list[Order]:
    return [parse_order(_read(raw)) for raw in shop.orders.values()]


def charged(raw: Any) -> Decimal:
    """What an order comes to without VAT, from the shop's own JSON."""
    rows = [*raw["products"], raw["shipment"], raw["payment"]]
    total = sum((Decimal(str(row["price_without_vat"])) for row in rows), Decimal(0))
    for name in ("discount_voucher", "quantity_discount", "loyalty_points"):
        for row in (raw[name] or {}).get("discounts", ()):
            total -= Decimal(str(row["price_without_vat"]))
    return total


async def test_a_whole_shop_arrives_to_the_last_heller_and_breaks_no_rule(
    world: State, shop: Shop, organisation: Organisation, engine: AsyncEngine, make_shop: MakeShop
) -> None:
    async with wired(world) as http:
        setup = Setup(http, engine, await make_shop())
        await setup.connect(shop)
        outcomes = await setup.push(orders_of(shop))
        recognised = await existing_orders(setup.client(), "demo")

    parked = {key: one.issue.key for key, one in outcomes.items() if isinstance(one, Parked)}
    assert parked == {key: ISSUES[reason] for key, reason in shop.broken.items()}
    there = {
        order["purchase_order_ref"].removeprefix("UPG-demo-"): order for order in organisation.orders.values()
    }
    assert there.keys() == outcomes.keys() - parked.keys() == recognised.keys()
    assert {key: Decimal(order["subtotal"]) for key, order in there.items()} == {
        key: charged(shop.orders[key]) for key in there
    }
    references = [customer["reference"] for customer in organisation.customers.values()]
    assert len(references) == len(set(references))
    assert [key for key, one in outcomes.items() if isinstance(one, Delivered) and one.remark is not None] == []
    assert world.uphance.organisations[502].orders == {}
    assert world.call_log.violations == []


@pytest.mark.situation("tax")
async def test_where_uphance_taxes_otherwise_every_order_arrives_with_a_remark(
    world: State, shop: Shop, organisation: Organisation, engine: AsyncEngine, make_shop: MakeShop
) -> None:
    world.uphance.tax_level = Decimal(15)
    orders = [order for order in orders_of(shop) if order.order_number not in shop.broken][:10]
    async with wired(world) as http:
        setup = Setup(http, engine, await make_shop())
        await setup.connect(shop)
        outcomes = await setup.push(orders)

    totals = {order["purchase_order_ref"]: order["grand_total"] for order in organisation.orders.values()}
    assert len(totals) == len(outcomes) > 0
    for key, outcome in outcomes.items():
        assert isinstance(outcome, Delivered)
        assert outcome.remark is not None
        assert Decimal(outcome.remark.params["theirs"]) == Decimal(totals[f"UPG-demo-{key}"])


async def test_nothing_is_lost_or_doubled_while_answers_fail_and_get_lost(
    world: State, shop: Shop, organisation: Organisation, engine: AsyncEngine, make_shop: MakeShop
) -> None:
    faults = world.faults["uphance"]
    async with wired(world) as http:
        setup = Setup(http, engine, await make_shop())
        await setup.connect(shop)
        orders = [order for order in orders_of(shop) if order.order_number not in shop.broken][:25]
        wanted = {document.key for document in setup.documents(orders)}
        for _ in range(60):
            setup.clock.move(minutes=3)
            faults.set({"error_share": 0.05, "cut_share": 0.05, "lost_answer_share": 0.1, "match": "/"})
            waiting = [one for one in orders if one.order_number in wanted and not _delivered(setup, one)]
            if not waiting:
                break
            try:
                await setup.push(waiting)
            except (Unreachable, Throttled):
                continue

    references = sorted(order["purchase_order_ref"] for order in organisation.orders.values())
    assert references == sorted(f"UPG-demo-{key}" for key in wanted)
    assert "doubled-order" not in [violation.rule for violation in world.call_log.violations]


def _delivered(setup: Setup, order: Order) -> bool:
    link = setup.links.rows.get(("order", order.order_number))
    return link is not None and link.state == "delivered"


async def test_what_tells_two_organisations_of_a_login_apart_is_read_and_nothing_written(
    world: State, shop: Shop, organisation: Organisation
) -> None:
    made: list[dict[str, Any]] = [
        {"id": number, "created_at": f"2026-{number:02}-28T23:30:00Z"} for number in (3, 11, 7)
    ]
    organisation.orders = {one["id"]: one for one in made}
    clock = MovableClock(utc_now())
    seen: dict[int, object] = {}
    async with wired(world) as http:
        tokens, offered = await login(http, BASE, clock, email="demo@uphance.test", password=PASSWORD)
        for one in offered:
            vault = FakeVault()
            vault.kept = tokens.stored()
            seen[one.id] = await what_is_in(UphanceClient(http, BASE, vault, clock, one.id))

    assert seen == {
        501: {"products": len(organisation.products), "last_order": date(2026, 11, 29)},
        502: {"products": 0, "last_order": None},
    }
