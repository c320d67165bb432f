"""The genuine shop beside the attacks: its webhooks, one connection each as Upgates does it, and their times."""

import asyncio
import contextlib
import json
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.attack.weapons import CUT, Line, request

RATE = 10.0
"""Webhooks a second."""


@dataclass(slots=True)
class Taken:
    """Seconds that each webhook took at the caller, and its statuses."""

    latencies: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)

    def quantile(self, share: float) -> float:
        """Milliseconds that *share* of the webhooks did not exceed."""
        ordered = sorted(self.latencies)
        return ordered[min(int(len(ordered) * share), len(ordered) - 1)] * 1000 if ordered else 0.0

    @property
    def late(self) -> int:
        """Webhooks that took over a second: Upgates counts them as delivered, so what they said is lost."""
        return sum(one > 1.0 for one in self.latencies)


@dataclass(frozen=True, slots=True)
class Genuine:
    """Where its webhooks go, and the orders that they may name."""

    port: int
    path: str
    orders: Sequence[str]

    async def send(self, until: asyncio.Event) -> Taken:
        """Ten webhooks a second until *until* is set; each on time, however long the ones before take."""
        taken, calls, began, number = Taken(), set(), time.perf_counter(), 0
        while not until.is_set():
            calls.add(asyncio.create_task(self._one(taken, self.orders[number % len(self.orders)])))
            number += 1
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(began + number / RATE - time.perf_counter(), 0)):
                    await until.wait()
        await asyncio.gather(*calls)
        return taken

    async def _one(self, taken: Taken, order: str) -> None:
        body, status, sent = json.dumps({"orders": [{"order_number": order}]}).encode(), CUT, time.perf_counter()
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, TimeoutError):
            line = await Line.open(self.port)
            try:
                status = await line.ask(request("POST", self.path, body))
            finally:
                line.close()
        taken.latencies.append(time.perf_counter() - sent)
        taken.statuses[status] += 1
