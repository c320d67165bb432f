"""What mails have reported, or will: a row per cause, so that several processes report it once."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from datetime import datetime

from sqlalchemy import ColumnElement, delete, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from upbridge.domain.shop_id import ShopId
from upbridge.store.schema import notices as table


@dataclass(frozen=True, slots=True)
class Notice:
    """A cause that a reader has to hear of. *about*: what the mail said it is."""

    id: int
    shop_id: ShopId | None
    cause: str
    about: str
    reader: bytes
    """A digest of the address: the reader at the next address hears of it anew."""
    began_at: datetime
    seen_at: datetime
    told_at: datetime | None
    gone_at: datetime | None
    """When it was not there any more; None as long as it is."""


async def my_turn(tx: AsyncConnection, name: str) -> bool:
    """Whether this process looks now, until its transaction ends: another that looks for *name* meanwhile does
    not."""
    query = text("SELECT pg_try_advisory_xact_lock(hashtext('upbridge.mail'), hashtext(:name))")
    return bool(await tx.scalar(query, {"name": name}))


async def of_operator(tx: AsyncConnection) -> list[Notice]:
    """What a mail to the operator has reported or will."""
    return await _select(tx, table.c.shop_id.is_(None))


async def of_shops(tx: AsyncConnection) -> list[Notice]:
    """What mails to the people of all shops have reported or will."""
    return await _select(tx, table.c.shop_id.is_not(None))


async def _select(tx: AsyncConnection, where: ColumnElement[bool]) -> list[Notice]:
    query = select(*(table.c[field.name] for field in fields(Notice))).where(where)
    rows = await tx.execute(query.order_by(table.c.id))
    return [Notice(row.id, None if row.shop_id is None else ShopId(row.shop_id), *row[2:]) for row in rows]


@dataclass(frozen=True, slots=True)
class Begun:
    """A cause that is new."""

    cause: str
    about: str
    told: bool


async def begin(
    tx: AsyncConnection, shop_id: ShopId | None, reader: bytes, begun: Sequence[Begun], *, now: datetime
) -> None:
    """Remember causes that are there since *now*, for *reader*."""
    rows = [
        {
            "shop_id": shop_id,
            "cause": one.cause,
            "about": one.about,
            "reader": reader,
            "began_at": now,
            "seen_at": now,
            "told_at": now if one.told else None,
        }
        for one in begun
    ]
    if rows:
        await tx.execute(insert(table).on_conflict_do_nothing(), rows)


async def told(tx: AsyncConnection, ids: Collection[int], *, now: datetime) -> None:
    """The mail about them is written."""
    await _update(tx, ids, told_at=now)


async def seen(tx: AsyncConnection, ids: Collection[int], *, now: datetime) -> None:
    """They are there, or there again."""
    await _update(tx, ids, seen_at=now, gone_at=None)


async def gone(tx: AsyncConnection, ids: Collection[int], *, now: datetime) -> None:
    """They are not there any more; whether that lasts will show."""
    await _update(tx, ids, gone_at=now)


async def forget(tx: AsyncConnection, ids: Collection[int]) -> None:
    """They are over."""
    if ids:
        await tx.execute(delete(table).where(table.c.id.in_(ids)))


async def _update(tx: AsyncConnection, ids: Collection[int], **values: datetime | None) -> None:
    if ids:
        await tx.execute(update(table).where(table.c.id.in_(ids)).values(values))
