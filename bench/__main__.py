"""`python -m bench`: everything in one run; see docs/benchmarks.md."""

import argparse
import asyncio
import json
import platform
import shutil
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import uvloop
from rich.console import Console

from bench import economy, inbox, installs, spending
from bench.report import Row, show
from bench.stage import TOP, stage

PRODUCTS, ORDERS = 1200, 400
RESULTS = TOP / "var/bench"
#: Load per processor before the run from which on others have a say in the latencies.
BUSY = 0.3


def main() -> int:
    """Measure, print, keep the raw numbers; 0 whatever they are: no number of a shared machine is a test."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--seconds", type=float, default=4.0, help="length of one round")
    wanted = parser.parse_args()
    directory = RESULTS / "house"
    shutil.rmtree(directory, ignore_errors=True)
    load = psutil.getloadavg()
    rows, raw = uvloop.run(measure(directory, wanted.seconds, Console(stderr=True)))
    shutil.rmtree(directory, ignore_errors=True)
    result = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {
            "python": platform.python_version(),
            "processors": psutil.cpu_count(),
            "load_before": load,
        },
        "rows": [row.as_json() for row in rows],
        "raw": raw,
    }
    kept = RESULTS / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}.json"
    kept.write_text(json.dumps(result, indent=1))
    if wanted.json:
        sys.stdout.write(json.dumps(result, indent=1) + "\n")
    else:
        console = Console()
        show(console, rows)
        if load[0] > BUSY * (psutil.cpu_count() or 1):
            console.print(f"others used this machine (load {load[0]:.1f}): believe the ratios, not the latencies")
        console.print(f"raw numbers: {kept.relative_to(TOP)}", highlight=False)
    return 0


async def measure(directory: Path, seconds: float, console: Console) -> tuple[list[Row], dict[str, Any]]:
    """All parts, one after the other, on one Postgres."""
    rows: list[Row] = []
    raw: dict[str, Any] = {}

    async def part(name: str, work: Any) -> None:
        console.print(f"[dim]{name} …[/]", highlight=False)
        found, numbers = await work
        rows.extend(found)
        raw[name] = numbers

    async with stage(directory, products=PRODUCTS, orders=ORDERS) as here:
        await part("webhooks against a bare insert", inbox.against_bare(here, seconds=seconds))
        await part("budget", spending.spends(here, seconds=seconds))
        await part("installations", installs.answers(here))
        here.house.start("worker", "worker", "--port", str(here.house.web_port))
        await part("first import", economy.first_import(here))
        await part("calls for changes", economy.thousand_changes(here))
        await part("webhooks while the worker is busy", inbox.while_busy(here, seconds=2 * seconds))
        await part("webhooks while Postgres is disturbed", inbox.while_disturbed(here, seconds=2 * seconds))
        await part("large bodies", inbox.large_bodies(here))
        await asyncio.sleep(0)
    return rows, raw


if __name__ == "__main__":
    sys.exit(main())
