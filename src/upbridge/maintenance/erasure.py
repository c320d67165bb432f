"""Erase a shop, with a receipt of what was deleted."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from upbridge.domain.shop_id import ShopId
from upbridge.store.schema import failed_logins, metadata, shops


async def erase_shop(engine: AsyncEngine, shop_id: ShopId) -> dict[str, int]:
    """Delete the shop and every row that belongs to it, in one transaction; returns how many rows per table."""
    counts: dict[str, int] = {}
    async with engine.begin() as tx:
        for table in reversed(metadata.sorted_tables):
            # Failed logins count against our address, also of an erased shop (R56): only the shop goes.
            if "shop_id" in table.c and table is not failed_logins:
                result = await tx.execute(table.delete().where(table.c.shop_id == shop_id))
                counts[table.name] = result.rowcount
        result = await tx.execute(shops.delete().where(shops.c.id == shop_id))
        counts["shops"] = result.rowcount
        await tx.execute(
            text("DELETE FROM procrastinate_jobs WHERE status = 'todo' AND queueing_lock LIKE :lane"),
            {"lane": f"{shop_id}:%"},
        )
    return {table: number for table, number in counts.items() if number}
