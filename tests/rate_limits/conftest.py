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


def said(hour: int, day: int, hour_left: int, day_left: int, **more: str) -> dict[str, str]:
    """The headers of an answer."""
    return {
        "X-Rate-Limit-Hour": str(hour),
        "X-Rate-Limit-Day": str(day),
        "X-Rate-Limit-Hour-Remaining": str(hour_left),
        "X-Rate-Limit-Day-Remaining": str(day_left),
        "X-Rate-Limit-Total-Remaining": str(hour_left + day_left),
        **{name.replace("_", "-"): value for name, value in more.items()},
    }
