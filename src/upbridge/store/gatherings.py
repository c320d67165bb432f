"""Until when the things that a source announces are gathered, so that a burst costs few calls (R53).

The first announcement after a quiet time is due at once. With each read the worker opens a gathering: what is
announced until its end is due then, together. Web reads the row in the statement that stores a webhook.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, FromClause, ScalarSelect, and_, bindparam, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from upbridge.domain.purpose import Purpose
from upbridge.domain.shop_id import ShopId
from upbridge.store.schema import gatherings as table
from upbridge.store.sql import Composed


async def gathered_until(tx: AsyncConnection, shop_id: ShopId, source: str, purpose: Purpose) -> datetime | None:
    """The end of the newest gathering, over or not; None if there was none."""
    row = await _UNTIL.first(tx, shop_id=shop_id, source=source, priority=int(purpose))
    return None if row is None else row.until


_UNTIL = Composed(select(table.c.until).where(*(one == bindparam(one.name) for one in table.primary_key)))


async def gather_until(
    tx: AsyncConnection, shop_id: ShopId, source: str, purpose: Purpose, until: datetime
) -> None:
    """From now on, what is announced for *purpose* is due at *until*, not before."""
    await _GATHER.run(tx, shop_id=shop_id, source=source, priority=int(purpose), until=until)


_FRESH = insert(table)
_GATHER = Composed(
    _FRESH.on_conflict_do_update(constraint=table.primary_key, set_={"until": _FRESH.excluded.until})
)


def end_of(
    shop_id: ColumnElement[UUID], source: ColumnElement[str], priority: ColumnElement[int]
) -> ScalarSelect[datetime]:
    """The end of the newest gathering to which a row of another table belongs; null if there was none."""
    theirs = (table.c.shop_id == shop_id, table.c.source == source, table.c.priority == priority)
    return select(table.c.until).where(*theirs).correlate_except(table).scalar_subquery()


def beside(
    rows: FromClause, *, shop_id: ColumnElement[UUID], source: ColumnElement[str], priority: ColumnElement[int]
) -> tuple[FromClause, ColumnElement[datetime]]:
    """*rows* beside the gathering that each belongs to, and the column with its end (none: null)."""
    theirs = and_(table.c.shop_id == shop_id, table.c.source == source, table.c.priority == priority)
    return rows.outerjoin(table, theirs), table.c.until
