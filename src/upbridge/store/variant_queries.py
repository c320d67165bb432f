"""The copy of the shop's catalogue, for those who ask. Nothing here writes."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, Text, and_, any_, case, distinct, false, func, or_, select, true
from sqlalchemy.dialects.postgresql import ARRAY, aggregate_order_by
from sqlalchemy.ext.asyncio import AsyncConnection

from upbridge.core.parsing import digits
from upbridge.domain.shop_id import ShopId
from upbridge.domain.sku import Match, code_key
from upbridge.store.schema import variants as table
from upbridge.store.sql import containing, one_of


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


@dataclass(frozen=True, slots=True)
class Unmatched:
    """How many variants on sale are no SKU, and of how many products."""

    products: int
    variants: int


async def unmatched_variants(
    tx: AsyncConnection, shop_id: ShopId, *, limit: int | None
) -> list[tuple[str, str | None, str | None]]:
    """Key, code and title of the first *limit* variants on sale that are matched with no SKU; None: of all."""
    query = (
        select(table.c.key, table.c.code, table.c.title)
        .where(table.c.shop_id == shop_id, table.c.listed, table.c.active, table.c.match == Match.UNMATCHED)
        .order_by(table.c.key)
        .limit(limit)
    )
    return [(row.key, row.code, row.title) for row in await tx.execute(query)]


async def count_unmatched(tx: AsyncConnection, shop_id: ShopId) -> Unmatched:
    """Count the variants on sale that are matched with no SKU."""
    query = select(func.count(distinct(table.c.product_id)), func.count()).where(
        table.c.shop_id == shop_id, table.c.listed, table.c.active, table.c.match == Match.UNMATCHED
    )
    return Unmatched(*(await tx.execute(query)).one())


@dataclass(frozen=True, slots=True)
class NamedVariant:
    """A variant as people know it."""

    product_id: int
    code: str | None
    title: str | None


async def search(tx: AsyncConnection, shop_id: ShopId, words: str, *, most: int) -> list[NamedVariant]:
    """Variants that *words* name: by their code, their key or the number of their product, then by their EAN or by
    a part of their title, which may be typed without its accents."""
    code = code_key(words)
    number = digits(words)
    coded = false() if code is None else table.c.code_key == code
    measured = false() if code is None else table.c.ean_key == code
    named = or_(coded, table.c.key == words, table.c.product_id == number)
    # Twice as many: some of them may be named as well, fewer than *most* if others are shown at all. As an array,
    # so that each condition is looked up in an index of its own.
    of_title = table.c.key == any_(func.array(titled(shop_id, words, most=2 * most).scalar_subquery()))
    query = (
        select(table.c.product_id, table.c.code, table.c.title)
        .where(table.c.shop_id == shop_id, or_(named, measured, of_title))
        .order_by(named.is_(true()).desc(), table.c.title_sorted, table.c.code, table.c.key)
        .limit(most)
    )
    return [NamedVariant(*row) for row in await tx.execute(query)]


def keys_titled(shop_id: ShopId, words: str) -> Select[str]:
    """The keys of the variants that have *words* in their title, with or without their accents."""
    return select(table.c.key).where(table.c.shop_id == shop_id, containing(table.c.title_folded, words))


def titled(shop_id: ShopId, words: str, *, most: int) -> Select[str]:
    """The first *most* of them, by their titles."""
    return keys_titled(shop_id, words).order_by(table.c.title_sorted, table.c.code, table.c.key).limit(most)


async def named_by(tx: AsyncConnection, shop_id: ShopId, keys: Collection[str]) -> dict[str, NamedVariant]:
    """What these variants are called, by key; those that are not known are left out."""
    shown = (table.c.key, table.c.product_id, table.c.code, table.c.title)
    rows = await tx.execute(select(*shown).where(table.c.shop_id == shop_id, one_of(table.c.key, keys)))
    return {key: NamedVariant(*rest) for key, *rest in rows}


@dataclass(frozen=True, slots=True)
class Unwritable:
    """How many variants have no number that a target could write, and some of their names."""

    ambiguous: bool
    """Several SKUs are possible; else there is no code."""
    number: int
    names: tuple[str, ...]


async def unwritable(tx: AsyncConnection, shop_id: ShopId, *, examples: int) -> list[Unwritable]:
    """Variants that claim a SKU and whose stock can never be written, by cause."""
    ambiguous = case((table.c.match == Match.DOUBLED, True), (table.c.code_key.is_(None), False))
    cause = (
        select(ambiguous.label("ambiguous"), func.coalesce(table.c.code, table.c.title, table.c.ean).label("name"))
        .where(
            table.c.shop_id == shop_id,
            table.c.sku_id.is_not(None),
            table.c.stock.is_not(None),
            table.c.stock_own,
        )
        .cte("cause")
    )
    named = func.array_agg(aggregate_order_by(cause.c.name, cause.c.name), type_=ARRAY(Text))
    rows = await tx.execute(
        select(cause.c.ambiguous, func.count().label("number"), named[1:examples].label("names"))
        .where(cause.c.ambiguous.is_not(None))
        .group_by(cause.c.ambiguous)
    )
    return [Unwritable(row.ambiguous, int(row.number), tuple(row.names)) for row in rows]


async def count_matches(tx: AsyncConnection, shop_id: ShopId) -> dict[Match, int]:
    """How many variants are matched in which way."""
    query = select(table.c.match, func.count()).where(table.c.shop_id == shop_id).group_by(table.c.match)
    return {Match(match): int(number) for match, number in await tx.execute(query)}


# --- the match report ---------------------------------------------------------------------------------------


class MatchPlace(NamedTuple):
    """Where a variant stands in the report of matches; the order is that of an index (`variants_match_idx`)."""

    match: str
    title_sorted: str | None
    code: str | None
    key: str


_PLACE = (table.c.match, table.c.title_sorted, table.c.code, table.c.key)


def reported(shop_id: ShopId, *conditions: ColumnElement[bool]) -> Select[Any]:
    """The shop's variants in the order of the report, with what it shows of them."""
    return (
        select(*_PLACE, table.c.shop_id, table.c.title, table.c.ean, table.c.sku_id)
        .where(table.c.shop_id == shop_id, *conditions)
        .order_by(*_PLACE)
    )


def matched_as(match: Match) -> ColumnElement[bool]:
    """A condition for `reported`: matched in this way."""
    return table.c.match == match


def beyond(after: MatchPlace | None) -> Iterator[ColumnElement[bool]]:
    """Conditions for `reported`: what follows *after* (None: everything), each one range of the index. Their rows
    follow each other.

    Comparing rows would be one condition, but it loses those with a NULL, and variants without a title or a code
    have one. NULLs are last.
    """
    if after is None:
        yield true()
        return
    for depth in reversed(range(len(_PLACE))):
        name, least = _PLACE[depth], after[depth]
        same = [one == value for one, value in zip(_PLACE[:depth], after, strict=False)]
        if least is not None:
            yield and_(*same, name > least)
            if name.nullable:
                yield and_(*same, name.is_(None))
