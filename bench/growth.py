"""How the tables of a shop grow while every day is like the one before.

The engine, the clock and all systems around it are those of the conformance tests: a day takes a moment.
"""

import asyncio
from datetime import timedelta
from random import Random
from typing import Any

from sqlalchemy import func, make_url, select
from sqlalchemy.ext.asyncio import create_async_engine
from tests.conformance.systems import uphance, upp
from tests.conformance.testbed import Testbed as Shop
from tests.conformance.testbed import open_testbed
from tests.simulation.people import count_in_shop, note_order, place_order, price

from bench.report import Row
from bench.testbed import Testbed
from upbridge.core.encryption import Cipher
from upbridge.maintenance.retention import prune
from upbridge.settings import load_settings
from upbridge.store.database import sqlalchemy_url
from upbridge.store.migrate import migrate
from upbridge.store.schema import metadata

GOAL = 1.05
_DATABASE = "growth"
_ACTS = (place_order, place_order, place_order, note_order, price, count_in_shop)
#: These follow the shop: an order that was sent is remembered as long as the shop is connected.
_FOLLOW_THE_SHOP = frozenset({"links", "order_identities"})


async def growth(testbed: Testbed, *, days: int) -> tuple[list[Row], dict[str, Any]]:
    """The rows of each table after *days* days: what is kept for 90 of them stands still in the last quarter."""
    await testbed.run(f"DROP DATABASE IF EXISTS {_DATABASE} WITH (FORCE)")
    await testbed.run(f"CREATE DATABASE {_DATABASE}")
    address = make_url(sqlalchemy_url(testbed.database.conninfo)).set(database=_DATABASE)
    plain = address.set(drivername="postgresql").render_as_string(hide_password=False)
    await asyncio.to_thread(migrate, plain)
    engine = create_async_engine(address)
    try:
        async with open_testbed(engine, Cipher(load_settings().keys())) as shop:
            for side in (upp.SIDE, uphance.SIDE):
                await side.connect(shop)
            await shop.settle()
            counts = [await _day(shop, Random(number)) for number in range(days)]  # noqa: S311 - repeatable
    finally:
        await engine.dispose()
        await testbed.run(f"DROP DATABASE {_DATABASE} WITH (FORCE)")
    late, last = counts[days * 3 // 4 - 1], counts[-1]
    kept = [name for name in last if name not in _FOLLOW_THE_SHOP]
    ratio = sum(last[name] for name in kept) / sum(late[name] for name in kept)
    return [
        Row(
            f"rows after {days} equal days against those after {days * 3 // 4}",
            f"{ratio:.2f}",
            f"at most {GOAL}",
            ratio <= GOAL,
        ),
        Row("rows that are kept for good, an order", f"{_for_good(last) / (3 * days):.1f}"),
    ], {"days": days, "rows": last, "before": late}


def _for_good(counts: dict[str, int]) -> int:
    return sum(counts[name] for name in _FOLLOW_THE_SHOP)


async def _day(shop: Shop, chance: Random) -> dict[str, int]:
    """Three orders, a note, a price and a count of pieces; then it is the same time on the next day."""
    morning = shop.hours()
    for act in _ACTS:
        act(shop, chance)
    await shop.settle()
    shop.hours.reach(morning + timedelta(days=1))
    await shop.settle()
    await prune(shop.engine, now=shop.hours())
    async with shop.engine.connect() as tx:
        return {
            table.name: int(await tx.scalar(select(func.count()).select_from(table)) or 0)
            for table in metadata.sorted_tables
        }
