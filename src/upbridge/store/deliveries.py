"""Webhook deliveries as they were received, for diagnosis. Pruned after a few days."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Insert, Select, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from upbridge.domain.shop_id import ShopId
from upbridge.store.schema import deliveries as table


@dataclass(frozen=True, slots=True)
class Delivery:
    """One delivery. *body* is compressed (zlib)."""

    received_at: datetime
    event: str
    body: bytes


def adding(rows: Select[Any]) -> Insert:
    """Add *rows*: shop_id, source, event, records, body, received_at."""
    return insert(table).from_select(["shop_id", "source", "event", "records", "body", "received_at"], rows)


async def latest_about(
    tx: AsyncConnection, shop_id: ShopId, source: str, kind: str, *, among: int, most: int, largest: int
) -> list[Delivery]:
    """At most *most* deliveries about *kind* (`order`: the events `Orders.*`) of fewer bytes than *largest*, the
    newest first. No more than the shop's newest *among* deliveries are looked at."""
    latest = (
        select(table)
        .where(table.c.shop_id == shop_id)
        .order_by(table.c.received_at.desc())
        .limit(among)
        .subquery("latest")
    )
    query = (
        select(latest.c.received_at, latest.c.event, latest.c.body)
        .where(
            latest.c.source == source,
            func.lower(latest.c.event).startswith(f"{kind}s."),
            func.octet_length(latest.c.body) < largest,
        )
        .order_by(latest.c.received_at.desc())
        .limit(most)
    )
    return [Delivery(row.received_at, row.event, row.body) for row in await tx.execute(query)]
