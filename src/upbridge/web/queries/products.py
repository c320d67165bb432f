"""Products: which variants of the shop are which SKU of the connected catalogue, and which are none."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncEngine

from upbridge.domain.shop_id import ShopId
from upbridge.domain.sku import Match

PAGE = 100


#: Variants that are read at once for the whole report.
PORTION = 1_000

#: The order of the report, which is that of an index (`variants_match_idx`).
_ORDER = ("match", "title_folded", "code", "key")
_NULLABLE = {"title_folded", "code"}


@dataclass(frozen=True, slots=True)
class Item:
    """A variant of the shop with the SKU that it is."""

    title: str | None
    code: str | None
    ean: str | None
    match: Match
    sku_id: int | None
    sku_name: str | None


_SHOWN = tuple(one.name for one in fields(Item))


@dataclass(frozen=True, slots=True)
class ProductsView:
    """The match report: *counts* of all variants, *items* of the chosen kind (a page of them)."""

    counts: dict[Match, int]
    shown: Match
    items: tuple[Item, ...]
    page: int
    skus: bool
    """Whether any SKU is known."""

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
    async with engine.connect() as tx:
        known = await tx.scalar(text("SELECT EXISTS (SELECT FROM skus WHERE shop_id = :id)"), {"id": shop_id})
        counts = await tx.execute(
            text("SELECT match, count(*) AS number FROM variants WHERE shop_id = :id GROUP BY match"),
            {"id": shop_id},
        )
        counted = {row.match: int(row.number) for row in counts}
        page = max(min(page, -(-counted.get(shown, 0) // PAGE)), 1)
        rows = await tx.execute(
            text(
                """
                WITH page AS (
                  SELECT shop_id, key FROM variants WHERE shop_id = :id AND match = :match
                  ORDER BY title_folded, code, key LIMIT :limit OFFSET :offset
                )
                SELECT i.title, i.code, i.ean, i.match, i.sku_id, s.name AS sku_name
                FROM page JOIN variants i USING (shop_id, key) LEFT JOIN skus s USING (shop_id, sku_id)
                ORDER BY i.title_folded, i.code, i.key
                """
            ),
            {"id": shop_id, "match": shown, "limit": PAGE, "offset": (page - 1) * PAGE},
        )
        items = tuple(_item({**row}) for row in rows.mappings())
    return ProductsView({match: counted.get(match, 0) for match in Match}, shown, items, page, bool(known))


@dataclass(frozen=True, slots=True)
class Portion:
    """Some of all variants, in the order of the report. *last*: where the next portion begins; None at the end."""

    items: tuple[Item, ...]
    last: Mapping[str, Any] | None


async def portion_of(
    engine: AsyncEngine, shop_id: ShopId, after: Mapping[str, Any] | None, *, most: int = PORTION
) -> Portion:
    """All variants with their match, in portions: the *most* that follow *after* (None: the first).

    Each portion is a short transaction of its own, so that who reads slowly holds nothing. So the whole is not as
    of one moment: a variant that keeps its match, title and code is read exactly once, also if others change;
    one that comes, goes or changes is read as it is when its turn comes. A change of those three moves a variant:
    from what is still to come to what was read, and it is missing; the other way round, and it comes twice.
    """
    found: list[RowMapping] = []
    async with engine.connect() as tx:
        for condition in _conditions(after):
            rows = await tx.execute(
                text(
                    f"""
                    SELECT i.*, s.name AS sku_name FROM (
                      SELECT shop_id, match, title_folded, code, key, title, ean, sku_id FROM variants
                      WHERE shop_id = :id AND {condition} ORDER BY match, title_folded, code, key LIMIT :limit
                    ) i LEFT JOIN skus s USING (shop_id, sku_id) ORDER BY i.match, i.title_folded, i.code, i.key
                    """  # noqa: S608 - conditions are made of our own names
                ),
                {**(after or {}), "id": shop_id, "limit": most - len(found)},
            )
            found += rows.mappings()
            if len(found) == most:
                break
    items = tuple(_item({name: row[name] for name in _SHOWN}) for row in found)
    return Portion(items, {name: found[-1][name] for name in _ORDER} if len(found) == most else None)


def _conditions(after: Mapping[str, Any] | None) -> Iterator[str]:
    """What follows *after*, as conditions whose rows follow each other: each is one range of the index.

    Comparing rows would be one condition, but it loses those with a NULL, and variants without a title or a code
    have one. NULLs are last.
    """
    if after is None:
        yield "true"
        return
    for depth in reversed(range(len(_ORDER))):
        name = _ORDER[depth]
        same = [f"{one} IS NULL" if after[one] is None else f"{one} = :{one}" for one in _ORDER[:depth]]
        if after[name] is not None:
            yield " AND ".join([*same, f"{name} > :{name}"])
            if name in _NULLABLE:
                yield " AND ".join([*same, f"{name} IS NULL"])


def _item(row: Mapping[str, Any]) -> Item:
    return Item(**{**row, "match": Match(row["match"])})
