"""The migrations on an installed Postgres: that of `TEST_POSTGRES_BIN`, else Debian's 15, the oldest."""

from collections.abc import Iterator

import psycopg
import pytest
from sqlalchemy import NullPool
from sqlalchemy.ext.asyncio import create_async_engine

from tests.project import models
from tests.support.postgres import BIN_VARIABLE, OLDEST, InstalledPostgres, chosen_bin
from upbridge.store.database import sqlalchemy_url
from upbridge.store.migrate import migrate
from upbridge.store.probes import not_writable
from upbridge.store.schema import HEAD
from upbridge.store.schema_version import SchemaVersion

BIN = chosen_bin() or OLDEST

pytestmark = pytest.mark.skipif(not (BIN / "initdb").exists(), reason=f"no Postgres in {BIN}")


@pytest.fixture(scope="module")
def installed() -> Iterator[str]:
    """The address of an empty database on the installed Postgres."""
    server = InstalledPostgres(BIN)
    yield server.start()
    server.close()


def test_the_migrations_make_the_declared_tables(installed: str) -> None:
    with psycopg.connect(installed) as tx:
        version = tx.info.server_version // 10_000
    assert version == 15 if chosen_bin() is None else version >= 15

    assert models.differences(installed) == []


def test_migrating_again_changes_nothing(installed: str) -> None:
    assert migrate(installed) == migrate(installed) == SchemaVersion(HEAD)


async def test_it_is_ready_there(installed: str) -> None:
    engine = create_async_engine(sqlalchemy_url(installed), poolclass=NullPool)

    assert await not_writable(engine) is None

    await engine.dispose()


def test_binaries_that_are_not_there_are_no_silent_skip(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(BIN_VARIABLE, "/nowhere/bin")

    with pytest.raises(FileNotFoundError, match=BIN_VARIABLE):
        chosen_bin()
