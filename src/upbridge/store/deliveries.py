"""Webhook deliveries: what they named, for diagnosis, nothing else of them. Pruned after a few days."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Double, Insert, Select, any_, cast, func, insert, literal, null, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from upbridge.core.clock import PRAGUE
from upbridge.domain.platform import PLATFORM
from upbridge.domain.shop_id import ShopId
from upbridge.store.schema import deliveries as table


@dataclass(frozen=True, slots=True)
class Delivery:
    """One delivery."""

    received_at: datetime
    event: str


def adding(rows: Select[Any]) -> Insert:
    """Add *rows*: shop_id, source, event, records, keys, received_at."""
    return insert(table).from_select(["shop_id", "source", "event", "records", "keys", "received_at"], rows)


async def last_from(tx: AsyncConnection, shop_id: ShopId, source: str) -> datetime | None:
    """When *source* last sent a webhook of the shop, as far as that is remembered."""
    query = select(func.max(table.c.received_at)).where(table.c.shop_id == shop_id, table.c.source == source)
    found: datetime | None = await tx.scalar(query)
    return found


async def latest_about(
    tx: AsyncConnection, shop_id: ShopId, source: str, kind: str, key: str, *, among: int, most: int
) -> list[Delivery]:
    """At most *most* deliveries about *kind* (`order`: the events `Orders.*`) that named *key*, the newest first.
    No more than the shop's newest *among* deliveries are looked at."""
    latest = (
        select(table)
        .where(table.c.shop_id == shop_id)
        .order_by(table.c.received_at.desc())
        .limit(among)
        .subquery("latest")
    )
    query = (
        select(latest.c.received_at, latest.c.event)
        .where(
            latest.c.source == source,
            func.lower(latest.c.event).startswith(f"{kind}s."),
            literal(key) == any_(latest.c["keys"]),
        )
        .order_by(latest.c.received_at.desc())
        .limit(most)
    )
    return [Delivery(row.received_at, row.event) for row in await tx.execute(query)]


def announced_by_day(shop_id: ShopId | None, *, since: datetime, until: datetime) -> Select[Any]:
    """Records of orders and products that webhooks of Upgates announced, a day of Prague: of one shop, or of all.
    Columns: shop_id, system, day_at, count, median, p95."""
    events = (
        select(
            table.c.shop_id,
            func.date_trunc("day", table.c.received_at, str(PRAGUE)).label("day_at"),
            table.c.event,
            func.sum(table.c.records).label("records"),
        )
        .where(table.c.received_at >= since, table.c.received_at < until, table.c.source == PLATFORM)
        .group_by(table.c.shop_id, "day_at", table.c.event)
    )
    if shop_id is not None:
        events = events.where(table.c.shop_id == shop_id)
    # The names of events are looked at once for a day, not with every delivery.
    of = events.cte("events").prefix_with("MATERIALIZED").c
    nothing = cast(null(), Double)
    return (
        select(
            of.shop_id,
            literal(PLATFORM).label("system"),
            of.day_at,
            func.sum(of.records).label("count"),
            nothing.label("median"),
            nothing.label("p95"),
        )
        .where(or_(of.event.ilike("orders.%"), of.event.ilike("products.%")))
        .group_by(of.shop_id, of.day_at)
    )
