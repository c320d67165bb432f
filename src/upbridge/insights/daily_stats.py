"""What the days of a shop came to: what webhooks announced, and how long orders took. By days of Prague.

A day that is over does not change any more: `summarise_days` adds it up once, and what reads many days adds up the
last one alone. Days that are not summed up yet are added up from the rows themselves: the same numbers, later.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Select
from sqlalchemy.ext.asyncio import AsyncEngine

from upbridge.core.clock import PRAGUE, begin_of_day
from upbridge.domain.shop_id import ShopId
from upbridge.store.daily_stats import SummedDay, days_of, keep_days, last_day, summed_days
from upbridge.store.deliveries import announced_by_day
from upbridge.store.order_events import delays_by_day

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


#: What the rows of some days come to: of one shop, so that its index is taken, or of all.
_ROWS: Mapping[StatKind, Callable[..., Select[Any]]] = {
    StatKind.WEBHOOKS: announced_by_day,
    StatKind.DELAYS: delays_by_day,
}


async def daily_stats_of(
    engine: AsyncEngine, shop_id: ShopId | None, what: StatKind, *, since: date, now: datetime
) -> list[DailyStat]:
    """What each day from *since* to today came to, as far as it came to anything; a row for each system. Of one
    shop, or of all with a row for each shop."""
    async with engine.connect() as tx:
        found = [_stat(day) for day in await summed_days(tx, shop_id, what, since=begin_of_day(since))]
        left = max((one.day + timedelta(days=1) for one in found), default=since)
        tomorrow = begin_of_day(_day(now) + timedelta(days=1))
        rows = _ROWS[what](shop_id, since=begin_of_day(left), until=tomorrow)
        return found + [_stat(day) for day in await days_of(tx, rows)]


async def summarise_days(engine: AsyncEngine, *, now: datetime) -> int:
    """Add up the days that are over, for all shops; returns how many days. Each in a transaction of its own."""
    last = _day(now - _OVER)
    async with engine.connect() as tx:
        summed = await last_day(tx)
    first = last - timedelta(days=LONGEST_DAYS)
    if summed is not None:
        first = max(first, _day(summed) + timedelta(days=1))
    days: Sequence[date] = [first + timedelta(days=number) for number in range((last - first).days)]
    for day in days:
        async with engine.begin() as tx:
            for kind, rows in _ROWS.items():
                await keep_days(
                    tx, kind, rows(None, since=begin_of_day(day), until=begin_of_day(day + timedelta(days=1)))
                )
    return len(days)


def _day(moment: datetime) -> date:
    return moment.astimezone(PRAGUE).date()


def _stat(summed: SummedDay) -> DailyStat:
    return DailyStat(summed.system, _day(summed.day_at), int(summed.count), summed.median, summed.p95)
