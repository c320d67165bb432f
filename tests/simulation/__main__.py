"""`python -m tests.simulation`: many seeds on all processors; behind `make soak`."""

import argparse
import json
import multiprocessing
import os
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from tests.simulation.plan import plan_of
from tests.simulation.seeds import Failure, enter, failure_here, lived
from tests.support.postgres import migrated, new_database, throw_away_postgres


def soak(seeds: Sequence[int], *, jobs: int, shrink: bool, console: Console) -> list[Failure]:
    """Live through *seeds* in so many processes; failures are shown as they come."""
    failures: list[Failure] = []
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    spawning = multiprocessing.get_context("spawn")
    with (
        throw_away_postgres() as server,
        Progress(*columns, TimeRemainingColumn(), console=console, disable=not console.is_terminal) as progress,
        ProcessPoolExecutor(jobs, spawning, enter, (server, migrated(server))) as processes,
    ):
        bar = progress.add_task("seeds", total=len(seeds))
        for ended in as_completed([processes.submit(failure_here, seed, shrink=shrink) for seed in seeds]):
            if (failure := ended.result()) is not None:
                failures.append(failure)
                console.print(str(failure), markup=False, highlight=False)
            progress.advance(bar)
    return failures


def replay(seed: int, only: Sequence[int], console: Console) -> list[Failure]:
    """Some steps of a seed, with their story."""
    with throw_away_postgres() as server, new_database(server, migrated(server)) as address:
        outcome = lived(address, seed, [step for step in plan_of(seed) if step.place in only])
    failures = [Failure(seed, outcome.wrong, outcome.story, only)] if outcome.wrong else []
    lines = [str(one) for one in failures] or [*outcome.story, "all is there, once"]
    console.print("\n".join(lines), markup=False, highlight=False)
    return failures


def main() -> int:
    """0 if nothing was lost, doubled, switched off or different."""
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__)
    parser.add_argument("--seeds", type=int, default=200, help="how many")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--only", help="of one seed, these steps alone: 0,3,7")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--shrink", action="store_true", help="look for the steps that make a seed fail")
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
    asked = parser.parse_args()
    console = Console(stderr=asked.json)
    if asked.seeds < 1 or (asked.only is not None and asked.seeds != 1):
        parser.error("--seeds is at least 1, and exactly 1 with --only")
    if asked.only is not None:
        failures = replay(asked.first, [int(place) for place in asked.only.split(",")], console)
    else:
        seeds = range(asked.first, asked.first + asked.seeds)
        failures = soak(seeds, jobs=asked.jobs, shrink=asked.shrink, console=console)
    if asked.json:
        document = {"first": asked.first, "seeds": asked.seeds, "failures": [one.as_json() for one in failures]}
        sys.stdout.write(json.dumps(document, ensure_ascii=False) + "\n")
    else:
        console.print(f"{asked.seeds - len(failures)} of {asked.seeds} seeds: nothing lost, doubled or different")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
