"""The SKUs of the connected catalogue as last read. Each complete read replaces them."""

import json
from collections.abc import Collection, Sequence
from dataclasses import asdict

from sqlalchemy import (
    BindParameter,
    Column,
    Delete,
    Exists,
    FromClause,
    MetaData,
    Subquery,
    Table,
    Text,
    bindparam,
    cast,
    column,
    delete,
    exists,
    func,
    or_,
    select,
    tuple_,
)
from sqlalchemy.dialects.postgresql import JSONB, Insert, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from upbridge.domain.shop_id import ShopId
from upbridge.domain.sku import Sku, code_key
from upbridge.store.schema import skus as table
from upbridge.store.sql import one_of

_CHUNK = 2000
#: Something by which lines and variants are matched.
_IDENTITY = ("product_id", "variation_id", "season_id", "sku_number", "ean")

_FIELDS = tuple(Sku.__dataclass_fields__)
_STORED = (*_FIELDS, "code_key", "ean_key")

#: What matching compares, of every shop.
names: Subquery = select(table.c.shop_id, table.c.sku_id, table.c.code_key, table.c.ean_key).subquery("claimed")

#: What people call a SKU, of every shop.
labels: Subquery = select(table.c.shop_id, table.c.sku_id, table.c.name).subquery("labels")

#: The quantities, of every shop.
quantities: Subquery = select(
    table.c.shop_id, table.c.sku_id, table.c.in_stock, table.c.available, table.c.available_from_stock
).subquery("quantities")


async def replace_skus(tx: AsyncConnection, shop_id: ShopId, skus: Sequence[Sku]) -> bool:
    """Let *skus*, read completely, be the shop's. Returns whether what lines are matched by has changed: then what
    is parked for a SKU may go.

    In the caller's transaction: what follows from a change belongs into the same one. `read_at` of a row is when
    it last differed.
    """
    if len(skus) <= _CHUNK:  # to make a table for these costs Postgres more than all the rest
        return bool(await tx.scalar(_REPLACE, {"shop": shop_id, "rows": _rows(skus)}))
    await tx.run_sync(_fresh.create)
    for start in range(0, len(skus), _CHUNK):
        await tx.execute(_LOAD, {"rows": _rows(skus[start : start + _CHUNK])})
    matching = bool(await tx.scalar(select(_differ(_fresh)), {"shop": shop_id}))
    await tx.execute(_delete(_fresh), {"shop": shop_id})
    await tx.execute(_upsert(_fresh), {"shop": shop_id})
    return matching


async def named(tx: AsyncConnection, shop_id: ShopId, codes: Collection[str], eans: Collection[str]) -> list[Sku]:
    """The SKUs that have one of these codes or EANs (keys), doubled ones included."""
    rows = await tx.execute(
        select(*(table.c[name] for name in _FIELDS)).where(
            table.c.shop_id == shop_id, or_(one_of(table.c.code_key, codes), one_of(table.c.ean_key, eans))
        )
    )
    return [Sku(*row) for row in rows]


async def product_ids(tx: AsyncConnection, shop_id: ShopId) -> list[int]:
    """The products that the SKUs belong to."""
    query = select(table.c.product_id).where(table.c.shop_id == shop_id).distinct()
    return list((await tx.scalars(query)).all())


async def of_products(tx: AsyncConnection, shop_id: ShopId, products: Collection[int]) -> list[Sku]:
    """The SKUs of *products* as last read."""
    if not products:
        return []
    columns = (table.c[name] for name in _FIELDS)
    rows = await tx.execute(
        select(*columns).where(table.c.shop_id == shop_id, one_of(table.c.product_id, products))
    )
    return [Sku(*row) for row in rows]


async def of_ids(tx: AsyncConnection, shop_id: ShopId, ids: Collection[int]) -> dict[int, Sku]:
    """These SKUs, by id; those that are not known are left out."""
    columns = (table.c[name] for name in _FIELDS)
    rows = await tx.execute(select(*columns).where(table.c.shop_id == shop_id, one_of(table.c.sku_id, ids)))
    return {row.sku_id: Sku(*row) for row in rows}


async def search(tx: AsyncConnection, shop_id: ShopId, words: str, *, most: int) -> list[Sku]:
    """The SKUs whose number or EAN is *words*, or whose number or name has them in it; at most *most*."""
    columns, key = [table.c[name] for name in _FIELDS], code_key(words) or ""
    same = or_(table.c.code_key == key, table.c.ean_key == key)
    within = or_(
        table.c.sku_number.icontains(words, autoescape=True), table.c.name.icontains(words, autoescape=True)
    )
    query = (
        select(*columns)
        .where(table.c.shop_id == shop_id, or_(same, within))
        .order_by(same.desc(), table.c.sku_number, table.c.sku_id)
        .limit(most)
    )
    return [Sku(*row) for row in await tx.execute(query)]


async def any_known(tx: AsyncConnection, shop_id: ShopId) -> bool:
    """Whether any SKU is known."""
    return bool(await tx.scalar(select(exists().where(table.c.shop_id == shop_id))))


def _rows(skus: Sequence[Sku]) -> str:
    return json.dumps(
        [{**asdict(sku), "code_key": code_key(sku.sku_number), "ean_key": code_key(sku.ean)} for sku in skus]
    )


# --- the statements of `replace_skus` -----------------------------------------------------------------------

_SHOP: BindParameter[ShopId] = bindparam("shop", type_=table.c.shop_id.type)

#: What was read, for as long as the transaction takes to compare it.
_fresh = Table(
    "fresh_skus",
    MetaData(),
    *(Column(name, table.c[name].type) for name in _STORED),
    prefixes=["TEMPORARY"],
    postgresql_on_commit="DROP",
)

_GIVEN = (
    func.jsonb_to_recordset(cast(bindparam("rows", type_=Text), JSONB))
    .table_valued(*(column(name, table.c[name].type) for name in _STORED))
    .render_derived(name="given", with_types=True)
)
_READ = select(*(_GIVEN.c[name] for name in _STORED))
_LOAD = insert(_fresh).from_select(_STORED, _READ)
_VALUES = tuple(name for name in _STORED if name != "sku_id")


def _differ(fresh: FromClause) -> Exists:
    """Whether what lines are matched by is otherwise in *fresh*."""
    old = select(table).where(table.c.shop_id == _SHOP).subquery("old")
    return (
        exists()
        .select_from(old.join(fresh, old.c.sku_id == fresh.c.sku_id, full=True))
        .where(
            or_(
                old.c.sku_id.is_(None),
                fresh.c.sku_id.is_(None),
                tuple_(*(old.c[name] for name in _IDENTITY)).is_distinct_from(
                    tuple_(*(fresh.c[name] for name in _IDENTITY))
                ),
            )
        )
    )


def _delete(fresh: FromClause) -> Delete:
    """Forget what is not in *fresh*."""
    return delete(table).where(table.c.shop_id == _SHOP, ~exists().where(fresh.c.sku_id == table.c.sku_id))


def _upsert(fresh: FromClause) -> Insert:
    """Write what is otherwise in *fresh*."""
    given = insert(table).from_select(
        ["shop_id", *_STORED, "read_at"], select(_SHOP, *(fresh.c[name] for name in _STORED), func.now())
    )
    return given.on_conflict_do_update(
        index_elements=[table.c.shop_id, table.c.sku_id],
        set_={name: given.excluded[name] for name in (*_VALUES, "read_at")},
        where=tuple_(*(table.c[name] for name in _VALUES)).is_distinct_from(
            tuple_(*(given.excluded[name] for name in _VALUES))
        ),
    )


_AT_ONCE = _READ.cte("fresh")
_REPLACE = select(_differ(_AT_ONCE)).add_cte(_delete(_AT_ONCE).cte("gone"), _upsert(_AT_ONCE).cte("written"))
