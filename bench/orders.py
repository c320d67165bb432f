"""How soon orders of many shops are at both targets.

20 shops in the simulated Upgates ──► 50 orders a second ──► webhooks ──► worker ──► Upp.ai and Uphance
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import httpx
import psutil
from sqlalchemy import text

from bench.report import Row
from bench.testbed import Clocks, Testbed, used
from upbridge.bootstrap import running_container
from upbridge.settings import load_settings
from upbridge_sandbox.demo.processes import Failed

SHOPS, A_SECOND, PRODUCTS = 20, 50.0, 30
AFTER_GATHERING = 2.0
"""Seconds, for 95 of a hundred, on top of the time in which the changes of a burst are gathered."""
_DEADLINE = 180.0
_TARGETS = ("upp", "uphance")
Order = tuple[str, str]
"""Token of the shop, number."""
_DELIVERED = text(
    """
    SELECT token, target, links.key, links.updated_at FROM links JOIN shops ON shops.id = shop_id
    WHERE token = ANY (:tokens) AND kind = 'order' AND links.state = 'delivered'
    """
)


async def orders(testbed: Testbed, *, seconds: float) -> tuple[list[Row], dict[str, Any]]:
    """Place orders in all shops by turns; from the moment the shop has one until each target's answer is written
    down."""
    processes = testbed.processes
    address = f"{processes.addresses['admin']}/control"
    async with httpx.AsyncClient(trust_env=False, timeout=60, base_url=address) as client:
        tokens = [await connected_shop(testbed, client, f"orders_{number}") for number in range(SHOPS)]
        await testbed.quiet(*tokens)
        clocks, before = Clocks(testbed.postgres()), _used(testbed)
        placed = await _place(client, tokens, seconds)
        late = await seconds_late(testbed, placed, tokens, _TARGETS)
        spent = {name: 1000 * (now - before[name]) / len(placed) for name, now in _used(testbed).items()}
        spent["Postgres"] = 1000 * clocks.used() / len(placed)
    gathering = float(processes.environment["UPBRIDGE_COALESCE_SECONDS"])
    goal = gathering + AFTER_GATHERING
    rows = []
    for target in _TARGETS:
        ordered = sorted(late[target])
        middle, most = ordered[len(ordered) // 2], ordered[min(int(len(ordered) * 0.95), len(ordered) - 1)]
        rows += [
            Row(f"an order to {target}, {A_SECOND:.0f} a second over {SHOPS} shops, median", f"{middle:.2f} s"),
            Row(f"an order to {target}, p95", f"{most:.2f} s", f"at most {goal:.0f} s", most <= goal),
        ]
    spent_by = ", ".join(f"{milliseconds:.0f} ({name})" for name, milliseconds in spent.items())
    rows.append(Row("milliseconds of a processor for an order", spent_by))
    return rows, {target: [round(one, 3) for one in late[target]] for target in _TARGETS} | {
        "milliseconds_an_order": {name: round(one, 2) for name, one in spent.items()}
    }


def _used(testbed: Testbed) -> dict[str, float]:
    """Processor seconds of each process so far."""
    return {name: used(psutil.Process(one.pid)) for name, one in testbed.processes.processes.items()}


async def connected_shop(
    testbed: Testbed, client: httpx.AsyncClient, name: str, targets: Sequence[str] = _TARGETS
) -> str:
    """The token of a new shop that is connected to *targets*."""
    plan = {"name": name, "products": PRODUCTS, "orders": 0}
    shop = (await client.post("/shops", json=plan)).raise_for_status().json()
    activated = (await client.post(f"/shops/{name}/activate", json={})).raise_for_status().json()
    if not activated["activated"]:
        raise Failed(f"the activation of {name} failed: {activated}")
    token, upp, uphance = shop["token"], shop["credentials"]["upp"], shop["credentials"]["uphance"]
    typed = {
        "upp": {"client_id": upp["client_id"], "client_secret": upp["secret"]},
        "uphance": {**uphance, "organisation": str(uphance["organisation"])},
    }
    # In this process: twenty shops are forty connections, and a command of the program takes longer than one.
    async with running_container(load_settings(), port=testbed.processes.web_port) as (container, _database):
        for target in targets:
            connected = await container.shops.find(token)
            await container.connection_editor.connect(connected, target, typed[target])
    return str(token)


async def _place(client: httpx.AsyncClient, tokens: Sequence[str], seconds: float) -> dict[Order, datetime]:
    """The orders, and when each was there."""
    placed: dict[Order, datetime] = {}

    async def place(number: int, begin: float) -> None:
        await asyncio.sleep(begin + number / A_SECOND - time.perf_counter())
        answer = await client.post(f"/shops/orders_{number % SHOPS}/orders", json={})
        placed[tokens[number % SHOPS], answer.raise_for_status().json()["order_number"]] = datetime.now(UTC)

    begin = time.perf_counter()
    async with asyncio.TaskGroup() as tasks:
        for number in range(int(seconds * A_SECOND)):
            tasks.create_task(place(number, begin))
    return placed


async def seconds_late(
    testbed: Testbed, placed: Mapping[Order, datetime], tokens: Sequence[str], targets: Sequence[str]
) -> dict[str, list[float]]:
    """Seconds from the shop to each target. Raises `Failed` for an order that does not arrive."""
    deadline = time.monotonic() + _DEADLINE
    while True:
        async with testbed.engine.connect() as tx:
            rows = (await tx.execute(_DELIVERED, {"tokens": [*tokens]})).all()
        late: dict[str, list[float]] = {
            target: [
                (row.updated_at - placed[row.token, row.key]).total_seconds()
                for row in rows
                if row.target == target and (row.token, row.key) in placed
            ]
            for target in targets
        }
        missing = {target: len(placed) - len(found) for target, found in late.items()}
        if not any(missing.values()):
            return late
        if time.monotonic() > deadline:
            raise Failed(f"orders that did not arrive: {missing}; {await _left(testbed)}")
        testbed.processes.check()
        await asyncio.sleep(0.5)


async def _left(testbed: Testbed) -> str:
    """Why orders are missing: what still waits, and how many webhooks came too late to be repeated."""
    counts = {
        "changes": "SELECT count(*) FROM changes",
        "documents": "SELECT count(*) FROM documents WHERE state = 'waiting'",
        "lanes that wait": "SELECT count(*) FROM lanes WHERE until > now()",
        "problems": "SELECT count(*) FROM problems WHERE dismissed_at IS NULL",
    }
    found = {name: await testbed.value(query) for name, query in counts.items()}
    address = f"{testbed.processes.addresses['admin']}/control"
    async with httpx.AsyncClient(trust_env=False, timeout=60, base_url=address) as client:
        for number in range(SHOPS):
            said = (await client.get(f"/shops/orders_{number}/timings")).raise_for_status().json()
            for outcome, count in said["outcomes"].items():
                found[f"webhooks {outcome}"] = found.get(f"webhooks {outcome}", 0) + count
    return ", ".join(f"{name}: {count}" for name, count in found.items())
