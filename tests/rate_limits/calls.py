"""Calls through a ledger, and a look into its tables."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.support.clock import NOON, MovableClock
from upbridge.domain.purpose import Purpose
from upbridge.domain.shop_id import ShopId
from upbridge.rate_limits.ledger import Ledger, Sleep
from upbridge.rate_limits.record_response import Response
from upbridge.systems.http.classify import Action, classify

ACCESS = "GET /orders"


def response(status: int, headers: Mapping[str, str] | None = None, *, now: datetime = NOON) -> Response:
    """An answer of Upgates with this *status*, in the ledger's words."""
    headers = headers or {}
    outcome = classify(status, headers, now=now)
    return Response(
        headers,
        accepted=outcome.action is Action.ACCEPT,
        login_refused=outcome.action in (Action.CREDENTIALS, Action.RIGHT),
        throttled=outcome.action is Action.WAIT,
        retry_at=outcome.until,
    )


class OpenLedger(Ledger):
    """A ledger with its clock and its database at hand."""

    def __init__(self, engine: AsyncEngine, clock: MovableClock, *, sleep: Sleep) -> None:
        super().__init__(engine, clock, sleep=sleep)
        self.engine = engine
        self.clock = clock

    async def enter_and_die(self, shop_id: ShopId) -> None:
        """Enter a call and never leave it, as `kill -9` does."""
        await self._enter(shop_id, uuid4(), ACCESS, Purpose.ORDERS)


async def one_call(
    ledger: OpenLedger, shop_id: ShopId, purpose: Purpose = Purpose.ORDERS, status: int = 200, headers: Any = None
) -> None:
    async with ledger.call(shop_id, access=ACCESS, purpose=purpose) as permit:
        await permit.answered(response(status, headers, now=ledger.clock()))


async def sql(ledger: OpenLedger, statement: str, **values: Any) -> Any:
    async with ledger.engine.begin() as tx:
        result = await tx.execute(text(statement), values)
        return result.scalar() if result.returns_rows else None


def said(hour: int, day: int, hour_left: int, day_left: int, **more: str) -> dict[str, str]:
    """The headers of an answer."""
    return {
        "X-Rate-Limit-Hour": str(hour),
        "X-Rate-Limit-Day": str(day),
        "X-Rate-Limit-Hour-Remaining": str(hour_left),
        "X-Rate-Limit-Day-Remaining": str(day_left),
        "X-Rate-Limit-Total-Remaining": str(hour_left + day_left),
        **{name.replace("_", "-"): value for name, value in more.items()},
    }
