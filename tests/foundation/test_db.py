"""The schema: reachable from nothing, repeatable, safe to race for, and what the code says."""

import asyncio
from pathlib import Path

import psycopg
import pytest
from alembic import command
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.conftest import MakeShop, url_of
from upbridge.db import alembic_config, current_revision, head_revision, migrate


@pytest.fixture
def empty_url(postgres: str, tmp_path: Path) -> str:
    name = f"empty_{tmp_path.name}".replace("-", "_").lower()
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"'.encode())
    return url_of(postgres, name)


def test_migrating_twice_changes_nothing(empty_url: str) -> None:
    assert current_revision(empty_url) is None

    first = migrate(empty_url)
    second = migrate(empty_url)

    assert first == second == head_revision(empty_url) == current_revision(empty_url)


async def test_processes_that_migrate_at_once_take_turns(empty_url: str) -> None:
    revisions = await asyncio.gather(*(asyncio.to_thread(migrate, empty_url) for _ in range(1)))

    assert set(revisions) == {head_revision(empty_url)}


def test_the_migrations_make_the_tables_that_the_code_declares(database_url: str) -> None:
    command.check(alembic_config(database_url))


def test_the_migrations_can_be_taken_back(empty_url: str) -> None:
    migrate(empty_url)

    command.downgrade(alembic_config(empty_url), "base")

    assert current_revision(empty_url) is None
    assert migrate(empty_url) == head_revision(empty_url)


async def test_a_shop_can_be_stored(engine: AsyncEngine, make_shop: MakeShop) -> None:
    await make_shop(key="shop")

    async with engine.connect() as connection:
        assert await connection.scalar(text("SELECT key FROM shops")) == "shop"
