"""The attacks in seconds: what holds on any machine. How late the genuine shop's webhooks are: `make attack`."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from tests.attack.partners import TRICKLING
from tests.attack.scale import Scale
from tests.attack.table import ATTACKS, all_of
from tests.attack.verdicts import Verdict

#: All but the one that takes a minute: `tests/test_jobs.py` has slots for each system.
NAMES = [name for name in ATTACKS if name != TRICKLING]


SCALE = Scale(seconds=0.4, fuzzed=3_200, shops=3, sessions=4, minutes=1)


@dataclass
class _Verdicts:
    """The outcome of each attack."""

    found: dict[str, Verdict] = field(default_factory=dict)

    def begins(self, name: str) -> None:
        """An attack begins: nothing is said."""

    def ended(self, verdict: Verdict) -> None:
        """An attack has ended."""
        self.found[verdict.name] = verdict


@pytest.fixture(scope="module")
def verdicts() -> Mapping[str, Verdict]:
    """The outcome of each attack."""
    told = _Verdicts()
    asyncio.run(all_of(NAMES, scale=SCALE, seed=1, told=told, tries=1))
    return told.found


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", NAMES)
def test_an_attack_loses_no_genuine_webhook_and_makes_nothing_fail(
    verdicts: Mapping[str, Verdict], name: str
) -> None:
    assert list(verdicts[name].broken) == []
