"""How many calls a second the budget lets through: each is spent, leased, answered and settled in Postgres."""

import asyncio
import time
from typing import Any
from uuid import uuid4

from sqlalchemy import text

from bench.report import Row
from bench.testbed import Testbed
from upbridge.core.clock import utc_now
from upbridge.core.errors import Throttled
from upbridge.domain.purpose import Purpose
from upbridge.domain.shop_id import ShopId
from upbridge.rate_limits.ledger import Ledger
from upbridge.rate_limits.record_response import Response

SHOPS, GOAL = 12, 400
#: Three calls of a shop may be in flight (R49); the third slot is for urgent ones.
CALLERS_PER_SHOP = 3


async def spends(testbed: Testbed, *, seconds: float) -> tuple[list[Row], dict[str, Any]]:
    """Spends a second of one shop, and of a dozen at once."""
    shops = [await _shop(testbed) for _ in range(SHOPS)]
    ledger = Ledger(testbed.engine, utc_now)
    for shop in shops:  # first calls go one at a time; here they are over
        async with ledger.call(shop, access="GET /status", purpose=Purpose.LIFECYCLE) as permit:
            await permit.answered(Response({}, accepted=True))
    one = await _rate(ledger, shops[:1], seconds)
    many = await _rate(ledger, shops, seconds)
    async with testbed.engine.begin() as tx:
        await tx.execute(text("DELETE FROM shops WHERE id = ANY(:ids)"), {"ids": shops})
    return [
        Row("budget spends a second, one shop", f"{one:,.0f}", f"at least {GOAL}", one >= GOAL),
        Row(f"budget spends a second, {SHOPS} shops", f"{many:,.0f}"),
    ], {"one": round(one, 1), "many": round(many, 1)}


async def _rate(ledger: Ledger, shops: list[ShopId], seconds: float) -> float:
    made = 0
    end = time.perf_counter() + seconds

    async def work(shop: ShopId) -> None:
        nonlocal made
        while time.perf_counter() < end:
            try:
                async with ledger.call(shop, access="GET /orders", purpose=Purpose.ORDERS) as permit:
                    await permit.answered(Response({}, accepted=True))
            except Throttled:
                return  # the day's cap of this shop is spent
            made += 1

    await asyncio.gather(*(work(shop) for shop in shops for _ in range(CALLERS_PER_SHOP)))
    return made / seconds


async def _shop(testbed: Testbed) -> ShopId:
    number = uuid4()
    async with testbed.engine.begin() as tx:
        await tx.execute(
            text(
                "INSERT INTO shops (id, key, token, state, api_url)"
                " VALUES (:id, :name, :name, 'suspended', 'https://bench.invalid/api/v2')"
            ),
            {"id": number, "name": f"bench-{number.hex}"},
        )
    return ShopId(number)
