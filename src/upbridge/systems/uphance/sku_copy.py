"""The SKUs of the connected organisation, kept in the table `skus`, and who is who among them.

Uphance has no "changed since" and no filter by SKU number, so all of `/products` is read and indexed here. What
was read replaces the table only when the read was complete, in one transaction that is not open meanwhile.
"""

import json
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from upbridge.domain.shop_id import ShopId
from upbridge.domain.sku import code_key
from upbridge.systems.uphance.client import UphanceClient
from upbridge.systems.uphance.matching import Coded, Doubled, Sku, SkuBook
from upbridge.systems.uphance.schemas import skus_of

_CHUNK = 2000
_COLUMNS = (
    "sku_id, product_id, variation_id, season_id, sku_number, ean, name, in_stock, available, available_from_stock"
)
_TYPES = (
    "sku_id bigint, product_id bigint, variation_id bigint, season_id bigint, sku_number text, ean text,"
    " name text, in_stock integer, available integer, available_from_stock integer, code_key text, ean_key text"
)
_STORED = f"{_COLUMNS}, code_key, ean_key"
_IDENTITY = ("product_id", "variation_id", "season_id", "sku_number", "ean")


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What a complete read of the catalogue brought."""

    total: int
    changed: bool
    """Anything at all, stock included."""
    matching_changed: bool
    """Something by which lines are matched: what is parked for a SKU may go now."""


@dataclass(frozen=True, slots=True)
class StockLevel:
    """What Uphance says about one SKU; None where it says nothing. Assumption: numbers can be negative, so the
    worker that writes them to the shop clamps at 0."""

    sku_id: int
    sku_number: str | None
    ean: str | None
    in_stock: int | None
    available_to_sell: int | None
    available_to_sell_from_stock: int | None


class Catalogue:
    """The copy of Uphance's SKUs, per shop."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def refresh(self, shop_id: ShopId, client: UphanceClient) -> Refreshed:
        """Read all products and replace the shop's SKUs with theirs."""
        skus = await read_skus(client)
        async with self._engine.begin() as tx:
            return await replace_skus(tx, shop_id, skus)

    async def book(self, shop_id: ShopId, lines: Iterable[Coded]) -> SkuBook:
        """The SKUs that *lines* may mean, doubled ones included, in one query, and the variants' own EANs."""
        wanted = list(lines)
        codes = sorted({code for line in wanted if (code := code_key(line.code)) is not None})
        eans = sorted({ean for line in wanted if (ean := code_key(line.ean)) is not None})
        variants = sorted({line.variant_id for line in wanted if line.variant_id is not None and line.ean})
        async with self._engine.connect() as tx:
            rows = await tx.execute(
                text(
                    f"""
                    SELECT {_COLUMNS} FROM skus WHERE shop_id = :shop_id AND (
                      code_key = ANY(CAST(:codes AS text[])) OR ean_key = ANY(CAST(:eans AS text[])))
                    """  # noqa: S608 - a constant
                ),
                {"shop_id": shop_id, "codes": codes, "eans": eans},
            )
            skus = [Sku(**row) for row in rows.mappings()]
            owned = await tx.execute(
                text(
                    "SELECT key, ean FROM variants WHERE shop_id = :shop_id AND key = ANY(CAST(:keys AS text[]))"
                ),
                {"shop_id": shop_id, "keys": [f"v-{variant}" for variant in variants]},
            )
            return SkuBook(skus, {int(row.key.removeprefix("v-")): row.ean for row in owned})

    async def doubled(self, shop_id: ShopId) -> Doubled:
        """The codes and EANs that several variants of the shop have; few, where there are any."""
        async with self._engine.connect() as tx:
            rows = await tx.execute(
                text(
                    """
                    SELECT 'code' AS kind, code_key AS name FROM variants
                    WHERE shop_id = :shop_id AND code_key IS NOT NULL GROUP BY 2 HAVING count(*) > 1
                    UNION ALL SELECT 'ean', ean_key FROM variants
                    WHERE shop_id = :shop_id AND ean_key IS NOT NULL GROUP BY 2 HAVING count(*) > 1
                    """
                ),
                {"shop_id": shop_id},
            )
            found = [(row.kind, row.name) for row in rows]
        return Doubled(
            frozenset(name for kind, name in found if kind == "code"),
            frozenset(name for kind, name in found if kind == "ean"),
        )

    async def complete(self, shop_id: ShopId) -> bool:
        """Whether the catalogue of the connected organisation was read to its end: only then is what is not in it
        not there."""
        async with self._engine.connect() as tx:
            return bool(
                await tx.scalar(
                    text(
                        "SELECT polled_at IS NOT NULL FROM connections"
                        " WHERE shop_id = :shop_id AND system = 'uphance'"
                    ),
                    {"shop_id": shop_id},
                )
            )

    async def stock(self, shop_id: ShopId) -> AsyncIterator[list[StockLevel]]:
        """Every SKU's stock as last read, by id, in portions; each portion is a transaction of its own."""
        after = 0
        while True:
            async with self._engine.connect() as tx:
                rows = await tx.execute(
                    text(
                        f"SELECT {_COLUMNS} FROM skus WHERE shop_id = :shop_id AND sku_id > :after"  # noqa: S608
                        " ORDER BY sku_id LIMIT :limit"
                    ),
                    {"shop_id": shop_id, "after": after, "limit": _CHUNK},
                )
                portion = [
                    StockLevel(
                        row.sku_id, row.sku_number, row.ean, row.in_stock, row.available, row.available_from_stock
                    )
                    for row in rows
                ]
            if not portion:
                return
            after = portion[-1].sku_id
            yield portion


async def read_skus(client: UphanceClient) -> list[Sku]:
    """The SKUs of all products; 2,000 products are 20 calls. An incomplete read is raised (`Unreachable`, …)."""
    skus: dict[int, Sku] = {}
    async for page in client.pages("/products", "products"):
        skus.update((sku.sku_id, sku) for product in page for sku in skus_of(product))
    return list(skus.values())


async def replace_skus(tx: AsyncConnection, shop_id: ShopId, skus: Sequence[Sku]) -> Refreshed:
    """Let *skus*, read completely, be the shop's, in the caller's transaction: what follows from a change belongs
    into the same one. `read_at` of a row is when it last differed.
    """
    await tx.execute(text(f"CREATE TEMP TABLE fresh_skus ({_TYPES}) ON COMMIT DROP"))
    for start in range(0, len(skus), _CHUNK):
        await tx.execute(
            text(
                f"INSERT INTO fresh_skus SELECT {_STORED}"  # noqa: S608 - constants
                f" FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS t ({_TYPES})"
            ),
            {"rows": json.dumps([_row(sku) for sku in skus[start : start + _CHUNK]])},
        )
    matching = await _differ(tx, shop_id, _IDENTITY)
    gone = await tx.execute(
        text(
            "DELETE FROM skus s WHERE s.shop_id = :shop_id"
            " AND NOT EXISTS (SELECT FROM fresh_skus f WHERE f.sku_id = s.sku_id)"
        ),
        {"shop_id": shop_id},
    )
    columns = _STORED.split(", ")[1:]
    written = await tx.execute(
        text(
            f"""
            INSERT INTO skus (shop_id, {_STORED}, read_at)
            SELECT :shop_id, {_STORED}, now() FROM fresh_skus
            ON CONFLICT (shop_id, sku_id) DO UPDATE
              SET {", ".join(f"{name} = excluded.{name}" for name in columns)}, read_at = excluded.read_at
              WHERE ({", ".join(f"skus.{name}" for name in columns)})
                IS DISTINCT FROM ({", ".join(f"excluded.{name}" for name in columns)})
            """  # noqa: S608 - constants
        ),
        {"shop_id": shop_id},
    )
    return Refreshed(len(skus), bool(gone.rowcount or written.rowcount), matching)


def _row(sku: Sku) -> dict[str, Any]:
    return {**asdict(sku), "code_key": code_key(sku.sku_number), "ean_key": code_key(sku.ean)}


async def _differ(tx: AsyncConnection, shop_id: ShopId, columns: Sequence[str]) -> bool:
    old, new = (", ".join(f"{table}.{name}" for name in columns) for table in "sf")
    return bool(
        await tx.scalar(
            text(
                f"""
                SELECT EXISTS (
                  SELECT FROM (SELECT * FROM skus WHERE shop_id = :shop_id) s
                  FULL JOIN fresh_skus f USING (sku_id)
                  WHERE s.product_id IS NULL OR f.product_id IS NULL OR ({old}) IS DISTINCT FROM ({new}))
                """  # noqa: S608 - constants
            ),
            {"shop_id": shop_id},
        )
    )
