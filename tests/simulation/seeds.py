"""Many seeds: each in a database that is emptied before, what failed with its plan and a smaller one."""

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import structlog

from tests.conformance.testbed import Checkpoint
from tests.simulation.plan import Step, plan_of
from tests.simulation.run import Outcome, morning, outcome_of
from tests.support.postgres import new_database

MOST_TRIES = 60
"""So often is a plan that fails made smaller."""

_stack = ExitStack()
_addresses: list[str] = []


@dataclass(frozen=True, slots=True)
class Failure:
    """A seed that did not end well, so that a person can go after it."""

    seed: int
    wrong: Sequence[str]
    story: Sequence[str]
    kept: Sequence[int] | None = None
    """The places of those steps that are enough for it to fail; None before a search."""

    def __str__(self) -> str:
        kept = "" if self.kept is None else f" --only {','.join(map(str, self.kept))}"
        again = f"replay: python -m tests.simulation --first {self.seed} --seeds 1{kept}"
        return "\n".join([f"seed {self.seed}: {self.wrong[0]}", again, *self.story, "in the end:", *self.wrong])

    def as_json(self) -> dict[str, Any]:
        """The failure for machines."""
        return {
            "seed": self.seed,
            "first_difference": self.wrong[0],
            "differences": list(self.wrong),
            "plan": list(self.story),
            "only": None if self.kept is None else list(self.kept),
        }


@cache
def begin(address: str) -> Checkpoint:
    """The morning from which every seed starts; made once in a process."""
    with _quiet():
        return asyncio.run(morning(address))


@contextmanager
def _quiet() -> Iterator[None]:
    """No lines of log but those that are critical, and the logs of other tests as they were."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        yield
    finally:
        structlog.configure(**before)


def lived(address: str, seed: int, plan: Sequence[Step] | None = None) -> Outcome:
    """The outcome of *seed*, or of a part of its plan, in the database at *address*."""
    begun = begin(address)
    with _quiet():
        return asyncio.run(outcome_of(begun, address, seed, plan_of(seed) if plan is None else plan))


def failure_of(address: str, seed: int, *, shrink: bool = False) -> Failure | None:
    """None if *seed* ends well. *shrink*: look for the steps that matter."""
    outcome = lived(address, seed)
    if not outcome.wrong:
        return None
    if not shrink:
        return Failure(seed, outcome.wrong, outcome.story)
    return smallest(outcome, lambda plan: lived(address, seed, plan))


def enter(server: str, template: str) -> None:
    """A database for this process, which goes with the server."""
    _addresses.append(_stack.enter_context(new_database(server, template)))


def failure_here(seed: int, *, shrink: bool) -> Failure | None:
    """`failure_of` in the database of this process."""
    return failure_of(_addresses[0], seed, shrink=shrink)


def smallest(failed: Outcome, again: Callable[[Sequence[Step]], Outcome]) -> Failure:
    """*failed* without the steps that it fails without: halves are left out, then quarters, then single ones."""
    tries, size = 0, max(1, len(failed.plan) // 2)
    while tries < MOST_TRIES:
        at, smaller = 0, False
        while at < len(failed.plan) and tries < MOST_TRIES:
            tries += 1
            tried = again([*failed.plan[:at], *failed.plan[at + size :]])
            if tried.wrong:
                failed, smaller = tried, True
            else:
                at += size
        if size == 1 and not smaller:
            break
        size = max(1, size // 2)
    return Failure(failed.seed, failed.wrong, failed.story, [step.place for step in failed.plan])
