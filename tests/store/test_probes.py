"""Whether the database does what all of it stands on, asked of real servers."""

import asyncio
import contextlib
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from tests.support.pgbouncer import needs_pgbouncer, pgbouncer
from upbridge.store.database import sqlalchemy_url
from upbridge.store.probes import lost_limit, mixed_sessions, not_writable

# --- room ---------------------------------------------------------------------------------------------------


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A file system of four MiB."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    with tempfile.TemporaryDirectory(prefix="upbridge-disk-") as name:
        place = Path(name)
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", place], check=False).returncode:
            pytest.skip("nothing can be mounted here")
        yield place
        subprocess.run(["umount", "--lazy", place], check=True)


async def test_a_database_with_room_takes_a_write_and_keeps_nothing_of_it(engine: AsyncEngine) -> None:
    assert [await not_writable(engine) for _ in range(3)] == [None, None, None]

    async with engine.connect() as tx:
        assert await tx.scalar(text("SELECT to_regclass('public.upbridge_probe')")) is None


async def test_a_full_disk_is_reported_and_over_when_there_is_room(
    new_database_url: str, small_disk: Path
) -> None:
    (small_disk / "room").write_bytes(b"\0" * 1024 * 1024)
    name = _tablespace(new_database_url, small_disk)
    engine = create_async_engine(
        sqlalchemy_url(new_database_url), connect_args={"options": f"-c temp_tablespaces={name}"}
    )
    try:
        assert await not_writable(engine) is None
        _fill(small_disk)

        full = await not_writable(engine)
        (small_disk / "room").unlink()

        assert full is not None
        assert "No space left on device" in full
        assert await not_writable(engine) is None
    finally:
        await engine.dispose()
        with psycopg.connect(new_database_url, autocommit=True) as tx:
            tx.execute(f"DROP TABLESPACE {name}".encode())


def _tablespace(address: str, disk: Path) -> str:
    """The name of a new tablespace on *disk*."""
    name, place = f"small_{uuid4().hex}", disk / "space"
    place.mkdir()
    with psycopg.connect(address, autocommit=True) as tx:
        row = tx.execute("SHOW data_directory").fetchone()
        assert row is not None
        owner = Path(row[0]).stat()
        os.chown(place, owner.st_uid, owner.st_gid)
        tx.execute(f"CREATE TABLESPACE {name} LOCATION '{place}'".encode())
    return name


def _fill(disk: Path) -> None:
    """Leave no room on *disk*."""
    with (disk / "filler").open("wb", buffering=0) as filler, contextlib.suppress(OSError):
        while True:
            filler.write(b"\0" * 4096)


async def test_a_database_that_only_reads_takes_no_webhook(database_url: str) -> None:
    engine = create_async_engine(
        sqlalchemy_url(database_url), connect_args={"options": "-c default_transaction_read_only=on"}
    )
    said = await not_writable(engine)
    await engine.dispose()

    assert said is not None
    assert "primary" in said


# --- sessions -----------------------------------------------------------------------------------------------


async def test_without_a_pooler_a_session_is_a_session(database_url: str) -> None:
    assert await mixed_sessions(database_url) is None


@needs_pgbouncer
async def test_pooling_by_session_keeps_sessions_apart(database_url: str) -> None:
    async with pgbouncer(database_url, mode="session") as address:
        assert await mixed_sessions(address) is None


@needs_pgbouncer
@pytest.mark.parametrize("more", ["", "server_round_robin = 1", "default_pool_size = 1"])
async def test_pooling_by_transaction_is_noticed(database_url: str, more: str) -> None:
    async with pgbouncer(database_url, mode="transaction", more=more) as address:
        said = await mixed_sessions(address)

    assert said is not None
    assert "by transaction" in said


@needs_pgbouncer
async def test_pooling_by_transaction_is_noticed_among_other_clients(database_url: str) -> None:
    async with pgbouncer(database_url, mode="transaction") as address:
        others = [await psycopg.AsyncConnection.connect(address, prepare_threshold=None) for _ in range(5)]
        for other in others:
            await other.execute("SELECT 1")
        await asyncio.gather(*(other.commit() for other in others))
        said = await mixed_sessions(address)
        for other in others:
            await other.close()

    assert said is not None


@pytest.mark.parametrize(("options", "lost"), [("-c statement_timeout=60s", False), ("", True)])
async def test_a_time_limit_that_was_dropped_is_noticed(database_url: str, options: str, *, lost: bool) -> None:
    engine = create_async_engine(sqlalchemy_url(database_url), connect_args={"options": options})
    said = await lost_limit(engine)
    await engine.dispose()

    assert (said is not None) is lost
