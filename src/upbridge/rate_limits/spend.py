"""Spending one call, in one statement: `rate_limits/windows.py` in SQL.

The statement takes the row (callers of one shop queue here, for the length of a short transaction), rolls the
windows that have ended, sees what is left for the purpose, and counts the call. No row comes back where the call
may not be made. Committed before the call, the count survives whatever happens to the caller.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import DateTime, bindparam, text

from upbridge.domain.purpose import Purpose
from upbridge.domain.shop_id import ShopId
from upbridge.rate_limits.windows import CAP_PER_DAY, HOUR, KEEPS, RELEASE, day_start, hour_start, next_day

#: Returns `calls_made` (the call's number), `calls_lost` and `hour_at`, or no row.
SPEND = text("""
    WITH entry AS (
        SELECT *, greatest(hour_at, :hour) AS hour, greatest(day_at, :day) AS day
        FROM budgets WHERE shop_id = :shop FOR UPDATE
    ), rolled AS (
        SELECT shop_id, hour, day, hour_limit, day_limit, closed_until,
               CASE WHEN hour = hour_at THEN hour_used ELSE 0 END AS hour_used,
               CASE WHEN hour = hour_at THEN calls_unconfirmed ELSE 0 END AS calls_unconfirmed,
               CASE WHEN day = day_at THEN calls_today ELSE 0 END AS calls_today,
               CASE WHEN hour = hour_at THEN day_used
                    WHEN day > day_at OR hour_limit IS NULL THEN CASE WHEN day = day_at THEN day_used ELSE 0 END
                    ELSE day_used + greatest(calls_unconfirmed - greatest(hour_limit - hour_used, 0), 0)
               END AS day_used
        FROM entry
    ), counted AS (
        SELECT *,
               CASE WHEN hour_limit IS NULL THEN :cap - calls_today
                    ELSE greatest(hour_limit - hour_used, 0) + greatest(day_limit - day_used, 0)
                         - calls_unconfirmed
               END AS total,
               CASE WHEN hour_limit IS NULL THEN 0
                    ELSE greatest(greatest(hour_limit - hour_used, 0) - calls_unconfirmed, 0)
               END AS hour_left,
               coalesce(hour_limit, :cap / 24) AS per_hour
        FROM rolled
    ), judged AS (
        SELECT *,
               CASE WHEN :share = 0 THEN 0
                    ELSE least(greatest((per_hour::bigint * :share + 99) / 100, 1), greatest(per_hour - 1, 0))
               END AS kept,
               CASE WHEN :now < hour + :kept_for THEN 0
                    WHEN hour + :one_hour >= :day_end THEN total
                    ELSE hour_left
               END AS vanishing
        FROM counted
    )
    UPDATE budgets b
    SET hour_at = j.hour, day_at = j.day, hour_used = j.hour_used, day_used = j.day_used,
        calls_unconfirmed = j.calls_unconfirmed + 1, calls_today = j.calls_today + 1, calls_made = b.calls_made + 1
    FROM judged j
    WHERE b.shop_id = j.shop_id
      AND (j.closed_until IS NULL OR j.closed_until <= :now)
      AND (j.total > j.kept OR (j.vanishing > 0 AND j.total > least(j.kept, 1)))
    RETURNING b.calls_made, b.calls_lost, b.hour_at
""").bindparams(*(bindparam(name, type_=DateTime(timezone=True)) for name in ("now", "hour", "day", "day_end")))


def spending(shop_id: ShopId, purpose: Purpose, now: datetime) -> dict[str, Any]:
    """The parameters of `SPEND`."""
    return {
        "shop": shop_id,
        "share": KEEPS[purpose],
        "now": now,
        "hour": hour_start(now),
        "day": day_start(now),
        "day_end": next_day(now),
        "cap": CAP_PER_DAY,
        "one_hour": HOUR,
        "kept_for": HOUR - RELEASE,
    }
