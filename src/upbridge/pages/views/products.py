"""Products: which of the shop's variants are which SKU in Uphance, and which are not (`sync/matches.py`)."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncEngine

from upbridge.schema import ShopId
from upbridge.sync.matches import Match

PAGE = 100


@dataclass(frozen=True, slots=True)
class Item:
    """A variant of the shop with what it is in Uphance."""

    title: str | None
    code: str | None
    ean: str | None
    match: Match
    sku_id: int | None
    sku_name: str | None


@dataclass(frozen=True, slots=True)
class ProductsView:
    """The match report: *counts* of all variants, *items* of the chosen kind (a page of them)."""

    counts: dict[Match, int]
    shown: Match
    items: tuple[Item, ...]
    page: int
    skus: bool
    """Whether any SKU of Uphance is known."""

    @property
    def total(self) -> int:
        """Variants of the shop."""
        return sum(self.counts.values())

    @property
    def pages(self) -> int:
        """Pages of the chosen kind."""
        return max(-(-self.counts[self.shown] // PAGE), 1)


async def products_of(engine: AsyncEngine, shop_id: ShopId, shown: Match, page: int) -> ProductsView:
    """The report: the counts and a page of the variants matched like *shown* (the last for any beyond)."""
    async with engine.connect() as connection:
        known = await connection.scalar(
            text("SELECT EXISTS (SELECT FROM skus WHERE shop_id = :id)"), {"id": shop_id}
        )
        counts = await connection.execute(
            text("SELECT match, count(*) AS number FROM items WHERE shop_id = :id GROUP BY match"), {"id": shop_id}
        )
        counted = {row.match: int(row.number) for row in counts}
        page = max(min(page, -(-counted.get(shown, 0) // PAGE)), 1)
        rows = await connection.execute(
            text(
                """
                WITH page AS (
                  SELECT shop_id, key FROM items WHERE shop_id = :id AND match = :match
                  ORDER BY folded, code, key LIMIT :limit OFFSET :offset
                )
                SELECT i.title, i.code, i.ean, i.match, i.sku_id, s.name AS sku_name
                FROM page JOIN items i USING (shop_id, key) LEFT JOIN skus s USING (shop_id, sku_id)
                ORDER BY i.folded, i.code, i.key
                """
            ),
            {"id": shop_id, "match": shown, "limit": PAGE, "offset": (page - 1) * PAGE},
        )
        items = tuple(_item(row) for row in rows.mappings())
    return ProductsView({match: counted.get(match, 0) for match in Match}, shown, items, page, bool(known))


async def every_item(engine: AsyncEngine, shop_id: ShopId) -> AsyncIterator[Item]:
    """All variants with their match, streamed: a catalogue need not fit into memory."""
    async with engine.connect() as connection:
        rows = await connection.stream(
            text(
                """
                SELECT i.title, i.code, i.ean, i.match, i.sku_id, s.name AS sku_name
                FROM items i LEFT JOIN skus s USING (shop_id, sku_id)
                WHERE i.shop_id = :id ORDER BY i.match, i.folded, i.code, i.key
                """
            ),
            {"id": shop_id},
        )
        async for row in rows.mappings():
            yield _item(row)


def _item(row: RowMapping) -> Item:
    return Item(**{**row, "match": Match(row["match"])})
