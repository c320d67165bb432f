"""A shop's budget between its row and the arithmetic."""

from typing import Any

from upbridge.rate_limits.windows import BudgetState, Limits
from upbridge.store.rate_limits import Budget


def state_of(row: Budget) -> BudgetState:
    """The row as the arithmetic wants it."""
    limits = None if row.hour_limit is None or row.day_limit is None else Limits(row.hour_limit, row.day_limit)
    return BudgetState(
        limits=limits,
        hour_at=row.hour_at,
        day_at=row.day_at,
        hour_used=row.hour_used,
        day_used=row.day_used,
        unconfirmed=row.calls_unconfirmed,
        calls_today=row.calls_today,
        closed_until=row.closed_until,
    )


def columns(state: BudgetState) -> dict[str, Any]:
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
