"""The totals of past days (Prague time), computed once and kept."""

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import Select, Text, func, literal, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from upbridge.domain.shop_id import ShopId
from upbridge.store.schema import daily_stats as table


@dataclass(frozen=True, slots=True)
class SummedDay:
    """A row of one shop and metric. *median* and *p95* are seconds, where the metric has any."""

    system: str
    day_at: datetime
    count: int
    median: float | None
    p95: float | None


_COLUMNS = tuple(field.name for field in fields(SummedDay))


async def summed_days(
    tx: AsyncConnection, shop_id: ShopId | None, metric: str, *, since: datetime
) -> list[SummedDay]:
    """The days of one shop, or of all, that were added up, from *since* on."""
    query = select(*(table.c[name] for name in _COLUMNS)).where(table.c.metric == metric, table.c.day_at >= since)
    if shop_id is not None:
        query = query.where(table.c.shop_id == shop_id)
    return [SummedDay(*row) for row in await tx.execute(query)]


async def days_of(tx: AsyncConnection, rows: Select[Any]) -> list[SummedDay]:
    """The totals in *rows*, which has the columns shop_id, system, day_at, count, median, p95."""
    of = rows.subquery("summed").c
    return [SummedDay(*row) for row in await tx.execute(select(*(of[name] for name in _COLUMNS)))]


async def keep_days(tx: AsyncConnection, metric: str, rows: Select[Any]) -> None:
    """Keep the totals in *rows* (as for `days_of`); a day that is kept already stays as it is."""
    of = rows.subquery("summed").c
    names = ("shop_id", *_COLUMNS)
    source = select(literal(metric, Text), *(of[name] for name in names))
    await tx.execute(insert(table).from_select(["metric", *names], source).on_conflict_do_nothing())


async def last_day(tx: AsyncConnection) -> datetime | None:
    """The newest day that was added up."""
    day: datetime | None = await tx.scalar(select(func.max(table.c.day_at)))
    return day
