"""Products: which variants of the shop are which SKU of the connected catalogue, and which are none."""

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from upbridge.domain.shop_id import ShopId
from upbridge.domain.sku import Match
from upbridge.store import pairings, sku_matching, skus, variant_queries
from upbridge.store.sku_matching import MatchedVariant
from upbridge.store.variant_queries import MatchPlace, shown_by_key

PAGE = 100


#: Variants that are read at once for the whole report.
PORTION = 1_000


@dataclass(frozen=True, slots=True)
class Pair:
    """A variant that a person has paired. *sku* is what people call its SKU, None where that is gone."""

    key: str
    code: str | None
    title: str | None
    sku: str | None


@dataclass(frozen=True, slots=True)
class ProductsView:
    """The match report: *counts* of all variants, *items* of the chosen kind (a page of them)."""

    counts: dict[Match, int]
    shown: Match
    items: tuple[MatchedVariant, ...]
    page: int
    skus: bool
    """Whether any SKU is known."""
    pairs: tuple[Pair, ...] = ()
    """What people have paired by hand, the newest first; at most `PAGE`."""

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
        known = await skus.any_known(tx, shop_id)
        counted = await variant_queries.count_matches(tx, shop_id)
        page = max(min(page, -(-counted.get(shown, 0) // PAGE)), 1)
        items = await sku_matching.matched_page(tx, shop_id, shown, limit=PAGE, offset=(page - 1) * PAGE)
        pairs = await _pairs(tx, shop_id)
    counts = {match: counted.get(match, 0) for match in Match}
    return ProductsView(counts, shown, tuple(items), page, known, pairs)


async def _pairs(tx: AsyncConnection, shop_id: ShopId) -> tuple[Pair, ...]:
    found = await pairings.latest(tx, shop_id, limit=PAGE)
    if not found:
        return ()
    known, there = await shown_by_key(tx, shop_id, found), await skus.of_ids(tx, shop_id, sorted(found.values()))
    pairs = [(key, known.get(key), there.get(sku_id)) for key, sku_id in found.items()]
    return tuple(
        Pair(
            key,
            None if variant is None else variant.code,
            None if variant is None else variant.title,
            None if sku is None else sku.name or sku.sku_number or sku.ean,
        )
        for key, variant, sku in pairs
    )


@dataclass(frozen=True, slots=True)
class Portion:
    """Some of all variants, in the order of the report. *last*: where the next portion begins; None at the end."""

    items: tuple[MatchedVariant, ...]
    last: MatchPlace | None


async def portion_of(
    engine: AsyncEngine, shop_id: ShopId, after: MatchPlace | None, *, most: int = PORTION
) -> Portion:
    """All variants with their match, in portions: the *most* that follow *after* (None: the first).

    Each portion is a short transaction of its own, so that who reads slowly holds nothing. So the whole is not as
    of one moment: a variant that keeps its match, title and code is read exactly once, also if others change;
    one that comes, goes or changes is read as it is when its turn comes. A change of those three moves a variant:
    from what is still to come to what was read, and it is missing; the other way round, and it comes twice.
    """
    async with engine.connect() as tx:
        items = await sku_matching.matched_after(tx, shop_id, after, limit=most)
    return Portion(tuple(items), items[-1].place if len(items) == most else None)
