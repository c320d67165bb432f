"""What the program says of a database that is away, silent, full or refuses: one line, and the right exit code."""

import asyncio
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import typer

from tests.support.postgres import url_of
from tests.support.program import Database, Ended, Program
from tests.support.silent_servers import refusing_postgres_in_a_thread, silent_server
from tests.support.web_side import free_port
from upbridge import cli

#: Long before the kernel gives up on a silent host, after more than two minutes.
DEADLINE = 60

COMMANDS = (["shops", "list"], ["problems", "list"], ["migrate"], ["worker"])


async def run(words: list[str], folder: Path) -> Ended:
    """The program in a process of its own."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "upbridge", *words),
        env={**os.environ, "UPBRIDGE_LOG_FORMAT": "json"},
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(DEADLINE):
            written, errors = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode is not None
    return Ended(process.returncode, written.decode(), errors.decode())


def the_one_line(ended: Ended) -> str:
    """What a command that failed has said."""
    assert (ended.code, ended.out) == (1, ""), ended
    (line,) = ended.err.splitlines()
    return line


async def test_a_silent_database_ends_each_command_with_one_line(
    environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with silent_server() as port:
        environment.setenv("UPBRIDGE_DATABASE_URL", f"postgresql://someone:hush@127.0.0.1:{port}/none")
        ended = await asyncio.gather(*(run(words, tmp_path) for words in COMMANDS))

    for one in ended:
        line = the_one_line(one)
        assert any(words in line for words in ("timeout", "does not answer", "no answer in time"))
        assert "hush" not in line


#: The code and words of Postgres, and what an operator can do.
REFUSALS = (
    (
        "28P01",
        'password authentication failed for user "upbridge"',
        "correct the password in UPBRIDGE_DATABASE_URL",
    ),
    ("3D000", 'database "upbridge" does not exist', "create it, or correct its name in UPBRIDGE_DATABASE_URL"),
    ("28000", 'role "upbridge" does not exist', "create the user, or correct the user"),
    ("28000", 'no pg_hba.conf entry for host "10.0.0.7"', "let pg_hba.conf of the server take this machine"),
    ("53300", "sorry, too many clients already", "end what else is connected, or raise max_connections"),
    ("57P03", "the database system is starting up", "all of it waits and goes on by itself"),
)


#: What a command is called with beside its arguments, so that it comes to the database.
OPTIONS = {
    "shops connect": "--client-id 1",
    "shops renew": "--sessions",
    "shops person": "--order 1",
    "shops erase": "--yes",
    "cpa upload": "--discriminator d",
    "keys forget": "--yes",
    "accesses": "--used",
    "orders again": "--day 2026-01-01",
}
ARGUMENTS = {"shop": "garde", "system": "upp", "file": "costs.csv"}
#: These ask no database, or wait for one, or start one; `doctor` tells more than a line.
OTHERS = {"up", "serve", "sandbox", "demo", "play", "plan", "doctor"}


def calls(command: Any, *words: str) -> Iterator[tuple[str, list[str]]]:
    """Every command that does something, by its name, with words that it takes."""
    for name, one in getattr(command, "commands", {}).items():
        yield from calls(one, *words, name)
    if not hasattr(command, "commands"):
        name = " ".join(words)
        needed = [one.name for one in command.params if one.param_type_name == "argument" and one.required]
        yield name, [*words, *(ARGUMENTS.get(one, "1") for one in needed), *OPTIONS.get(name, "").split()]


CALLS = {name: words for name, words in calls(typer.main.get_command(cli.app)) if name not in OTHERS}


@pytest.mark.parametrize("name", CALLS)
def test_each_command_tells_a_database_that_is_away_in_one_line(
    program: Program, environment: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    environment.chdir(tmp_path)
    (tmp_path / "costs.csv").write_text("date,cpa\n2026-01-02,3.10\n")
    environment.setenv("UPBRIDGE_DATABASE_URL", "postgresql://someone:hush@127.0.0.1:1/none")

    line = the_one_line(program(*CALLS[name], stdin="s"))

    assert "refused" in line
    assert "hush" not in line


@pytest.mark.parametrize("words", [["shops", "list"], ["keys", "check"], ["migrate"], ["worker"]])
@pytest.mark.parametrize("refusal", REFUSALS)
def test_a_refusal_is_printed_in_the_servers_words(
    program: Program, environment: pytest.MonkeyPatch, words: list[str], refusal: tuple[str, str, str]
) -> None:
    code, said, what_to_do = refusal
    with refusing_postgres_in_a_thread(code, said) as address:
        environment.setenv("UPBRIDGE_DATABASE_URL", address)
        line = the_one_line(program(*words))

    assert said in line
    assert what_to_do in line
    assert "hush" not in line


@pytest.mark.parametrize("words", [["shops", "list"], ["migrate"], ["worker"], ["serve"], ["keys", "check"]])
def test_a_database_without_unicode_is_one_line_that_says_how_to_make_another(
    program: Program, environment: pytest.MonkeyPatch, ascii_url: str, words: list[str]
) -> None:
    environment.setenv("UPBRIDGE_DATABASE_URL", ascii_url)
    port = ["--port", str(free_port())] if words == ["serve"] else []

    assert "SQL_ASCII" in (line := the_one_line(program(*words, *port)))
    assert "--encoding=UTF8" in line
    assert "SQL_ASCII" in program("doctor").out


@pytest.fixture(scope="module")
def ascii_url(postgres: str) -> Iterator[str]:
    """A database as it is made where the machine has no language."""
    with psycopg.connect(postgres, autocommit=True) as tx:
        tx.execute("CREATE DATABASE plain ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0")
    yield url_of(postgres, "plain")
    with psycopg.connect(postgres, autocommit=True) as tx:
        tx.execute("DROP DATABASE plain WITH (FORCE)")


@pytest.fixture
def full(database: Database) -> None:
    """Shops cannot be changed: the disk is full."""
    database.run(
        "CREATE OR REPLACE FUNCTION pg_temp_full() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " RAISE EXCEPTION 'could not extend file \"base/1/2\": No space left on device' USING ERRCODE = '53100';"
        " END $$"
    )
    database.run("CREATE TRIGGER full_disk BEFORE UPDATE ON shops EXECUTE FUNCTION pg_temp_full()")


@pytest.mark.usefixtures("full")
def test_a_full_disk_is_one_line_also_after_the_database_was_opened(program: Program, database: Database) -> None:
    database.shop()
    try:
        line = the_one_line(program("shops", "suspend", "garde"))
    finally:
        database.run("DROP TRIGGER full_disk ON shops; DROP FUNCTION pg_temp_full")

    assert "No space left on device" in line
    assert "Traceback" not in line
