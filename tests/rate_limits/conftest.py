"""A clock that a test moves, a ledger on it, and what Upgates' headers look like."""

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.support.clock import NOON, MovableClock
from upbridge.rate_limits.ledger import Ledger


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock(NOON)


@pytest.fixture
def ledger(engine: AsyncEngine, clock: MovableClock) -> Ledger:
    return Ledger(engine, clock, sleep=clock.sleep)
