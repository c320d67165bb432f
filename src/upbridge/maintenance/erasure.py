"""Erase a shop, with a receipt of what was deleted."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from upbridge.domain.shop_id import ShopId
from upbridge.store import shops
from upbridge.store.schema import metadata


async def erase_shop(engine: AsyncEngine, shop_id: ShopId) -> dict[str, int]:
    """Delete the shop and every row that belongs to it, in one transaction; returns how many rows per table."""
    counts: dict[str, int] = {}
    async with engine.begin() as tx:
        for table in reversed(metadata.sorted_tables):
            # Not failed logins: they count against our address, whose shop it was (R56), and only forget the shop.
            if any(key.ondelete == "CASCADE" for key in table.foreign_keys):
                result = await tx.execute(table.delete().where(table.c.shop_id == shop_id))
                counts[table.name] = result.rowcount
        counts["shops"] = await shops.erase(tx, shop_id)
        await tx.execute(
            text("DELETE FROM procrastinate_jobs WHERE status = 'todo' AND queueing_lock LIKE :lane"),
            {"lane": f"{shop_id}:%"},
        )
    return {table: number for table, number in counts.items() if number}
