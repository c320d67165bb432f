"""What a partner's broken server costs the shops that do not use it."""

import asyncio
import time

from tests.attack.scale import Scale
from tests.attack.testbed import CONCURRENCY, VICTIM, Testbed
from tests.attack.verdicts import Verdict
from upbridge_sandbox.demo.processes import Failed

TRICKLING = "five shops' Uphance trickles"
_SHOPS = [f"uphance{number}" for number in range(CONCURRENCY + 1)]
_ORDERS = 3
#: So many seconds may an order of a shop without Uphance take to Upp.ai, or three times what one took before.
_SECONDS, _TIMES = 10.0, 3.0
_LOST_AFTER = 90.0


async def while_uphance_trickles(here: Testbed, _scale: Scale, _seed: int) -> Verdict:
    """Orders of the genuine shop on their way to Upp.ai, while every slot for Uphance waits for an answer."""
    for name in _SHOPS:
        if name not in here.shops:
            await here.open_shop(name)
    await asyncio.gather(*(here.connect(name, "uphance") for name in _SHOPS))
    await here.quiet(*_SHOPS)
    healthy = await _order(here)
    await here.control("PUT", "/faults/uphance", {"trickle": 2.0})
    try:
        before = await _uphance_calls(here)
        for name in _SHOPS:
            await here.control("POST", f"/shops/{name}/orders")
        began = time.monotonic()
        while await _uphance_calls(here) < before + CONCURRENCY:
            if time.monotonic() > began + _LOST_AFTER:
                raise Failed("the worker does not call Uphance")
            await asyncio.sleep(0.1)
        taken = [await _order(here) for _ in range(_ORDERS)]
    finally:
        await here.control("DELETE", "/faults")
    limit = max(_SECONDS, _TIMES * healthy)
    cells = {"healthy_seconds": round(healthy, 1), "order_seconds": [round(one, 1) for one in taken]}
    lost = [one for one in taken if one >= _LOST_AFTER]
    return Verdict(
        TRICKLING,
        cells,
        [f"{len(lost)} orders of a shop without Uphance did not arrive"] if lost else [],
        [f"an order took {max(taken):.1f} s"] if max(taken) > limit else [],
    )


async def _order(here: Testbed) -> float:
    """Seconds from a new order of the genuine shop to Upp.ai; at most `_LOST_AFTER`."""
    number = (await here.control("POST", f"/shops/{VICTIM}/orders"))["order_number"]
    began = time.monotonic()
    while (spent := time.monotonic() - began) < _LOST_AFTER:
        if number in (await here.control("GET", f"/upp/upp-{VICTIM}/orders"))["items"]:
            return spent
        await asyncio.sleep(0.1)
    return _LOST_AFTER


async def _uphance_calls(here: Testbed) -> int:
    calls = await here.control("GET", "/calls")
    return sum(
        sum(statuses.values()) for statuses in calls.get("uphance", {"operations": {}})["operations"].values()
    )
