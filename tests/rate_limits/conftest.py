"""A clock that a test moves, a ledger on it, and what Upgates' headers look like."""

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.rate_limits.calls import OpenLedger
from tests.support.clock import NOON, MovableClock


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock(NOON)


@pytest.fixture
def ledger(engine: AsyncEngine, clock: MovableClock) -> OpenLedger:
    return OpenLedger(engine, clock, sleep=clock.sleep)
