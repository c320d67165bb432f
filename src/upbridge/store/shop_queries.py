"""What is asked about the shops: for which of them the clock has something, and in which state each is.

Nothing here writes.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import (
    Double,
    Interval,
    Select,
    Subquery,
    and_,
    column,
    func,
    literal_column,
    or_,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from upbridge.domain.shop import BY_LOST_KEY, BY_SHOP, BY_UPGATES, ShopState
from upbridge.domain.shop_id import ShopId
from upbridge.store.schema import shops as table
from upbridge.store.sql import Overdue

#: The part of a period after which a shop has its turn, from its id: so they do not all come at once.
_OWN_PART = literal_column("('x' || substr(md5(id::text), 1, 6))::bit(24)::int / 16777216.0", Double)


async def count_active(tx: AsyncConnection) -> int:
    """How many shops are active."""
    return int(await tx.scalar(_active().with_only_columns(func.count())) or 0)


def unreconciled(*, every: timedelta, now: datetime) -> Subquery:
    """The active shops whose safety net was last started *every* ago, or longer: id, since when it is due."""
    own_time = func.make_interval(0, 0, 0, 0, 0, 0, _OWN_PART * every.total_seconds(), type_=Interval)
    last = func.coalesce(table.c.reconciled_at, table.c.installed_at - own_time)
    return _active().add_columns((last + every).label("since")).where(last < now - every).subquery("unreconciled")


def unsubscribed(*, before: datetime) -> Overdue:
    """The active shops whose webhooks were last compared before then, or never."""
    return Overdue.of(_active(), table.c.subscribed_at, before)


def facts_unread(*, before: datetime) -> Overdue:
    """The active shops whose facts were last read before then, or never."""
    return Overdue.of(_active(), table.c.facts_at, before)


def _active() -> Select[UUID]:
    return select(table.c.id).where(table.c.state == ShopState.ACTIVE)


def unprobed(*, before: datetime) -> Select[UUID]:
    """The shops that Upgates refused or deactivated, and that were last asked before then whether that holds."""
    refused = and_(table.c.state == ShopState.SUSPENDED, table.c.reason == BY_UPGATES)
    return select(table.c.id).where(
        or_(refused, table.c.state == ShopState.UNINSTALLING),
        func.coalesce(table.c.probed_at, table.c.state_since) < before,
    )


def silent(*, before: datetime) -> Select[UUID]:
    """The shops that were deactivated before then, were asked and did not answer; a worker that was away itself
    has to ask first."""
    return select(table.c.id).where(
        table.c.state == ShopState.UNINSTALLING, table.c.state_since < before, table.c.probed_at.is_not(None)
    )


# --- in which state each is ---------------------------------------------------------------------------------


def in_states(*states: ShopState) -> Subquery:
    """The shops in one of *states*: id, key."""
    return select(table.c.id, table.c.key).where(table.c.state.in_(states)).subquery("shops_in_state")


async def suspended(tx: AsyncConnection) -> list[tuple[str, str | None]]:
    """The key of each shop that is suspended, and why it is; not those that their own staff paused."""
    query = select(table.c.key, table.c.reason).where(
        table.c.state == ShopState.SUSPENDED, table.c.reason.is_distinct_from(BY_SHOP)
    )
    query = query.order_by(table.c.key)
    return [(row.key, row.reason) for row in await tx.execute(query)]


async def unreadable(tx: AsyncConnection) -> list[ShopId]:
    """The shops that are suspended because none of our keys opened their credentials, which are kept."""
    query = select(table.c.id).where(
        table.c.state == ShopState.SUSPENDED, table.c.reason == BY_LOST_KEY, table.c.api_key.is_not(None)
    )
    return [ShopId(shop_id) for shop_id in await tx.scalars(query.order_by(table.c.id))]


@dataclass(frozen=True, slots=True)
class FailedWebhook:
    """The last call of a webhook of an active shop, as Upgates lists it, which failed."""

    key: str
    """The shop's."""
    event: str
    at: str
    status: str | None


async def failed_webhooks(tx: AsyncConnection) -> list[FailedWebhook]:
    """The last calls that failed, over all active shops, newest first."""
    one = func.jsonb_array_elements(table.c.webhook_failures).table_valued(column("value", JSONB), name="one")
    at = one.c.value["at"].astext
    query = (
        select(table.c.key, one.c.value["event"].astext, at, one.c.value["status"].astext)
        .select_from(table.join(one, true()))
        .where(table.c.state == ShopState.ACTIVE)
        .order_by(at.desc())
    )
    return [FailedWebhook(*row) for row in await tx.execute(query)]


def keys() -> Subquery:
    """Id and key of every shop."""
    return select(table.c.id, table.c.key).subquery("named_shops")


def count_by_state() -> Select[tuple[str, int]]:
    """How many shops there are, by state: for the metric."""
    return select(table.c.state, func.count()).group_by(table.c.state)
