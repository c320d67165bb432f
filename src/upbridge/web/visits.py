"""How many pages one session may open, so that the other shops' pages and all webhooks keep the processor.

A person does not come near it. A session that is over waits for its turn; one that would wait too long gets 429.
"""

import time
from collections.abc import Callable

from upbridge.core.allowance import Allowance, ByName, Meter
from upbridge.core.errors import TooOften

PAGES = Allowance(burst=100, rate=10)
"""A page costs the processor some ten milliseconds: a tenth of it for long."""
LONGEST_WAIT = 5.0
"""Seconds."""


class _Session:
    def __init__(self, seconds: Callable[[], float]) -> None:
        self._seconds = seconds
        self._meter = Meter(PAGES, seconds())

    def opens(self) -> float:
        """A page is opened: the seconds until its turn. Raises `TooOften`."""
        wait = self._meter.take(1, self._seconds())
        if wait > LONGEST_WAIT:
            self._meter.take(-1, self._seconds())
            raise TooOften
        return wait

    def unused(self) -> bool:
        return self._meter.full(self._seconds())


class Visits(ByName[str, _Session]):
    """The sessions of one process, by the secret in their addresses, whether they live or were invented."""

    def __init__(self, *, seconds: Callable[[], float] = time.monotonic) -> None:
        super().__init__(lambda: _Session(seconds))
