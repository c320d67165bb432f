"""Variants that a person has paired with a SKU by hand: that goes before what codes and EANs say."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Subquery, delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from upbridge.domain.shop_id import ShopId
from upbridge.store.schema import pairings as table
from upbridge.store.sql import one_of

#: Which variant is which SKU, of every shop.
pairs: Subquery = select(table.c.shop_id, table.c.key, table.c.sku_id).subquery("pairs")


async def pair(tx: AsyncConnection, shop_id: ShopId, key: str, sku_id: int, *, now: datetime) -> bool:
    """Let the variant *key* be this SKU from now on; returns whether no other variant has it."""
    other = select(table.c.key).where(table.c.shop_id == shop_id, table.c.sku_id == sku_id, table.c.key != key)
    if await tx.scalar(other) is not None:
        return False
    fresh = insert(table).values(shop_id=shop_id, key=key, sku_id=sku_id, paired_at=now)
    changed = {"sku_id": sku_id, "paired_at": now}
    await tx.execute(fresh.on_conflict_do_update(constraint=table.primary_key, set_=changed))
    return True


async def unpair(tx: AsyncConnection, shop_id: ShopId, key: str) -> int | None:
    """Let codes and EANs decide again about the variant *key*; returns the SKU that it was, None if it was not
    paired."""
    gone = delete(table).where(table.c.shop_id == shop_id, table.c.key == key).returning(table.c.sku_id)
    sku_id: int | None = await tx.scalar(gone)
    return sku_id


async def skus_of(tx: AsyncConnection, shop_id: ShopId, keys: Collection[str]) -> dict[str, int]:
    """The SKU of each of these variants that was paired, by key."""
    query = select(table.c.key, table.c.sku_id).where(table.c.shop_id == shop_id, one_of(table.c.key, keys))
    return {row.key: row.sku_id for row in await tx.execute(query)}


async def latest(tx: AsyncConnection, shop_id: ShopId, *, limit: int) -> dict[str, int]:
    """The newest pairings, by the variant's key: at most *limit*."""
    query = select(table.c.key, table.c.sku_id).where(table.c.shop_id == shop_id)
    rows = await tx.execute(query.order_by(table.c.paired_at.desc(), table.c.key).limit(limit))
    return {row.key: row.sku_id for row in rows}
