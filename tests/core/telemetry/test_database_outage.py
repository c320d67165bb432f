"""A database that is away: one line that says what to do, no stack, and no other failure hidden behind it."""

import asyncio
import json
import logging
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from procrastinate.exceptions import ConnectorException
from psycopg_pool import AsyncConnectionPool
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine
from structlog.testing import capture_logs

from tests.support.shops import KEY
from upbridge.core.database_failure import database_failure
from upbridge.core.telemetry.database_outage import AGAIN_SECONDS, Outage, Quiet
from upbridge.store.embedded import EmbeddedPostgres
from upbridge.store.migrate import migrate

NOWHERE = "postgresql://nobody@127.0.0.1:1/none"
DEADLINE = 60.0


class Seconds:
    """Seconds that a test lets pass."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def unreachable() -> psycopg.OperationalError:
    """What a driver says of a server that is not there."""
    with pytest.raises(psycopg.OperationalError) as caught:
        psycopg.connect(NOWHERE)
    return caught.value


def caused(cause: BaseException) -> ConnectorException:
    """What the job library makes of it."""
    error = ConnectorException()
    error.__cause__ = cause
    return error


async def failure(engine: AsyncEngine, statement: str, before: str = "SELECT 1") -> DBAPIError:
    """What a statement fails with."""
    with pytest.raises(DBAPIError) as caught:  # noqa: PT012
        async with engine.connect() as connection:
            await connection.execute(text(before))
            await connection.execute(text(statement))
    return caught.value


def lost(error: BaseException | None) -> str | None:
    """The reason, if *error* is an outage."""
    failure = database_failure(error)
    return None if failure is None else failure.reason


class TestLost:
    def test_a_server_that_is_not_there(self) -> None:
        error = unreachable()

        assert "127.0.0.1" in (lost(error) or "")
        assert lost(caused(error)) == lost(error)
        assert "\n" not in (lost(error) or "")

    async def test_a_session_that_was_ended(self, engine: AsyncEngine) -> None:
        assert lost(await failure(engine, "SELECT pg_terminate_backend(pg_backend_pid())")) is not None

    @pytest.mark.parametrize(
        ("statement", "before"),
        [
            ("SELECT pg_sleep(9)", "SET statement_timeout = 1"),
            ("SELECT 1 / 0", "SELECT 1"),
            ("INSERT INTO secrets VALUES ('a', ''), ('a', '')", "SELECT 1"),
            ("LOCK TABLE nothing", "SELECT 1"),
        ],
    )
    async def test_what_it_answered_is_no_outage(self, engine: AsyncEngine, statement: str, before: str) -> None:
        error = await failure(engine, statement, before)

        assert lost(error) is None
        assert lost(caused(error.orig or error)) is None

    @pytest.mark.parametrize("error", [ZeroDivisionError(), OSError("disk"), None])
    def test_what_has_nothing_to_do_with_it(self, error: BaseException | None) -> None:
        assert lost(error) is None


class TestOutage:
    def test_it_is_said_once_a_minute_and_when_it_is_over(self) -> None:
        seconds = Seconds()
        outage, error = Outage(seconds), unreachable()

        with capture_logs() as said:
            for _ in range(int(AGAIN_SECONDS) + 1):
                assert outage.explains(error)
                seconds.now += 1
            outage.over()
            outage.over()

        assert [(line["event"], line["log_level"], line["seconds"]) for line in said] == [
            ("database_away", "warning", 0),
            ("database_away", "warning", 60),
            ("database_back", "info", 61),
        ]
        assert "upbridge doctor" in said[0]["what_to_do"]
        assert "127.0.0.1" in said[0]["reason"]

    def test_what_does_not_pass_is_not_said_to_pass(self) -> None:
        with capture_logs() as said:
            Outage().explains(psycopg.OperationalError('FATAL: password authentication failed for user "u"'))

        assert [line["reason"] for line in said] == ['FATAL: password authentication failed for user "u"']
        assert "by itself" not in said[0]["what_to_do"]

    def test_an_echo_is_not_a_second_outage_and_one_that_lasts_is(self) -> None:
        """The job library reports some seconds later what it has noticed while the database was away."""
        seconds = Seconds()
        outage, error = Outage(seconds), unreachable()
        outage.explains(error)
        outage.over()

        with capture_logs() as said:
            outage.explains(error)
            outage.over()
            assert said == []
            outage.explains(error)
            seconds.now += AGAIN_SECONDS
            outage.explains(error)
            outage.over()

        assert [line["event"] for line in said] == ["database_away", "database_back"]

    def test_what_it_does_not_explain_is_not_said_to_be_it(self) -> None:
        with capture_logs() as said:
            assert not Outage().explains(ZeroDivisionError())

        assert said == []


class TestLibraries:
    """As the root's handler sees their records."""

    @pytest.fixture
    def written(self) -> list[str]:
        return []

    @pytest.fixture
    def library(self, written: list[str]) -> logging.Logger:
        class Into(logging.Handler):
            def emit(self, record: logging.LogRecord) -> None:
                written.append(record.getMessage())

        handler = Into()
        handler.addFilter(Quiet(Outage()))
        logger = logging.getLogger("psycopg.under_test")
        logger.propagate = False
        logger.handlers[:] = [handler]
        logger.setLevel(logging.INFO)
        return logger

    def test_their_stacks_about_the_database_are_one_line(
        self, library: logging.Logger, written: list[str]
    ) -> None:
        with capture_logs() as said:
            library.error("listener error", exc_info=caused(unreachable()))
            library.error("update_heartbeats error", exc_info=caused(unreachable()))
            library.warning("error connecting in %r: %s", "pool-1", unreachable())

        assert written == []
        assert [line["event"] for line in said] == ["database_away"]

    async def test_a_pool_that_is_given_back_a_connection_that_broke(
        self, library: logging.Logger, written: list[str], monkeypatch: pytest.MonkeyPatch, database_url: str
    ) -> None:
        """Its record holds neither a stack nor an error, only the connection: its borrower saw the error."""
        monkeypatch.setattr("psycopg_pool.pool_async.logger", library)
        library.setLevel(logging.WARNING)

        with capture_logs() as said:
            async with AsyncConnectionPool(database_url, min_size=1, max_size=1, open=False) as pool:
                with pytest.raises(psycopg.OperationalError):
                    async with pool.connection() as connection:
                        await connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")
                async with pool.connection() as another:
                    await another.execute("SELECT 1")

        assert written == []
        assert [line["event"] for line in said] == ["database_away"]
        assert pool.get_stats()["returns_bad"] == 1

    async def test_a_session_that_ended_while_its_query_was_being_cancelled(
        self, library: logging.Logger, written: list[str], monkeypatch: pytest.MonkeyPatch, database_url: str
    ) -> None:
        """The record holds the name of the error's class and nothing else: the task that cancelled it saw more."""

        async def end(connection: psycopg.AsyncConnection, **_: float) -> None:
            async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as another:
                await another.execute("SELECT pg_terminate_backend(%s)", [connection.info.backend_pid])

        monkeypatch.setattr("psycopg.connection_async.logger", library)
        monkeypatch.setattr(psycopg.AsyncConnection, "_try_cancel", end)

        with capture_logs() as said:
            async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.1):
                        await connection.execute("SELECT pg_sleep(3600)")

        assert written == []
        assert [line["event"] for line in said] == ["database_away"]
        assert connection.broken

    def test_what_the_driver_reports_of_anything_else_is_written(
        self, library: logging.Logger, written: list[str]
    ) -> None:
        with capture_logs() as said:
            library.warning("unknown PostgreSQL timezone: %r; will use UTC", "Mars")
            try:
                int("none")
            except ValueError as error:
                library.warning("query cancellation interrupted (%s): closing connection", type(error).__name__)

        assert len(written) == 2
        assert said == []

    def test_a_job_that_failed_by_itself_is_logged_with_its_stack(
        self, library: logging.Logger, written: list[str]
    ) -> None:
        with capture_logs() as said:
            library.error("Job work[7] ended with status: Error", exc_info=ZeroDivisionError())
            library.error("a side task failed", exc_info=caused(psycopg.errors.UndefinedTable("no table")))
            library.warning("error resetting connection: %s", psycopg.errors.SyntaxError("of ours"))
            library.info("nothing failed")

        assert len(written) == 4
        assert said == []


async def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (await asyncio.to_thread(path.read_text)).splitlines()]


async def until(true: Callable[[], Awaitable[bool]]) -> None:
    """Wait for it, but not for ever."""
    async with asyncio.timeout(DEADLINE):
        while not await true():  # noqa: ASYNC110 - the other side is a process
            await asyncio.sleep(0.05)


async def test_a_worker_whose_postgres_dies_says_so_once_and_works_on(tmp_path: Path) -> None:
    server, path = EmbeddedPostgres(tmp_path), tmp_path / "log"
    address = await asyncio.to_thread(server.start)
    await asyncio.to_thread(migrate, address)
    given = {"DATABASE_URL": address, "ENCRYPTION_KEYS": KEY, "PUBLIC_URL": "https://upbridge.example"}
    environment = os.environ | {f"UPBRIDGE_{name}": value for name, value in given.items()}
    with path.open("wb") as log:
        worker = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "upbridge", "worker"),
            env=environment | {"UPBRIDGE_LOG_FORMAT": "json"},
            cwd=tmp_path,
            stderr=log,
        )

    async def said(event: str) -> bool:
        return any(line["event"] == event for line in await lines(path))

    async def registered() -> bool:
        async with await psycopg.AsyncConnection.connect(address) as connection:
            found = await connection.execute("SELECT FROM procrastinate_workers")
            return found.rowcount > 0

    try:
        await until(registered)
        postmaster = int((tmp_path / "postgres" / "postmaster.pid").read_text().splitlines()[0])
        os.kill(postmaster, signal.SIGQUIT)
        await until(lambda: said("database_away"))
        await asyncio.to_thread(server.revive)
        await until(lambda: said("database_back"))
    finally:
        worker.terminate()
        await asyncio.wait_for(worker.wait(), DEADLINE)
        await asyncio.to_thread(server.close)

    told = await lines(path)
    assert [line["event"] for line in told] == [
        "worker_started",
        "database_away",
        "database_back",
        "worker_stopped",
    ]
    assert [line for line in told if line["level"] == "error" or "exception" in line] == []
