"""The lights as `shops show --json` has them: none is `ok` while anything of its kind is unread or unsent."""

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.support.amiss import AMISS
from tests.support.clock import NOON
from tests.support.rows import change_row, connection_row, insert_rows, run_row
from tests.support.shops import KEY, MakeShop
from upbridge.core.encryption import Cipher
from upbridge.domain.shop_id import ShopId
from upbridge.insights.flow_lights import Light
from upbridge.insights.flow_states import flow_states, see
from upbridge.store.changes import NEVER
from upbridge.store.connections import connections_of
from upbridge.store.shops import Shops
from upbridge.systems.registry import SYSTEMS


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
    shop_id = await make_shop(settings={"stock.write": True}, **AMISS[what].shop)
    await insert_rows(engine, connection_row(shop_id, "upp"), connection_row(shop_id, "uphance"))
    if not AMISS[what].shop:
        assert await reasons(engine, shop_id) == {}

    await insert_rows(engine, *AMISS[what].rows(shop_id))

    assert await reasons(engine, shop_id) == AMISS[what].expected


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
