"""Which variant of the shop is which SKU in Uphance, kept beside the catalogue (`items.match`, `items.sku_id`).

The rules are those of an order's lines (`systems/uphance/matching.py`): the code decides, a doubled code is not
cured by an EAN, and only an EAN of the variant's own counts. Asking them of 100,000 variants whenever somebody
looks takes Postgres seconds; so the answer is written down when a variant changes, and for all of them when
Uphance's catalogue was read. That also fills it in after an upgrade.
"""

from collections.abc import Sequence
from enum import StrEnum

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from upbridge.domain.shop_id import ShopId


class Match(StrEnum):
    """How a variant is matched."""

    CODE = "code"
    EAN = "ean"
    UNMATCHED = "unmatched"
    DOUBLED = "doubled"
    """Its code or EAN is on several SKUs, or on several variants of the shop."""


async def lock_matching(tx: AsyncConnection, shop_id: ShopId) -> None:
    """Be the only one who changes the shop's variants until the transaction ends: whether a code is doubled
    depends on rows that another one may be writing. Call it before the first of them is touched."""
    await tx.execute(
        text("SELECT pg_advisory_xact_lock(hashtextextended('matches:' || CAST(:shop_id AS text), 0))"),
        {"shop_id": shop_id},
    )


async def codes_of(tx: AsyncConnection, shop_id: ShopId, products: Sequence[int]) -> list[str]:
    """The codes of these products' variants as they stand, for `rematch`."""
    rows = await tx.execute(
        text(
            "SELECT DISTINCT lower(btrim(code)) AS code FROM variants"
            " WHERE shop_id = :shop_id AND product_id = ANY(CAST(:products AS bigint[])) AND btrim(code) <> ''"
        ),
        {"shop_id": shop_id, "products": list(products)},
    )
    return [row.code for row in rows]


async def rematch(tx: AsyncConnection, shop_id: ShopId, keys: Sequence[str], codes: Sequence[str]) -> None:
    """Match the variants *keys* again, and those that have one of their codes, or one of the *codes* of before."""
    await tx.execute(_RENEW, {"shop_id": shop_id, "keys": list(keys), "codes": list(codes)})


async def rematch_all(tx: AsyncConnection, shop_id: ShopId) -> None:
    """Match every variant again; only what differs is written.

    Right after the tables were filled Postgres takes them for empty, and would compare every variant with every
    SKU, one after the other: it may not, for this statement.
    """
    await lock_matching(tx, shop_id)
    await tx.execute(text("SET LOCAL enable_nestloop = off"))
    await tx.execute(_RENEW_ALL, {"shop_id": shop_id})
    await tx.execute(text("SET LOCAL enable_nestloop = on"))


def _update(found: str) -> str:
    """The statement that writes down what is *found*: rows of place (where the variant's row lies), same (variants
    with that code), codes and eans (how many SKUs have it), and the SKUs by_code and by_ean."""
    return f"""
        UPDATE variants i SET match = f.match, sku_id = f.sku_id
        FROM (
          SELECT place, COALESCE(by_code, by_ean) AS sku_id,
            CASE WHEN same > 1 OR codes > 1 OR codes = 0 AND eans > 1 THEN 'doubled'
                 WHEN codes = 1 THEN 'code' WHEN eans = 1 THEN 'ean' ELSE 'unmatched' END AS match
          FROM ({found}) counted
        ) f
        WHERE i.ctid = f.place AND (i.match, i.sku_id) IS DISTINCT FROM (f.match, f.sku_id)
    """  # noqa: S608 - constants


#: For a few: each is looked up by itself.
_RENEW = text(
    """
    WITH known AS (SELECT unnest(CAST(:keys AS text[])) AS key),
    codes AS (
      SELECT unnest(CAST(:codes AS text[])) AS code
      UNION SELECT lower(btrim(i.code)) FROM known k JOIN variants i ON i.shop_id = :shop_id AND i.key = k.key
      WHERE btrim(i.code) <> ''
    ), affected AS (
      SELECT key FROM known
      UNION SELECT i.key FROM codes c JOIN variants i ON i.shop_id = :shop_id AND lower(btrim(i.code)) = c.code
    )
    """  # noqa: S608 - constants
    + _update(
        """
        SELECT one.ctid AS place, o.number AS same, c.number AS codes, c.sku_id AS by_code, e.number AS eans,
          e.sku_id AS by_ean
        FROM affected a JOIN variants one ON one.shop_id = :shop_id AND one.key = a.key
          CROSS JOIN LATERAL (
            SELECT count(*) AS number FROM variants WHERE shop_id = :shop_id
              AND lower(btrim(code)) = lower(btrim(one.code)) AND btrim(one.code) <> '') o
          CROSS JOIN LATERAL (
            SELECT count(*) AS number, min(sku_id) AS sku_id FROM skus WHERE shop_id = :shop_id
              AND lower(btrim(sku_number)) = lower(btrim(one.code)) AND btrim(one.code) <> '') c
          CROSS JOIN LATERAL (
            SELECT count(*) AS number, min(sku_id) AS sku_id FROM skus WHERE shop_id = :shop_id
              AND ean = btrim(one.ean) AND ean <> '') e
        """
    )
)
#: For all: everything is counted once.
_RENEW_ALL = text(
    """
    WITH own AS MATERIALIZED (
      SELECT ctid AS place, NULLIF(lower(btrim(code)), '') AS code, NULLIF(btrim(ean), '') AS ean FROM variants
      WHERE shop_id = :shop_id
    ), theirs AS MATERIALIZED (
      SELECT sku_id, NULLIF(lower(btrim(sku_number)), '') AS code, NULLIF(ean, '') AS ean FROM skus
      WHERE shop_id = :shop_id
    ), twice AS MATERIALIZED (
      SELECT code, count(*) AS number FROM own WHERE code IS NOT NULL GROUP BY code
    ), codes AS MATERIALIZED (
      SELECT code, count(*) AS number, min(sku_id) AS sku_id FROM theirs WHERE code IS NOT NULL GROUP BY code
    ), eans AS MATERIALIZED (
      SELECT ean, count(*) AS number, min(sku_id) AS sku_id FROM theirs WHERE ean IS NOT NULL GROUP BY ean
    )
    """  # noqa: S608 - constants
    + _update(
        """
        SELECT own.place, o.number AS same, COALESCE(c.number, 0) AS codes, c.sku_id AS by_code, e.number AS eans,
          e.sku_id AS by_ean
        FROM own LEFT JOIN twice o ON o.code = own.code LEFT JOIN codes c ON c.code = own.code
          LEFT JOIN eans e ON e.ean = own.ean
        """
    )
)
