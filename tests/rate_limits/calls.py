"""Calls through a ledger, and a look into its tables."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import text

from tests.support.clock import NOON
from upbridge.domain.purpose import Purpose
from upbridge.domain.shop_id import ShopId
from upbridge.rate_limits.ledger import Ledger
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


async def one_call(
    ledger: Ledger, shop_id: ShopId, purpose: Purpose = Purpose.ORDERS, status: int = 200, headers: Any = None
) -> None:
    async with ledger.call(shop_id, access=ACCESS, purpose=purpose) as permit:
        await permit.answered(response(status, headers, now=ledger._clock()))


async def sql(ledger: Ledger, statement: str, **values: Any) -> Any:
    async with ledger._engine.begin() as tx:
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
