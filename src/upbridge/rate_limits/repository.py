"""A shop's row of `budgets`, read and made."""

from datetime import datetime
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from upbridge.core.errors import NotFound
from upbridge.domain.shop_id import ShopId
from upbridge.rate_limits.windows import Limits, State
from upbridge.store.schema import budgets


async def find(tx: AsyncConnection, shop_id: ShopId, *, lock: bool = False) -> Row[Any] | None:
    """The shop's row, with *lock* held until the transaction ends; None if no call was ever made."""
    query = select(budgets).where(budgets.c.shop_id == shop_id)
    return (await tx.execute(query.with_for_update() if lock else query)).one_or_none()


async def ensure(tx: AsyncConnection, shop_id: ShopId, now: datetime) -> None:
    """Make the shop's row if there is none. Raises `NotFound` if there is no such shop."""
    fresh = insert(budgets).values(shop_id=shop_id, **columns(State.fresh(None, now)))
    try:
        await tx.execute(fresh.on_conflict_do_nothing())
    except IntegrityError:
        raise NotFound("there is no such shop") from None


def state_of(row: Row[Any]) -> State:
    """The row as the arithmetic wants it."""
    limits = None if row.hour_limit is None else Limits(row.hour_limit, row.day_limit)
    return State(
        limits=limits,
        hour_at=row.hour_at,
        day_at=row.day_at,
        hour_used=row.hour_used,
        day_used=row.day_used,
        unconfirmed=row.calls_unconfirmed,
        calls_today=row.calls_today,
        closed_until=row.closed_until,
    )


def columns(state: State) -> dict[str, Any]:
    """The arithmetic as the row wants it; `closed_until` is not part of it, it only ever moves forward."""
    return {
        "hour_limit": state.limits and state.limits.hour,
        "day_limit": state.limits and state.limits.day,
        "hour_at": state.hour_at,
        "hour_used": state.hour_used,
        "day_at": state.day_at,
        "day_used": state.day_used,
        "calls_unconfirmed": state.unconfirmed,
        "calls_today": state.calls_today,
    }
