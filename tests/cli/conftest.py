"""The program, called as a shell calls it, over a shared database."""

import io
import logging
import os
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from types import ModuleType
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


def loggers() -> Iterator[logging.Logger]:
    """All loggers of the standard library that are there."""
    yield logging.getLogger()
    yield from (one for one in logging.root.manager.loggerDict.values() if isinstance(one, logging.Logger))


@contextmanager
def its_own_logging() -> Iterator[None]:
    """The program configures the logging of its process, which here is that of the tests: they get theirs back."""
    before = {one: (one.handlers[:], one.level, one.disabled) for one in loggers()}
    ours = structlog.get_config() if structlog.is_configured() else None
    try:
        yield
    finally:
        for one in loggers():
            handlers, level, one.disabled = before.get(one, ([], logging.NOTSET, False))
            one.handlers[:] = handlers
            one.setLevel(level)
        structlog.configure(**ours) if ours else structlog.reset_defaults()
        for name, module in sys.modules.items():
            if not (name.startswith("upbridge") and isinstance(module, ModuleType)):
                continue
            for log in vars(module).values():
                if isinstance(log, type(structlog.get_logger())):
                    vars(log).pop("bind", None)  # which keeps what was configured when it was first used


@pytest.fixture
def program(environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Program:
    """Call the program: `program("shops", "list", "--json", stdin="…")`."""

    def call(*words: str, stdin: str = "") -> Ended:
        environment.setattr(sys, "argv", ["upbridge", *words])
        environment.setattr(sys, "stdin", io.StringIO(stdin))
        capsys.readouterr()
        code = 0
        try:
            with its_own_logging():
                cli.main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
        written = capsys.readouterr()
        return Ended(code, written.out, written.err)

    return call


@pytest.fixture
def database(database_url: str) -> Database:
    return Database(database_url)


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    """For the tests that have an engine of their own, beside what the program opens."""
    made = create_async_engine(sqlalchemy_url(database_url))
    yield made
    await made.dispose()
