"""How far something was read, and what else is remembered of a system by name. A cursor goes with its shop."""

from collections.abc import Collection, Iterable
from typing import Any

from sqlalchemy import ColumnElement, Text, and_, any_, bindparam, delete, exists, func, select
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from upbridge.domain.shop_id import ShopId
from upbridge.store.schema import cursors as table
from upbridge.store.sql import SHOPS, Composed

#: When the database was last found to be older than the world.
PUT_BACK_AT = "put_back_at"


async def get(tx: AsyncConnection, shop_id: ShopId, system: str, name: str) -> str | None:
    """The value, or None if there is none."""
    row = await _GET.first(tx, shop_id=shop_id, system=system, name=name)
    return None if row is None else row.value


_GET = Composed(select(table.c.value).where(*(one == bindparam(one.name) for one in table.primary_key)))


async def count(tx: AsyncConnection, system: str, name: str, value: str) -> int:
    """How many shops have *value*."""
    query = select(func.count()).where(table.c.system == system, table.c.name == name, table.c.value == value)
    return int(await tx.scalar(query) or 0)


#: What is remembered of `SHOPS`, of the system *system*, by the names in *names*.
NAMED = select(table.c.shop_id, table.c.name, table.c.value).where(
    table.c.shop_id == any_(SHOPS),
    table.c.system == bindparam("system", type_=Text),
    table.c.name == any_(bindparam("names", type_=ARRAY(Text))),
)


def by_name(rows: Iterable[Any]) -> dict[tuple[ShopId, str], str]:
    """Rows of `NAMED`: the values by shop and name."""
    return {(ShopId(row.shop_id), row.name): row.value for row in rows}


async def named(
    tx: AsyncConnection, shop_ids: Collection[ShopId], system: str, names: Collection[str]
) -> dict[tuple[ShopId, str], str]:
    """The values of these *names* of these shops, by shop and name."""
    return by_name(await _NAMED.all(tx, shop_ids=list(shop_ids), system=system, names=list(names)))


_NAMED = Composed(NAMED)


async def put(tx: AsyncConnection, shop_id: ShopId, system: str, name: str, value: str) -> None:
    """Insert or replace the value."""
    await _PUT.run(tx, shop_id=shop_id, system=system, name=name, value=value)


_FRESH = insert(table)
_PUT = Composed(_FRESH.on_conflict_do_update(constraint=table.primary_key, set_={"value": _FRESH.excluded.value}))


async def forget(tx: AsyncConnection, shop_id: ShopId, system: str, name: str | None = None) -> None:
    """Delete the value, or all that is remembered of *system*: the shop has another account there now."""
    here = (table.c.shop_id == shop_id, table.c.system == system)
    await tx.execute(delete(table).where(*here, *(() if name is None else (table.c.name == name,))))


async def remove(tx: AsyncConnection, shop_id: ShopId, system: str, name: str) -> None:
    """Delete the value, if there is one."""
    await tx.execute(delete(table).where(*_is(shop_id, system, name)))


async def holders(tx: AsyncConnection, name: str) -> list[tuple[ShopId, str]]:
    """The shops and systems that have a value of that name."""
    query = select(table.c.shop_id, table.c.system).where(table.c.name == name)
    rows = await tx.execute(query.order_by(table.c.shop_id, table.c.system))
    return [(ShopId(row.shop_id), row.system) for row in rows]


async def any_other(tx: AsyncConnection, shop_id: ShopId, system: str, values: dict[str, str]) -> bool:
    """Whether another shop than this one has all of *values*, by name, for *system*."""
    pairs = list(values.items())
    first = table.alias("first")

    def has(rows: Any, name: str, value: str) -> ColumnElement[bool]:
        return and_(rows.c.system == system, rows.c.name == name, rows.c.value == value)

    query = select(first.c.shop_id).where(first.c.shop_id != shop_id, has(first, *pairs[0]))
    for name, value in pairs[1:]:
        query = query.where(exists().where(table.c.shop_id == first.c.shop_id, has(table, name, value)))
    return await tx.scalar(select(query.exists())) is True


def _is(shop_id: ShopId, system: str, name: str) -> tuple[ColumnElement[bool], ...]:
    return (table.c.shop_id == shop_id, table.c.system == system, table.c.name == name)
