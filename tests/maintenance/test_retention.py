"""What grows with time is thrown away in time, and nothing else is."""

from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.support.clock import NOON
from tests.support.rows import delivery_row, fill, full_row, insert_rows
from tests.support.shops import MakeShop
from upbridge.maintenance.retention import kept as rules
from upbridge.maintenance.retention import prune
from upbridge.store.schema import heartbeat, metadata, secrets, signatures

#: Tables whose size follows the shops and their goods, not the time.
BOUNDED = {
    "compatibility": "one row",
    "shops": "one row a shop",
    "connections": "one row a shop and system",
    "changes": "a set, worked off",
    "documents": "the newest body of each thing, worked off",
    "links": "one row a thing at a target",
    "variants": "one row a variant",
    "skus": "one row an SKU",
    "pairings": "one row a variant that a person has paired",
    "budgets": "one row a shop",
    "secrets": "a handful",
    "heartbeat": "one row",
    "cursors": "a few rows a shop and system",
    "gatherings": "a few rows a shop and source",
    "metric_samples": "merged by store/metric_samples.py",
}


def test_every_table_is_pruned_or_bounded() -> None:
    pruned = rules().keys()
    tables = {table.name for table in metadata.sorted_tables}

    assert tables - pruned - BOUNDED.keys() == set()
    assert pruned <= tables
    assert pruned & BOUNDED.keys() == set()


def test_every_table_about_a_shop_goes_with_the_shop() -> None:
    for table in metadata.sorted_tables:
        for key in table.foreign_keys:
            kept = key.ondelete == "SET NULL" and table.name == "failed_logins"
            assert kept or key.ondelete == "CASCADE", table.name


#: More rows than one statement deletes.
SEVERAL_SLICES = 5_001


async def left(engine: AsyncEngine, table: str) -> int:
    async with engine.connect() as tx:
        return int(await tx.scalar(text(f"SELECT count(*) FROM {table}")) or 0)


@pytest.mark.parametrize(
    ("table", "kept"), [(table, timedelta(days=rule.days)) for table, rule in rules().items()]
)
async def test_a_row_stays_for_its_time_and_no_longer(
    engine: AsyncEngine, make_shop: MakeShop, table: str, kept: timedelta
) -> None:
    shop_id = await make_shop()
    await fill(engine, shop_id, now=NOON, state="done")
    await insert_rows(engine, full_row(signatures, NOON))
    moment = timedelta(seconds=1)

    await prune(engine, now=NOON + kept - moment)
    assert await left(engine, table) == 1

    await prune(engine, now=NOON + kept + moment)
    assert await left(engine, table) == 0


async def test_what_is_bounded_is_never_pruned(engine: AsyncEngine, make_shop: MakeShop) -> None:
    shop_id = await make_shop()
    await fill(engine, shop_id, now=NOON)
    await insert_rows(engine, full_row(secrets, NOON))
    await insert_rows(engine, full_row(heartbeat, NOON))

    await prune(engine, now=NOON + timedelta(days=10_000))

    for table in BOUNDED.keys() - {"compatibility", "metric_samples"} & {
        one.name for one in metadata.sorted_tables
    }:
        assert await left(engine, table) == 1, table


async def test_a_run_under_way_and_an_open_problem_are_kept(engine: AsyncEngine, make_shop: MakeShop) -> None:
    shop_id = await make_shop()
    await fill(engine, shop_id, now=NOON, state="running", dismissed_at=None)

    await prune(engine, now=NOON + timedelta(days=10_000))

    assert (await left(engine, "runs"), await left(engine, "problems")) == (1, 1)


async def test_more_than_goes_at_once_is_thrown_away_to_the_last_row(
    engine: AsyncEngine, make_shop: MakeShop
) -> None:
    shop_id = await make_shop()
    old = NOON - timedelta(days=2000)
    await insert_rows(engine, *(delivery_row(shop_id, received_at=old) for _ in range(SEVERAL_SLICES)))

    gone = await prune(engine, now=NOON)

    assert gone["deliveries"] == SEVERAL_SLICES
    assert await left(engine, "deliveries") == 0
