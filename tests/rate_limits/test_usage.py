"""Counters per access, and the busiest day over all shops against 60,000."""

from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.support.clock import NOON
from tests.support.shops import MakeShop
from upbridge.rate_limits.usage import Alarm, Usage, Used, alarm, usage
from upbridge.store.schema import api_calls


async def called(engine: AsyncEngine, shop_id: Any, access: str, count: int, **ago: float) -> None:
    row = {"shop_id": shop_id, "access": access, "purpose": "orders", "count": count}
    async with engine.begin() as tx:
        await tx.execute(insert(api_calls).values(**row, hour=NOON - timedelta(**ago)))


@pytest.mark.rule("R47", "R50")
async def test_calls_are_counted_by_access_over_all_shops(engine: AsyncEngine, make_shop: MakeShop) -> None:
    one, other = await make_shop(), await make_shop()
    await called(engine, one, "GET /orders", 3)
    await called(engine, one, "GET /orders", 4, hours=1)
    await called(engine, other, "GET /orders", 1)
    await called(engine, other, "PUT /orders", 9, days=1)
    await called(engine, other, "PUT /orders", 9, days=2)

    found = await usage(engine, now=NOON, days=2)

    assert found.by_access == {"GET /orders": Used(8, 2), "PUT /orders": Used(9, 1)}
    assert found.busiest == (NOON.date() - timedelta(days=1), 9)


async def test_a_day_begins_at_midnight_in_prague(engine: AsyncEngine, make_shop: MakeShop) -> None:
    shop_id = await make_shop()
    await called(engine, shop_id, "GET /orders", 1, hours=11)  # 1:00 in Prague
    await called(engine, shop_id, "GET /orders", 5, hours=13)  # 23:00 of the day before

    assert (await usage(engine, now=NOON, days=1)).by_day == {NOON.date(): 1}
    assert (await usage(engine, now=NOON, days=99)).days == 35


@pytest.mark.rule("R50")
@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (0, None),
        (29_999, None),
        (30_000, Alarm.HALF),
        (47_999, Alarm.HALF),
        (48_000, Alarm.MOST),
        (70_000, Alarm.MOST),
    ],
)
def test_the_alarm_sounds_at_a_half_and_at_four_fifths(number: int, expected: Alarm | None) -> None:
    assert alarm(number) is expected
    assert Usage(1, by_day={date(2026, 11, 24): number}).alarm is expected


async def test_without_calls_there_is_no_busiest_day(engine: AsyncEngine) -> None:
    found = await usage(engine, now=NOON, days=7)

    assert (found.busiest, found.alarm) == (None, None)
