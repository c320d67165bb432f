"""Runs that were kept, side by side: `python -m bench.runs docs/benchmarks/run-*.json` prints the table of
docs/benchmarks.md, a column a run."""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

Run = Mapping[str, Any]
"""What `python -m bench --keep` writes."""


def table(runs: Sequence[Run]) -> str:
    """A Markdown table: what was measured, its goal, and the value of each run. A row that only some of the runs
    have stands with a dash in the others. Of several numbers in a value the first counts.
    """
    values = [{row["name"]: row for row in run["rows"]} for run in runs]
    names = dict.fromkeys(name for of_run in values for name in of_run)
    heads = ["Measured", "Goal", *(f"Run {number}" for number in range(1, len(runs) + 1))]
    lines = [heads, ["---"] * len(heads)]
    for name in names:
        rows = [of_run.get(name) for of_run in values]
        goal = next(row["goal"] for row in rows if row is not None)
        lines.append([name, goal, *(_shown(row) for row in rows)])
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def _shown(row: Run | None) -> str:
    if row is None:
        return "-"
    value = str(row["value"]).split(", p95")[0].strip()
    return f"**{value}** missed" if row["met"] is False else value


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table of the files given."""
    parser = argparse.ArgumentParser(prog="python -m bench.runs", description=__doc__)
    parser.add_argument("file", nargs="+", type=Path, help="what `python -m bench --keep FILE` has written")
    files: list[Path] = parser.parse_args(arguments).file
    sys.stdout.write(table([json.loads(file.read_text()) for file in files]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
