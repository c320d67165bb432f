"""The lights of all shops, counted for the metric while webhooks come in."""

from collections import Counter
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.support.clock import NOON
from tests.support.rows import change_row, connection_row, insert_rows
from tests.support.shops import MakeShop
from upbridge.core.encryption import Cipher
from upbridge.insights.flow_lights import Light
from upbridge.insights.flow_states import LIGHTS_EVERY, TOGETHER, CountedLights, flow_states, see
from upbridge.store.connections import Connections
from upbridge.store.shops import Shops
from upbridge.systems.registry import SYSTEMS


@pytest.fixture
def shops(engine: AsyncEngine, cipher: Cipher) -> Shops:
    return Shops(engine, cipher, SYSTEMS.settings)


@pytest.fixture
def lights(engine: AsyncEngine, shops: Shops) -> CountedLights:
    return CountedLights(engine, SYSTEMS, shops)


async def test_the_metric_counts_the_very_lights_of_the_pages(
    engine: AsyncEngine, cipher: Cipher, shops: Shops, lights: CountedLights, make_shop: MakeShop
) -> None:
    """Some of the shops have something that waits, and one is gone."""
    ids = [await make_shop() for _ in range(6)]
    await make_shop(state="uninstalled")
    for shop_id in ids[::2]:
        await insert_rows(engine, connection_row(shop_id, "upp", account=str(shop_id)))
        await insert_rows(engine, change_row(shop_id, "order", "1", marked_at=NOON, due_at=NOON))
    connections, expected = Connections(engine, cipher), Counter[Light]()
    for shop_id in ids:
        rows = await connections.of(shop_id)
        async with engine.connect() as tx:
            seen = await see(tx, SYSTEMS, shop_id)
        expected.update(state.light for state in flow_states(SYSTEMS, await shops.get(shop_id), rows, seen, NOON))

    assert await lights.at(NOON) == expected
    assert expected[Light.BUSY] >= 3


async def test_a_fleet_is_judged_to_its_last_shop(lights: CountedLights, engine: AsyncEngine) -> None:
    async with engine.begin() as tx:
        await tx.execute(
            text(
                "INSERT INTO shops (id, key, token, state, api_url, installed_at) SELECT gen_random_uuid(),"
                " 'shop-' || n, 'shop-' || n, 'active', 'https://shop.invalid', :now"
                " FROM generate_series(1, CAST(:shops AS int)) AS n"
            ),
            {"now": NOON, "shops": 2 * TOGETHER + 1},
        )

    counted = await lights.at(NOON)

    assert counted.total() % (2 * TOGETHER + 1) == 0
    assert counted[Light.OFF] == counted.total() > 0


async def test_scrapes_within_a_minute_share_one_count(lights: CountedLights, make_shop: MakeShop) -> None:
    first = await lights.at(NOON)
    await make_shop()

    assert await lights.at(NOON + LIGHTS_EVERY - timedelta(seconds=1)) == first
    assert await lights.at(NOON + LIGHTS_EVERY) != first
