"""Logs: one line per event on standard error, and never a secret or personal data."""

import json
import logging
import subprocess
import sys

import pytest

PROGRAM = """
import logging, sys, structlog
from upbridge.core.telemetry.logging import configure_logging

configure_logging(sys.argv[1], level=int(sys.argv[2]))
log = structlog.get_logger("test")
log.info("something_happened", shop_id="7", number=3)

def fail():
    secret = "hu" + "sh"
    raise ZeroDivisionError

try:
    fail()
except ZeroDivisionError:
    log.exception("it_failed")
logging.getLogger("httpx").info("a library chats")
logging.getLogger("httpx").warning("a library warns")
"""


OUTAGE = """
import logging, psycopg, structlog
from upbridge.core.telemetry.logging import configure_logging

configure_logging("json")
log = structlog.get_logger("test")
try:
    psycopg.connect("postgresql://nobody@127.0.0.1:1/none")
except psycopg.OperationalError as error:
    log.exception("it_failed")
    log.error("it_failed_again", exc_info=error)
    logging.getLogger("library").exception("a library tells")
"""


def written(form: str, *, level: int = logging.INFO) -> str:
    """What a process of its own writes to standard error; nothing goes to standard output."""
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM, form, str(level)],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.stdout == ""
    return ended.stderr


def test_for_machines_every_event_is_one_json_object() -> None:
    first, second, _ = [json.loads(line) for line in written("json").splitlines()]

    assert first.items() >= {"event": "something_happened", "shop_id": "7", "number": 3, "level": "info"}.items()
    assert first["timestamp"].endswith("Z")
    assert "ZeroDivisionError" in second["exception"]


@pytest.mark.parametrize("form", ["json", "console"])
def test_where_no_line_can_be_written_the_work_goes_on(form: str) -> None:
    with open("/dev/full", "w") as full:  # noqa: PTH123 - a device
        work = [sys.executable, "-c", PROGRAM + "print('done')", form, str(logging.INFO)]
        ended = subprocess.run(work, check=False, stdout=subprocess.PIPE, stderr=full, text=True, timeout=60)
    assert ended.stdout == "done\n"


def test_for_people_an_event_is_a_line() -> None:
    lines = written("console").splitlines()

    assert "something_happened" in lines[0]
    assert "shop_id=7" in lines[0]


def test_that_the_database_is_away_is_one_line_and_no_traceback() -> None:
    ended = subprocess.run([sys.executable, "-c", OUTAGE], check=True, capture_output=True, text=True, timeout=60)

    assert [json.loads(line)["event"] for line in ended.stderr.splitlines()] == ["database_away"]


@pytest.mark.parametrize("form", ["json", "console"])
def test_a_traceback_shows_no_variables(form: str) -> None:
    assert "hush" not in written(form)


@pytest.mark.parametrize(
    ("level", "events"),
    [
        (logging.INFO, ["something_happened", "it_failed", "a library warns"]),
        (logging.WARNING, ["it_failed", "a library warns"]),
        (logging.ERROR, ["it_failed"]),
    ],
)
def test_what_is_below_the_level_is_not_written(level: int, events: list[str]) -> None:
    assert [json.loads(line)["event"] for line in written("json", level=level).splitlines()] == events
