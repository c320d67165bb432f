"""What attackers do with a socket.

A weapon is fired in a process of its own (`fire`), so that it takes no time from the one that measures the genuine
shop.
"""

import asyncio
import contextlib
import itertools
import re
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

_LENGTH = re.compile(rb"\r\ncontent-length:\s*(\d+)", re.IGNORECASE)
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3}) ")
_ANSWER_SECONDS = 60.0
#: Seconds between two bombs of one connection.
_PAUSE = 0.05
#: What stands for the status of a call that got none.
CUT = 0


@dataclass(slots=True)
class Fired:
    """The outcome."""

    seconds: float
    statuses: Counter[int] = field(default_factory=Counter)
    slowest: float = 0.0
    left: int = 0
    """Connections that the server still kept open at the end."""
    opened: int = 0
    odd: list[tuple[int, int]] = field(default_factory=list)
    """Of numbered requests: those that failed at the server, and their status."""

    @property
    def sent(self) -> int:
        """Requests that were sent, answered or not."""
        return sum(self.statuses.values())


@dataclass(frozen=True, slots=True)
class Flood:
    """Whole requests, one after the other on kept connections, at most *rate* a second."""

    port: int
    requests: Sequence[bytes]
    connections: int
    seconds: float
    rate: float | None = None
    most: int | None = None

    async def fire(self) -> Fired:
        """Send for so many seconds, or until *most* requests were sent."""
        fired, numbers, began = Fired(self.seconds), itertools.count(), time.perf_counter()

        async def work() -> None:
            line: Line | None = None
            while time.perf_counter() < began + self.seconds:
                number = next(numbers)
                if self.most is not None and number >= self.most:
                    break
                if self.rate is not None:
                    due = began + number / self.rate
                    if due > began + self.seconds:
                        break
                    await asyncio.sleep(max(due - time.perf_counter(), 0))
                sent = time.perf_counter()
                status = CUT
                with contextlib.suppress(OSError, asyncio.IncompleteReadError, TimeoutError):
                    line = line or await Line.open(self.port)
                    status = await line.ask(self.requests[number % len(self.requests)])
                if line is not None and (status == CUT or line.ended):
                    line.close()
                    line = None
                fired.statuses[status] += 1
                fired.slowest = max(fired.slowest, time.perf_counter() - sent)
            if line is not None:
                line.close()

        await asyncio.gather(*(work() for _ in range(self.connections)))
        fired.seconds = time.perf_counter() - began
        return fired


@dataclass(frozen=True, slots=True)
class Drip:
    """Connections that begin a request and then send a piece every so many seconds, or nothing more."""

    port: int
    count: int
    begin: bytes
    seconds: float
    piece: bytes = b""
    every: float = 1.0

    async def fire(self) -> Fired:
        """Keep them open as long as the server lets us."""
        fired, until = Fired(self.seconds), time.perf_counter() + self.seconds

        async def one() -> None:
            try:
                line = await Line.open(self.port)
            except OSError:
                return
            fired.opened += 1
            try:
                line.writer.write(self.begin)
                while time.perf_counter() < until:
                    try:
                        async with asyncio.timeout(min(self.every, max(until - time.perf_counter(), 0.01))):
                            answer = await line.reader.read(65_536)
                    except TimeoutError:
                        if self.piece:
                            line.writer.write(self.piece)
                        continue
                    found = _STATUS.match(answer)
                    fired.statuses[int(found[1]) if found else CUT] += 1
                    return
                fired.left += 1
            except OSError:
                fired.statuses[CUT] += 1
            finally:
                line.close()

        await asyncio.gather(*(one() for _ in range(self.count)))
        return fired


@dataclass(frozen=True, slots=True)
class Bomb:
    """Connections that send an endless head each, and begin again where the server has hung up."""

    port: int
    connections: int
    megabytes: int
    seconds: float

    async def fire(self) -> Fired:
        """Send for so many seconds."""
        fired, until = Fired(self.seconds), time.perf_counter() + self.seconds

        async def work() -> None:
            while time.perf_counter() < until:
                with contextlib.suppress(OSError):
                    await self._one(fired, until)
                fired.statuses[CUT] += 1
                await asyncio.sleep(_PAUSE)

        await asyncio.gather(*(work() for _ in range(self.connections)))
        return fired

    async def _one(self, fired: Fired, until: float) -> None:
        line, piece = await Line.open(self.port), b"a" * 65_536
        fired.opened += 1
        try:
            line.writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nX-Bomb: ")
            for _ in range(self.megabytes * 16):
                line.writer.write(piece)
                await line.writer.drain()
                if line.reader.at_eof() or time.perf_counter() > until:
                    return
            fired.left += 1
        finally:
            line.close()


class Weapon(Protocol):
    """What an attacker uses until it is spent; it travels to the attacker's process."""

    async def fire(self) -> Fired:
        """Use it; returns the outcome."""


def fire(weapon: Weapon) -> Fired:
    """Use *weapon* until it is spent; for a process of its own."""
    return asyncio.run(weapon.fire())


@dataclass(slots=True)
class Line:
    """One connection to the add-on."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    ended: bool = False
    """Whether the server has said that it hangs up."""

    @classmethod
    async def open(cls, port: int) -> "Line":
        """A new connection. Raises `OSError`."""
        return cls(*await asyncio.open_connection("127.0.0.1", port, limit=2**20))

    async def ask(self, request: bytes, *, seconds: float = _ANSWER_SECONDS) -> int:
        """Send a whole request; the status of its answer.

        Raises `OSError`, `asyncio.IncompleteReadError` or `TimeoutError` if there is none.
        """
        async with asyncio.timeout(seconds):
            self.writer.write(request)
            head = await self.reader.readuntil(b"\r\n\r\n")
            length = _LENGTH.search(head)
            if length is not None and not request.startswith(b"HEAD "):
                await self.reader.readexactly(int(length[1]))
            elif b"\r\ntransfer-encoding: chunked" in head.lower():
                await self.reader.readuntil(b"0\r\n\r\n")
        self.ended = b"\r\nconnection: close" in head.lower()
        return int(head[9:12])

    def close(self) -> None:
        """Hang up."""
        self.writer.close()


def request(
    method: str, path: str, body: bytes = b"", *, kind: str = "application/json", headers: Sequence[str] = ()
) -> bytes:
    """A whole request as it travels."""
    more = "".join(f"{line}\r\n" for line in headers)
    length = f"Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n" if body or method == "POST" else ""
    return f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{more}{length}\r\n".encode() + body
