"""`python -m tests.attack`: attacks on a real instance with a genuine shop beside it; behind `make attack`."""

import argparse
import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from random import Random

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from tests.attack.partners import TRICKLING, while_uphance_trickles
from tests.attack.rows import ROWS, Row
from tests.attack.stage import VICTIM, Stage, staged
from tests.attack.verdicts import Verdict, judged, show

LONG, SHORT = 12.0, 2.0
#: The share of an attack's time for which the genuine shop is alone before it.
_CALM = 0.25
_TRIES = 3


Attack = Callable[[Stage, float, int], Awaitable[Verdict]]
"""Carries out an attack for so many seconds, with a seed."""


async def suffered(row: Row, here: Stage, seconds: float, seed: int) -> Verdict:
    """One row of the table."""
    kept = "SELECT count(*) FROM deliveries WHERE shop_id = %s"
    calm = await here.attack(None, seconds=max(seconds * _CALM, 1.0))
    before = await here.value(kept, here.shops[VICTIM])
    weapon = row.arm(here, Random(f"{seed}/{row.name}"), seconds)
    found = await here.attack(weapon, seconds=seconds)
    stored = await here.value(kept, here.shops[VICTIM]) - before
    return judged(row, found, stored=stored, calm=calm.taken)


#: Every attack, in the order of the table.
ATTACKS: Mapping[str, Attack] = {
    **{row.name: partial(suffered, row) for row in ROWS},
    TRICKLING: while_uphance_trickles,
}


async def all_of(names: Sequence[str], *, seconds: float, seed: int, console: Console) -> list[Verdict]:
    """Those attacks, one after the other, on one instance."""
    verdicts: list[Verdict] = []
    columns = TextColumn("{task.description:28}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    async with staged() as here:
        with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
            bar = progress.add_task("", total=len(names))
            for name in names:
                progress.update(bar, description=name)
                for _ in range(_TRIES):
                    verdict = await ATTACKS[name](here, seconds, seed)
                    if verdict.broken or not verdict.slow:
                        break
                verdicts.append(verdict)
                progress.advance(bar)
    return verdicts


def main() -> int:
    """0 if every goal was met."""
    parser = argparse.ArgumentParser(prog="make attack", description=__doc__)
    parser.add_argument("--only", action="append", help="rows whose name contains this; may be repeated")
    parser.add_argument("--short", action="store_true", help="seconds instead of minutes")
    parser.add_argument("--seed", type=int, default=1, help="what is random, is the same with the same seed")
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
    asked = parser.parse_args()
    console = Console(stderr=asked.json)
    names = [name for name in ATTACKS if asked.only is None or any(part in name for part in asked.only)]
    verdicts = asyncio.run(all_of(names, seconds=SHORT if asked.short else LONG, seed=asked.seed, console=console))
    missed = sum(bool(one.missed) for one in verdicts)
    if asked.json:
        document = [{"name": one.name, **one.cells, "missed": list(one.missed)} for one in verdicts]
        sys.stdout.write(json.dumps(document, ensure_ascii=False, indent=1) + "\n")
    else:
        show(console if console.is_terminal else Console(width=190), verdicts)
        console.print(
            f"{len(verdicts) - missed} of {len(verdicts)} attacks cost nobody else anything", highlight=False
        )
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
