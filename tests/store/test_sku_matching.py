"""What is kept beside the variants is what the rule says of all of them."""

from collections.abc import Sequence
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from tests.support.shops import MakeShop
from upbridge.domain.shop_id import ShopId
from upbridge.domain.sku import Names, match_one_to_one
from upbridge.store import schema, sku_matching
from upbridge.store.variants import keyed

#: Few enough to clash; some differ only in what does not count.
CODES = st.sampled_from([None, None, " ", "a", "A ", "a\N{ZERO WIDTH SPACE}", "b", "č", "c\N{COMBINING CARON}"])
EANS = st.sampled_from([None, "1", " 1", "2"])
NAMES = st.tuples(CODES, EANS)

#: (the product that is read again, its variants)
Step = tuple[int, Sequence[Names]]


async def write_product(tx: AsyncConnection, shop_id: ShopId, product: int, variants: dict[str, Names]) -> None:
    """A product as it is read again, and the matches with it."""
    await sku_matching.lock_matching(tx, shop_id)
    called = await keyed(tx, shop_id, [product])
    await tx.execute(
        text("DELETE FROM variants WHERE shop_id = :shop AND product_id = :product"),
        {"shop": shop_id, "product": product},
    )
    rows: list[dict[str, Any]] = [
        {
            "shop_id": shop_id,
            "product_id": product,
            "key": key,
            "code": code,
            "ean": ean,
            "stock_own": True,
            "active": True,
            "listed": True,
        }
        for key, (code, ean) in variants.items()
    ]
    if rows:
        await tx.execute(insert(schema.variants), rows)
    called += await keyed(tx, shop_id, [product])
    names = sku_matching.Keys.of((one.code, one.ean) for one in called)
    await sku_matching.rematch(tx, shop_id, [product], names)


async def write_skus(tx: AsyncConnection, shop_id: ShopId, skus: dict[int, Names]) -> None:
    """The catalogue of Uphance as it is read again, and all matches with it."""
    await tx.execute(text("DELETE FROM skus WHERE shop_id = :shop"), {"shop": shop_id})
    rows = [
        {"shop_id": shop_id, "sku_id": number, "product_id": 1, "sku_number": code, "ean": ean}
        for number, (code, ean) in skus.items()
    ]
    if rows:
        await tx.execute(insert(schema.skus), rows)
    await sku_matching.rematch_all(tx, shop_id)


async def kept(tx: AsyncConnection, shop_id: ShopId) -> dict[str, tuple[str, int | None]]:
    rows = await tx.execute(
        text("SELECT key, match, sku_id FROM variants WHERE shop_id = :shop"), {"shop": shop_id}
    )
    return {row.key: (row.match, row.sku_id) for row in rows}


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(NAMES, max_size=6),
    st.lists(st.tuples(st.integers(1, 4), st.lists(NAMES, max_size=3)), min_size=1, max_size=6),
    st.lists(NAMES, max_size=6),
)
async def test_batch_by_batch_the_matches_are_those_of_the_rule(
    engine: AsyncEngine,
    make_shop: MakeShop,
    skus: list[Names],
    steps: list[Step],
    later: list[Names],
) -> None:
    shop_id, other = await make_shop(), await make_shop()
    variants: dict[int, dict[str, Names]] = {}
    async with engine.begin() as tx:
        await write_skus(tx, other, dict(enumerate(later)))
        await write_product(tx, other, 1, {"v-1-0": ("a", "1")})
        elsewhere = await kept(tx, other)
        await write_skus(tx, shop_id, dict(enumerate(skus)))
        for product, found in steps:
            variants[product] = {f"v-{product}-{place}": names for place, names in enumerate(found)}
            await write_product(tx, shop_id, product, variants[product])

            everything = {key: names for one in variants.values() for key, names in one.items()}
            assert await kept(tx, shop_id) == match_one_to_one(everything, dict(enumerate(skus)))

        await write_skus(tx, shop_id, dict(enumerate(later)))
        assert await kept(tx, shop_id) == match_one_to_one(everything, dict(enumerate(later)))
        assert await kept(tx, other) == elsewhere


async def test_an_ean_that_another_variant_gets_matches_neither(engine: AsyncEngine, make_shop: MakeShop) -> None:
    shop_id = await make_shop()
    async with engine.begin() as tx:
        await write_skus(tx, shop_id, {7: ("S", "1")})
        await write_product(tx, shop_id, 1, {"v-1": (None, "1")})
        assert await kept(tx, shop_id) == {"v-1": ("ean", 7)}

        await write_product(tx, shop_id, 2, {"v-2": ("x", "1")})

        assert await kept(tx, shop_id) == {"v-1": ("doubled", 7), "v-2": ("doubled", 7)}


async def test_a_code_that_is_free_again_matches(engine: AsyncEngine, make_shop: MakeShop) -> None:
    shop_id = await make_shop()
    async with engine.begin() as tx:
        await write_skus(tx, shop_id, {7: ("SHIRT", None)})
        await write_product(tx, shop_id, 1, {"v-1": ("shirt", None)})
        await write_product(tx, shop_id, 2, {"v-2": ("Shirt", None)})
        assert {match for match, _ in (await kept(tx, shop_id)).values()} == {"doubled"}

        await write_product(tx, shop_id, 2, {})

        assert await kept(tx, shop_id) == {"v-1": ("code", 7)}
