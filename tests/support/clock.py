"""The time in tests: it stands still until a test moves it."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from upbridge.core.deadline import TIMERS

T = TypeVar("T")

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


@dataclass
class ManualTimer:
    """One call that `ManualTimers` will make."""

    due: float
    callback: Callable[[], object]
    cancelled: bool = False

    def cancel(self) -> None:
        """Do not make it."""
        self.cancelled = True


@dataclass
class ManualTimers:
    """Measures deadlines by a time that stands still until a test advances it."""

    now: float = 0.0
    waiting: list[ManualTimer] = field(default_factory=list)
    _started: asyncio.Event = field(default_factory=asyncio.Event)

    def time(self) -> float:
        return self.now

    def call_later(self, delay: float, callback: Callable[[], object], /) -> ManualTimer:
        self.waiting.append(ManualTimer(self.now + delay, callback))
        self._started.set()
        return self.waiting[-1]

    def advance(self, seconds: float) -> None:
        """Let *seconds* pass at once."""
        self.now += seconds
        due = [timer for timer in self.waiting if timer.due <= self.now and not timer.cancelled]
        self.waiting = [timer for timer in self.waiting if timer not in due and not timer.cancelled]
        for timer in due:
            timer.callback()

    async def started(self) -> None:
        """Wait until some deadline is being measured."""
        while not any(not timer.cancelled for timer in self.waiting):
            self._started.clear()
            await self._started.wait()


async def expired(work: Awaitable[T], stuck: Callable[[], Awaitable[object]]) -> T:
    """What *work* returns where its deadlines come as soon as *stuck* returns."""
    with manual_timers() as timers:
        working = asyncio.ensure_future(work)
    await timers.started()
    await stuck()
    timers.advance(3600)
    return await working


@contextmanager
def manual_timers() -> Iterator[ManualTimers]:
    """Deadlines that begin in here expire when the test says so."""
    timers = ManualTimers()
    token = TIMERS.set(timers)
    try:
        yield timers
    finally:
        TIMERS.reset(token)
