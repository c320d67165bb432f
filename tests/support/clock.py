"""The time in tests: it stands still until a test moves it."""

from datetime import UTC, datetime, timedelta

#: A moment on a Tuesday morning; tests that need the time take this one.
NOON = datetime(2026, 11, 24, 11, 0, 0, tzinfo=UTC)
#: A moment at which no hour and no day is about to end.
MID_HOUR = datetime(2026, 3, 10, 9, 40, tzinfo=UTC)


class MovableClock:
    """Stands still until it is moved; sleeping moves it."""

    def __init__(self, now: datetime = NOON) -> None:
        self.now = now
        self.slept = 0.0
        """Seconds."""

    def __call__(self) -> datetime:
        return self.now

    def move(self, **by: float) -> None:
        """Let time pass, as `timedelta` takes it."""
        self.now += timedelta(**by)

    async def sleep(self, seconds: float) -> None:
        """Let *seconds* pass at once."""
        self.slept += seconds
        self.move(seconds=seconds)
