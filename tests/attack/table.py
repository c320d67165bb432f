"""All attacks, and how they are carried out one after the other."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from random import Random

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from tests.attack.fuzzing import DAMAGED, FUZZ, damaged_answers, fuzzed
from tests.attack.partners import TRICKLING, while_uphance_trickles
from tests.attack.rows import ROWS, Row
from tests.attack.testbed import VICTIM, Testbed, open_testbed
from tests.attack.verdicts import CALM, Verdict, judged
from upbridge_sandbox.demo.processes import Failed

LONG, SHORT = 12.0, 2.0
_TRIES = 3


Attack = Callable[[Testbed, float, int], Awaitable[Verdict]]
"""Carries out an attack for so many seconds, with a seed."""


async def suffered(row: Row, here: Testbed, seconds: float, seed: int) -> Verdict:
    """One row of the table."""
    kept = "SELECT count(*) FROM deliveries WHERE shop_id = %s"
    calm = await here.attack(None, seconds=max(seconds * CALM, 1.0))
    before = await here.value(kept, here.shops[VICTIM])
    weapon = row.arm(here, Random(f"{seed}/{row.name}"), seconds)
    found = await here.attack(weapon, seconds=seconds)
    stored = await here.value(kept, here.shops[VICTIM]) - before
    return judged(row, found, stored=stored, calm=calm.taken)


#: Every attack, in the order of the table.
ATTACKS: Mapping[str, Attack] = {
    **{row.name: partial(suffered, row) for row in ROWS},
    TRICKLING: while_uphance_trickles,
    **{name: partial(fuzzed, kind) for kind, name in FUZZ.items()},
    DAMAGED: damaged_answers,
}


async def all_of(
    names: Sequence[str],
    *,
    seconds: float,
    seed: int,
    console: Console,
    tries: int = _TRIES,
    watched: bool = False,
) -> list[Verdict]:
    """Those attacks, one after the other, on one instance; so many *tries* to meet a goal of time. *watched*: what
    holds the web side's loop is measured, too."""
    verdicts: list[Verdict] = []
    columns = TextColumn("{task.description:28}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    async with open_testbed(watched=watched) as here:
        with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
            bar = progress.add_task("", total=len(names))
            for name in names:
                progress.update(bar, description=name)
                for _ in range(tries):
                    try:
                        verdict = await ATTACKS[name](here, seconds, seed)
                    except Failed as failed:  # the other rows are worth their while all the same
                        verdict = Verdict(name, {}, [str(failed)])
                    if verdict.broken or not verdict.slow:
                        break
                verdicts.append(verdict)
                progress.advance(bar)
    return verdicts
