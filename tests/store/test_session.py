"""Every connection of ours has its limits, although none is asked for while it is made: poolers refuse that."""

from collections.abc import Awaitable, Callable
from typing import TypeAlias

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import text

from upbridge.job_queue import create_jobs
from upbridge.settings import Settings
from upbridge.store.database import open_database
from upbridge.webhooks.connection_pool import InboxPool

Ask: TypeAlias = Callable[[str], Awaitable[str]]

QUERY = "SELECT current_setting('statement_timeout') || ' ' || current_setting('timezone')"


async def of_the_engine(url: str) -> str:
    settings = Settings(
        database_url=url, encryption_keys=[Fernet.generate_key().decode()], public_url="https://upbridge.example"
    )
    async with open_database(settings) as database:
        async with database.engine.connect() as tx:
            await tx.execute(text("SELECT 1"))
            await tx.rollback()
        async with database.engine.connect() as tx:
            return str(await tx.scalar(text(QUERY)))


async def of_the_inbox(url: str) -> str:
    pool = InboxPool(url, statement_seconds=0.45)
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
