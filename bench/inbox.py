"""Webhooks: how many are acknowledged, how late, and what disturbs them."""

import asyncio
import json
import random
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import func, select, table, text

from bench.load import MakeCall, Taken, as_fast_as_possible, at_a_rate
from bench.report import Row
from bench.testbed import Testbed

EVENT = "Orders.update"
RATE = 500
CALLERS = 16
ROUNDS = 5
#: So many shops at once are to be served as well as one.
SHOPS = 20
RATIO_GOAL, MANY_GOAL = 0.75, 0.95
P99_GOAL, P999_GOAL = 25, 250
"""Milliseconds."""


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
    """Acknowledgements per second, the bare receiver's, ours of one shop and of many by turns; the ratios of the
    medians."""
    bodies = [order_body(f"B{number:05}") for number in range(5000)]
    others = [await testbed.another_shop() for _ in range(SHOPS)]
    port = testbed.processes.web_port
    servers = {
        "bare": (testbed.bare_port, ["/hook"]),
        "ours": (port, [testbed.path(EVENT)]),
        "many": (port, [testbed.path(EVENT, shop) for shop in others]),
    }
    rounds: dict[str, list[Taken]] = {name: [] for name in servers}
    for length in (1.0, *[seconds] * ROUNDS):
        for name, (port, paths) in servers.items():
            call = _ever(paths, bodies)
            taken = await as_fast_as_possible(port, call, callers=CALLERS, seconds=length)
            rounds[name].append(taken)
    for taken_all in rounds.values():
        del taken_all[0]  # to warm up
    speed = {name: statistics.median(one.per_second for one in taken) for name, taken in rounds.items()}
    ratio, many = speed["ours"] / speed["bare"], speed["many"] / speed["ours"]
    await testbed.run("DELETE FROM changes")
    async with testbed.engine.begin() as tx:
        await tx.execute(text("DELETE FROM shops WHERE id = ANY(:ids)"), {"ids": others})
    return [
        Row("webhooks acknowledged a second, bare insert", f"{speed['bare']:,.0f}"),
        Row("webhooks acknowledged a second, ours", f"{speed['ours']:,.0f}"),
        Row("acknowledged against the bare insert", f"{ratio:.2f}", f"at least {RATIO_GOAL}", ratio >= RATIO_GOAL),
        Row(f"{SHOPS} shops at once against one", f"{many:.2f}", f"at least {MANY_GOAL}", many >= MANY_GOAL),
    ], {name: [one.as_json() for one in taken] for name, taken in rounds.items()}


async def while_busy(testbed: Testbed, *, seconds: float) -> tuple[list[Row], dict[str, Any]]:
    """500 a second that name real orders and products, so that the worker reads and sends all the time."""
    taken = await _at_rate(testbed, seconds)
    return [
        *_quantiles(taken, f"at {RATE} a second, worker busy"),
        _refused(taken, "refused meanwhile"),
    ], taken.as_json()


async def while_disturbed(testbed: Testbed, *, seconds: float) -> tuple[list[Row], dict[str, Any]]:
    """The same while Postgres does something else."""
    rows, raw = [], {}
    for name, disturb in _DISTURBANCES.items():
        taken, ended = await asyncio.gather(_at_rate(testbed, seconds), _after(1.0, disturb, testbed))
        rows += _quantiles(taken, f"during {name}")
        rows.append(_refused(taken, f"refused during {name}"))
        raw[name] = {**taken.as_json(), "disturbed_seconds": round(ended, 3)}
    return rows, raw


async def large_bodies(testbed: Testbed) -> tuple[list[Row], dict[str, Any]]:
    """5,000 records in one body, again and again: all new, then all known."""
    body = product_body(list(range(10_000_000, 10_005_000)))
    call = _ever([testbed.path("Products.update")], [body])
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


def _ever(paths: list[str], bodies: list[bytes]) -> MakeCall:
    """One address after the other, and one body after the other."""
    return lambda number: (paths[number % len(paths)], bodies[number % len(bodies)])


def _quantiles(taken: Taken, when: str) -> list[Row]:
    """The two latencies that have a goal."""
    goals = ((0.99, "p99", P99_GOAL), (0.999, "p99.9", P999_GOAL))
    found = [(name, taken.quantile(share), goal) for share, name, goal in goals]
    return [
        Row(f"{name} {when}", f"{value:.1f} ms", f"under {goal} ms", value < goal) for name, value, goal in found
    ]


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
