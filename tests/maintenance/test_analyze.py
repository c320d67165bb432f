"""Postgres analyzes at once the tables that have grown."""

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.support.shops import MakeShop
from upbridge.domain.shop_id import ShopId
from upbridge.maintenance.analyze import TABLES, count_grown
from upbridge.store.schema import metadata


@pytest.fixture
def database_url(new_database_url: str) -> str:
    """A database of these tests' own: what a session deleted, Postgres may hear of after the session has gone."""
    return new_database_url


async def fill(engine: AsyncEngine, shop_id: ShopId, first: int, last: int) -> None:
    """Rows of `skus`; their session says at once how many they were, as it else does once in a while. Postgres'
    own housekeeping stays away."""
    async with engine.connect() as tx:
        await tx.execute(text("ALTER TABLE skus SET (autovacuum_enabled = false)"))
        await tx.execute(
            text(
                "INSERT INTO skus (shop_id, sku_id, product_id)"
                " SELECT :shop_id, n, n FROM generate_series(CAST(:first AS int), CAST(:last AS int)) AS n"
            ),
            {"shop_id": shop_id, "first": first, "last": last},
        )
        await tx.commit()
        await tx.execute(text("SELECT pg_stat_force_next_flush()"))
        await tx.commit()


async def grown(engine: AsyncEngine) -> bool:
    """Whether Postgres counted `skus` now."""
    return "skus" in await count_grown(engine)


async def test_what_has_more_than_doubled_is_counted_once(engine: AsyncEngine, make_shop: MakeShop) -> None:
    shop_id = await make_shop()
    await fill(engine, shop_id, 1, 1000)

    assert await grown(engine)
    assert not await grown(engine)

    await fill(engine, shop_id, 1001, 1500)
    assert not await grown(engine)

    await fill(engine, shop_id, 1501, 2500)
    assert await grown(engine)


async def test_a_small_table_is_left_to_postgres(engine: AsyncEngine, make_shop: MakeShop) -> None:
    await fill(engine, await make_shop(), 1, 100)

    assert not await grown(engine)


def test_the_tables_are_ours() -> None:
    assert set(TABLES) <= set(metadata.tables)
