"""The lights as `shops show --json` has them: none is `ok` while anything of its kind is unread or unsent."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.support.clock import NOON
from tests.support.rows import Row, change_row, connection_row, document_row, insert_rows, problem_row, run_row
from tests.support.shops import KEY, MakeShop
from upbridge.core.encryption import Cipher
from upbridge.domain.shop_id import ShopId
from upbridge.insights.flow_lights import Light
from upbridge.insights.flow_states import flow_states, see
from upbridge.store.changes import NEVER
from upbridge.store.connections import connections_of
from upbridge.store.shops import Shops
from upbridge.systems.registry import SYSTEMS

#: What is amiss -> the flows that may not be `ok`, and why they are not.
AMISS: dict[str, tuple[Callable[[ShopId], Row], dict[str, str]]] = {
    "an order that was announced": (
        lambda shop: change_row(shop, "order", "A"),
        {"order.upp": "reading", "order.uphance": "reading"},
    ),
    "an order that is looked for a second time later": (
        lambda shop: change_row(shop, "order", "A", due_at=NOON + timedelta(minutes=2)),
        {"order.upp": "reading", "order.uphance": "reading"},
    ),
    "a page of the safety net": (
        lambda shop: change_row(shop, "products.page", "1:2"),
        {"product.upp": "reading"},
    ),
    "an order that cannot be read": (
        lambda shop: problem_row(shop, "A", stage="read", target="upgates", key="order.unreadable"),
        {"order.upp": "problems", "order.uphance": "problems"},
    ),
    "orders that no page shows": (
        lambda shop: problem_row(
            shop, "order", stage="read", target="upgates", kind="list", key="read.orders_missed"
        ),
        {"order.upp": "problems", "order.uphance": "problems"},
    ),
    "products that no page shows": (
        lambda shop: problem_row(
            shop, "product", stage="read", target="upgates", kind="list", key="read.products_missed"
        ),
        {"product.upp": "problems"},
    ),
    "a product of Uphance that cannot be read": (
        lambda shop: problem_row(
            shop, "products", stage="read", target="uphance", kind="list", key="catalogue.products_missed"
        ),
        {"stock.upgates": "problems"},
    ),
    "a document that waits": (lambda shop: document_row(shop, "upp", "A"), {"order.upp": "sending"}),
    "a document that is parked": (
        lambda shop: document_row(shop, "uphance", "A", state="parked", reason="order.no_channel"),
        {"order.uphance": "problems"},
    ),
    "a safety net that left something out": (
        lambda shop: run_row(shop, "order", purpose="safety_net", state="done", complete=False),
        {"order.upp": "unproven", "order.uphance": "unproven"},
    ),
    "an import that left something out": (
        lambda shop: run_row(shop, "product", state="done", complete=False),
        {"product.upp": "unproven"},
    ),
    "a paused import": (
        lambda shop: run_row(shop, "product", state="paused"),
        {"product.upp": "import_paused"},
    ),
}


async def reasons(engine: AsyncEngine, shop_id: ShopId) -> dict[str, str]:
    """The flows that are not `ok`, and why."""
    shop = await Shops(engine, Cipher([KEY]), SYSTEMS.settings).get(shop_id)
    async with engine.connect() as tx:
        seen = await see(tx, SYSTEMS, shop_id)
        rows = await connections_of(tx, shop_id)
    states = flow_states(SYSTEMS, shop, rows, seen, NOON)
    return {one.name: one.reason for one in states if one.light not in {Light.OK, Light.OFF}}


@pytest.mark.parametrize("what", AMISS)
async def test_a_flow_is_not_ok_while_this_lasts(engine: AsyncEngine, make_shop: MakeShop, what: str) -> None:
    row, expected = AMISS[what]
    shop_id = await make_shop(settings={"stock.write": True})
    await insert_rows(engine, connection_row(shop_id, "upp"), connection_row(shop_id, "uphance"))
    assert await reasons(engine, shop_id) == {}

    await insert_rows(engine, row(shop_id))

    assert await reasons(engine, shop_id) == expected


async def test_a_later_net_that_is_complete_makes_up_for_one_that_was_not(
    engine: AsyncEngine, make_shop: MakeShop
) -> None:
    shop_id = await make_shop()
    net = {"purpose": "safety_net", "state": "done"}
    await insert_rows(engine, connection_row(shop_id, "upp"), run_row(shop_id, "order", **net, complete=False))
    await insert_rows(engine, run_row(shop_id, "order", purpose="safety_net", state="running"))
    assert await reasons(engine, shop_id) == {"order.upp": "unproven"}

    await insert_rows(engine, run_row(shop_id, "order", **net, complete=True))

    assert await reasons(engine, shop_id) == {}


async def test_pages_of_a_paused_import_are_not_what_is_read_just_now(
    engine: AsyncEngine, make_shop: MakeShop
) -> None:
    shop_id = await make_shop()
    rows = run_row(shop_id, "product", state="paused"), change_row(shop_id, "products.page", "1:2", due_at=NEVER)
    await insert_rows(engine, connection_row(shop_id, "upp"), *rows)

    assert await reasons(engine, shop_id) == {"product.upp": "import_paused"}
