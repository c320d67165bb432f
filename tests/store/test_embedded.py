"""The embedded Postgres: shared by all living processes, stopped by the last, started again when it dies."""

import asyncio
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import psycopg
import pytest
from sqlalchemy import NullPool, create_engine, text
from sqlalchemy.exc import DBAPIError

from upbridge.core.errors import NotReady
from upbridge.settings import Settings
from upbridge.store.database import open_database, sqlalchemy_url
from upbridge.store.embedded import EmbeddedPostgres

SECONDS = 20.0
#: No other user of the machine may enter: the server trusts who connects.
PRIVATE = 0o700


def mode_of(place: Path) -> int:
    return stat.S_IMODE(place.stat().st_mode)


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """A data directory for all tests here: making one takes longer than most of them."""
    place = Path(tempfile.mkdtemp(prefix="upbridge-embedded-"))
    yield place
    shutil.rmtree(place)


def postmaster(home: Path) -> psutil.Process:
    """The server's first process."""
    return psutil.Process(int((home / "postgres" / "postmaster.pid").read_text().split()[0]))


def running(home: Path) -> bool:
    return EmbeddedPostgres(home).running()


async def test_the_last_one_to_go_stops_the_server(home: Path) -> None:
    """Two handles are two locks on one file, as in two processes."""
    first, second = EmbeddedPostgres(home), EmbeddedPostgres(home)
    address = await asyncio.to_thread(first.start)
    before = postmaster(home).pid
    assert await asyncio.to_thread(second.start) == address
    assert postmaster(home).pid == before

    await asyncio.to_thread(first.close)
    assert running(home)
    with psycopg.connect(address) as tx:
        assert tx.execute("SELECT 1").fetchone() == (1,)
    await asyncio.to_thread(second.close)
    assert not running(home)


async def test_closing_twice_is_harmless(home: Path) -> None:
    handle = EmbeddedPostgres(home)
    await asyncio.to_thread(handle.start)
    for _ in range(2):
        await asyncio.to_thread(handle.close)
    assert not running(home)


def test_those_who_start_together_share_one_server(home: Path) -> None:
    handles = [EmbeddedPostgres(home) for _ in range(3)]
    with ThreadPoolExecutor(3) as pool:
        addresses = set(pool.map(EmbeddedPostgres.start, handles))
        assert len(addresses) == 1
        list(pool.map(EmbeddedPostgres.close, handles))
    assert not running(home)


async def test_a_killed_server_comes_back_by_itself_with_every_committed_row(home: Path) -> None:
    settings = Settings(_env_file=None, data_dir=home)
    async with open_database(settings, watch=True) as database:
        async with database.engine.begin() as tx:
            await tx.execute(text("DROP TABLE IF EXISTS kept"))
            await tx.execute(text("CREATE TABLE kept AS SELECT generate_series(1, 1000) AS number"))
        victim = postmaster(home)
        victim.kill()
        victim.wait(SECONDS)

        async with asyncio.timeout(SECONDS):
            while True:
                try:
                    async with database.engine.connect() as tx:
                        count = await tx.scalar(text("SELECT count(*) FROM kept"))
                    break
                except (DBAPIError, OSError):
                    await asyncio.sleep(0.1)

        assert count == 1000
        assert postmaster(home).pid != victim.pid
    assert not running(home)


async def test_without_a_watcher_no_process_brings_it_back(home: Path) -> None:
    async with open_database(Settings(_env_file=None, data_dir=home)) as database:
        assert database.embedded is not None
        victim = postmaster(home)
        victim.kill()
        victim.wait(SECONDS)
        assert not database.embedded.running()

        await asyncio.to_thread(database.embedded.revive)

        async with database.engine.connect() as tx:
            assert await tx.scalar(text("SELECT 1")) == 1


@pytest.mark.parametrize("whose", ["another program", "another Postgres"])
def test_a_pid_that_belongs_to_another_program_by_now_is_no_obstacle(
    home: Path, tmp_path: Path, whose: str
) -> None:
    """After a crash of the machine the number in the file may be another process's."""
    neighbour = EmbeddedPostgres(tmp_path)
    neighbour.start()
    handle = EmbeddedPostgres(home)
    handle.start()
    file = home / "postgres" / "postmaster.pid"
    lines = file.read_text().split("\n")
    victim = postmaster(home)
    victim.kill()
    victim.wait(SECONDS)
    number = os.getpid() if whose == "another program" else postmaster(tmp_path).pid
    file.write_text("\n".join([str(number), *lines[1:]]))
    assert not handle.running()

    address = handle.revive()

    with psycopg.connect(address) as tx:
        assert tx.execute("SELECT 1").fetchone() == (1,)
    handle.close()
    assert not running(home)
    assert running(tmp_path)
    neighbour.close()


def test_a_user_that_was_killed_does_not_keep_the_server_up(home: Path) -> None:
    handle = EmbeddedPostgres(home)
    handle.start()
    code = (
        "import sys, time; from pathlib import Path; from upbridge.store.embedded import EmbeddedPostgres\n"
        "EmbeddedPostgres(Path(sys.argv[1])).start(); print('joined', flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(home)], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "joined\n"
        other.send_signal(signal.SIGKILL)
    assert running(home)

    handle.close()

    assert not running(home)


def test_a_data_directory_that_is_none_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(NotReady, match="UPBRIDGE_DATA_DIR"):
        EmbeddedPostgres(tmp_path / "file").start()


@pytest.mark.parametrize("name", ["two words", "it's 100 % ours", "a" * 120], ids=["space", "quote", "long"])
def test_any_path_will_do(tmp_path: Path, name: str) -> None:
    handle = EmbeddedPostgres(tmp_path / name)

    address = handle.start()

    try:
        with psycopg.connect(address) as tx:
            assert tx.execute("SELECT 1").fetchone() == (1,)
        engine = create_engine(sqlalchemy_url(address), poolclass=NullPool)
        with engine.connect() as through_sqlalchemy:
            assert through_sqlalchemy.scalar(text("SELECT 1")) == 1
            [place] = through_sqlalchemy.scalars(text("SHOW unix_socket_directories"))
        assert mode_of(Path(place)) == mode_of(Path(place) / ".s.PGSQL.5432") == PRIVATE
    finally:
        handle.close()
    assert not Path(place).exists() or Path(place).is_relative_to(tmp_path)


def test_a_start_that_was_killed_while_it_made_the_files_is_begun_again(tmp_path: Path) -> None:
    """What `initdb` leaves when it is killed looks like a database and is none."""
    half = tmp_path / "postgres.unfinished"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")
    handle = EmbeddedPostgres(tmp_path)

    address = handle.start()

    try:
        with psycopg.connect(address) as tx:
            assert tx.execute("SELECT 1").fetchone() == (1,)
        assert not half.exists()
    finally:
        handle.close()


def test_files_of_another_version_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres" / "PG_VERSION").write_text("12\n")

    with pytest.raises(NotReady, match="version"):
        EmbeddedPostgres(tmp_path).start()
