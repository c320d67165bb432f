"""A clock that a test moves, a ledger on it, and what Upgates' headers look like."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.conftest import NOON
from upbridge.rate_limits.ledger import Ledger


class MovableClock:
    """Stands still until it is moved; sleeping moves it."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self.slept = 0.0

    def __call__(self) -> datetime:
        return self.now

    def move(self, **by: float) -> None:
        self.now += timedelta(**by)

    async def sleep(self, seconds: float) -> None:
        self.slept += seconds
        self.move(seconds=seconds)


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
