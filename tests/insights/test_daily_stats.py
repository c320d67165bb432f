"""What days came to: the same whether they were summed up or not, and added up once."""

from datetime import UTC, date, datetime, timedelta
from statistics import median
from typing import Any

import pytest
from sqlalchemy import insert

from tests.support.engine import Engine, webhook_received
from upbridge.core.clock import PRAGUE
from upbridge.insights.daily_stats import LONGEST_DAYS, DailyStat, StatKind, daily_stats_of, summarise_days
from upbridge.store import schema

#: Summer time ends in this week, and in this hour a day of 25 hours begins.
AUTUMN = datetime(2026, 10, 24, 22, 30, tzinfo=UTC)
#: Seconds that orders took; the last one is of a clock that was ahead.
TOOK = (1, 2, 3, 4, 100, -5)


async def arrived(machine: Engine, at: datetime, *, seconds: float = 10, **more: Any) -> None:
    """An order was delivered to Upp.ai at *at*."""
    since = at - timedelta(seconds=seconds)
    row = {"shop_id": machine.shop_id, "order_number": "O-1", "event": "delivered", "target": "upp", "at": at}
    async with machine.db.begin() as tx:
        await tx.execute(insert(schema.order_events).values({**row, "since": since, **more}))


async def of(machine: Engine, what: StatKind, since: date) -> list[DailyStat]:
    found = await daily_stats_of(machine.db, machine.shop_id, what, since=since, now=machine.watch())
    return sorted(found, key=lambda one: (one.day, one.system))


async def stored(machine: Engine) -> int:
    return int(await machine.value("SELECT count(*) FROM daily_stats WHERE shop_id = :shop_id"))


async def a_week(machine: Engine) -> date:
    """Something on every other day of the week in which summer time ends, and on its edges."""
    machine.watch.now = AUTUMN + timedelta(days=4)
    for hours in range(-72, 96, 11):
        at = AUTUMN + timedelta(hours=hours)
        for seconds in TOOK:
            await arrived(machine, at, seconds=seconds)
            await arrived(machine, at, seconds=seconds + 1, target="uphance")
        await webhook_received(machine, 3, received_at=at)
        await webhook_received(machine, 2, "products.update", received_at=at)
    midnight = datetime(2026, 10, 26, tzinfo=PRAGUE)
    for at in (midnight - timedelta(microseconds=1), midnight):
        await arrived(machine, at)
        await webhook_received(machine, 1, received_at=at)
    return (AUTUMN - timedelta(days=4)).date()


@pytest.mark.parametrize("what", StatKind)
async def test_a_day_comes_to_the_same_before_and_after_it_was_summed_up(machine: Engine, what: StatKind) -> None:
    since = await a_week(machine)
    before = await of(machine, what, since)

    assert await summarise_days(machine.db, now=machine.watch()) > 0
    assert await stored(machine) > 0
    assert await of(machine, what, since) == before
    await arrived(machine, machine.watch())
    await webhook_received(machine, 7, received_at=machine.watch())

    after = await of(machine, what, since)
    assert len({one.day for one in before}) == 7
    assert after[:-2] == before[:-2]
    more = sum(one.count for one in after) - sum(one.count for one in before)
    assert more == {StatKind.WEBHOOKS: 7, StatKind.DELAYS: 1}[what]


async def test_delays_are_those_of_the_orders_of_the_day(machine: Engine) -> None:
    for seconds in TOOK:
        await arrived(machine, machine.watch(), seconds=seconds)
    await arrived(machine, machine.watch(), since=None)
    await arrived(machine, machine.watch(), event="read")
    await arrived(machine, machine.watch(), target="upgates")

    today = machine.watch().date()
    (one,) = await of(machine, StatKind.DELAYS, today)

    assert (one.system, one.day, one.count) == ("upp", today, len(TOOK))
    assert one.median == median(max(seconds, 0) for seconds in TOOK)
    assert one.p95 == pytest.approx(4 + 0.75 * (100 - 4))


async def test_a_day_is_summed_up_once_and_not_before_it_is_over(machine: Engine) -> None:
    midnight = datetime(2026, 3, 11, tzinfo=PRAGUE)
    machine.watch.now = midnight + timedelta(minutes=59)
    await arrived(machine, midnight - timedelta(seconds=1))
    await summarise_days(machine.db, now=machine.watch())
    assert await stored(machine) == 0

    machine.watch.move(minutes=1)
    assert await summarise_days(machine.db, now=machine.watch()) > 0
    assert await stored(machine) == 1
    assert await summarise_days(machine.db, now=machine.watch()) == 0


async def test_days_on_which_the_worker_was_away_are_made_up_for(machine: Engine) -> None:
    today = machine.watch().date()
    for back in (0, 1, 5, LONGEST_DAYS - 1):
        await arrived(machine, machine.watch() - timedelta(days=back))
    await summarise_days(machine.db, now=machine.watch() - timedelta(days=4))
    assert await stored(machine) == 2

    await summarise_days(machine.db, now=machine.watch())

    assert await stored(machine) == 3
    first = today - timedelta(days=LONGEST_DAYS - 1)
    assert [one.count for one in await of(machine, StatKind.DELAYS, first)] == [1, 1, 1, 1]


async def test_the_days_of_two_shops_are_kept_apart(machine: Engine) -> None:
    other = await machine.make_shop()
    at = machine.watch() - timedelta(days=1)
    await arrived(machine, at)
    await arrived(machine, at - timedelta(days=2), shop_id=other)
    await arrived(machine, at, shop_id=other)
    await summarise_days(machine.db, now=machine.watch())

    assert [one.count for one in await of(machine, StatKind.DELAYS, (at - timedelta(days=9)).date())] == [1]
    machine.shop_id = other
    assert [one.count for one in await of(machine, StatKind.DELAYS, (at - timedelta(days=9)).date())] == [1, 1]
