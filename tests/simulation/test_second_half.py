"""The second half of the suite's seeds."""

import pytest

from tests.simulation.seeds import failure_of
from tests.simulation.suite import HALF, SEEDS


@pytest.mark.parametrize("seed", range(HALF, SEEDS))
def test_after_all_faults_nothing_is_lost_doubled_or_different(database_url: str, seed: int) -> None:
    failure = failure_of(database_url, seed)

    assert failure is None, str(failure)
