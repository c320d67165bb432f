"""How many calls changes cost, against the least that the API allows: pages and batches of a hundred."""

import time
from typing import Any

from bench.inbox import order_body, product_body
from bench.load import Caller
from bench.report import Row
from bench.testbed import Testbed
from upbridge_sandbox.demo.processes import Failed

PAGE = 100
ROUNDS = 3
GOAL = 1.1


async def first_import(testbed: Testbed) -> tuple[list[Row], dict[str, Any]]:
    """Connect Upp.ai: every product and order is read page by page."""
    before, started = await testbed.calls(), time.perf_counter()
    await testbed.connect()
    made, seconds = await testbed.calls() - before, time.perf_counter() - started
    least = _pages(len(testbed.products)) + _pages(len(testbed.orders))
    things = len(testbed.products) + len(testbed.orders)
    return [
        Row(f"first import of {things:,}, calls against {least}", f"{made / least:.2f}"),
        Row("things imported a second", f"{things / seconds:,.0f}"),
    ], {"calls": made, "least": least, "things": things, "seconds": round(seconds, 1)}


async def thousand_changes(testbed: Testbed) -> tuple[list[Row], dict[str, Any]]:
    """A bulk edit after a quiet time: a thousand products and orders at once, each announced three times."""
    products, orders = testbed.products[:700], testbed.orders[:300]
    least = _pages(len(products)) + _pages(len(orders))
    things = len(products) + len(orders)
    bodies = [
        (testbed.path("Products.update"), product_body(products)),
        (testbed.path("Orders.update"), order_body(*orders)),
    ]
    made = []
    for _ in range(ROUNDS):
        await testbed.nothing_gathers()
        before = await testbed.calls()
        caller = Caller(testbed.processes.web_port)
        for path, body in bodies * 3:
            status = await caller.post(path, body)
            if status != 204:  # noqa: PLR2004
                raise Failed(f"a webhook was answered {status}")
        caller.close()
        await testbed.quiet()
        made.append(await testbed.calls() - before)
    per_thousand, bound = sum(made) / ROUNDS / things * 1000, least / things * 1000
    ratio = per_thousand / bound
    return [
        Row("calls for 1,000 changes", f"{per_thousand:.1f}"),
        Row(f"against the bound of {bound:.1f}", f"{ratio:.2f}", f"at most {GOAL}", ratio <= GOAL),
    ], {"calls": made, "least": least, "things": things}


def _pages(count: int) -> int:
    return -(-count // PAGE)
