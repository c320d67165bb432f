"""Webhooks: how many are acknowledged, how late, and what disturbs them."""

import asyncio
import json
import random
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import func, select, table

from bench.load import MakeCall, Taken, as_fast_as_possible, at_a_rate
from bench.report import Row
from bench.testbed import Testbed

EVENT = "Orders.update"
RATE = 500
CALLERS = 16
ROUNDS = 5


def order_body(*numbers: str) -> bytes:
    """A delivery as Upgates sends it: orders with some of their fields."""
    orders = [
        {
            "order_number": number,
            "order_id": 1001,
            "external_order_number": None,
            "status": "Přijatá",
            "status_id": 1,
            "language_id": "cs",
            "creation_time": "2026-11-24T11:00:00+01:00",
            "last_update_time": "2026-11-24T11:05:00+01:00",
            "admin_url": f"https://shop.admin.s1.upgates.com/manager/orders/main/default/edit/{number}/",
        }
        for number in numbers
    ]
    return json.dumps({"orders": orders}, ensure_ascii=False).encode()


def product_body(numbers: list[int]) -> bytes:
    """A delivery that names products."""
    return json.dumps({"products": [{"product_id": number, "code": f"C{number}"} for number in numbers]}).encode()


async def against_bare(testbed: Testbed, *, seconds: float) -> tuple[list[Row], dict[str, Any]]:
    """Acknowledgements per second, ours and the bare receiver's by turns; the ratio of the medians."""
    bodies = [order_body(f"B{number:05}") for number in range(5000)]
    doors = {
        "bare": (testbed.bare_port, "/hook"),
        "ours": (testbed.processes.web_port, testbed.path(EVENT)),
    }
    rounds: dict[str, list[Taken]] = {name: [] for name in doors}
    for length in (1.0, *[seconds] * ROUNDS):
        for name, (port, path) in doors.items():
            call = _ever(path, bodies)
            taken = await as_fast_as_possible(port, call, callers=CALLERS, seconds=length)
            rounds[name].append(taken)
    for taken_all in rounds.values():
        del taken_all[0]  # to warm up
    speed = {name: statistics.median(one.per_second for one in taken) for name, taken in rounds.items()}
    ratio = speed["ours"] / speed["bare"]
    await testbed.run("DELETE FROM changes")
    return [
        Row("webhooks acknowledged a second, bare insert", f"{speed['bare']:,.0f}"),
        Row("webhooks acknowledged a second, ours", f"{speed['ours']:,.0f}"),
        Row("the ratio of both", f"{ratio:.2f}", "at least 0.60", ratio >= 0.6),  # noqa: PLR2004
    ], {name: [one.as_json() for one in taken] for name, taken in rounds.items()}


async def while_busy(testbed: Testbed, *, seconds: float) -> tuple[list[Row], dict[str, Any]]:
    """500 a second that name real orders and products, so that the worker reads and sends all the time."""
    taken = await _at_rate(testbed, seconds)
    return [
        Row(
            f"p99 at {RATE} a second, worker busy",
            f"{taken.quantile(0.99):.1f} ms",
            "under 50 ms",
            taken.quantile(0.99) < 50,  # noqa: PLR2004
        ),
        _refused(taken, "refused meanwhile"),
    ], taken.as_json()


async def while_disturbed(testbed: Testbed, *, seconds: float) -> tuple[list[Row], dict[str, Any]]:
    """The same while Postgres does something else."""
    rows, raw = [], {}
    for name, disturb in _DISTURBANCES.items():
        taken, ended = await asyncio.gather(_at_rate(testbed, seconds), _after(1.0, disturb, testbed))
        slowest = max(taken.latencies) * 1000
        rows.append(Row(f"slowest during {name}", f"{slowest:.0f} ms", "under 700 ms", slowest < 700))  # noqa: PLR2004
        rows.append(_refused(taken, f"refused during {name}"))
        raw[name] = {**taken.as_json(), "disturbed_seconds": round(ended, 3)}
    return rows, raw


async def large_bodies(testbed: Testbed) -> tuple[list[Row], dict[str, Any]]:
    """5,000 records in one body, again and again: all new, then all known."""
    body = product_body(list(range(10_000_000, 10_005_000)))
    call = _ever(testbed.path("Products.update"), [body])
    raw = {
        name: (await at_a_rate(testbed.processes.web_port, call, rate=1, seconds=seconds)).as_json()
        for name, seconds in (("new", 1), ("known", 5))
    }
    await testbed.run("DELETE FROM changes WHERE length(key) = 8")
    slowest = max(one["max_ms"] for one in raw.values())
    refused = sum(count for one in raw.values() for status, count in one["statuses"].items() if status != "204")
    return [
        Row("slowest body of 5,000 records", f"{slowest:.0f} ms", "under 1,000 ms", slowest < 1000 and not refused)  # noqa: PLR2004
    ], raw


async def _at_rate(testbed: Testbed, seconds: float) -> Taken:
    calls = [
        *((testbed.path(EVENT), order_body(number)) for number in testbed.orders),
        *((testbed.path("Products.update"), product_body([number])) for number in testbed.products),
    ]
    random.Random(1).shuffle(calls)  # noqa: S311
    call: MakeCall = lambda number: calls[number % len(calls)]  # noqa: E731
    return await at_a_rate(testbed.processes.web_port, call, rate=RATE, seconds=seconds)


def _ever(path: str, bodies: list[bytes]) -> MakeCall:
    """One address, and one body after the other."""
    return lambda number: (path, bodies[number % len(bodies)])


def _refused(taken: Taken, name: str) -> Row:
    """A delivery that was not stored gets an error and comes again: no loss, but worth seeing."""
    number = sum(count for status, count in taken.statuses.items() if status != 204)  # noqa: PLR2004
    return Row(name, f"{number} of {sum(taken.statuses.values()):,}")


# --- what else Postgres has to do ---------------------------------------------------------------------------

Disturb = Callable[[Testbed], Awaitable[None]]


async def _after(pause: float, disturb: Disturb, testbed: Testbed) -> float:
    await asyncio.sleep(pause)
    started = time.perf_counter()
    await disturb(testbed)
    return time.perf_counter() - started


async def _checkpoint(testbed: Testbed) -> None:
    await testbed.run("CHECKPOINT")


async def _vacuum(testbed: Testbed) -> None:
    for name in ("deliveries", "changes", "documents", "variants"):
        await testbed.run(f"VACUUM (ANALYZE, FREEZE) {name}")


async def _long_transaction(testbed: Testbed) -> None:
    """A snapshot that is held, and a row lock on other rows: what a backup or a forgotten session does."""
    async with _snapshot(testbed):
        await asyncio.sleep(4.0)


@asynccontextmanager
async def _snapshot(testbed: Testbed) -> AsyncIterator[None]:
    async with testbed.engine.connect() as plain:
        tx = await plain.execution_options(isolation_level="REPEATABLE READ")
        for name in ("deliveries", "changes", "shops"):
            await tx.execute(select(func.count()).select_from(table(name)))
        yield
        await tx.rollback()


_DISTURBANCES: dict[str, Disturb] = {
    "a checkpoint": _checkpoint,
    "a vacuum": _vacuum,
    "a long transaction": _long_transaction,
}
