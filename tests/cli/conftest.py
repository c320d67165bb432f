"""The program, called as a shell calls it, over a shared database."""

import io
import os
import sys
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import structlog
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from tests.support.program import Database, Ended, Program
from tests.support.shops import KEY
from upbridge import cli
from upbridge.store.database import sqlalchemy_url
from upbridge_sandbox import Sandbox, sandbox_thread


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    """The simulated systems, without a shop."""
    with sandbox_thread() as running:
        yield running


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, database_url: str, tmp_path: Any) -> pytest.MonkeyPatch:
    """Settings for the shared database, and nothing from anywhere else."""
    for name in [name for name in os.environ if name.startswith("UPBRIDGE_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    for name, value in {
        "DATABASE_URL": database_url,
        "ENCRYPTION_KEYS": KEY,
        "PUBLIC_URL": "https://upbridge.example",
    }.items():
        monkeypatch.setenv(f"UPBRIDGE_{name}", value)
    return monkeypatch


def to_standard_error(*_: Any, **__: Any) -> None:
    """Logs where the program has them, without touching the logging of the tests."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr), cache_logger_on_first_use=False)


@pytest.fixture
def program(environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Program]:
    """Call the program: `program("shops", "list", "--json", stdin="…")`."""
    for module in ("common", "keys", "tools", "run"):
        environment.setattr(f"upbridge.cli.{module}.configure_logging", to_standard_error)

    def call(*words: str, stdin: str = "") -> Ended:
        environment.setattr(sys, "argv", ["upbridge", *words])
        environment.setattr(sys, "stdin", io.StringIO(stdin))
        capsys.readouterr()
        code = 0
        try:
            cli.main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
        written = capsys.readouterr()
        return Ended(code, written.out, written.err)

    yield call
    structlog.reset_defaults()


@pytest.fixture
def database(database_url: str) -> Database:
    return Database(database_url)


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    """For the tests that have an engine of their own, beside what the program opens."""
    made = create_async_engine(sqlalchemy_url(database_url))
    yield made
    await made.dispose()
