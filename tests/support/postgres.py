"""A real Postgres for the tests, and migrated databases on it."""

import asyncio
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from upbridge.store.database import Database, sqlalchemy_url
from upbridge.store.embedded import EmbeddedPostgres
from upbridge.store.migrate import migrate
from upbridge.store.schema import metadata

#: The folder with `initdb` and `pg_ctl` of the Postgres to test on; unset: the embedded one.
BIN_VARIABLE = "TEST_POSTGRES_BIN"
#: The oldest Postgres that is supported, where Debian installs it.
OLDEST = Path("/usr/lib/postgresql/15/bin")

#: The tests of all workers together open many connections; nothing here has to survive a power failure.
_SETTINGS = {"max_connections": "500", "fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


_OURS = (table.name for table in reversed(metadata.sorted_tables))
_TABLES = ["procrastinate_jobs", "procrastinate_workers", *_OURS]
_EMPTY = "".join(f"DELETE FROM {table};" for table in _TABLES).encode()


def emptied(address: str) -> str:
    """*address*, after every row in the database there has gone."""
    with psycopg.connect(address, autocommit=True) as tx:
        tx.execute(_EMPTY)
    return address


async def wait_for_lock(engine: AsyncEngine) -> None:
    """Return as soon as a session of this database waits for a lock."""
    query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    async with asyncio.timeout(30), engine.connect() as tx:
        looking = await tx.execution_options(isolation_level="AUTOCOMMIT")
        while not await looking.scalar(text(query)):  # noqa: ASYNC110 - the server gives no event for this
            await asyncio.sleep(0.01)


def chosen_bin() -> Path | None:
    """The folder in `TEST_POSTGRES_BIN`, None if unset. Raises `FileNotFoundError` if it is wrong."""
    name = os.environ.get(BIN_VARIABLE)
    if not name:
        return None
    if not (Path(name) / "initdb").exists():
        raise FileNotFoundError(f"{BIN_VARIABLE}: there is no initdb in {name}")
    return Path(name)


class InstalledPostgres:
    """A server that listens on a socket only, in a folder of its own; `close` stops it and deletes the folder."""

    def __init__(self, binaries: Path) -> None:
        self._bin = binaries
        self.home = Path(tempfile.mkdtemp(prefix="upbridge-pg-"))
        self._owner = _owner()
        if self._owner:
            os.chown(self.home, self._owner["user"], self._owner["group"])

    def start(self) -> str:
        """Make the cluster and start it; returns its address."""
        options = " ".join(f"-c {name}={value}" for name, value in _SETTINGS.items())
        self._run("initdb", "--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-sync")
        where = f"-c listen_addresses= -c unix_socket_directories={self.home}"
        self._run("pg_ctl", "start", "--wait", "--log", str(self.home / "log"), "--options", f"{where} {options}")
        return f"postgresql://postgres@/postgres?host={self.home}"

    def close(self) -> None:
        """Stop the server and delete what it stored."""
        self._run("pg_ctl", "stop", "--mode=immediate")
        shutil.rmtree(self.home)

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._bin / program), *arguments, "--pgdata", str(self.home / "data")]
        subprocess.run(command, check=True, capture_output=True, cwd=self.home, **self._owner)


def _owner() -> dict[str, Any]:
    """Who runs the server: Postgres refuses root, so root lends it a user that owns nothing else here."""
    if os.geteuid() != 0:
        return {}
    user = next(entry for name in ("postgres", "nobody") for entry in pwd.getpwall() if entry.pw_name == name)
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


@contextmanager
def throw_away_postgres() -> Iterator[str]:
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


def migrated(address: str) -> str:
    """The name of a new, migrated, empty database on the server at *address*."""
    name = f"template_{uuid4().hex[:8]}"
    with psycopg.connect(address, autocommit=True) as tx:
        tx.execute(f'CREATE DATABASE "{name}"'.encode())
    migrate(url_of(address, name))
    return name


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The address of a throw-away Postgres."""
    with throw_away_postgres() as address:
        yield address


@pytest.fixture(scope="session")
def template(postgres: str) -> str:
    """The name of a migrated, empty database to copy."""
    return migrated(postgres)


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
    with new_database(postgres, template) as address:
        yield address


@pytest.fixture
def database_url(shared_url: str) -> str:
    """The address of a migrated database without a row: emptied, which is a hundred times faster than made."""
    return emptied(shared_url)


@pytest.fixture
def new_database_url(postgres: str, template: str) -> Iterator[str]:
    """The address of a migrated database of this test's own, for what changes more than rows."""
    with new_database(postgres, template) as address:
        yield address


@contextmanager
def new_database(postgres: str, template: str) -> Iterator[str]:
    """The address of a copy of *template*, which is gone afterwards."""
    name = f"test_{uuid4().hex[:12]}"
    with psycopg.connect(postgres, autocommit=True) as tx:
        tx.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"'.encode())
    yield url_of(postgres, name)
    with psycopg.connect(postgres, autocommit=True) as tx:
        tx.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())


@contextmanager
def empty_database(postgres: str) -> Iterator[str]:
    """The address of a database that was never migrated, which is gone afterwards."""
    with new_database(postgres, "template1") as address:
        yield address


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
