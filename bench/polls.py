"""What it costs to ask Uphance for news where there are none, and how many shops one, two and four workers ask.

all shops due ──► workers (processes of their own) ──► stand-in for Uphance (`bench/organisations.py`)
"""

import asyncio
import contextlib
import json
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import psutil
from sqlalchemy import text

from bench.fleet import FACTS
from bench.report import Row
from bench.testbed import TOP, Clocks, Testbed, used
from upbridge.core.clock import utc_now
from upbridge.core.encryption import Cipher
from upbridge.domain.shop_id import ShopId
from upbridge.settings import load_settings
from upbridge.store.changes import Kind, Origin, mark_changed
from upbridge_sandbox.demo.processes import Failed, free_port

WORKERS = (1, 2, 4)
GOAL_MILLISECONDS, GOAL_CALLS = 25, 2
DUE = 10_000 / timedelta(minutes=15).total_seconds()
"""A second: ten thousand shops, each every fifteen minutes."""
_DEADLINE = 300.0

_SHOP = text(
    """
    INSERT INTO shops
      (id, key, token, state, api_url, facts, facts_at, subscribed_at, reconciled_at, state_since, installed_at)
    SELECT gen_random_uuid(), 'polled-' || n, 'polled-' || n, 'active', 'https://polled.invalid/api/v2',
      CAST(:facts AS jsonb), :now, :now, :now, :now, CAST(:now AS timestamptz) - interval '1 year'
    FROM generate_series(1, CAST(:shops AS int)) AS n RETURNING id
    """
)
_CONNECTION = text(
    """
    INSERT INTO connections
      (shop_id, system, state, account, facts, connected_at, polled_at, tokens, tokens_renew_at)
    VALUES (:shop, 'uphance', 'connected', '7', '{}', :now, :now, :tokens, :renew_at)
    """
)


@dataclass(frozen=True, slots=True)
class Round:
    """All shops asked once: seconds by the clock, processor seconds of all workers and of Postgres, calls of each
    kind, and how many shops were asked twice."""

    seconds: float
    workers: float
    postgres: float
    calls: Counter[str]
    twice: int


async def polls(testbed: Testbed, *, shops: int) -> tuple[list[Row], dict[str, Any]]:
    """A round to learn the catalogues, then a round without news for each number of workers."""
    port = free_port()
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "bench.organisations", str(port), cwd=TOP)
    try:
        made = await _shops(testbed, shops)
        rounds: dict[int, Round] = {}
        for workers in WORKERS:
            async with _working(testbed, workers, f"http://127.0.0.1:{port}") as running:
                if not rounds:
                    await _round(testbed, made, running, port)
                rounds[workers] = await _round(testbed, made, running, port)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()
    async with testbed.engine.begin() as tx:
        await tx.execute(text("DELETE FROM shops WHERE id = ANY(:ids)"), {"ids": made})
    return _rows(rounds, shops), {
        str(workers): {
            "seconds": round(one.seconds, 2),
            "worker_processor_seconds": round(one.workers, 2),
            "postgres_processor_seconds": round(one.postgres, 2),
            "calls": dict(one.calls),
            "twice": one.twice,
        }
        for workers, one in rounds.items()
    }


def _rows(rounds: dict[int, Round], shops: int) -> list[Row]:
    alone = rounds[WORKERS[0]]
    cost = 1000 * (alone.workers + alone.postgres) / shops
    calls = sum(alone.calls.values()) / shops
    twice = sum(one.twice for one in rounds.values())
    rates = {workers: shops / one.seconds for workers, one in rounds.items()}
    return [
        Row(
            "a poll without news, worker and Postgres, ms of a processor",
            f"{cost:.0f}",
            f"at most {GOAL_MILLISECONDS}",
            cost <= GOAL_MILLISECONDS,
        ),
        Row("calls of a poll without news", f"{calls:.1f}", f"at most {GOAL_CALLS}", calls <= GOAL_CALLS),
        *(
            Row(
                f"polls a second, {workers} {'worker' if workers == 1 else 'workers'}",
                f"{rate:.1f}",
                f"at least {DUE:.0f}" if workers == 1 else "",
                rate >= DUE if workers == 1 else None,
            )
            for workers, rate in rates.items()
        ),
        Row("shops that were asked twice", f"{twice}", "none", not twice),
    ]


@asynccontextmanager
async def _working(testbed: Testbed, count: int, uphance: str) -> AsyncIterator[Sequence[psutil.Process]]:
    """So many workers, alone with the stand-in."""
    processes = testbed.processes
    if "worker" in processes.processes:
        await asyncio.to_thread(processes.end, "worker")
    before = processes.environment["UPBRIDGE_UPHANCE_URL"]
    processes.environment["UPBRIDGE_UPHANCE_URL"] = uphance
    names = [f"polls-{number}" for number in range(count)]
    try:
        for name in names:
            processes.start(name, "worker", "--port", str(processes.web_port))
        await asyncio.sleep(3)
        yield [psutil.Process(processes.processes[name].pid) for name in names]
    finally:
        processes.environment["UPBRIDGE_UPHANCE_URL"] = before
        await asyncio.to_thread(processes.end, *names)


async def _shops(testbed: Testbed, shops: int) -> list[ShopId]:
    """Shops that are connected to Uphance only, each with a token of its own."""
    cipher, now = Cipher(load_settings().keys()), datetime.now(UTC)
    renew_at = now + timedelta(days=1)
    async with testbed.engine.begin() as tx:
        found = await tx.scalars(_SHOP, {"shops": shops, "facts": json.dumps(FACTS), "now": now})
        made = [ShopId(one) for one in found]
        for shop in made:
            tokens = {"access_token": str(shop), "refresh_token": None, "renew_at": renew_at.isoformat()}
            await tx.execute(
                _CONNECTION,
                {"shop": shop, "now": now, "tokens": cipher.encrypt(json.dumps(tokens)), "renew_at": renew_at},
            )
    return made


async def _round(testbed: Testbed, shops: Sequence[ShopId], workers: Sequence[psutil.Process], port: int) -> Round:
    async with httpx.AsyncClient(trust_env=False, timeout=60, base_url=f"http://127.0.0.1:{port}") as client:
        (await client.delete("/calls")).raise_for_status()
        clocks, before, started = Clocks(testbed.postgres()), sum(map(used, workers)), time.perf_counter()
        async with testbed.engine.begin() as tx:
            for shop in shops:
                await mark_changed(
                    tx, shop, "uphance", Kind.CATALOGUE, ["catalogue"], origin=Origin.SCHEDULE, now=utc_now()
                )
        while await testbed.value("SELECT count(*) FROM changes WHERE shop_id = ANY(:shops)", shops=list(shops)):
            if time.perf_counter() - started > _DEADLINE:
                raise Failed("not all shops were polled")
            testbed.processes.check()
            clocks.look()
            await asyncio.sleep(0.1)
        seconds = time.perf_counter() - started
        made = sum(map(used, workers)) - before
        said = (await client.get("/calls")).json()
    calls, asked = Counter[str](), Counter[str]()
    for line, times in said.items():
        token, method, path = line.split(" ")
        calls[f"{method} {path}"] += times
        asked[token] += times if path == "/products" else 0
    return Round(seconds, made, clocks.used(), calls, sum(times > 1 for times in asked.values()))
