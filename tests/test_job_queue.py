"""Telling a worker that a lane has work, from the web side."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.support.clock import NOON
from tests.support.shops import MakeShop
from upbridge.domain.lane import Lane
from upbridge.job_queue import MOST_WAITING, WakeUps, create_jobs
from upbridge.store.changes import Kind
from upbridge.store.database import Database
from upbridge.webhooks.inbox import Inbox, inbox_engine
from upbridge.webhooks.parsing import ChangedKeys


@pytest.fixture
async def wake_ups(database: Database) -> AsyncIterator[WakeUps]:
    wake_ups = WakeUps(create_jobs(database.conninfo, pool_size=1), pause=0)
    running = asyncio.create_task(wake_ups.run())
    yield wake_ups
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def jobs(engine: AsyncEngine, at_least: int = 1) -> list[str]:
    """The lanes that have a job, once there are so many."""
    while True:
        async with engine.connect() as tx:
            rows = await tx.execute(text("SELECT queueing_lock FROM procrastinate_jobs ORDER BY 1"))
            found = [str(row.queueing_lock) for row in rows]
        if len(found) >= at_least:
            return found
        await asyncio.sleep(0.01)


async def test_a_webhook_makes_a_job_for_its_shop_and_no_second_one(
    wake_ups: WakeUps, database: Database, engine: AsyncEngine, make_shop: MakeShop
) -> None:
    shop_id, other = await make_shop(), await make_shop()
    pool = inbox_engine(database.conninfo)
    inbox = Inbox(pool, lambda: NOON, announce=lambda shop, source: wake_ups.ask(Lane.pull(shop, source)))

    for shop in (shop_id, shop_id, shop_id, other):
        changed = ChangedKeys({Kind.ORDER: ["A-1"]}, records=1)
        await inbox.store(shop, source="upgates", event="Orders.update", changed=changed)

    assert await jobs(engine, 2) == sorted(str(Lane.pull(shop, "upgates")) for shop in (shop_id, other))
    await pool.dispose()


async def test_a_job_that_waits_already_is_no_failure(
    wake_ups: WakeUps, engine: AsyncEngine, make_shop: MakeShop, database: Database
) -> None:
    lane, other = Lane.pull(await make_shop(), "upgates"), Lane.pull(await make_shop(), "upgates")
    wake_ups.ask(lane)
    await jobs(engine, 1)
    second = WakeUps(create_jobs(database.conninfo, pool_size=1), pause=0)
    running = asyncio.create_task(second.run())

    second.ask(lane)
    second.ask(other)

    assert await jobs(engine, 2) == sorted(map(str, (lane, other)))
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_what_many_shops_announce_at_once_is_bounded(make_shop: MakeShop, database: Database) -> None:
    wake_ups = WakeUps(create_jobs(database.conninfo, pool_size=1))
    shop_id = await make_shop()

    for number in range(MOST_WAITING + 10):
        wake_ups.ask(Lane.pull(shop_id, f"system-{number}"))

    assert wake_ups.waiting == MOST_WAITING
