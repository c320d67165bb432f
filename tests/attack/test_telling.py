"""A run of the attacks says what it has found, row by row, and keeps it."""

import asyncio
import io
import json
import os
import signal
from pathlib import Path

from rich.console import Console

from tests.attack.scale import SHORT
from tests.attack.telling import Telling, until_told
from tests.attack.verdicts import Verdict, again
from tests.project.attacks import numbers

_SENT = 700


def _telling(said: io.StringIO, file: Path | None = None) -> Telling:
    return Telling(Console(file=said), ["one", "two"], scale=SHORT, seed=7, file=file)


def test_without_a_terminal_each_row_is_a_line_as_it_ends() -> None:
    said = io.StringIO()
    with _telling(said) as telling:
        telling.begins("one")
        telling.ended(Verdict("one", {}))
        first = said.getvalue()
        telling.begins("two")
        telling.ended(Verdict("two", {}, ["5xx for bad input [of a kind]"]))

    assert first.startswith(" 1/2 one")
    assert first.endswith("ok\n")
    assert said.getvalue().removeprefix(first).startswith(" 2/2 two")
    assert said.getvalue().endswith("5xx for bad input [of a kind]\n")


def test_a_run_that_is_ended_keeps_the_rows_that_it_has_made(tmp_path: Path) -> None:
    async def attacks(telling: Telling) -> None:
        telling.begins("one")
        telling.ended(Verdict("one", {"sent": _SENT}, [], ["p99 above 100 ms"]))
        telling.begins("two")
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.Event().wait()

    file = tmp_path / "kept" / "run.json"
    with _telling(io.StringIO(), file) as telling:
        whole = asyncio.run(until_told(attacks(telling)))

    kept = json.loads(file.read_text())
    assert not whole
    assert [row["name"] for row in kept["rows"]] == ["one"]
    assert kept["rows"][0]["missed"] == ["p99 above 100 ms"]
    assert kept["wanted"] == ["one", "two"]
    assert kept["fuzzed_requests"] == _SENT
    assert "0 of 2 attacks met every goal" in numbers(kept)


def test_what_a_fuzzer_sent_before_it_was_measured_again_counts() -> None:
    cells = {
        "sent": 900,
        "statuses": {"404": 900},
        "held_ms": 20.0,
        "held_by": "a",
        "memory_mib": [150, 151],
        "p99_ms": 300.0,
    }
    anew = {
        "sent": 90,
        "statuses": {"404": 89, "400": 1},
        "held_ms": 2.0,
        "held_by": "b",
        "memory_mib": [152, 153],
        "p99_ms": 9.0,
    }

    found = again(Verdict("one", cells, [], ["p99 above 100 ms"]), Verdict("one", anew))

    assert found.cells == {
        "sent": 990,
        "statuses": {"400": 1, "404": 989},
        "held_ms": 20.0,
        "held_by": "a",
        "memory_mib": [150, 153],
        "p99_ms": 9.0,
    }
    assert not found.slow
