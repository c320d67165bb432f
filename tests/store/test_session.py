"""Every connection of ours has its limits, although none is asked for while it is made: poolers refuse that."""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeAlias

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from tests.support.pgbouncer import needs_pgbouncer, pgbouncer
from tests.support.shops import KEY
from tests.support.web_side import free_port
from upbridge.job_queue import create_jobs
from upbridge.settings import Settings
from upbridge.store.database import open_database, sqlalchemy_url
from upbridge.store.probes import require_sessions
from upbridge.store.session import RESTED_SECONDS, look_before_use, reading
from upbridge.store.sql import driver_of
from upbridge.webhooks.connection_pool import InboxPool

Ask: TypeAlias = Callable[[str], Awaitable[str]]

QUERY = "SELECT current_setting('statement_timeout') || ' ' || current_setting('timezone')"


async def of_the_engine(url: str) -> str:
    settings = Settings(database_url=url, encryption_keys=KEY, public_url="https://upbridge.example")
    async with open_database(settings) as database:
        async with database.engine.connect() as tx:
            await tx.execute(text("SELECT 1"))
            await tx.rollback()
        async with database.engine.connect() as tx:
            return str(await tx.scalar(text(QUERY)))


async def of_the_inbox(url: str) -> str:
    pool = InboxPool(url, statement_seconds=0.45, lock_seconds=0.03)
    try:
        return str(await pool.value(QUERY.encode(), {}))
    finally:
        await pool.dispose()


async def of_the_jobs(url: str) -> str:
    jobs = create_jobs(url, pool_size=1)
    async with jobs.open_async():
        row = await jobs.job_manager.connector.execute_query_one_async(f"{QUERY} AS found")
    return str(row["found"])


CONNECTIONS = pytest.mark.parametrize(
    ("ask", "limit"), [(of_the_engine, "1min"), (of_the_inbox, "450ms"), (of_the_jobs, "1min")]
)


@CONNECTIONS
async def test_a_new_connection_has_a_limit_and_utc(ask: Ask, limit: str, database_url: str) -> None:
    assert await ask(database_url) == f"{limit} UTC"


@pytest.mark.parametrize(("rested", "asked"), [(1.0, False), (RESTED_SECONDS, True)])
async def test_a_connection_is_asked_before_use_only_if_it_has_rested(
    *, rested: float, asked: bool, engine: AsyncEngine, database_url: str
) -> None:
    now = 0.0
    borrower = create_async_engine(sqlalchemy_url(database_url), pool_size=1, max_overflow=0)
    look_before_use(borrower, seconds=lambda: now)
    async with borrower.connect() as tx:
        process = await tx.scalar(text("SELECT pg_backend_pid()"))
    now = rested

    async with borrower.connect(), engine.connect() as tx:
        last = await tx.scalar(text("SELECT query FROM pg_stat_activity WHERE pid = :pid"), {"pid": process})

    await borrower.dispose()
    assert (last != "ROLLBACK") is asked


@pytest.mark.parametrize("rested", [0.0, RESTED_SECONDS])
async def test_a_connection_that_was_cut_is_replaced_before_use(
    rested: float, engine: AsyncEngine, database_url: str
) -> None:
    now = 0.0
    borrower = create_async_engine(sqlalchemy_url(database_url), pool_size=1, max_overflow=0)
    look_before_use(borrower, seconds=lambda: now)
    async with borrower.connect() as tx:
        process = await tx.scalar(text("SELECT pg_backend_pid()"))
    async with engine.connect() as tx:
        await tx.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": process})
    now = rested

    async with borrower.connect() as tx:
        assert await tx.scalar(text("SELECT pg_backend_pid()")) != process

    await borrower.dispose()


@needs_pgbouncer
@CONNECTIONS
async def test_a_pooler_by_session_needs_no_setting_of_its_own(ask: Ask, limit: str, database_url: str) -> None:
    async with pgbouncer(database_url, mode="session") as url:
        assert await ask(url) == f"{limit} UTC"
        await require_sessions(url)


@needs_pgbouncer
@pytest.mark.parametrize("command", ["migrate", "serve", "worker", "up", "shops list", "problems list"])
async def test_a_pooler_by_transaction_is_refused_by_name_before_anything_is_locked(
    command: str, database_url: str, tmp_path: Path
) -> None:
    port = ["--port", str(free_port())] if command in {"serve", "up"} else []
    async with pgbouncer(database_url, mode="transaction") as url:
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("UPBRIDGE_")},
            "UPBRIDGE_DATABASE_URL": url,
            "UPBRIDGE_ENCRYPTION_KEYS": KEY,
            "UPBRIDGE_PUBLIC_URL": "https://upbridge.example",
        }
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "upbridge", *command.split(), *port),
            cwd=tmp_path,
            env=environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        _, said = await process.communicate()

    assert process.returncode == 1
    assert "pools by transaction" in said.decode()
    assert "Traceback" not in said.decode()
    async with await psycopg.AsyncConnection.connect(database_url) as tx:
        locks = await tx.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'")
        assert await locks.fetchone() == (0,)


async def test_few_connections_do_most_of_the_work_and_keep_what_they_have_prepared(database_url: str) -> None:
    settings = Settings(database_url=database_url, encryption_keys=KEY, public_url="https://upbridge.example")
    asked = text("SELECT pg_backend_pid(), (SELECT count(*) FROM pg_prepared_statements)")
    async with open_database(settings) as database:
        async with reading(database.engine), reading(database.engine):
            pass  # there are two
        answers = []
        for _ in range(4):
            async with reading(database.engine) as tx:
                answers.append((await tx.execute(asked)).one())

    assert len({pid for pid, _ in answers}) == 1
    assert answers[-1][1] == 1


async def test_a_connection_that_rests_is_kept_alive_on_its_way(database_url: str) -> None:
    settings = Settings(database_url=database_url, encryption_keys=KEY, public_url="https://upbridge.example")
    async with open_database(settings) as database, reading(database.engine) as tx:
        assert driver_of(tx).info.get_parameters()["keepalives_idle"] == "30"
