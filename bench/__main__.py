"""`python -m bench`: everything in one run, or one part of it; see docs/benchmarks.md."""

import argparse
import json
import logging
import platform
import shutil
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import structlog
import uvloop
from rich.console import Console

from bench import bulk, burst, economy, fleet, growth, inbox, installs, orders, pages, polls, single, spending
from bench.report import Row, show
from bench.testbed import TOP, Testbed, testbed
from upbridge_sandbox.demo.processes import Failed

RESULTS = TOP / "var/bench"
#: Load per processor before the run from which on others have a say in the latencies.
BUSY = 0.3


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is measured with."""

    products: int = 1200
    orders: int = 400
    seconds: float = 4.0
    variants: int = 100_000
    shop_orders: int = 50_000
    rounds: int = pages.ROUNDS
    fleet: int = 10_000
    changes: int = 20
    polled: int = 400
    burst: int = 100_000
    days: int = 120


#: As little as shows that every part still runs; its numbers mean nothing.
TINY = Scale(
    products=30,
    orders=10,
    seconds=0.3,
    variants=300,
    shop_orders=200,
    rounds=2,
    fleet=1_000,
    changes=2,
    polled=20,
    burst=1_000,
    days=4,
)


async def _fleet(here: Testbed, scale: Scale) -> tuple[list[Row], dict[str, Any]]:
    """Ten thousand shops at rest, then beside one that is not, then some of them asked for news."""
    rows, raw = await fleet.idle(here, shops=scale.fleet, seconds=5 * scale.seconds)
    beside, late = await burst.burst(here, changes=scale.burst, orders=scale.changes)
    more, asked = await polls.polls(here, shops=scale.polled)
    return [*rows, *beside, *more], {**raw, "burst": late, "polls": asked}


Measured = Awaitable[tuple[list[Row], dict[str, Any]]]

#: What is measured, in this order. Parts after the import work on what it has read; alone, they import it first.
PARTS: dict[str, Callable[[Testbed, Scale], Measured]] = {
    "acknowledgements": lambda here, scale: inbox.against_bare(here, seconds=scale.seconds),
    "budget": lambda here, scale: spending.spends(here, seconds=scale.seconds),
    "installations": lambda here, _: installs.answers(here),
    "bulk": lambda here, scale: bulk.first_import(here, variants=scale.variants),
    "pages": lambda here, scale: pages.answers(
        here, variants=scale.variants, orders=scale.shop_orders, rounds=scale.rounds
    ),
    "import": lambda here, _: economy.first_import(here),
    "change": lambda here, scale: single.changes(here, times=scale.changes),
    "changes": lambda here, _: economy.thousand_changes(here),
    "orders": lambda here, scale: orders.orders(here, seconds=2 * scale.seconds),
    "busy": lambda here, scale: inbox.while_busy(here, seconds=2 * scale.seconds),
    "disturbed": lambda here, scale: inbox.while_disturbed(here, seconds=2 * scale.seconds),
    "bodies": lambda here, _: inbox.large_bodies(here),
    "fleet": _fleet,
    "growth": lambda here, scale: growth.growth(here, days=scale.days),
}
_NEED_THE_IMPORT = frozenset({"change", "changes", "orders", "busy", "disturbed", "bodies"})


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, keep the raw numbers. Always returns 0: no number of a shared machine is a test."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--only", action="append", choices=[*PARTS], help="this part alone; may be repeated")
    parser.add_argument("--tiny", action="store_true", help="as little as possible: does everything still run?")
    parser.add_argument("--keep", type=Path, help="also keep the raw numbers in this file")
    wanted = parser.parse_args(arguments)
    # The application runs in this process as well, and Postgres is stopped under it on purpose.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    logging.getLogger("psycopg").setLevel(logging.ERROR)
    directory = RESULTS / "processes"
    shutil.rmtree(directory, ignore_errors=True)
    load = psutil.getloadavg()
    names = wanted.only or [*PARTS]
    rows, raw = uvloop.run(measure(directory, names, TINY if wanted.tiny else Scale(), Console(stderr=True)))
    shutil.rmtree(directory, ignore_errors=True)
    result = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {
            "python": platform.python_version(),
            "processors": psutil.cpu_count(),
            "load_before": load,
        },
        "parts": names,
        "tiny": wanted.tiny,
        "rows": [row.as_json() for row in rows],
        "raw": raw,
    }
    kept = RESULTS / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}.json"
    for file in filter(None, (kept, wanted.keep)):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(result, indent=1) + "\n")
    if wanted.json:
        sys.stdout.write(json.dumps(result, indent=1) + "\n")
    else:
        console = Console()
        show(console, rows)
        if load[0] > BUSY * (psutil.cpu_count() or 1):
            console.print(f"others used this machine (load {load[0]:.1f}): believe the ratios, not the latencies")
        console.print(f"raw numbers: {kept.relative_to(TOP)}", highlight=False)
    return 0


async def measure(
    directory: Path, names: Sequence[str], scale: Scale, console: Console
) -> tuple[list[Row], dict[str, Any]]:
    """The parts *names*, one after the other, on one Postgres."""
    rows: list[Row] = []
    raw: dict[str, Any] = {}
    async with testbed(directory, products=scale.products, orders=scale.orders) as here:
        for name in (name for name in PARTS if name in names):
            console.print(f"[dim]{name} …[/]", highlight=False)
            found, raw[name] = await measured(name, _part(here, name, scale), console)
            rows.extend(found)
    return rows, raw


async def measured(name: str, part: Measured, console: Console) -> tuple[list[Row], Any]:
    """What *part* came to; where it fails, a row that says why: what was measured before it is no less true."""
    try:
        return await part
    except Failed as error:
        why = str(error)
    except Exception as error:  # noqa: BLE001 - told, with where it came from
        console.print_exception()
        why = f"{type(error).__name__}: {error}".splitlines()[0]
    return [Row(f"{name}: {why}", "failed", met=False)], {"failed": why}


async def _part(here: Testbed, name: str, scale: Scale) -> tuple[list[Row], dict[str, Any]]:
    if name in _NEED_THE_IMPORT and not here.orders:
        await here.connect()
    return await PARTS[name](here, scale)


if __name__ == "__main__":
    sys.exit(main())
