"""How soon a single change reaches its target after a quiet time."""

import asyncio
import time
from typing import Any

import httpx

from bench.report import Row
from bench.testbed import SHOP, Testbed
from upbridge_sandbox.demo.processes import Failed

GOAL = 2.0
"""Seconds, for 95 of a hundred."""
_QUIET, _DEADLINE = 2.0, 30.0


async def changes(testbed: Testbed, *, times: int) -> tuple[list[Row], dict[str, Any]]:
    """Rename a product in the simulated shop, *times* after one another, each after two seconds without any news:
    from the edit until Upp.ai has the new title and that is written down."""
    taken = []
    address = f"{testbed.processes.addresses['admin']}/control/shops/{SHOP}/products"
    async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
        for number, product in enumerate(await _sent(testbed, times)):
            await testbed.quiet()
            await asyncio.sleep(_QUIET)
            before, started = await _delivered(testbed, product), time.perf_counter()
            (await client.put(f"{address}/{product}", json={"title": f"Nový název {number}"})).raise_for_status()
            while await _delivered(testbed, product) == before:
                if time.perf_counter() - started > _DEADLINE:
                    raise Failed(f"product {product} was changed and did not arrive")
                await asyncio.sleep(0.02)
            taken.append(time.perf_counter() - started)
    ordered = sorted(taken)
    middle, late = ordered[len(ordered) // 2], ordered[min(int(len(ordered) * 0.95), len(ordered) - 1)]
    return [
        Row("a single change after a quiet time, median", f"{middle:.2f} s"),
        Row("a single change after a quiet time, p95", f"{late:.2f} s", f"at most {GOAL:.0f} s", late <= GOAL),
    ], {"seconds": [round(one, 3) for one in taken]}


async def _sent(testbed: Testbed, count: int) -> list[int]:
    """The first *count* products that are at the target: one without a price, for instance, never is."""
    found: list[int] = []
    for product in testbed.products:
        if len(found) < count and await _delivered(testbed, product) is not None:
            found.append(product)
    return found


async def _delivered(testbed: Testbed, product: int) -> Any:
    """When something of *product* was delivered last."""
    return await testbed.value(
        "SELECT max(updated_at) FROM links WHERE shop_id = :shop AND parent = :product AND kind = 'product'",
        product=str(product),
    )
