"""Lanes that have to wait: no budget, no answer, refused. A row goes when its lane works again.

A lane waits until a moment, for purposes from *priority* on: when only the import has run out of budget, orders
still pass.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Row,
    Subquery,
    and_,
    any_,
    bindparam,
    case,
    delete,
    func,
    literal,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from upbridge.domain.lane import Direction, Lane
from upbridge.domain.purpose import EVERYTHING
from upbridge.domain.shop_id import ShopId
from upbridge.store.schema import lanes as table
from upbridge.store.sql import SHOPS, Composed

_MOST_FAILURES = 1000


@dataclass(frozen=True, slots=True)
class Block:
    """Why a lane waits, and until when; *priority*: purposes from there on."""

    lane: Lane
    reason: str
    failures: int
    priority: int
    since: datetime
    until: datetime
    asked: bool
    """Whether it waits because it was told to, or because no calls are left; else it has failed."""
    logins: bool
    """Whether it was told to because too many logins failed."""


@dataclass(frozen=True, slots=True)
class Passage:
    """What may pass a lane."""

    below: int = EVERYTHING
    """Purposes more urgent than this: everything, or less while the lane is blocked."""
    failed: bool = False
    """Whether its last try failed: then it is to be unblocked when one succeeds."""


async def passage(tx: AsyncConnection, lane: Lane, *, now: datetime) -> Passage:
    """What may pass *lane* at *now*."""
    block = await _PASSAGE.first(tx, shop_id=lane.shop_id, direction=lane.direction, system=lane.system)
    if block is None:
        return Passage()
    return Passage(block.priority if block.until > now else EVERYTHING, failed=True)


_PASSAGE = Composed(
    select(table.c.priority, table.c.until).where(*(one == bindparam(one.name) for one in table.primary_key))
)


async def count_failure(
    tx: AsyncConnection, lane: Lane, *, reason: str, priority: int, asked: bool, logins: bool, now: datetime
) -> int:
    """Block purposes from *priority* on, or block them on; returns how many failures in a row this is of work as
    urgent.

    Until when is said by `rest_until`, in the same transaction.
    """
    values = {
        "shop_id": lane.shop_id,
        "direction": lane.direction,
        "system": lane.system,
        "reason": reason,
        "priority": priority,
        "asked": asked,
        "logins": logins,
        "since": now,
        "until": now,
    }
    fresh, again = insert(table).values(values), func.least(table.c.failures + 1, _MOST_FAILURES)
    known = fresh.on_conflict_do_update(
        constraint=table.primary_key,
        set_={
            "reason": fresh.excluded.reason,
            "priority": fresh.excluded.priority,
            "asked": fresh.excluded.asked,
            "logins": fresh.excluded.logins,
            "since": case((table.c.asked == fresh.excluded.asked, table.c.since), else_=fresh.excluded.since),
            # What is more urgent than what has failed so far has not failed yet.
            "failures": case((fresh.excluded.priority < table.c.priority, literal(1)), else_=again),
        },
    )
    failures: int = (await tx.execute(known.returning(table.c.failures))).scalar_one()
    return failures


async def rest_until(tx: AsyncConnection, lane: Lane, moment: datetime) -> None:
    """Until when a blocked lane waits."""
    await tx.execute(update(table).where(_is(lane)).values(until=moment))


async def unblock(tx: AsyncConnection, lane: Lane, *, purpose: int = EVERYTHING) -> None:
    """The lane works (again) for *purpose*; a block of less urgent ones stays."""
    await tx.execute(delete(table).where(_is(lane), table.c.priority <= purpose))


async def blocks_of(tx: AsyncConnection, shop_id: ShopId | None, *, now: datetime) -> dict[Lane, Block]:
    """The lanes that wait: of one shop, or of all if *shop_id* is None."""
    query = select(table).where(table.c.until > now)
    if shop_id is not None:
        query = query.where(table.c.shop_id == shop_id)
    return {block.lane: block for block in map(_block, await tx.execute(query))}


#: The lanes of `SHOPS` whose last try failed, whether they wait still or try again just now.
FAILING = select(table).where(table.c.shop_id == any_(SHOPS))


def failing(rows: Iterable[Any]) -> dict[Lane, Block]:
    """Rows of `FAILING`, by lane."""
    return {block.lane: block for block in map(_block, rows)}


async def block_of(tx: AsyncConnection, lane: Lane) -> Block | None:
    """Why *lane* waits or last waited; None if it works."""
    row = (await tx.execute(select(table).where(_is(lane)))).first()
    return None if row is None else _block(row)


def blocks(direction: Direction, *, now: ColumnElement[datetime]) -> Subquery:
    """The blocks of all lanes of one direction that hold at *now*: shop_id, system, reason, priority, until."""
    query = select(table.c.shop_id, table.c.system, table.c.reason, table.c.priority, table.c.until)
    return query.where(table.c.direction == direction, table.c.until > now).subquery(f"{direction}_blocks")


def _is(lane: Lane) -> ColumnElement[bool]:
    return and_(
        table.c.shop_id == lane.shop_id, table.c.direction == lane.direction, table.c.system == lane.system
    )


def _block(row: Row[Any]) -> Block:
    return Block(
        lane=Lane(ShopId(row.shop_id), Direction(row.direction), row.system),
        reason=row.reason,
        failures=row.failures,
        priority=row.priority,
        since=row.since,
        until=row.until,
        asked=row.asked,
        logins=row.logins,
    )
