"""The client against the simulated Upgates, which shares no code with it and lists what breaks its rules."""

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any, cast

import httpx
import pytest

from tests.support.upgates import API_URL, SHOP, FakeLedger
from upbridge.core.clock import utc_now
from upbridge.domain.order import LineType, Order
from upbridge.domain.product import Product
from upbridge.domain.purpose import Purpose
from upbridge.systems.platform import Page
from upbridge.systems.upgates.client import UpgatesClient
from upbridge.systems.upgates.payloads import OrderChange
from upbridge.systems.upgates.subscriptions import reconcile_webhooks
from upbridge.systems.upgates.transport import Account
from upbridge.systems.upgates.url_policy import HostPolicy
from upbridge_sandbox.changes import Changes
from upbridge_sandbox.seed.plan import Plan, open_shop
from upbridge_sandbox.shop import Shop
from upbridge_sandbox.state import Addresses, State
from upbridge_sandbox.upgates.api import upgates_api


class _Silence:
    """Webhooks that are sent nowhere."""

    def announce(self, shop: Shop, event: str, key: str, body: dict[str, Any], *, array: str = "") -> None:
        """Send nothing."""


@pytest.fixture
def world() -> State:
    made = State(signature_token="sig", addon_url=None)
    made.addresses = Addresses(*[API_URL.removesuffix("/api/v2")] * 6)
    return made


@pytest.fixture
def shop(world: State) -> Shop:
    opened = open_shop(world, Plan(name="demo", products=130, orders=120))
    opened.active = True
    opened.adopt(opened.new_access(), world.now())
    return opened


@pytest.fixture
async def client(world: State, shop: Shop) -> AsyncIterator[UpgatesClient]:
    async def moved(_api_url: str) -> None:
        raise AssertionError("nobody moved")

    app = cast("Any", upgates_api(world, Changes(world, _Silence())))
    assert shop.access is not None
    account = Account(shop_id=SHOP, api_url=API_URL, api_user=shop.access.user, api_key=shop.access.key)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app)) as http:
        yield UpgatesClient(
            http=http, ledger=FakeLedger(), account=account, clock=utc_now, policy=HostPolicy(), on_moved=moved
        )
    assert world.call_log.violations == []


async def every_product(client: UpgatesClient) -> list[Product]:
    found: list[Product] = []
    page: Page[Product] | None = None
    while page is None or page.page < page.pages:
        page = await client.products_page(page.page + 1 if page else 1, purpose=Purpose.IMPORT)
        assert page.broken == []
        found += page.items
    return found


async def every_order(client: UpgatesClient) -> list[Order]:
    found: list[Order] = []
    page: Page[Order] | None = None
    while page is None or page.page < page.pages:
        page = await client.orders_page(page.page + 1 if page else 1, purpose=Purpose.IMPORT)
        assert page.broken == []
        found += page.items
    return found


async def test_every_product_comes_with_every_variant(client: UpgatesClient, shop: Shop) -> None:
    products = await every_product(client)

    assert {product.product_id for product in products} == set(shop.goods.products)
    for product in products:
        origin = shop.goods.products[product.product_id]
        assert len(product.variants) == max(len(origin["variants"]), 1)
        assert product.active == (bool(origin["active_yn"]) and not origin["archived_yn"])


async def test_products_come_by_id_with_every_page_size(client: UpgatesClient, shop: Shop) -> None:
    ids = sorted(shop.goods.products)

    large = await client.products_by_ids([*ids, 999_999], purpose=Purpose.PRODUCTS)
    shop.ignore_page_items = True
    small = await client.products_by_ids([*ids, 999_999], purpose=Purpose.PRODUCTS)

    assert sorted(product.product_id for product in large.items) == ids
    assert sorted(product.product_id for product in small.items) == ids


async def test_orders_come_oldest_first_and_add_up(client: UpgatesClient, shop: Shop) -> None:
    orders = await every_order(client)

    assert {order.order_number for order in orders} == set(shop.orders)
    assert [order.created_at for order in orders] == sorted(order.created_at for order in orders)
    off = [order.order_number for order in orders if abs(_sum(order) - order.total_before_round) > Decimal("0.05")]
    assert set(off) <= set(shop.broken)


def _sum(order: Order) -> Decimal:
    """Lines, charges and discounts; the parts of a set are in its own price or the other way round."""
    kinds = [line.type for line in order.lines if line.total.with_vat]
    skip = LineType.SET_PART if LineType.SET in kinds else None
    parts = [line.total.with_vat for line in order.lines if line.type is not skip]
    parts += [charge.amount.with_vat for charge in (order.shipping, order.payment) if charge is not None]
    return sum(parts, Decimal(0)) - sum((one.amount.with_vat for one in order.discounts), Decimal(0))


async def test_orders_come_by_number(client: UpgatesClient, shop: Shop) -> None:
    numbers = sorted(shop.orders)

    page = await client.orders_by_numbers([*numbers, "NEVER"], purpose=Purpose.ORDERS)

    assert sorted(order.order_number for order in page.items) == numbers


async def test_facts_and_parameters(client: UpgatesClient, shop: Shop) -> None:
    facts = (await client.facts()).profile
    product_id = next(number for number, raw in shop.goods.products.items() if raw["variants"])
    (product,) = (await client.products_by_ids([product_id], purpose=Purpose.PRODUCTS)).items
    (parameters,) = (await client.product_parameters([product_id], language="cs", purpose=Purpose.PRODUCTS)).items

    assert facts.default_language == "cs"
    assert facts.currencies == {"cs": "CZK", "sk": "EUR", "en": "EUR"}
    assert facts.statuses_of("Received")
    assert facts.rights["products"] == "all"
    assert all(variant.parameters for variant in product.with_parameters(parameters).variants)


async def test_stock_that_is_written_is_read_back(client: UpgatesClient) -> None:
    products = await every_product(client)
    codes = [code for product in products for variant in product.variants if (code := variant.code)]
    single = [code for code in codes if sum(other.lower() == code.lower() for other in codes) == 1]
    variants = [v for p in products for v in p.variants if v.code in single]
    worn = [variant for variant in variants if variant.variant_id is not None][:5]
    bare = [variant for variant in variants if variant.variant_id is None][:5]

    results = await client.put_stock(
        variants=[(variant.code or "", Decimal(17)) for variant in worn],
        products=[(variant.code or "", Decimal(18)) for variant in bare],
    )

    assert [result.updated for result in results] == [True] * 10
    ids = {variant.product_id for variant in worn + bare}
    again = await client.products_by_ids(ids, purpose=Purpose.PRODUCTS)
    stock = {variant.id: variant.stock for product in again.items for variant in product.variants}
    assert {stock[variant.id] for variant in worn} == {Decimal(17)}
    assert {stock[variant.id] for variant in bare} == {Decimal(18)}


async def test_a_shipment_is_written_and_read_back(client: UpgatesClient, shop: Shop) -> None:
    facts = (await client.facts()).profile
    (sent, *_) = facts.statuses_of("Sent")
    number = next(iter(shop.orders))

    (result,) = await client.put_orders([OrderChange(number, status_id=sent, tracking_code="T-1")], notify=False)
    noted = await client.add_history(number, [("Zásilka", "T-1")])

    assert (result.updated, noted.updated) == (True, True)
    (order,) = (await client.orders_by_numbers([number], purpose=Purpose.ORDERS)).items
    assert (order.status_id, order.tracking_code) == (sent, "T-1")


async def test_webhooks_are_made_once_and_restored(client: UpgatesClient, shop: Shop) -> None:
    def url_for(event: str) -> str:
        return f"https://upbridge.example.com/webhooks/upgates/{event}/token"

    first = (await reconcile_webhooks(client, url_for, "Upbridge", now=utc_now())).did
    next(iter(shop.webhooks.values())).active_yn = False
    second = (await reconcile_webhooks(client, url_for, "Upbridge", now=utc_now())).did
    third = (await reconcile_webhooks(client, url_for, "Upbridge", now=utc_now())).did

    assert len(first.create) == len(shop.webhooks) == 15
    assert len(second.activate) == 1
    assert not third
