"""Which order is meant by a number: its uuid, as the shop's API gives it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import msgspec
from sqlalchemy import DateTime, Text, Uuid, bindparam, or_, select, update
from sqlalchemy.dialects.postgresql import Insert, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from upbridge.domain.shop_id import ShopId
from upbridge.store.schema import order_identities as table
from upbridge.store.sql import Composed, among, as_rows, one_of, rows_of


@dataclass(frozen=True, slots=True)
class Identity:
    """A number, the uuid of the order that the targets were given under it, and of the one that has it now."""

    number: str
    uuid: str
    bearer: str | None


def names_one(uuid: str) -> bool:
    """Whether *uuid* identifies one order: it is a uuid, and not the one of zeros."""
    try:
        return UUID(uuid).int != 0
    except ValueError:
        return False


async def of_numbers(tx: AsyncConnection, shop_id: ShopId, numbers: Collection[str]) -> dict[str, Identity]:
    """What is known of these numbers."""
    rows = await _OF_NUMBERS.all(tx, shop=shop_id, numbers=list(numbers))
    return {row.number: Identity(*row) for row in rows}


async def of_uuids(tx: AsyncConnection, shop_id: ShopId, uuids: Collection[str]) -> list[Identity]:
    """The numbers that one of these orders has, or had when the targets were given it."""
    return [Identity(*row) for row in await _OF_UUIDS.all(tx, shop=shop_id, uuids=list(uuids))]


_KNOWN = select(table.c.number, table.c.uuid, table.c.bearer).where(table.c.shop_id == bindparam("shop"))
_OF_NUMBERS = Composed(_KNOWN.where(among(table.c.number, "numbers")))
_OF_UUIDS = Composed(
    _KNOWN.where(or_(among(table.c.uuid, "uuids"), among(table.c.bearer, "uuids"))).order_by(table.c.number)
)


async def note(tx: AsyncConnection, shop_id: ShopId, known: Sequence[Identity], *, now: datetime) -> None:
    """Remember who has these numbers at *now*; of two that have one, the last. They are written in order, so that
    two writers cannot deadlock."""
    rows = {one.number: _Row(one.number, one.uuid, one.bearer) for one in known}
    if rows:
        await _NOTE.run(tx, shop_id=shop_id, now=now, rows=as_rows([rows[number] for number in sorted(rows)]))


async def sent_as(tx: AsyncConnection, shop_id: ShopId, uuids: Mapping[str, str], *, now: datetime) -> list[str]:
    """Store which orders, by their *uuids*, a target says that it was given under these numbers. Returns the
    numbers that these orders have now instead."""
    uuids = {number: uuid for number, uuid in uuids.items() if names_one(uuid)}
    known = await of_numbers(tx, shop_id, uuids)
    said = [
        Identity(number, uuid, known[number].bearer if number in known else None) for number, uuid in uuids.items()
    ]
    await note(tx, shop_id, said, now=now)
    found = await of_uuids(tx, shop_id, set(uuids.values()))
    return [one.number for one in found if one.bearer in uuids.values() and uuids.get(one.number) != one.bearer]


class _Row(msgspec.Struct, gc=False):
    number: str
    uuid: str
    bearer: str | None


def _noting() -> Insert:
    c = rows_of("one", "rows", number=Text(), uuid=Text(), bearer=Text()).c
    shop_id, now = bindparam("shop_id", type_=Uuid), bindparam("now", type_=DateTime(timezone=True))
    rows = select(shop_id, c.number, c.uuid, c.bearer, now)
    fresh = insert(table).from_select(["shop_id", "number", "uuid", "bearer", "seen_at"], rows)
    said = {name: fresh.excluded[name] for name in ("uuid", "bearer", "seen_at")}
    return fresh.on_conflict_do_update(constraint=table.primary_key, set_=said)


_NOTE = Composed(_noting())


async def gone_since(
    tx: AsyncConnection, shop_id: ShopId, since: datetime, *, until: datetime, most: int
) -> list[str]:
    """The *most* newest of the numbers that no order has any more and that were looked at from *since* on and
    before *until*."""
    query = (
        select(table.c.number)
        .where(
            table.c.shop_id == shop_id,
            table.c.bearer.is_(None),
            table.c.seen_at >= since,
            table.c.seen_at < until,
        )
        .order_by(table.c.seen_at.desc(), table.c.number)
        .limit(most)
    )
    return list((await tx.scalars(query)).all())


async def still_gone(tx: AsyncConnection, shop_id: ShopId, numbers: Collection[str], *, now: datetime) -> None:
    """Store that the shop still lacked the orders with these numbers at *now*."""
    gone = (table.c.shop_id == shop_id, table.c.bearer.is_(None), one_of(table.c.number, sorted(numbers)))
    await tx.execute(update(table).where(*gone).values(seen_at=now))


async def number_now(tx: AsyncConnection, shop_id: ShopId, number: str) -> str | None:
    """The present number of the order that the targets were given under *number*; None if another order has that
    number and this one has none. A number that is not stored is its own present number."""
    known = (await of_numbers(tx, shop_id, [number])).get(number)
    if known is None or known.bearer == known.uuid:
        return number
    found = [one.number for one in await of_uuids(tx, shop_id, [known.uuid]) if one.bearer == known.uuid]
    return min(found, default=None if known.bearer is not None else number)
