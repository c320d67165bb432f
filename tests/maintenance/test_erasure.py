"""Erasing a shop takes everything about it, and nothing about another one."""

from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.support.clock import NOON
from tests.support.rows import fill
from tests.support.shops import MakeShop
from upbridge.maintenance.erasure import erase_shop
from upbridge.store.schema import failed_logins, metadata


async def counts(engine: AsyncEngine) -> dict[str, int]:
    async with engine.connect() as tx:
        return {
            table.name: int(await tx.scalar(text(f"SELECT count(*) FROM {table.name}")) or 0)
            for table in metadata.sorted_tables
        }


async def test_everything_about_a_shop_goes_and_the_receipt_says_what(
    engine: AsyncEngine, make_shop: MakeShop
) -> None:
    shop_id = await make_shop()
    tables = await fill(engine, shop_id, now=NOON)

    receipt = await erase_shop(engine, shop_id)

    kept = {"failed_logins"}
    assert receipt == dict.fromkeys(tables - kept | {"shops"}, 1)
    left = {name for name, number in (await counts(engine)).items() if number}
    assert left == kept


async def test_nothing_of_another_shop_is_touched(engine: AsyncEngine, make_shop: MakeShop) -> None:
    mine, other = await make_shop(), await make_shop()
    await fill(engine, mine, now=NOON)
    await fill(engine, other, now=NOON)
    before = await counts(engine)

    await erase_shop(engine, mine)

    after = await counts(engine)
    assert {name: number - 1 for name, number in before.items() if number and name != "failed_logins"} == {
        name: number for name, number in after.items() if number and name != "failed_logins"
    }


async def test_failed_logins_still_count_for_our_address(engine: AsyncEngine, make_shop: MakeShop) -> None:
    """Upgates counts them by IP (R56): erasing a shop must not trip the login breaker of all the others."""
    shop_id = await make_shop()
    async with engine.begin() as tx:
        await tx.execute(insert(failed_logins).values([{"shop_id": shop_id}] * 3))

    await erase_shop(engine, shop_id)

    async with engine.connect() as tx:
        rows = (await tx.execute(text("SELECT shop_id FROM failed_logins"))).all()
    assert [row.shop_id for row in rows] == [None] * 3


async def test_its_waiting_jobs_go_too(engine: AsyncEngine, make_shop: MakeShop) -> None:
    shop_id, other = await make_shop(), await make_shop()
    async with engine.begin() as tx:
        for number in (shop_id, other):
            await tx.execute(
                text(
                    "INSERT INTO procrastinate_jobs (queue_name, task_name, queueing_lock)"
                    " VALUES ('default', 'work', :lane)"
                ),
                {"lane": f"{number}:push:upp"},
            )

    await erase_shop(engine, shop_id)

    async with engine.connect() as tx:
        rows = (await tx.execute(text("SELECT queueing_lock FROM procrastinate_jobs"))).all()
    assert [row.queueing_lock for row in rows] == [f"{other}:push:upp"]


async def test_a_shop_that_is_not_there_leaves_an_empty_receipt(engine: AsyncEngine, make_shop: MakeShop) -> None:
    shop_id = await make_shop()
    await erase_shop(engine, shop_id)

    assert await erase_shop(engine, shop_id) == {}
