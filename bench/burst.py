"""One shop's burst of changes beside a fleet: how late the orders of another shop are.

Most of what is announced are numbers that the shop does not have: reading says so, a hundred at a call.
"""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import httpx
from sqlalchemy import text

from bench.orders import Order, connected_shop, seconds_late
from bench.report import Row
from bench.testbed import Testbed
from upbridge.core.clock import utc_now
from upbridge.domain.shop_id import ShopId
from upbridge.store.changes import Kind, Origin, mark_changed

GOAL = 5.0
"""Seconds, for 95 of a hundred."""
_TOGETHER = 5_000
"""As many records as Upgates puts into one webhook."""
_EVERY = 0.5
_NO_PRODUCT = 900_000_000


async def burst(testbed: Testbed, *, changes: int, orders: int) -> tuple[list[Row], dict[str, Any]]:
    """*changes* of one shop at once; meanwhile *orders* of another one, two a second, until they are at Upp.ai."""
    address = f"{testbed.processes.addresses['admin']}/control"
    async with httpx.AsyncClient(trust_env=False, timeout=60, base_url=address) as client:
        busy = await connected_shop(testbed, client, "busy", targets=("upp",))
        other = await connected_shop(testbed, client, "other", targets=("upp",))
        await testbed.quiet(busy, other)
        shop_id = ShopId(await testbed.value("SELECT id FROM shops WHERE token = :token", token=busy))
        await _announce(testbed, shop_id, [str(_NO_PRODUCT + number) for number in range(changes)])
        placed: dict[Order, datetime] = {}
        for _ in range(orders):
            answer = await client.post("/shops/other/orders", json={})
            placed[other, answer.raise_for_status().json()["order_number"]] = datetime.now(UTC)
            await asyncio.sleep(_EVERY)
        late = sorted((await seconds_late(testbed, placed, [other], ("upp",)))["upp"])
    left = await testbed.value("SELECT count(*) FROM changes WHERE shop_id = :id", id=shop_id)
    most = late[min(int(len(late) * 0.95), len(late) - 1)]
    async with testbed.engine.begin() as tx:
        await tx.execute(text("DELETE FROM shops WHERE id = :id"), {"id": shop_id})
    return [
        Row(
            f"an order of another shop beside a burst of {changes:,} changes, p95",
            f"{most:.2f} s",
            f"at most {GOAL:.0f} s",
            most <= GOAL,
        ),
        Row("changes of the burst that waited when the last of these orders had arrived", f"{left:,}"),
    ], {"late": [round(one, 3) for one in late], "left": left}


async def _announce(testbed: Testbed, shop_id: ShopId, keys: Sequence[str]) -> None:
    for start in range(0, len(keys), _TOGETHER):
        async with testbed.engine.begin() as tx:
            some = keys[start : start + _TOGETHER]
            await mark_changed(tx, shop_id, "upgates", Kind.PRODUCT, some, origin=Origin.WEBHOOK, now=utc_now())
