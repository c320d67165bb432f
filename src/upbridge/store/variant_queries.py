"""The copy of the shop's catalogue, for those who ask. Nothing here writes."""

from collections.abc import Collection
from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy import distinct, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from upbridge.domain.shop_id import ShopId
from upbridge.domain.sku import Match
from upbridge.store.schema import variants as table
from upbridge.store.sql import one_of


@dataclass(frozen=True, slots=True)
class ShownVariant:
    """A variant as the shop shows it."""

    code: str | None
    title: str | None
    stock: Decimal | None
    on_sale: bool


async def shown_by_key(tx: AsyncConnection, shop_id: ShopId, keys: Collection[str]) -> dict[str, ShownVariant]:
    """These variants, by key; those that are not known are left out."""
    query = select(table.c.key, table.c.code, table.c.title, table.c.stock, table.c.listed, table.c.active).where(
        table.c.shop_id == shop_id, one_of(table.c.key, keys)
    )
    return {
        row.key: ShownVariant(row.code, row.title, row.stock, row.listed and row.active)
        for row in await tx.execute(query)
    }


@dataclass(frozen=True, slots=True)
class Unmatched:
    """How many variants on sale are no SKU, and of how many products."""

    products: int
    variants: int


async def unmatched_variants(
    tx: AsyncConnection, shop_id: ShopId, *, limit: int | None
) -> list[tuple[str, str | None, str | None]]:
    """Key, code and title of the first *limit* variants on sale that are matched with no SKU; None: of all."""
    query = (
        select(table.c.key, table.c.code, table.c.title)
        .where(table.c.shop_id == shop_id, table.c.listed, table.c.active, table.c.match == Match.UNMATCHED)
        .order_by(table.c.key)
        .limit(limit)
    )
    return [(row.key, row.code, row.title) for row in await tx.execute(query)]


async def count_unmatched(tx: AsyncConnection, shop_id: ShopId) -> Unmatched:
    """Count the variants on sale that are matched with no SKU."""
    query = select(func.count(distinct(table.c.product_id)), func.count()).where(
        table.c.shop_id == shop_id, table.c.listed, table.c.active, table.c.match == Match.UNMATCHED
    )
    return Unmatched(*(await tx.execute(query)).one())
