"""The attacks in seconds: what holds on any machine. How late the genuine shop's webhooks are: `make attack`."""

import asyncio
from collections.abc import Mapping

import pytest
from rich.console import Console

from tests.attack.partners import TRICKLING
from tests.attack.table import ATTACKS, all_of
from tests.attack.verdicts import Verdict

#: All but the one that takes a minute: `tests/test_jobs.py` has slots for each system.
NAMES = [name for name in ATTACKS if name != TRICKLING]


@pytest.fixture(scope="module")
def verdicts() -> Mapping[str, Verdict]:
    """What came of each attack."""
    console = Console(quiet=True)
    found = asyncio.run(all_of(NAMES, seconds=0.4, seed=1, console=console, tries=1))
    return {one.name: one for one in found}


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", NAMES)
def test_an_attack_loses_no_genuine_webhook_and_makes_nothing_fail(
    verdicts: Mapping[str, Verdict], name: str
) -> None:
    assert list(verdicts[name].broken) == []
