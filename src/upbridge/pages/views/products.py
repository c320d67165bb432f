"""Products: which of the shop's variants are which SKU in Uphance, and which are not.

The same rules as for an order's lines (systems/uphance/matching.py): the code decides, a doubled code is not cured
by an EAN, and only an EAN of the variant's own counts.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from upbridge.schema import ShopId

PAGE = 100


class Match(StrEnum):
    """How a variant is matched."""

    CODE = "code"
    EAN = "ean"
    UNMATCHED = "unmatched"
    DOUBLED = "doubled"
    """Its code or EAN is on several SKUs, or on several variants of the shop."""


@dataclass(frozen=True, slots=True)
class Item:
    """A variant of the shop with what it is in Uphance."""

    title: str | None
    code: str | None
    ean: str | None
    match: Match
    sku_id: int | None
    sku_name: str | None


_MATCHED = """
  WITH codes AS (
    SELECT lower(btrim(sku_number)) AS code, count(*) AS number, min(sku_id) AS sku_id, min(name) AS name
    FROM skus WHERE shop_id = :id AND btrim(sku_number) <> '' GROUP BY 1
  ), eans AS (
    SELECT btrim(ean) AS ean, count(*) AS number, min(sku_id) AS sku_id, min(name) AS name
    FROM skus WHERE shop_id = :id AND btrim(ean) <> '' GROUP BY 1
  ), twice AS (
    SELECT lower(btrim(code)) AS code FROM items WHERE shop_id = :id AND btrim(code) <> ''
    GROUP BY 1 HAVING count(*) > 1
  ), matched AS MATERIALIZED (
    SELECT i.title, i.code, i.ean, i.key,
      CASE WHEN t.code IS NOT NULL OR c.number > 1 OR c.number IS NULL AND e.number > 1 THEN 'doubled'
           WHEN c.number = 1 THEN 'code' WHEN e.number = 1 THEN 'ean' ELSE 'unmatched' END AS match,
      COALESCE(c.sku_id, e.sku_id) AS sku_id, COALESCE(c.name, e.name) AS sku_name
    FROM items i LEFT JOIN codes c ON c.code = lower(btrim(i.code)) LEFT JOIN eans e ON e.ean = btrim(i.ean)
      LEFT JOIN twice t ON t.code = lower(btrim(i.code))
    WHERE i.shop_id = :id
  )
"""


@dataclass(frozen=True, slots=True)
class ProductsView:
    """The match report: *counts* of all variants, *items* of the chosen kind (a page of them)."""

    counts: dict[Match, int]
    shown: Match
    items: tuple[Item, ...]
    page: int
    skus: int

    @property
    def total(self) -> int:
        """Variants of the shop."""
        return sum(self.counts.values())

    @property
    def pages(self) -> int:
        """Pages of the chosen kind."""
        return max(-(-self.counts[self.shown] // PAGE), 1)


async def products_of(engine: AsyncEngine, shop_id: ShopId, shown: Match, page: int) -> ProductsView:
    """The report: the counts and one page of the variants that are matched like *shown*, in one go."""
    async with engine.connect() as connection:
        skus = await connection.scalar(text("SELECT count(*) FROM skus WHERE shop_id = :id"), {"id": shop_id})
        rows = await connection.execute(
            text(
                f"""
                {_MATCHED}, page AS (
                  SELECT title, code, ean, match, sku_id, sku_name, key FROM matched WHERE match = :match
                  ORDER BY lower(title), lower(code), key LIMIT :limit OFFSET :offset
                )
                SELECT NULL AS title, NULL AS code, NULL AS ean, match, NULL AS sku_id, NULL AS sku_name,
                  count(*) AS number, NULL AS key FROM matched GROUP BY match
                UNION ALL SELECT title, code, ean, match, sku_id, sku_name, NULL, key FROM page
                ORDER BY title, code, key
                """  # noqa: S608
            ),
            {"id": shop_id, "match": shown, "limit": PAGE, "offset": (page - 1) * PAGE},
        )
        found = list(rows.mappings())
    counted = {row["match"]: int(row["number"]) for row in found if row["number"] is not None}
    names = ("title", "code", "ean", "sku_id", "sku_name")
    items = tuple(
        Item(match=shown, **{name: row[name] for name in names}) for row in found if row["number"] is None
    )
    return ProductsView({match: counted.get(match, 0) for match in Match}, shown, items, page, int(skus or 0))


async def every_item(engine: AsyncEngine, shop_id: ShopId) -> AsyncIterator[Item]:
    """All variants with their match, streamed: a catalogue need not fit into memory."""
    async with engine.connect() as connection:
        rows = await connection.stream(
            text(
                f"{_MATCHED} SELECT title, code, ean, match, sku_id, sku_name FROM matched"  # noqa: S608
                " ORDER BY match, lower(title), lower(code), key"
            ),
            {"id": shop_id},
        )
        async for row in rows.mappings():
            yield Item(**{**row, "match": Match(row["match"])})
