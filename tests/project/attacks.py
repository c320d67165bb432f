"""The numbers of docs/attacks.md, from a run that was kept: `python -m tests.project.attacks` writes them.

The run is made and kept by `make attack ARGS="--keep docs/attacks.json"` on a machine that does nothing else.
"""

import json
import sys
from collections.abc import Iterator
from typing import Any

from tests.project.documents import TOP
from tests.project.reference.markdown import table

PAGE, RUN = TOP / "docs/attacks.md", TOP / "docs/attacks.json"
#: What holds the loop for less is not written down.
SEEN_FROM_MS = 20
_BEGIN, _END = "<!-- run -->", "<!-- end of run -->"
_HEAD = ("Attack", "Requests a second", "Answers", "Processor", "p50", "p99", "Loop held", "Came of it")


def numbers(run: dict[str, Any]) -> str:
    """What a run has found: how it was made, then a row for each attack."""
    rows = run["rows"]
    met = sum(not row["missed"] and not row["unjudged"] for row in rows)
    minutes, machine = sum(row["seconds"] for row in rows) / 60, run["machine"]
    said = (
        f"{met} of {len(run['wanted'])} attacks met every goal on {run['at'][:10]}, with seed {run['seed']}, on "
        f"{machine['processors']} processors (load {machine['load_before'][0]:.1f} before), in {minutes:.1f} "
        f"minutes; {run['fuzzed_requests']:,} odd requests were sent."
    )
    return f"{said}\n\n{table(_HEAD, [_row(row) for row in rows])}"


def _row(row: dict[str, Any]) -> tuple[str, ...]:
    statuses = row.get("statuses", {})
    return (
        row["name"],
        _number(row.get("rate")),
        ", ".join(f"{count:,} x {'cut' if status == '0' else status}" for status, count in statuses.items()),
        _number(row.get("cpu_ms"), " ms"),
        _number(row.get("p50_ms"), " ms"),
        _number(row.get("p99_ms"), " ms"),
        _number(row.get("held_ms"), " ms") if row.get("held_ms") != 0 else f"under {SEEN_FROM_MS} ms",
        _came(row),
    )


def _came(row: dict[str, Any]) -> str:
    if row["missed"] or row["unjudged"]:
        return "; ".join([*row["missed"], *(f"not judged: {goal}" for goal in row["unjudged"])])
    if "order_seconds" in row:
        return f"orders arrived after {', '.join(map(str, row['order_seconds']))} s"
    return f"memory {row['memory_mib'][0]}, then {row['memory_mib'][1]} MiB" if "memory_mib" in row else ""


def _number(value: float | None, unit: str = "") -> str:
    return "" if value is None else f"{value:,g}{unit}"


def page() -> str:
    """The page with the numbers of the run that is kept."""
    before, _, rest = PAGE.read_text().partition(_BEGIN)
    _, _, after = rest.partition(_END)
    found = numbers(json.loads(RUN.read_text())) if RUN.exists() else "No run was kept yet."
    return f"{before}{_BEGIN}\n\n{found}\n\n{_END}{after}"


def complaints() -> Iterator[str]:
    """Whether the page says what the kept run has found."""
    if page() != PAGE.read_text():
        yield "docs/attacks.md says other numbers than docs/attacks.json: make docs"


def main() -> int:
    """Write the page."""
    PAGE.write_text(page())
    return 0


if __name__ == "__main__":
    sys.exit(main())
