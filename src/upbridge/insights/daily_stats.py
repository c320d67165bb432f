"""What the days of a shop came to: what webhooks announced, and how long orders took. By days of Prague.

A day that is over does not change any more: `summarise_days` adds it up once, and what reads many days adds up the
last one alone. Days that are not summed up yet are added up from the rows themselves: the same numbers, later.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from upbridge.core.clock import PRAGUE
from upbridge.domain.shop_id import ShopId

#: A day is summed up when it has been over for this long: work that began before midnight is written by then.
_OVER = timedelta(hours=1)
#: How far back there is something to sum up at all.
LONGEST_DAYS = 30


class StatKind(StrEnum):
    """What is added up."""

    WEBHOOKS = "webhooks"
    """Records of orders and products that webhooks of the shop announced."""
    DELAYS = "delays"
    """Deliveries of orders to a system, and their seconds from when we had heard of the order."""


@dataclass(frozen=True, slots=True)
class DailyStat:
    """What one day came to. *median* and *p95* (what 95 of 100 did not exceed) are seconds, where it has any."""

    system: str
    day: date
    count: int
    median: float | None = None
    p95: float | None = None


#: What the rows of some days come to. `{where}`: all shops, or one of them, so that its index is taken.
_ROWS: Mapping[StatKind, str] = {
    # The names of events are looked at once for a day, not with every delivery.
    StatKind.WEBHOOKS: """
        WITH events AS MATERIALIZED (
          SELECT shop_id, date_trunc('day', received_at, 'Europe/Prague') AS day_at, event, sum(records) AS records
          FROM deliveries
          WHERE {where} received_at >= :since AND received_at < :until AND source = 'upgates' GROUP BY 1, 2, 3
        )
        SELECT shop_id, 'upgates' AS system, day_at, sum(records) AS count,
          CAST(NULL AS double precision) AS median, CAST(NULL AS double precision) AS p95
        FROM events WHERE event ILIKE 'orders.%' OR event ILIKE 'products.%' GROUP BY 1, 3
    """,
    StatKind.DELAYS: """
        SELECT shop_id, target AS system, date_trunc('day', at, 'Europe/Prague') AS day_at, count(*) AS count,
          (percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY seconds))[1] AS median,
          (percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY seconds))[2] AS p95
        FROM (
          SELECT shop_id, target, at, GREATEST(date_part('epoch', at - since), 0) AS seconds FROM order_events
          WHERE {where} at >= :since AND at < :until AND event = 'delivered' AND target <> 'upgates'
            AND since IS NOT NULL
        ) delivered GROUP BY 1, 2, 3
    """,
}
_OF_ONE = {
    what: text(
        f"SELECT system, day_at, count, median, p95 FROM ({rows.format(where='shop_id = :shop_id AND')}) summed"  # noqa: S608
    )
    for what, rows in _ROWS.items()
}
_OF_ALL = {
    what: text(
        "INSERT INTO daily_stats (metric, shop_id, system, day_at, count, median, p95)"  # noqa: S608 - our own words
        f" SELECT '{what}', summed.* FROM ({rows.format(where='')}) summed ON CONFLICT DO NOTHING"
    )
    for what, rows in _ROWS.items()
}


async def daily_stats_of(
    engine: AsyncEngine, shop_id: ShopId, what: StatKind, *, since: date, now: datetime
) -> list[DailyStat]:
    """What each day from *since* to today came to, as far as it came to anything; a row for each system."""
    async with engine.connect() as tx:
        rows = await tx.execute(
            text(
                "SELECT system, day_at, count, median, p95 FROM daily_stats"
                " WHERE shop_id = :shop_id AND metric = :what AND day_at >= :since"
            ),
            {"shop_id": shop_id, "what": what, "since": begin(since)},
        )
        found = [_sum(*row) for row in rows]
        left = max((one.day + timedelta(days=1) for one in found), default=since)
        tomorrow = begin(_day(now) + timedelta(days=1))
        rows = await tx.execute(_OF_ONE[what], {"shop_id": shop_id, "since": begin(left), "until": tomorrow})
        return found + [_sum(*row) for row in rows]


async def summarise_days(engine: AsyncEngine, *, now: datetime) -> int:
    """Add up the days that are over, for all shops; returns how many days. Each in a transaction of its own."""
    last = _day(now - _OVER)
    async with engine.connect() as tx:
        summed: datetime | None = await tx.scalar(text("SELECT max(day_at) FROM daily_stats"))
    first = last - timedelta(days=LONGEST_DAYS)
    if summed is not None:
        first = max(first, _day(summed) + timedelta(days=1))
    days: Sequence[date] = [first + timedelta(days=number) for number in range((last - first).days)]
    for day in days:
        async with engine.begin() as tx:
            for statement in _OF_ALL.values():
                await tx.execute(statement, {"since": begin(day), "until": begin(day + timedelta(days=1))})
    return len(days)


def begin(day: date) -> datetime:
    """The first moment of *day* in Prague."""
    return datetime.combine(day, time.min, PRAGUE)


def _day(moment: datetime) -> date:
    return moment.astimezone(PRAGUE).date()


def _sum(system: str, day_at: datetime, count: int, median: float | None, p95: float | None) -> DailyStat:
    return DailyStat(system, _day(day_at), int(count), median, p95)
