"""How soon a page of a big shop is answered, through the real application; and how many statements it takes."""

import asyncio
import os
import signal
import statistics
import time
from collections.abc import AsyncIterator, MutableMapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import quote

from fastapi import FastAPI
from sqlalchemy import event

from bench.bigshop import BigShop, crowd, fill
from bench.report import Row
from bench.testbed import Clocks, Testbed
from upbridge.app import create_app
from upbridge.core.clock import utc_now
from upbridge.core.encryption import Cipher
from upbridge.insights.daily_stats import summarise_days
from upbridge.settings import Settings, load_settings
from upbridge.web.sessions import Entrance
from upbridge.web.visits import PAGES
from upbridge_sandbox.demo.processes import Failed

GOAL_MS = 100
#: With ten thousand problems of every cause.
CROWDED_MS = 150
ROUNDS = 15
_WARM_UP = 2
_PAUSE = 1 / PAGES.rate
"""Seconds between two pages: one person has no more of them, and would have to wait."""
_READY_SECONDS = 60.0


def paths(shop: BigShop) -> dict[str, str]:
    """What is looked at, by the name that the report gives it."""
    return {
        "first page": "",
        "connections": "connections",
        "rules": "rules",
        "orders": "orders",
        "orders, not sent by the rules": "orders?box=held&days=30",
        "orders, far on": "orders?page=200",
        "an order": f"order?number={shop.order}",
        "history": "history",
        "problems": "problems",
        "find, code": f"find?q={shop.code}",
        "find, name": f"find?q={shop.name}",
        "find, part of a name": "find?q=vlněn",
        "find, nothing": "find?q=xyzzy",
        "products": "products",
        "products, matched, far on": "products?show=code&page=200",
        "products, first bytes of the CSV": "products.csv",
        "usage": "usage",
    }


def crowded() -> dict[str, str]:
    """What is looked at with ten thousand problems."""
    return {
        "10,000 problems, by cause": "problems",
        "10,000 problems, one cause": "problems?key=order.no_channel&target=uphance&kind=order&page=3",
        "10,000 problems, search": "problems?q=vlnen",
        "10,000 problems, first bytes of the CSV": "problems.csv",
        "first page, 10,000 problems": "",
    }


@dataclass(slots=True)
class Seen:
    """What one page took: *warm* and *cold* in seconds, *worked* seconds of processor time (ours and Postgres')
    and *statements* of SQL for each answer."""

    warm: list[float] = field(default_factory=list)
    cold: list[float] = field(default_factory=list)
    worked: float = 0.0
    statements: int = 0

    def as_json(self) -> dict[str, Any]:
        """Numbers for the raw results."""
        return {
            "median_ms": _ms(statistics.median(self.warm)),
            "p95_ms": _ms(_p95(self.warm)),
            "processor_ms": _ms(self.worked),
            "cold_ms": [_ms(one) for one in self.cold],
            "statements": self.statements,
            "calls": len(self.warm),
        }


async def answers(
    testbed: Testbed, *, variants: int, orders: int, rounds: int = ROUNDS
) -> tuple[list[Row], dict[str, Any]]:
    """Every page with warm caches, round after round, then once each right after Postgres and the system lost
    theirs. Another shop has as much in the same database: what reads the rows of all shops is seen."""
    settings = load_settings()
    directory = settings.data_dir / "postgres"
    started = time.perf_counter()
    beside, shop = [
        await fill(testbed.engine, Cipher(settings.keys()), variants=variants, orders=orders, now=utc_now())
        for _ in range(2)
    ]
    await summarise_days(testbed.engine, now=utc_now())
    filled = time.perf_counter() - started
    seen = {name: Seen() for name in (*paths(shop), *crowded())}
    async with visiting(settings, shop) as visit:
        for name, path in paths(shop).items():
            await _warm(testbed, visit, path, seen[name], rounds)
        for name, path in paths(shop).items():
            await _chill(testbed, directory)
            seen[name].cold.append((await visit(path))[0])
        await crowd(testbed.engine, shop, now=utc_now())
        for name, path in crowded().items():
            await _warm(testbed, visit, path, seen[name], rounds)
    await testbed.run("DELETE FROM shops WHERE id = ANY(:shops)", shops=[beside.id, shop.id])
    rows = [_row(name, one, CROWDED_MS if name in crowded() else GOAL_MS) for name, one in seen.items()]
    raw = {"variants": variants, "orders": orders, "seconds_to_fill": round(filled, 1)}
    return rows, {**raw, "pages": {name: one.as_json() for name, one in seen.items()}}


async def _warm(testbed: Testbed, visit: "Visit", path: str, seen: Seen, rounds: int) -> None:
    """Look at *path* again and again, with warm caches."""
    for _ in range(_WARM_UP):
        await visit(path)
    postgres, ours = Clocks(testbed.postgres()), time.process_time()
    for _ in range(rounds):
        await asyncio.sleep(_PAUSE)
        seconds, seen.statements = await visit(path)
        seen.warm.append(seconds)
    seen.worked = (time.process_time() - ours + postgres.used()) / rounds


def _row(name: str, seen: Seen, goal_ms: int) -> Row:
    median = statistics.median(seen.warm) * 1000
    cold = f" cold {max(seen.cold) * 1000:.0f};" if seen.cold else ";"
    value = (
        f"{median:.0f} ms, p95 {_p95(seen.warm) * 1000:.0f}, processor {seen.worked * 1000:.0f},"
        f"{cold} {seen.statements} statements"
    )
    return Row(f"page: {name}", value, f"median under {goal_ms} ms", median < goal_ms)


def _p95(values: list[float]) -> float:
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * 0.95), len(ordered) - 1)]


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 1)


class Visit:
    """A browser of one session, in this process: no network and no HTTP parser, the rest is real."""

    def __init__(self, app: FastAPI, home: str, counted: list[str]) -> None:
        self._app = app
        self._home = home
        self._counted = counted

    async def __call__(self, path: str) -> tuple[float, int]:
        """Seconds until the page was there (of a file: its first bytes), and the statements that it took."""
        self._counted.clear()
        place, _, query = path.partition("?")
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": self._home + place,
            "raw_path": (self._home + place).encode(),
            "query_string": quote(query, safe="=&").encode(),
            "root_path": "",
            "headers": [(b"host", b"bench")],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 80),
        }
        asked, enough, status, ended = False, asyncio.Event(), 0, 0.0

        async def receive() -> dict[str, Any]:
            nonlocal asked
            if not asked:
                asked = True
                return {"type": "http.request", "body": b"", "more_body": False}
            await enough.wait()
            return {"type": "http.disconnect"}

        async def send(message: MutableMapping[str, Any]) -> None:
            nonlocal status, ended
            if message["type"] == "http.response.start":
                status = message["status"]
            elif not enough.is_set() and (message.get("body") or not message.get("more_body")):
                ended = time.perf_counter()
                enough.set()  # a page is one piece; of a file the first one will do

        started = time.perf_counter()
        await self._app(scope, receive, send)
        if status != HTTPStatus.OK:
            raise Failed(f"the page {path} was answered {status}")
        return ended - started, len(self._counted)


@asynccontextmanager
async def visiting(settings: Settings, shop: BigShop) -> AsyncIterator[Visit]:
    """The application, ready, and a person in the admin of *shop*."""
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        deadline = time.monotonic() + _READY_SECONDS
        while not app.state.container.addresses.ready:
            if time.monotonic() > deadline:
                raise Failed("the application does not get ready")
            await asyncio.sleep(0.05)
        sessions = app.state.container.pages.sessions
        entrance = await sessions.redeem(await sessions.issue(shop.id, "cs"))
        assert isinstance(entrance, Entrance)
        counted: list[str] = []
        event.listen(
            app.state.container.database.engine.sync_engine,
            "before_cursor_execute",
            lambda _connection, _cursor, statement, *_: counted.append(statement),
        )
        yield Visit(app, f"/ui/s/{entrance.session}/", counted)


async def _chill(testbed: Testbed, directory: Path) -> None:
    """Let Postgres start again with nothing in its memory, and have the system forget its files."""
    embedded, postmaster = testbed.database.embedded, testbed.postgres()
    assert embedded is not None
    postmaster.send_signal(signal.SIGINT)  # a "fast" shutdown: everything is on disk afterwards
    await asyncio.to_thread(postmaster.wait, _READY_SECONDS)
    await asyncio.to_thread(_forget, directory)
    await asyncio.to_thread(embedded.revive)


def _forget(directory: Path) -> None:
    for file in directory.glob("base/*/*"):
        descriptor = os.open(file, os.O_RDONLY)
        try:
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(descriptor)
