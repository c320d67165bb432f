"""Calls through a ledger, and a look into its tables."""

from typing import Any

from sqlalchemy import text

from upbridge.domain.purpose import Purpose
from upbridge.domain.shop_id import ShopId
from upbridge.rate_limits.ledger import Ledger

ACCESS = "GET /orders"


OK: dict[str, str] = {}


async def one_call(
    ledger: Ledger, shop_id: ShopId, purpose: Purpose = Purpose.ORDERS, status: int = 200, headers: Any = None
) -> None:
    async with ledger.call(shop_id, access=ACCESS, purpose=purpose) as permit:
        await permit.answered(status, OK if headers is None else headers)


async def sql(ledger: Ledger, statement: str, **values: Any) -> Any:
    async with ledger._engine.begin() as tx:
        result = await tx.execute(text(statement), values)
        return result.scalar() if result.returns_rows else None
