"""A small HTTP/1.1 caller that costs little beside what it measures, and what its calls took."""

import asyncio
import itertools
import re
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

_LENGTH = re.compile(rb"content-length:\s*(\d+)", re.IGNORECASE)

#: The path and the body of the call with that number.
MakeCall = Callable[[int], tuple[str, bytes]]


@dataclass(slots=True)
class Taken:
    """What a series of calls took, in seconds, and what was answered."""

    seconds: float
    latencies: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)

    @property
    def per_second(self) -> float:
        """Calls answered with 2xx, per second."""
        good = sum(count for status, count in self.statuses.items() if status // 100 == 2)  # noqa: PLR2004
        return good / self.seconds

    def quantile(self, share: float) -> float:
        """The latency that *share* of the calls did not exceed, in milliseconds."""
        ordered = sorted(self.latencies)
        return ordered[min(int(len(ordered) * share), len(ordered) - 1)] * 1000

    def as_json(self) -> dict[str, Any]:
        """Numbers for the raw results."""
        return {
            "calls": len(self.latencies),
            "per_second": round(self.per_second, 1),
            "p50_ms": round(self.quantile(0.5), 2),
            "p99_ms": round(self.quantile(0.99), 2),
            "p999_ms": round(self.quantile(0.999), 2),
            "max_ms": round(max(self.latencies) * 1000, 2),
            "statuses": {str(status): count for status, count in sorted(self.statuses.items())},
        }


class Caller:
    """One kept connection."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._head = f" HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\nContent-Length: "
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def post(self, path: str, body: bytes) -> int:
        """One call; the status."""
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        writer.write(f"POST {path}{self._head}{len(body)}\r\n\r\n".encode() + body)
        head = await reader.readuntil(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if length is not None and int(length[1]):
            await reader.readexactly(int(length[1]))
        return int(head[9:12])

    def close(self) -> None:
        """Hang up."""
        if self._streams is not None:
            self._streams[1].close()


async def as_fast_as_possible(port: int, call: MakeCall, *, callers: int, seconds: float) -> Taken:
    """Every caller calls again as soon as it is answered."""
    numbers, taken = itertools.count(), Taken(seconds)
    started = time.perf_counter()

    async def work(caller: Caller) -> None:
        while (sent := time.perf_counter()) < started + seconds:
            status = await caller.post(*call(next(numbers)))
            taken.latencies.append(time.perf_counter() - sent)
            taken.statuses[status] += 1

    await _all(port, callers, work)
    taken.seconds = time.perf_counter() - started
    return taken


async def at_a_rate(port: int, call: MakeCall, *, rate: float, seconds: float, callers: int = 64) -> Taken:
    """Calls at fixed moments, without waiting for answers; a latency counts from the moment that a call was
    due."""
    numbers, taken = itertools.count(), Taken(seconds)
    last = int(rate * seconds)
    started = time.perf_counter() + 0.1

    async def work(caller: Caller) -> None:
        while (number := next(numbers)) < last:
            due = started + number / rate
            await asyncio.sleep(max(due - time.perf_counter(), 0))
            status = await caller.post(*call(number))
            taken.latencies.append(time.perf_counter() - due)
            taken.statuses[status] += 1

    await _all(port, callers, work)
    taken.seconds = time.perf_counter() - started
    return taken


async def _all(port: int, count: int, work: Callable[[Caller], Any]) -> None:
    callers = [Caller(port) for _ in range(count)]
    try:
        await asyncio.gather(*(work(caller) for caller in callers))
    finally:
        for caller in callers:
            caller.close()
