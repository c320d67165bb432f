"""The copy of the shop's catalogue, for those who ask. Nothing here writes."""

from collections.abc import Collection
from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from upbridge.domain.shop_id import ShopId
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
