"""What is kept beside the catalogue is what a fresh look at everything would say."""

import random
from typing import Any

import pytest
from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from tests.support.shops import MakeShop
from upbridge.domain.shop_id import ShopId
from upbridge.engine import sku_matching
from upbridge.store import schema

CODES = (None, "", "a", "A ", "b", "c", "d")
EANS = (None, "", "1", "2", "3")


async def write(tx: AsyncConnection, shop_id: ShopId, product: int, variants: list[dict[str, Any]]) -> None:
    """A product as it is read again, and the matches with it."""
    await sku_matching.lock_matching(tx, shop_id)
    before = await sku_matching.codes_of(tx, shop_id, [product])
    await tx.execute(
        text("DELETE FROM variants WHERE shop_id = :shop AND product_id = :product"),
        {"shop": shop_id, "product": product},
    )
    rows = [
        {
            "shop_id": shop_id,
            "product_id": product,
            "title": "",
            "stock_own": True,
            "active": True,
            "listed": True,
            **variant,
        }
        for variant in variants
    ]
    if rows:
        await tx.execute(insert(schema.variants), rows)
    await sku_matching.rematch(tx, shop_id, [row["key"] for row in rows], before)


async def kept(tx: AsyncConnection, shop_id: ShopId) -> dict[str, tuple[str, int | None]]:
    rows = await tx.execute(
        text("SELECT key, match, sku_id FROM variants WHERE shop_id = :shop"),
        {"shop": shop_id},
    )
    return {row.key: (row.match, row.sku_id) for row in rows}


@pytest.mark.parametrize("seed", range(5))
async def test_one_product_after_the_other_ends_as_a_look_at_all_of_them(
    engine: AsyncEngine, make_shop: MakeShop, seed: int
) -> None:
    dice, shop_id, other = random.Random(seed), await make_shop(), await make_shop()
    async with engine.begin() as tx:
        await tx.execute(
            insert(schema.skus),
            [
                {
                    "shop_id": shop,
                    "sku_id": number,
                    "product_id": 1,
                    "sku_number": dice.choice(CODES),
                    "ean": dice.choice(EANS),
                }
                for shop in (shop_id, other)
                for number in range(6)
            ],
        )
        for step in range(25):
            product = dice.randrange(4)
            variants = [
                {"key": f"v-{product}-{place}", "code": dice.choice(CODES), "ean": dice.choice(EANS)}
                for place in range(dice.randrange(4))
            ]
            await write(tx, shop_id, product, variants)

            found = await kept(tx, shop_id)
            await sku_matching.rematch_all(tx, shop_id)
            assert found == await kept(tx, shop_id), step


async def test_a_code_that_is_free_again_matches(engine: AsyncEngine, make_shop: MakeShop) -> None:
    shop_id = await make_shop()
    async with engine.begin() as tx:
        await tx.execute(
            insert(schema.skus), {"shop_id": shop_id, "sku_id": 7, "product_id": 1, "sku_number": "SHIRT"}
        )
        await write(tx, shop_id, 1, [{"key": "v-1", "code": "shirt", "ean": None}])
        await write(tx, shop_id, 2, [{"key": "v-2", "code": "Shirt", "ean": None}])
        assert {match for match, _ in (await kept(tx, shop_id)).values()} == {"doubled"}

        await write(tx, shop_id, 2, [])

        assert await kept(tx, shop_id) == {"v-1": ("code", 7)}
