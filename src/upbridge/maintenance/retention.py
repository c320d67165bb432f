"""What is thrown away, and when. Every table that grows with time stands here or goes with its shop."""

from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

_LIMIT = 5_000

#: (table, condition on :before, kept for). Rows go in small bites, so that no lock is held for long.
RULES: tuple[tuple[str, str, timedelta], ...] = (
    ("deliveries", "received_at < :before", timedelta(days=7)),
    ("sessions", "expires_at < :before", timedelta(days=1)),
    ("signatures", "seen_at < :before", timedelta(days=3)),
    ("failed_logins", "at < :before", timedelta(days=1)),
    ("api_calls", "hour < :before", timedelta(days=35)),
    ("call_leases", "expires_at < :before", timedelta(days=1)),
    ("runs", "state = 'done' AND finished_at < :before", timedelta(days=90)),
    ("problems", "dismissed_at < :before", timedelta(days=90)),
    ("orders", "ordered_at < :before", timedelta(days=90)),
    ("order_events", "at < :before", timedelta(days=90)),
    ("daily_stats", "day_at < :before", timedelta(days=90)),
    ("open_order_lines", "ordered_at < :before", timedelta(days=90)),
    ("lanes", "until < :before", timedelta(days=7)),
)


async def prune(engine: AsyncEngine, *, now: datetime) -> dict[str, int]:
    """Delete what is past its time; returns how many rows went per table."""
    gone: dict[str, int] = {}
    for table, condition, kept in RULES:
        while True:
            async with engine.begin() as tx:
                result = await tx.execute(
                    text(
                        f"DELETE FROM {table} WHERE ctid = ANY(ARRAY("  # noqa: S608
                        f"SELECT ctid FROM {table} WHERE {condition} LIMIT {_LIMIT}))"
                    ),
                    {"before": now - kept},
                )
            gone[table] = gone.get(table, 0) + result.rowcount
            if result.rowcount < _LIMIT:
                break
    return gone
