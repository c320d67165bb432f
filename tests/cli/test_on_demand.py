"""A command loads what it needs."""

import subprocess
import sys

import pytest
import typer

from upbridge.cli import app
from upbridge.cli.on_demand import PLACES

_SHOW = """
import sys
from upbridge.cli import main
try:
    main()
finally:
    print(*sorted({name.partition(".")[0] for name in sys.modules}), file=sys.stderr)
"""


def loaded(*words: str) -> set[str]:
    """The packages that the command *words* loads."""
    done = subprocess.run([sys.executable, "-c", _SHOW, *words], capture_output=True, text=True, check=True)
    return set(done.stderr.split())


def test_the_version_is_said_without_a_database_library() -> None:
    assert loaded("--version").isdisjoint({"sqlalchemy", "psycopg", "httpx", "fastapi", "cryptography"})


@pytest.mark.parametrize("name", ["shops", "plan", "doctor"])
def test_a_command_loads_no_web_framework(name: str) -> None:
    assert loaded(name, "--help").isdisjoint({"fastapi", "uvicorn"})


def test_a_command_loads_nothing_that_writes_or_sends_mails() -> None:
    assert loaded("shops", "--help").isdisjoint({"jinja2", "aiosmtplib"})


def test_a_worker_is_put_together_without_a_web_framework() -> None:
    show = "import sys, upbridge.bootstrap, upbridge.jobs; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", show], capture_output=True, text=True, check=True)

    assert {name.partition(".")[0] for name in done.stdout.split()}.isdisjoint(
        {"fastapi", "starlette", "uvicorn", "jinja2"}
    )


def test_every_command_stands_where_the_list_says() -> None:
    group = typer.main.get_group(app)

    assert {name: group.commands[name].name for name in PLACES} == {name: name for name in PLACES}
