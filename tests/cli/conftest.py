"""The program, called as a shell calls it, over a shared database."""

import io
import json
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import psycopg
import pytest
import structlog

from tests.support.shops import KEY
from upbridge import cli
from upbridge.core.encryption import Cipher
from upbridge_sandbox import Sandbox, sandbox_thread


@dataclass(frozen=True, slots=True)
class Ended:
    """How the program ended and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one document on standard output."""
        return json.loads(self.out)


Program = Callable[..., Ended]


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
    for module in ("common", "tools", "run"):
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


@dataclass
class Books:
    """The database, seen without our code."""

    url: str

    def run(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """A statement; its rows if it has any."""
        with psycopg.connect(self.url, autocommit=True) as tx:
            cursor = tx.execute(statement.encode(), values)
            return cursor.fetchall() if cursor.description else []

    def shop(self, key: str = "garde", **columns: Any) -> str:
        """A new shop; returns its id."""
        number = str(uuid4())
        row = {
            "id": number,
            "key": key,
            "token": f"token-of-{key}",
            "state": "active",
            "api_url": f"https://{key}.admin.s1.upgates.com/api/v2",
            "api_user": "12345678",
            "api_key": Cipher([KEY]).encrypt("api-key"),
            "version": 1,
            **columns,
        }
        self.insert("shops", row)
        return number

    def insert(self, table: str, row: dict[str, Any]) -> None:
        """A row as it is."""
        names, places = ", ".join(row), ", ".join(["%s"] * len(row))
        self.run(f"INSERT INTO {table} ({names}) VALUES ({places})", *row.values())

    def everything(self, key: str = "garde") -> str:
        """A shop of which there is something of each kind; returns its id."""
        shop = self.shop(key)
        self.insert("connections", {"shop_id": shop, "system": "upp", "state": "connected", "account": key})
        place = {"shop_id": shop, "kind": "order", "key": "OBJ-1", "priority": 1}
        self.insert("changes", {**place, "source": "upgates", "origin": "webhook"})
        self.insert("documents", {**place, "target": "upp", "parent": "OBJ-1", "body": b"", "hash": b""})
        self.problem(shop)
        for kind in ("product", "order"):
            run = {"shop_id": shop, "kind": kind, "purpose": "import", "state": "running", "total": 9, "done": 3}
            self.insert("runs", run)
        return shop

    def problem(self, shop: str) -> int:
        """An open problem of a product; returns its number."""
        row = {
            "shop_id": shop,
            "stage": "map",
            "key": "product.no_price",
            "target": "upp",
            "kind": "product",
            "entity": "v-4711",
            "parent": "12",
            "message": "product: no price",
        }
        self.insert("problems", row)
        return int(self.run("SELECT max(id) FROM problems")[0][0])


@pytest.fixture
def books(database_url: str) -> Books:
    return Books(database_url)
