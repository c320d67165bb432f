"""The first half of the suite's seeds; and that a seed is the same run each time."""

from collections.abc import Sequence

import pytest

from tests.simulation.plan import Step, plan_of
from tests.simulation.run import Outcome
from tests.simulation.seeds import failure_of, lived, smallest
from tests.simulation.suite import HALF


@pytest.mark.parametrize("seed", range(HALF))
def test_after_all_faults_nothing_is_lost_doubled_or_different(database_url: str, seed: int) -> None:
    failure = failure_of(database_url, seed)

    assert failure is None, str(failure)


def test_a_seed_repeats_its_run(database_url: str) -> None:
    first, second = lived(database_url, 3), lived(database_url, 3)

    assert (first.story, first.trace) == (second.story, second.trace)


def test_a_failure_is_cut_down_to_the_steps_that_it_needs() -> None:
    plan = plan_of(3)
    needed = {plan[2].place, plan[5].place}

    def lost_with_both(steps: Sequence[Step]) -> Outcome:
        return Outcome(3, steps, [], ["lost"] if needed <= {step.place for step in steps} else [])

    found = smallest(lost_with_both(plan), lost_with_both)

    assert found.kept == sorted(needed)
    assert f"--only {','.join(map(str, sorted(needed)))}" in str(found)
