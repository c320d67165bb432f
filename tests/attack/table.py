"""All attacks, and how they are carried out one after the other."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from random import Random
from typing import Protocol

import httpx
import psycopg

from tests.attack.fuzzing import DAMAGED, FUZZ, damaged_answers, fuzzed
from tests.attack.partners import TRICKLING, while_uphance_trickles
from tests.attack.rows import ROWS, Row
from tests.attack.scale import Scale
from tests.attack.testbed import VICTIM, Testbed, open_testbed
from tests.attack.verdicts import CALM, Verdict, again, judged
from upbridge_sandbox.demo.processes import Failed

_TRIES = 3
#: When a row of a fuzzer is measured again, so many of its requests are sent again.
_SENT_AGAIN = 0.1


Attack = Callable[[Testbed, Scale, int], Awaitable[Verdict]]
"""Carries out an attack of that scale, with a seed."""


class Told(Protocol):
    """Who wants to know how far the attacks are."""

    def begins(self, name: str) -> None:
        """The attack *name* begins."""

    def ended(self, verdict: Verdict) -> None:
        """An attack has ended with that verdict."""


async def suffered(row: Row, here: Testbed, scale: Scale, seed: int) -> Verdict:
    """One row of the table."""
    kept = "SELECT count(*) FROM deliveries WHERE shop_id = %s"
    seconds = scale.seconds * row.times
    calm = await here.attack(None, seconds=max(scale.seconds * CALM, 1.0))
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


async def all_of(names: Sequence[str], *, scale: Scale, seed: int, told: Told, tries: int = _TRIES) -> None:
    """Those attacks, one after the other, on one instance; so many *tries* to meet a goal of time.

    *told* has the verdicts, also where this is cancelled."""
    async with open_testbed() as here:
        for name in names:
            told.begins(name)
            told.ended(await _tried(name, here, scale, seed, tries))


async def _tried(name: str, here: Testbed, scale: Scale, seed: int, tries: int) -> Verdict:
    before: Verdict | None = None
    for number in range(tries):
        share = _SENT_AGAIN if number else 1
        try:
            verdict = await ATTACKS[name](here, replace(scale, fuzzed=int(scale.fuzzed * share)), seed)
        except (
            Failed,
            httpx.HTTPError,
            psycopg.Error,
        ) as failed:  # the other rows are worth their while all the same
            return Verdict(name, {}, [f"{type(failed).__name__}: {failed}"])
        before = verdict = verdict if before is None else again(before, verdict)
        if verdict.broken or not verdict.slow:
            break
    return verdict
