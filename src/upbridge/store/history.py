"""Who did what to a shop, and when. Each line is written in the transaction of the change that it tells of.

No secret comes here: of a connection the account is noted, of a setting its value as a person would type it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import delete, func, insert, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from upbridge.domain.history import Way, What
from upbridge.domain.shop_id import ShopId
from upbridge.store.schema import history as table
from upbridge.store.schema import stock_writes as numbers
from upbridge.store.sql import constant

#: Characters of a value that are kept.
LONGEST = 500


@dataclass(frozen=True, slots=True)
class NewEntry:
    """Something that was done."""

    what: What
    subject: str = ""
    old: str | None = None
    new: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the history. *way* and *what* are those of `domain.history`, or words of a newer version."""

    id: int
    at: datetime
    way: str
    what: str
    subject: str
    old: str | None
    new: str | None
    details: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class StockWrite:
    """A number that was written into the shop. *old*: what the shop showed before, None if that is not known."""

    key: str
    code: str
    old: Decimal | None
    new: Decimal


_COLUMNS = tuple(table.c[one.name] for one in fields(Entry))


async def record(
    tx: AsyncConnection, shop_id: ShopId, way: Way, entries: Iterable[NewEntry], *, now: datetime
) -> Sequence[int]:
    """Write *entries* down, in the caller's transaction; returns their numbers. Values are cut to `LONGEST`
    characters."""
    rows = [
        {
            "shop_id": shop_id,
            "at": now,
            "way": way,
            "what": entry.what,
            "subject": entry.subject[:LONGEST],
            "old": None if entry.old is None else entry.old[:LONGEST],
            "new": None if entry.new is None else entry.new[:LONGEST],
            "details": dict(entry.details),
        }
        for entry in entries
    ]
    if not rows:
        return ()
    return (await tx.scalars(insert(table).values(rows).returning(table.c.id))).all()


async def moments_about(
    tx: AsyncConnection, shop_id: ShopId, what: What, subject: str, *, since: datetime, limit: int
) -> Sequence[datetime]:
    """When *what* was last done to *subject* after *since*: the newest *limit* times, newest first."""
    of_it = (table.c.shop_id == shop_id, table.c.what == what, table.c.subject == subject, table.c.at > since)
    return (await tx.scalars(select(table.c.at).where(*of_it).order_by(table.c.id.desc()).limit(limit))).all()


async def strike_out(tx: AsyncConnection, shop_id: ShopId, number: int) -> None:
    """What the line *number* tells of did not happen."""
    await tx.execute(delete(table).where(table.c.shop_id == shop_id, table.c.id == number))


async def record_stock(
    tx: AsyncConnection, shop_id: ShopId, run: datetime, written: Sequence[StockWrite], *, now: datetime
) -> None:
    """The run that was planned at *run* has written these numbers, in the caller's transaction. One line of the
    history tells of the whole run, in however many portions it was written."""
    if not written:
        return
    new = upsert(numbers).values(
        [
            {"shop_id": shop_id, "run_at": run, "key": one.key, "code": one.code, "old": one.old, "new": one.new}
            for one in written
        ]
    )
    # What a run writes again it had not got through: what stood before it is what the first attempt found.
    await tx.execute(new.on_conflict_do_update(constraint=numbers.primary_key, set_={"new": new.excluded.new}))
    of_run = (numbers.c.shop_id == shop_id, numbers.c.run_at == run)
    counted = (
        await tx.execute(
            select(func.count().label("written"), func.count().filter(numbers.c.new == 0).label("zeroed")).where(
                *of_run
            )
        )
    ).one()
    details = {"written": counted.written, "zeroed": counted.zeroed}
    line = upsert(table).values(
        shop_id=shop_id, at=now, way=Way.PROGRAM, what=What.STOCK, subject=run.isoformat(), details=details
    )
    await tx.execute(
        line.on_conflict_do_update(
            index_elements=[table.c.shop_id, table.c.subject],
            index_where=table.c.what == constant(What.STOCK),
            set_={"details": line.excluded.details, "at": line.excluded.at},
        )
    )


async def latest(
    tx: AsyncConnection,
    shop_id: ShopId,
    *,
    limit: int,
    since: datetime | None = None,
    before: int | None = None,
) -> list[Entry]:
    """The newest *limit* lines: at or after *since*, and older than the line *before*."""
    query = select(*_COLUMNS).where(table.c.shop_id == shop_id)
    if since is not None:
        query = query.where(table.c.at >= since)
    if before is not None:
        query = query.where(table.c.id < before)
    rows = await tx.execute(query.order_by(table.c.id.desc()).limit(limit))
    return [Entry(**row) for row in rows.mappings()]


async def moments(
    tx: AsyncConnection, shop_id: ShopId, what: What, *, since: datetime, limit: int
) -> list[datetime]:
    """When *what* was done, after *since*: the newest *limit* times, the newest first."""
    query = (
        select(table.c.at)
        .where(table.c.shop_id == shop_id, table.c.what == what, table.c.at > since)
        .order_by(table.c.id.desc())
        .limit(limit)
    )
    return list((await tx.scalars(query)).all())


async def moment_of_run(tx: AsyncConnection, shop_id: ShopId, number: int) -> datetime | None:
    """The moment of the stock run that the line *number* tells of; None if it tells of none."""
    line = (table.c.shop_id == shop_id, table.c.id == number, table.c.what == What.STOCK)
    subject = await tx.scalar(select(table.c.subject).where(*line))
    return None if subject is None else datetime.fromisoformat(subject)


async def stock_of_run(
    tx: AsyncConnection, shop_id: ShopId, run: datetime, *, limit: int | None, after: str = ""
) -> list[StockWrite]:
    """The numbers that a run has written, by code: at most *limit*, after the code *after*."""
    query = (
        select(numbers.c.key, numbers.c.code, numbers.c.old, numbers.c.new)
        .where(numbers.c.shop_id == shop_id, numbers.c.run_at == run, numbers.c.code > after)
        .order_by(numbers.c.code, numbers.c.key)
        .limit(limit)
    )
    return [StockWrite(*row) for row in await tx.execute(query)]
