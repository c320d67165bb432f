"""The copy of the shop's catalogue: one row for each sellable variant, as it was last read.

Its key: `domain/variant_key.py`. `match`, `sku_id`: which SKU it is, which `store.sku_matching` decides.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

import msgspec
from sqlalchemy import (
    CTE,
    ColumnElement,
    Numeric,
    Select,
    Subquery,
    Text,
    Update,
    and_,
    bindparam,
    column,
    delete,
    distinct,
    func,
    literal,
    or_,
    select,
    union_all,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from upbridge.domain.product import Product
from upbridge.domain.shop_id import ShopId
from upbridge.domain.sku import Match, Names, code_key
from upbridge.store.schema import variants as table
from upbridge.store.sql import Composed, among, arrays, as_rows, one_of, rows_of

#: What matching compares, of every shop.
names: Subquery = select(
    table.c.shop_id,
    table.c.key,
    table.c.product_id,
    table.c.code_key,
    table.c.ean_key,
    table.c.match,
    table.c.sku_id,
).subquery("named")

#: Variants whose stock is their own number and is matched with exactly one SKU: what a target may write.
writable: Subquery = (
    select(table.c.shop_id, table.c.key, table.c.code, table.c.stock.label("shown"), table.c.sku_id)
    .where(
        table.c.match.in_([Match.CODE, Match.EAN]),
        # A number that the shop does not track, or that a variant inherits, is left alone: writing one would
        # change what it means. A variant without a code cannot be addressed.
        table.c.stock.is_not(None),
        table.c.stock_own,
        table.c.code_key.is_not(None),
    )
    .subquery("writable")
)

# --- writing ------------------------------------------------------------------------------------------------


async def replace_products(
    tx: AsyncConnection,
    shop_id: ShopId,
    products: Sequence[Product],
    batch: Collection[int],
    *,
    held: Collection[str] = (),
    now: datetime,
) -> dict[str, Names]:
    """Let the rows of the products *batch* be the variants of *products*, which are those of them that exist. The
    rows of *held* (keys) stay as they are. Returns what those were called, by key, that are gone."""
    pairs = {variant.id: (product, variant) for product in products for variant in product.variants}
    rows = [pair for key, pair in sorted(pairs.items()) if key not in held]
    kept = {"shop": shop_id, "products": list(batch), "kept": [*pairs.keys(), *held]}
    deleted = await tx.execute(_DELETE_OTHERS, kept)
    gone = {row.key: (row.code, row.ean) for row in deleted}
    if not rows:
        return gone
    titles = {one.product_id: text.title if (text := one.text(None)) else None for one in products}
    read = [
        _Read(
            *(one.id, one.product_id, one.code, one.ean, code_key(one.code), code_key(one.ean)),
            *(titles[product.product_id], one.stock, one.stock_own, one.active, product.active, one.priced),
        )
        for product, one in rows
    ]
    await tx.execute(_UPSERT, {"shop": shop_id, "now": now, "rows": as_rows(read)})
    return gone


_DELETE_OTHERS = (
    delete(table)
    .where(
        table.c.shop_id == bindparam("shop"), among(table.c.product_id, "products"), ~among(table.c.key, "kept")
    )
    .returning(table.c.key, table.c.code, table.c.ean)
)


class _Read(msgspec.Struct, gc=False):
    """What is kept of a variant that was read."""

    key: str
    product_id: int
    code: str | None
    ean: str | None
    code_key: str | None
    ean_key: str | None
    title: str | None
    stock: Decimal | None
    stock_own: bool
    active: bool
    listed: bool
    priced: bool


_ROWS = rows_of("t", "rows", **{name: table.c[name].type for name in _Read.__struct_fields__})
_INSERT = insert(table).from_select(
    ["shop_id", *_ROWS.c.keys(), "read_at"],
    select(bindparam("shop", type_=table.c.shop_id.type), *_ROWS.c, bindparam("now", type_=table.c.read_at.type)),
)
_READ = [one.name for one in _ROWS.c if one.name != "key"]
_UPSERT = _INSERT.on_conflict_do_update(
    index_elements=[table.c.shop_id, table.c.key],
    set_={name: _INSERT.excluded[name] for name in (*_READ, "read_at")},
)


async def show_stock(tx: AsyncConnection, shop_id: ShopId, shown: Mapping[str, Decimal | int]) -> None:
    """The shop shows these numbers now, by key of the variant."""
    await tx.execute(
        _SHOW, {"shop": shop_id, "keys": list(shown), "numbers": [Decimal(number) for number in shown.values()]}
    )


_SHOWN = arrays("t", key=("keys", Text()), written=("numbers", Numeric()))
_SHOW = (
    update(table)
    .values(stock=_SHOWN.c.written)
    .where(table.c.shop_id == bindparam("shop", type_=table.c.shop_id.type), table.c.key == _SHOWN.c.key)
)


def matching(found: CTE, shop_id: ColumnElement[ShopId]) -> Update:
    """The statement that writes *found* (key, match, sku_id) where it differs from what stands."""
    return (
        update(table)
        .values(match=found.c.match, sku_id=found.c.sku_id)
        .where(
            table.c.shop_id == shop_id,
            table.c.key == found.c.key,
            or_(
                table.c.match.is_distinct_from(found.c.match),
                table.c.sku_id.is_distinct_from(found.c.sku_id),
            ),
        )
    )


# --- reading ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Copied:
    """A variant as it was last believed. *priced* None: not known."""

    product_id: int
    key: str
    code_key: str | None
    stock: Decimal | None
    priced: bool | None


async def copied(tx: AsyncConnection, shop_id: ShopId, products: Collection[int]) -> list[Copied]:
    """The variants of *products* as the copy has them."""
    if not products:
        return []
    return [Copied(*row) for row in await _COPIED.all(tx, shop=shop_id, products=list(products))]


_COPIED = Composed(
    select(table.c.product_id, table.c.key, table.c.code_key, table.c.stock, table.c.priced).where(
        table.c.shop_id == bindparam("shop"), among(table.c.product_id, "products")
    )
)


async def read_from(tx: AsyncConnection, shop_id: ShopId, since: datetime, products: Collection[int]) -> set[int]:
    """Those of *products* that were read from *since* on."""
    query = select(table.c.product_id).where(table.c.shop_id == shop_id, table.c.read_at >= since)
    return set(await tx.scalars(query.where(one_of(table.c.product_id, products))))


async def products_of(tx: AsyncConnection, shop_id: ShopId, keys: Collection[str]) -> list[int]:
    """The products that have these variants; those that are not known are left out."""
    query = select(table.c.product_id).where(table.c.shop_id == shop_id, one_of(table.c.key, keys)).distinct()
    return list((await tx.scalars(query)).all())


async def unseen_products(tx: AsyncConnection, shop_id: ShopId, *, since: datetime, on_sale: bool) -> list[int]:
    """Products that were last read before *since*: those *on_sale*, or all."""
    query = select(table.c.product_id).where(table.c.shop_id == shop_id, table.c.read_at < since)
    query = query.where(table.c.listed) if on_sale else query
    return list((await tx.scalars(query.distinct())).all())


async def count_offered(tx: AsyncConnection, shop_id: ShopId) -> int:
    """How many variants on sale are known."""
    on_sale = and_(table.c.shop_id == shop_id, table.c.listed, table.c.active)
    return int(await tx.scalar(select(func.count()).select_from(table).where(on_sale)) or 0)


async def products_between(
    tx: AsyncConnection, shop_id: ShopId, after: int, before: int | None, *, limit: int
) -> list[int]:
    """Known products with ids between *after* and *before*, at most *limit*."""
    within = table.c.product_id > after if before is None else table.c.product_id.between(after + 1, before - 1)
    query = select(table.c.product_id).where(table.c.shop_id == shop_id, within).distinct()
    return list((await tx.scalars(query.order_by(table.c.product_id).limit(limit))).all())


async def count_products(tx: AsyncConnection, shop_id: ShopId) -> int:
    """How many products on sale are known."""
    query = select(func.count(distinct(table.c.product_id))).where(table.c.shop_id == shop_id, table.c.listed)
    return int(await tx.scalar(query) or 0)


@dataclass(frozen=True, slots=True)
class Named:
    """A variant on offer, and the key of the name asked for."""

    product_id: int
    key: str
    name: str


class Keyed(NamedTuple):
    """What a variant is called, as names are compared, and whether it is on offer."""

    key: str
    code: str | None
    ean: str | None
    offered: bool


async def keyed(tx: AsyncConnection, shop_id: ShopId, products: Collection[int]) -> list[Keyed]:
    """The variants of *products* as they stand."""
    return [Keyed(*row) for row in await tx.execute(_KEYED, {"shop": shop_id, "products": list(products)})]


_OFFERED = and_(table.c.listed, table.c.active)
_KEYED = select(table.c.key, table.c.code_key, table.c.ean_key, _OFFERED).where(
    table.c.shop_id == bindparam("shop"), among(table.c.product_id, "products")
)


async def offered_as(tx: AsyncConnection, shop_id: ShopId, by: str, wanted: Collection[str]) -> list[Named]:
    """The variants on offer that have one of the names *wanted* (keys); *by* is `code` or `ean`."""
    return [Named(*row) for row in await tx.execute(_OFFERED_AS[by], {"shop": shop_id, "names": list(wanted)})]


_KEY = {"code": table.c.code_key, "ean": table.c.ean_key}
_OFFERED_AS = {
    by: select(table.c.product_id, table.c.key, name).where(
        table.c.shop_id == bindparam("shop"), table.c.listed, table.c.active, among(name, "names")
    )
    for by, name in _KEY.items()
}


async def names_of(tx: AsyncConnection, shop_id: ShopId, keys: Collection[str]) -> dict[str, Names]:
    """The own code and EAN of these variants, by key; those that are not known are left out."""
    return {row.key: (row.code, row.ean) for row in await _NAMES.all(tx, shop=shop_id, keys=list(keys))}


_NAMES = Composed(
    select(table.c.key, table.c.code, table.c.ean).where(
        table.c.shop_id == bindparam("shop"), among(table.c.key, "keys")
    )
)


async def bearers(tx: AsyncConnection, shop_id: ShopId, codes: Collection[str]) -> dict[str, frozenset[str]]:
    """The variants, by key, that have these codes by now; codes (by their key) that none has are left out."""
    if not codes:
        return {}
    rows = await tx.execute(
        select(table.c.code_key, func.array_agg(table.c.key))
        .where(table.c.shop_id == shop_id, one_of(table.c.code_key, codes))
        .group_by(table.c.code_key)
    )
    return {code: frozenset(keys) for code, keys in rows}


async def doubled(tx: AsyncConnection, shop_id: ShopId) -> tuple[frozenset[str], frozenset[str]]:
    """The keys of codes and of EANs that several variants have; few, where there are any."""

    def several(by: str) -> Select[str, str]:
        name = _KEY[by]
        here = select(literal(by, Text).label("by"), name.label("name")).where(
            table.c.shop_id == shop_id, name.is_not(None)
        )
        return here.group_by(name).having(func.count() > 1)

    found = [(row.by, row.name) for row in await tx.execute(union_all(several("code"), several("ean")))]
    return (
        frozenset(name for by, name in found if by == "code"),
        frozenset(name for by, name in found if by == "ean"),
    )


async def resolve(
    tx: AsyncConnection, shop_id: ShopId, wanted: Sequence[tuple[str | None, str | None]]
) -> list[str | None]:
    """For each (key, code): the key of that variant itself; of the one that has the code now, if it is gone."""
    asked = (
        func.unnest(
            literal([key for key, _ in wanted], ARRAY(Text)),
            literal([code_key(code) for _, code in wanted], ARRAY(Text)),
        )
        .table_valued(column("key", Text), column("code_key", Text), with_ordinality="place")
        .render_derived(name="asked")
    )
    bearer = table.alias("bearer")
    now_named = (
        select(func.min(bearer.c.key))
        .where(bearer.c.shop_id == shop_id, bearer.c.code_key == asked.c.code_key)
        .scalar_subquery()
    )
    rows = await tx.execute(
        select(asked.c.place, func.coalesce(table.c.key, now_named).label("key")).select_from(
            asked.outerjoin(table, and_(table.c.shop_id == shop_id, table.c.key == asked.c.key))
        )
    )
    found = {row.place: row.key for row in rows}
    return [found.get(place) for place in range(1, len(wanted) + 1)]
