"""Which shops the clock has something for. Nothing here writes."""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Double, Interval, Select, Subquery, and_, func, literal_column, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from upbridge.domain.shop import BY_UPGATES, ShopState
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
