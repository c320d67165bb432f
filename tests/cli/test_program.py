"""The program as a whole: exit codes, one line per failure, never a traceback."""

import asyncio
import os
import socket
import sys
from pathlib import Path

import pytest

from tests.support.program import Database, Program
from upbridge import __version__
from upbridge.cli.common import run_async
from upbridge.store.schema import HEAD

ONE_A_DAY = ("--orders-per-day", "1", "--product-changes-per-day", "1")
ANOTHER_KEY = "MTExMTExMTExMTExMTExMTExMTExMTExMTExMTExMTE="


def test_the_version(program: Program) -> None:
    ended = program("--version")

    assert (ended.code, ended.out) == (0, f"{__version__}\n")


@pytest.mark.skipif(sys.platform == "win32", reason="uvloop is not there")
def test_web_and_worker_run_on_uvloop() -> None:
    async def loop() -> str:
        return type(asyncio.get_running_loop()).__module__

    assert run_async(loop()) == "uvloop"


@pytest.mark.parametrize(
    "words",
    [
        ["no-such-command"],
        ["shops", "no-such-command"],
        ["shops", "show"],
        ["shops", "list", "--no-such-option"],
        ["serve", "--port", "0"],
        ["worker", "--concurrency", "many"],
        ["accesses", "--format", "xml"],
        ["plan", "--tariff", "gold"],
        ["plan", "--tariff", "gold", "--products", "9" * 20, *ONE_A_DAY],
        ["problems", "retry", str(2**63)],
        ["problems", "dismiss", str(2**63)],
        ["shops", "history", "garde", "--before", str(2**63)],
        ["shops", "show", "garde\udcff"],
        ["shops", "settings", "garde", "uphance.warehouse=\udcff"],
        ["cpa", "upload", "garde", __file__, "--discriminator", " "],
    ],
)
def test_wrong_usage_ends_with_two(program: Program, words: list[str]) -> None:
    ended = program(*words)

    assert (ended.code, ended.out) == (2, "")
    assert "Traceback" not in ended.err


def test_a_tariff_that_cannot_be_bought_is_wrong_usage(program: Program) -> None:
    assert program("plan", "--tariff", "wood", "--products", "1", *ONE_A_DAY).code == 2


def test_wrong_settings_are_a_line_each(program: Program, environment: pytest.MonkeyPatch) -> None:
    environment.setenv("UPBRIDGE_COALESCE_SECONDS", "soon")
    environment.setenv("UPBRIDGE_LOG_FORMAT", "xml")
    environment.delenv("UPBRIDGE_PUBLIC_URL")

    for words in (["shops", "list"], ["doctor"], ["migrate"], ["serve"], ["worker"], ["up"]):
        ended = program(*words)
        assert (ended.code, ended.out) == (2, "")
        assert [line.split(":")[1].strip() for line in ended.err.splitlines()] == [
            "UPBRIDGE_COALESCE_SECONDS",
            "UPBRIDGE_LOG_FORMAT",
            "UPBRIDGE_PUBLIC_URL",
        ]


@pytest.mark.parametrize("command", ["sandbox", "demo", "play"])
def test_without_the_simulated_systems_their_commands_say_how_to_install_them(
    program: Program, environment: pytest.MonkeyPatch, command: str
) -> None:
    environment.setitem(sys.modules, "upbridge_sandbox", None)

    ended = program(command)

    assert (ended.code, ended.out) == (1, "")
    assert len(ended.err.splitlines()) == 1
    assert "make setup" in ended.err


@pytest.mark.parametrize("words", [["up"], ["serve"], ["serve", "--workers", "2"]])
def test_a_port_that_is_taken_is_one_line(program: Program, words: list[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ended = program(*words, "--port", str(taken.getsockname()[1]))

    assert (ended.code, ended.out) == (1, "")
    assert len(ended.err.splitlines()) == 1
    assert "Address already in use" in ended.err
    assert "--port" in ended.err


def test_a_database_that_is_not_there_is_one_line(program: Program, environment: pytest.MonkeyPatch) -> None:
    environment.setenv("UPBRIDGE_DATABASE_URL", "postgresql://someone:hush@127.0.0.1:1/none")

    for words in (["shops", "list"], ["migrate"]):
        ended = program(*words)
        assert (ended.code, ended.out) == (1, "")
        assert "Traceback" not in ended.err
        assert "hush" not in ended.err


def test_a_schema_that_is_not_there_says_what_to_do(program: Program, database: Database) -> None:
    database.run("UPDATE alembic_version SET version_num = '0001'")
    try:
        ended = program("shops", "list")
    finally:
        database.run("UPDATE alembic_version SET version_num = %s", HEAD)

    assert (ended.code, ended.out) == (1, "")
    assert "run `upbridge migrate` first" in ended.err


def test_a_newer_schema_is_left_alone_and_worked_on(program: Program, database: Database) -> None:
    database.run("UPDATE alembic_version SET version_num = '9999'")
    try:
        migrated, listed = program("migrate"), program("shops", "list")
    finally:
        database.run("UPDATE alembic_version SET version_num = %s", HEAD)

    assert (migrated.code, migrated.out) == (0, "schema at 9999, newer than this version: nothing was done\n")
    assert listed.code == 0


def test_a_key_that_does_not_fit_is_one_line(
    program: Program, database: Database, environment: pytest.MonkeyPatch
) -> None:
    database.shop()
    assert program("shops", "list").code == 0
    environment.setenv("UPBRIDGE_ENCRYPTION_KEYS", ANOTHER_KEY)

    ended = program("shops", "list")

    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("error: UPBRIDGE_ENCRYPTION_KEYS: ")
    assert ANOTHER_KEY not in ended.err


def test_keys_are_rotated(program: Program, database: Database, environment: pytest.MonkeyPatch) -> None:
    database.shop()
    program("shops", "list")
    alone = program("keys", "rotate")
    assert alone.code == 0
    assert alone.err.startswith("warning: there is 1 key")
    environment.setenv("UPBRIDGE_ENCRYPTION_KEYS", f"{ANOTHER_KEY},{os.environ['UPBRIDGE_ENCRYPTION_KEYS']}")
    rotated = program("keys", "rotate")
    assert "1 shops.api_key" in rotated.out
    assert "There are 2 keys" in rotated.out
    assert rotated.err == ""

    environment.setenv("UPBRIDGE_ENCRYPTION_KEYS", ANOTHER_KEY)
    assert program("shops", "list").code == 0


def test_after_the_keys_were_lost_the_service_goes_on(
    program: Program, database: Database, environment: pytest.MonkeyPatch
) -> None:
    database.shop()
    assert program("shops", "list").code == 0
    environment.setenv("UPBRIDGE_ENCRYPTION_KEYS", ANOTHER_KEY)

    assert program("keys", "rotate").code == 1
    asked = program("keys", "check")
    assert asked.code == 1
    assert "garde" in asked.out
    assert "merchant" in asked.out
    assert program("keys", "forget", stdin="n\n").code == 1
    assert program("shops", "list").code == 2
    assert program("keys", "forget", "--yes").code == 0
    assert program("shops", "list").code == 0
    assert program("keys", "check").code == 0


def test_migrating_again_is_harmless(program: Program) -> None:
    ended = program("migrate")

    assert ended.code == 0
    assert f"schema at {HEAD}" in ended.out


def test_the_accesses_are_a_table_for_the_form(program: Program) -> None:
    out = program("accesses").out

    assert "| GET " in out or "GET" in out
    assert "/webhooks/events" in out
    [orders] = [
        row
        for row in program("accesses", "--json").json
        if (row["method"], row["path"]) == ("GET", "/api/v2/orders")
    ]
    assert orders.keys() == {
        "section",
        "method",
        "path",
        "frequency",
        "repetitions",
        "webhook",
        "description",
    }


def test_a_file_of_costs_that_is_wrong_names_its_lines(
    program: Program, database: Database, tmp_path: Path
) -> None:
    database.everything()
    file = tmp_path / "cpa.csv"
    file.write_text("date,cpa\n2026-11-01,30\nyesterday,1\n")

    ended = program("cpa", "upload", "garde", str(file), "--discriminator", "d")

    assert (ended.code, ended.out) == (1, "")
    assert "3" in ended.err
    assert program("cpa", "upload", "garde", "/no/such/file", "--discriminator", "d").code == 2
