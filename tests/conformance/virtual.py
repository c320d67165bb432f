"""A time of its own, a network without a wire, and a death that comes at a chosen instant.

Nothing here waits for real: a system that is slow, hangs or says "later" moves the clock. So hours of trouble take
milliseconds, and the same run is the same run on any machine.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import httpx
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.support.clock import NOON
from tests.support.statements import each_statement


@dataclass(slots=True)
class _Nap:
    """One request that a simulated system lets wait."""

    until: datetime
    over: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(slots=True)
class _Work:
    """A request as the system that works on it sees it; `asleep` is set while it waits for its time."""

    asleep: asyncio.Event = field(default_factory=asyncio.Event)
    left: asyncio.Event = field(default_factory=asyncio.Event)
    """Its caller has hung up."""
    nap: _Nap | None = None


_TURNS = 8
_WORK: ContextVar[_Work | None] = ContextVar("work", default=None)


class Hours:
    """The one clock of the engine, the simulated systems and the tasks that wait."""

    def __init__(self, now: datetime = NOON) -> None:
        self.now = now
        self._naps: list[_Nap] = []

    def __call__(self) -> datetime:
        return self.now

    def reach(self, moment: datetime) -> None:
        """It is *moment* now, unless it is later already; what slept until then goes on."""
        self.now = max(self.now, moment)
        for nap in [one for one in self._naps if one.until <= self.now]:
            self._naps.remove(nap)
            nap.over.set()

    def move(self, **by: float) -> None:
        """Let time pass."""
        self.reach(self.now + timedelta(**by))

    async def pause(self, seconds: float) -> None:
        """How our own side waits: no simulated system does anything meanwhile."""
        self.move(seconds=seconds)
        await asyncio.sleep(0)

    async def sleep(self, seconds: float) -> None:
        """How a simulated system is slow: it goes on when its time has come, whether its caller waits or not."""
        nap = _Nap(self.now + timedelta(seconds=seconds))
        self._naps.append(nap)
        if (work := _WORK.get()) is not None:
            work.nap = nap
            work.asleep.set()
        await nap.over.wait()

    async def answer(self, work: "asyncio.Task[httpx.Response]", seen: _Work, deadline: float) -> httpx.Response:
        """What *work* answers, at most *deadline* seconds from now; raises `httpx.ReadTimeout`."""
        end = self.now + timedelta(seconds=deadline)
        while True:
            sleeping = asyncio.create_task(seen.asleep.wait())
            await asyncio.wait({work, sleeping}, return_when=asyncio.FIRST_COMPLETED)
            sleeping.cancel()
            await asyncio.sleep(0)
            if work.done():
                return work.result()
            seen.asleep.clear()
            assert seen.nap is not None
            if seen.nap.until > end:
                seen.left.set()
                for _ in range(_TURNS):  # of the loop: the other side has noticed before it is called again
                    await asyncio.sleep(0)
                self.reach(end)
                raise httpx.ReadTimeout("no answer in time")
            self.reach(seen.nap.until)


class _Wire:
    """The way to one simulated system: a call of its application, which learns when its caller hangs up."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def ask(self, request: httpx.Request, body: bytes, seen: _Work) -> httpx.Response:
        """The answer. Raises `httpx.ReadError` where the connection is cut."""
        scope = {
            "type": "http",
            "method": request.method,
            "path": request.url.path,
            "query_string": request.url.query,
            "headers": [(name.lower(), value) for name, value in request.headers.raw],
            "client": ("127.0.0.1", 1),
        }
        messages = [{"type": "http.request", "body": body}]
        status, headers, content = 0, [], b""

        async def receive() -> Any:
            if messages:
                return messages.pop()
            await seen.left.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            nonlocal status, headers, content
            if message["type"] == "http.response.start":
                status, headers = message["status"], message["headers"]
            else:
                content += message["body"]

        try:
            await self._app(scope, receive, send)
        except ConnectionAbortedError as cut:
            raise httpx.ReadError("cut") from cut
        return httpx.Response(status, headers=headers, content=content, request=request)


class Killed(BaseException):
    """The process is no more."""


class Reaper:
    """Counts the instants at which the process could die, and lets it die at one of them.

    An instant is before a statement, before a commit, before a request and before its answer is seen; between two
    of them nothing is visible outside, so these are all there are. It is named by what happens then and how often
    that has happened before: `POST /sales_orders answered #2`. A dead process does nothing any more, but its
    database session ends, and with it its lock.
    """

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.dead = False
        self._times: Counter[str] = Counter()
        self._at: str | None = None
        self._after: int | None = None
        self._looks_away = False

    @contextmanager
    def looking_away(self) -> Iterator[None]:
        """What happens meanwhile is none of the work of the process: it counts for nothing."""
        self._looks_away = True
        try:
            yield
        finally:
            self._looks_away = False

    def spare(self) -> None:
        """A new process, which is not killed."""
        self.seen, self.dead, self._times, self._at, self._after = [], False, Counter(), None, None

    def kill_at(self, instant: str, *, at_the_latest: int) -> None:
        """The process dies at the instant of this name, or after so many: readings run side by side, and how often
        they wait for each other is not the same each time."""
        self.spare()
        self._at, self._after = instant, at_the_latest

    def kill_after(self, instants: int) -> None:
        """The process dies after so many instants."""
        self.spare()
        self._after = instants

    def instant(self, what: str) -> None:
        """Something is about to happen. Raises `Killed`."""
        if self._looks_away:
            return
        if self.dead:
            raise Killed
        self._times[what] += 1
        self.seen.append(f"{what} #{self._times[what]}")
        if self.seen[-1] == self._at or len(self.seen) == self._after:
            self.dead = True
            raise Killed

    @contextmanager
    def watching(self, engine: AsyncEngine) -> Iterator[None]:
        """Count what happens in the database of *engine*."""

        def statement(words: str) -> None:
            if "pg_advisory_unlock" not in words:
                self.instant(" ".join(words.split())[:60])

        def commit(_connection: Any) -> None:
            self.instant("commit")

        event.listen(engine.sync_engine, "commit", commit)
        try:
            with each_statement(engine, statement):
                yield
        finally:
            event.remove(engine.sync_engine, "commit", commit)


class Network(httpx.AsyncBaseTransport):
    """Brings each request to the simulated system of its host.

    The system works by itself: if its caller has given up or died, it goes on and may still write.
    """

    def __init__(self, hours: Hours, reaper: Reaper, apps: Mapping[str, Any]) -> None:
        self.hours = hours
        self.reaper = reaper
        self.bodies: list[tuple[str, bytes]] = []
        self._wires = {host: _Wire(app) for host, app in apps.items()}
        self._working: set[asyncio.Task[httpx.Response]] = set()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        name = f"{request.method} {request.url.path}"
        self.reaper.instant(name)
        body = await request.aread()
        self.bodies.append((request.url.host, body))
        self.hours.reach(self.hours.now)
        seen = _Work()
        token = _WORK.set(seen)
        try:
            work = asyncio.create_task(self._wires[request.url.host].ask(request, body, seen))
        finally:
            _WORK.reset(token)
        self._working.add(work)
        deadline = request.extensions.get("timeout", {}).get("read")
        try:
            answer = await self.hours.answer(work, seen, deadline or float("inf"))
        except httpx.RequestError:
            self.reaper.instant(f"{name} failed")
            raise
        self.reaper.instant(f"{name} answered")
        return answer

    async def close(self) -> None:
        """Let what is asleep be forgotten; raises what a system stumbled over, other than a cut."""
        for work in self._working:
            work.cancel()
        for ended in await asyncio.gather(*self._working, return_exceptions=True):
            if isinstance(ended, Exception) and not isinstance(ended, httpx.ReadError):
                raise ended
