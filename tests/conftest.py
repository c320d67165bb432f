"""What every test may use: a real Postgres with an empty migrated database, and a shop."""

import asyncio
import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from tests.support.postgres import InstalledPostgres, chosen_bin, emptied
from upbridge.core.encryption import Cipher
from upbridge.domain.shop_id import ShopId
from upbridge.store import schema
from upbridge.store.database import Database, sqlalchemy_url
from upbridge.store.embedded import EmbeddedPostgres
from upbridge.store.migrate import migrate

#: A moment on a Tuesday morning; tests that need the time take this one.
NOON = datetime(2026, 11, 24, 11, 0, 0, tzinfo=UTC)
KEY = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="

pytest_plugins = ["tests.support.engine", "tests.support.web_application"]

MakeShop = Callable[..., Awaitable[ShopId]]


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The address of a throw-away Postgres: the embedded one, or one of the binaries in `TEST_POSTGRES_BIN`.

    `TEST_DATABASE_URL` names a server that runs already.
    """
    given = os.environ.get("TEST_DATABASE_URL")
    if given:
        yield given
        return
    if (binaries := chosen_bin()) is not None:
        installed = InstalledPostgres(binaries)
        yield installed.start()
        installed.close()
        return
    home = Path(tempfile.mkdtemp(prefix="upbridge-tests-"))
    server = EmbeddedPostgres(home)
    address = server.start()
    with psycopg.connect(address, autocommit=True) as tx:
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            tx.execute(f"ALTER SYSTEM SET {setting} = off".encode())
        tx.execute("SELECT pg_reload_conf()")
    yield address
    server.close()
    shutil.rmtree(home, ignore_errors=True)


def _named(address: str, name: str) -> str:
    return psycopg.conninfo.make_conninfo(address, dbname=name)


@pytest.fixture(scope="session")
def template(postgres: str) -> str:
    """The name of a migrated, empty database to copy."""
    name = f"template_{uuid4().hex[:8]}"
    with psycopg.connect(postgres, autocommit=True) as tx:
        tx.execute(f'CREATE DATABASE "{name}"'.encode())
    migrate(url_of(postgres, name))
    return name


def url_of(address: str, name: str) -> str:
    """The libpq URL of the database *name* on the server at *address*."""
    parts = psycopg.conninfo.conninfo_to_dict(address)
    host = str(parts.get("host", "localhost"))
    user = str(parts.get("user", "postgres"))
    port = parts.get("port")
    password = f":{parts['password']}" if parts.get("password") else ""
    if host.startswith("/"):
        return f"postgresql://{user}{password}@/{name}?host={host}" + (f"&port={port}" if port else "")
    return f"postgresql://{user}{password}@{host}" + (f":{port}" if port else "") + f"/{name}"


@pytest.fixture(scope="session")
def shared_url(postgres: str, template: str) -> Iterator[str]:
    """The address of a migrated database that all tests of a process share."""
    with _new_database(postgres, template) as address:
        yield address


@pytest.fixture
def database_url(shared_url: str) -> str:
    """The address of a migrated database without a row: emptied, which is a hundred times faster than made."""
    return emptied(shared_url)


@pytest.fixture
def new_database_url(postgres: str, template: str) -> Iterator[str]:
    """The address of a migrated database of this test's own, for what changes more than rows."""
    with _new_database(postgres, template) as address:
        yield address


@contextmanager
def _new_database(postgres: str, template: str) -> Iterator[str]:
    name = f"test_{uuid4().hex[:12]}"
    with psycopg.connect(postgres, autocommit=True) as tx:
        tx.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"'.encode())
    yield url_of(postgres, name)
    with psycopg.connect(postgres, autocommit=True) as tx:
        tx.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A fresh migrated database, open."""
    engine = create_async_engine(sqlalchemy_url(database_url), pool_size=10, max_overflow=50)
    yield Database(engine=engine, conninfo=database_url, embedded=None)
    await engine.dispose()


@pytest.fixture
def engine(database: Database) -> AsyncEngine:
    """The engine of the fresh database."""
    return database.engine


@pytest.fixture
def cipher() -> Cipher:
    """Seals with a key that only tests use."""
    return Cipher([KEY])


@pytest.fixture
def make_shop(engine: AsyncEngine, cipher: Cipher) -> MakeShop:
    """Insert a shop with sane defaults; keyword arguments override columns."""

    async def make(**overrides: Any) -> ShopId:
        number = uuid4()
        values = {
            "id": number,
            "key": f"shop-{number.hex[:8]}",
            "token": f"token-{number.hex}",
            "state": "active",
            "api_url": "https://shop.admin.s1.upgates.com/api/v2",
            "api_user": "12345678",
            "api_key": cipher.encrypt("api-key"),
            "installed_at": NOON,
            **overrides,
        }
        async with engine.begin() as tx:
            await tx.execute(insert(schema.shops).values(values))
        return ShopId(values["id"])

    return make


if sys.platform == "win32":  # psycopg's async mode needs a selector loop there
    asyncio.set_event_loop_policy(asyncio.WindowsSelectorEventLoopPolicy())  # type: ignore[attr-defined,unused-ignore]
