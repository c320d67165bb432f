"""What happens in a seed's days: a list of steps, each with a chance of its own.

A step draws from its place in the plan, never from what was drawn before it: without one step the others stay what
they are, so a plan that fails can be made smaller.
"""

from collections.abc import Collection
from dataclasses import dataclass
from random import Random

from tests.simulation.disturbances import DISTURBANCES
from tests.simulation.people import ACTS

FEWEST, MOST = 5, 16


@dataclass(frozen=True, slots=True)
class Step:
    """The name of an act or a disturbance, and its place in the plan of its seed."""

    place: int
    name: str


def plan_of(seed: int, *, disturbances: Collection[str] = DISTURBANCES.keys()) -> tuple[Step, ...]:
    """The steps of *seed*: two of three are what people do, the third is one of *disturbances*."""
    chance = Random(f"plan of {seed}")
    acts, wrongs = list(ACTS), sorted(disturbances)
    steps = chance.randrange(FEWEST, MOST)
    names = [chance.choice(acts if not wrongs or chance.random() < 0.66 else wrongs) for _ in range(steps)]
    return tuple(Step(place, name) for place, name in enumerate(names))


def chance_of(seed: int, step: Step) -> Random:
    """What the *step* of *seed* draws from."""
    return Random(f"{seed}, step {step.place}")
