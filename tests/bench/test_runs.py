"""The runs that are kept, side by side."""

import json
from pathlib import Path
from typing import Any

from bench.runs import table

TOP = Path(__file__).parents[2]
BEGIN, END = "<!-- runs -->\n", "<!-- end of runs -->\n"


def run(*rows: tuple[str, str, str, bool | None]) -> dict[str, Any]:
    names = ("name", "value", "goal", "met")
    return {"rows": [dict(zip(names, row, strict=True)) for row in rows]}


def test_each_run_is_a_column_and_says_which_goal_it_missed() -> None:
    first = run(("a poll", "24 ms, p95 30", "at most 25", True), ("new", "3", "", None))
    second = run(("a poll", "27 ms", "at most 25", False))

    assert table([first, second]) == (
        "| Measured | Goal | Run 1 | Run 2 |\n"
        "| --- | --- | --- | --- |\n"
        "| a poll | at most 25 | 24 ms | **27 ms** missed |\n"
        "| new |  | 3 | - |\n"
    )


def test_the_page_shows_the_runs_that_are_kept() -> None:
    kept = [json.loads(file.read_text()) for file in sorted((TOP / "docs/benchmarks").glob("run-*.json"))]
    page = (TOP / "docs/benchmarks.md").read_text()

    shown = page[page.index(BEGIN) + len(BEGIN) : page.index(END)]

    assert shown == table(kept), "python -m bench.runs docs/benchmarks/run-*.json"
    assert len(kept) == 3
    assert all(run["rows"] and not run["tiny"] for run in kept)


def test_no_two_numbers_of_a_run_have_one_name() -> None:
    for file in (TOP / "docs/benchmarks").glob("run-*.json"):
        names = [row["name"] for row in json.loads(file.read_text())["rows"]]
        assert len(set(names)) == len(names)
