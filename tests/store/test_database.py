"""The schema: reachable from nothing, repeatable, safe to race for, and what the code says."""

import asyncio
import subprocess
import sys

import psycopg
import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from tests.support.postgres import wait_for_lock
from tests.support.shops import KEY, MakeShop
from upbridge.domain.sku import code_key
from upbridge.settings import Settings
from upbridge.store.alembic_steps import alembic_config
from upbridge.store.database import open_database, sqlalchemy_url
from upbridge.store.migrate import migrate
from upbridge.store.schema import HEAD
from upbridge.store.schema_version import SchemaVersion, schema_version


def revision(url: str) -> str | None:
    """The revision that the database has, asked without our code."""
    with psycopg.connect(url) as tx:
        if tx.execute("SELECT to_regclass('alembic_version')").fetchone() == (None,):
            return None
        row = tx.execute("SELECT version_num FROM alembic_version").fetchone()
    return None if row is None else str(row[0])


def test_migrating_twice_changes_nothing(empty_url: str) -> None:
    assert revision(empty_url) is None

    first = migrate(empty_url)
    second = migrate(empty_url)

    assert first == second == SchemaVersion(HEAD)
    assert revision(empty_url) == HEAD


def test_who_finds_the_schema_at_head_does_not_load_what_migrates(database_url: str) -> None:
    code = "import sys; from upbridge.store.migrate import migrate; migrate(sys.argv[1]); print(*sys.modules)"

    done = subprocess.run([sys.executable, "-c", code, database_url], capture_output=True, text=True, check=True)

    assert "alembic" not in done.stdout.split()


def test_the_code_wants_the_newest_revision(empty_url: str) -> None:
    assert ScriptDirectory.from_config(alembic_config(empty_url)).get_current_head() == HEAD


async def test_the_revision_can_be_asked_over_an_open_engine(engine: AsyncEngine) -> None:
    assert await schema_version(engine) == SchemaVersion(HEAD)


async def test_processes_that_migrate_at_once_take_turns(empty_url: str) -> None:
    code = "import sys; from upbridge.store.migrate import migrate; migrate(sys.argv[1])"
    processes = [
        await asyncio.create_subprocess_exec(sys.executable, "-c", code, empty_url, stderr=asyncio.subprocess.PIPE)
        for _ in range(3)
    ]

    ended = [await process.communicate() for process in processes]

    assert [process.returncode for process in processes] == [0, 0, 0], ended
    assert revision(empty_url) == HEAD


async def test_the_previous_version_goes_on_working_while_the_indexes_of_changes_are_exchanged(
    empty_url: str,
) -> None:
    """It has looked at what is due and will write it; neither of the two is ended by the server."""
    await asyncio.to_thread(command.upgrade, alembic_config(empty_url), "0007")
    async with await psycopg.AsyncConnection.connect(empty_url) as working:
        await working.execute("SELECT FROM changes")
        migrating = asyncio.create_task(asyncio.to_thread(migrate, empty_url))
        looking = create_async_engine(sqlalchemy_url(empty_url))
        await wait_for_lock(looking)
        await looking.dispose()
        async with asyncio.timeout(5):
            await working.execute("DELETE FROM changes")
            await working.execute("DELETE FROM orders")

    assert await migrating == SchemaVersion(HEAD)


async def test_who_reads_and_writes_does_not_queue_behind_a_change_of_the_schema(empty_url: str) -> None:
    """One transaction is long; another one must not wait for it because the migration does."""
    await asyncio.to_thread(command.upgrade, alembic_config(empty_url), "0024")
    async with (
        await psycopg.AsyncConnection.connect(empty_url) as slow,
        await psycopg.AsyncConnection.connect(empty_url, autocommit=True) as quick,
    ):
        await slow.execute("SELECT FROM variants")
        migrating = asyncio.create_task(asyncio.to_thread(migrate, empty_url))
        looking = create_async_engine(sqlalchemy_url(empty_url))
        await wait_for_lock(looking)
        await looking.dispose()
        await quick.execute("SET statement_timeout = '5s'")
        await quick.execute("SELECT FROM variants")
        assert not migrating.done()
        await slow.commit()

    assert await migrating == SchemaVersion(HEAD)


def test_code_that_would_create_customers_again_is_refused(empty_url: str) -> None:
    migrate(empty_url)

    with psycopg.connect(empty_url) as tx:
        assert tx.execute("SELECT oldest FROM compatibility").fetchall() == [("0037",)]


def test_the_migrations_make_the_tables_that_the_code_declares(database_url: str) -> None:
    command.check(alembic_config(database_url))


def test_the_migrations_can_be_taken_back(empty_url: str) -> None:
    migrate(empty_url)

    command.downgrade(alembic_config(empty_url), "base")

    assert revision(empty_url) is None
    assert migrate(empty_url) == SchemaVersion(HEAD)


#: Rows as the schema of 0009 had them, and what is asked of them under the names of 0010.
_BEFORE_PLAIN_NAMES = """
    INSERT INTO shops (id, key, token, state, api_url)
      VALUES ('00000000-0000-0000-0000-000000000001', 'shop', 'token', 'active', 'https://shop.invalid');
    INSERT INTO items (shop_id, key, product_id, code, title, stock_own, active, listed)
      SELECT id, 'v-1', 7, 'A', 'Shirt', true, true, true FROM shops;
    INSERT INTO pieces (shop_id, order_number, place, item, code, quantity, waits, ordered_at)
      SELECT id, 'O-1', 3, 'v-1', 'A', 2, true, '2026-01-01T12:00Z' FROM shops;
    INSERT INTO orders (shop_id, number, made_at, read_at)
      SELECT id, 'O-1', '2026-01-01T12:00Z', '2026-01-01T12:01Z' FROM shops;
    INSERT INTO steps (shop_id, number, at, what, target)
      SELECT id, 'O-1', '2026-01-01T12:01Z', 'delivered', 'upp' FROM shops;
    INSERT INTO days (shop_id, what, system, day_at, count)
      SELECT id, 'delays', 'upp', '2026-01-01T00:00Z', 5 FROM shops;
    INSERT INTO budgets (shop_id, hour_at, day_at, made, seen_made, unseen, lost)
      SELECT id, '2026-01-01T12:00Z', '2026-01-01T00:00Z', 11, 12, 13, 14 FROM shops;
    INSERT INTO leases (shop_id, slot, holder, expires_at) SELECT id, 2, id, '2026-01-01T12:00Z' FROM shops;
    INSERT INTO calls (shop_id, hour, access, purpose, count)
      SELECT id, '2026-01-01T12:00Z', 'GET /orders', 'orders', 15 FROM shops;
    INSERT INTO samples (process, name, labels, value) SELECT id, 'upbridge_x_total', '{}', 16 FROM shops
"""
_AFTER_PLAIN_NAMES = {
    "SELECT key, title_folded FROM variants": ("v-1", "shirt"),
    "SELECT position, variant_key, pending FROM open_order_lines": (3, "v-1", True),
    "SELECT extract(hour FROM ordered_at AT TIME ZONE 'UTC')::int FROM orders": (12,),
    "SELECT id, order_number, event FROM order_events": (1, "O-1", "delivered"),
    "SELECT metric, count FROM daily_stats": ("delays", 5),
    "SELECT calls_made, calls_made_at_header, calls_unconfirmed, calls_lost FROM budgets": (11, 12, 13, 14),
    "SELECT slot FROM call_leases": (2,),
    "SELECT access, count FROM api_calls": ("GET /orders", 15),
    "SELECT name, value FROM metric_samples": ("upbridge_x_total", 16.0),
}


def test_tables_and_columns_get_their_names_with_all_that_they_hold(empty_url: str) -> None:
    command.upgrade(alembic_config(empty_url), "0009")
    with psycopg.connect(empty_url) as tx:
        tx.execute(_BEFORE_PLAIN_NAMES.encode())

    command.upgrade(alembic_config(empty_url), "0010")

    with psycopg.connect(empty_url) as tx:
        for query, row in _AFTER_PLAIN_NAMES.items():
            assert tx.execute(query.encode()).fetchall() == [row], query
    command.downgrade(alembic_config(empty_url), "0009")
    with psycopg.connect(empty_url) as tx:
        assert tx.execute("SELECT what FROM steps").fetchall() == [("delivered",)]


def test_codes_that_are_there_get_their_normal_form(empty_url: str) -> None:
    """With the very form of today: a later one needs a migration of its own."""
    shop = "00000000-0000-0000-0000-000000000001"
    codes = (None, " ", "AB 1", "ab1", "K\N{COMBINING CARON}\N{ZERO WIDTH SPACE}", "Straße", "007")
    command.upgrade(alembic_config(empty_url), "0010")
    with psycopg.connect(empty_url, autocommit=True) as tx:
        tx.execute(
            "INSERT INTO shops (id, key, token, state, api_url)"
            " VALUES (%s, 'shop', 'token', 'active', 'https://shop.invalid')",
            [shop],
        )
        for number, code in enumerate(codes):
            tx.execute(
                "INSERT INTO variants (shop_id, key, product_id, code, ean, stock_own, active, listed)"
                " VALUES (%s, %s, 1, %s, %s, true, true, true)",
                [shop, f"v-{number}", code, code],
            )
            tx.execute(
                "INSERT INTO skus (shop_id, sku_id, product_id, sku_number, ean) VALUES (%s, %s, 1, %s, %s)",
                [shop, number, code, code],
            )

    migrate(empty_url)

    keys = [(code_key(code), code_key(code)) for code in codes]
    with psycopg.connect(empty_url) as tx:
        assert tx.execute("SELECT code_key, ean_key FROM variants ORDER BY key").fetchall() == keys
        assert tx.execute("SELECT code_key, ean_key FROM skus ORDER BY sku_id").fetchall() == keys


async def test_a_shop_can_be_stored(engine: AsyncEngine, make_shop: MakeShop) -> None:
    await make_shop(key="shop")

    async with engine.connect() as tx:
        assert await tx.scalar(text("SELECT key FROM shops")) == "shop"


async def test_what_a_failed_statement_was_about_does_not_reach_the_log(database_url: str) -> None:
    settings = Settings(
        _env_file=None, database_url=database_url, encryption_keys=KEY, public_url="https://upbridge.example"
    )
    async with open_database(settings) as database, database.engine.connect() as tx:
        with pytest.raises(DBAPIError) as caught:
            await tx.execute(text("SELECT CAST(CAST(:value AS text) || 'x' AS int)"), {"value": "jana@"})

    assert "parameters hidden" in str(caught.value)
