"""Which lanes have something to do now: one statement, composed of what the owners of its tables say of theirs."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    DateTime,
    Select,
    Text,
    Uuid,
    and_,
    bindparam,
    func,
    literal,
    or_,
    select,
    union_all,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from upbridge.domain.lane import Direction, Lane
from upbridge.domain.purpose import EVERYTHING
from upbridge.domain.shop import ShopState
from upbridge.domain.shop_id import ShopId
from upbridge.store import change_queries, connections, document_queries, lanes, shop_queries
from upbridge.store.changes import Kind

_NOW = bindparam("now", type_=DateTime(timezone=True))
_ONLY = bindparam("only", type_=Uuid)
_SHOP_SYSTEM = bindparam("shop_system", type_=Text)
_WRITERS = bindparam("writers", type_=ARRAY(Text))


async def due(
    tx: AsyncConnection, *, shop_system: str, writers: Collection[str], now: datetime, only: ShopId | None = None
) -> list[Lane]:
    """The lanes that have something to do at *now* and are not blocked; of one shop, if *only* names it.

    *writers*: the systems for which something goes back to the shop itself, the system *shop_system*. One index
    probe per shop, source and purpose that has a change, and per connection.
    """
    values = {"now": now, "only": only, "shop_system": shop_system, "writers": list(writers)}
    rows = await tx.execute(_DUE, values)
    return [Lane(ShopId(row.shop_id), Direction(row.direction), row.system) for row in rows]


def _of_one(shop_id: ColumnElement[Any]) -> ColumnElement[bool]:
    return or_(_ONLY.is_(None), shop_id == _ONLY)


def _to_read() -> Select[Any]:
    """Sources of active shops from which something has to be read."""
    first, active = change_queries.first_due(), shop_queries.in_states(ShopState.ACTIVE)
    blocks = lanes.blocks(Direction.PULL, now=_NOW)
    blocked = and_(blocks.c.shop_id == first.c.shop_id, blocks.c.system == first.c.source)
    return (
        select(first.c.shop_id, _named(Direction.PULL), first.c.source.label("system"))
        .distinct()
        .select_from(first.join(active, active.c.id == first.c.shop_id).outerjoin(blocks, blocked))
        .where(
            first.c.due_at <= _NOW,
            first.c.priority < func.coalesce(blocks.c.priority, EVERYTHING),
            _of_one(active.c.id),
        )
    )


def _to_probe() -> Select[Any]:
    """Stopped shops that are to be asked whether they are back."""
    stopped = shop_queries.in_states(ShopState.SUSPENDED, ShopState.UNINSTALLING)
    probes = change_queries.of_kind(_SHOP_SYSTEM, Kind.PROBE)
    blocks = lanes.blocks(Direction.PULL, now=_NOW)
    blocked = and_(blocks.c.shop_id == stopped.c.id, blocks.c.system == _SHOP_SYSTEM)
    return (
        select(stopped.c.id, _named(Direction.PULL), _SHOP_SYSTEM.label("system"))
        .select_from(stopped.join(probes, probes.c.shop_id == stopped.c.id).outerjoin(blocks, blocked))
        .where(
            probes.c.due_at <= _NOW,
            probes.c.priority < func.coalesce(blocks.c.priority, EVERYTHING),
            _of_one(stopped.c.id),
        )
    )


def _to_send() -> Select[Any]:
    """Connected systems of active shops to which something has to be sent."""
    connected, active = connections.connected(), shop_queries.in_states(ShopState.ACTIVE)
    blocks = lanes.blocks(Direction.PUSH, now=_NOW)
    blocked = and_(blocks.c.shop_id == connected.c.shop_id, blocks.c.system == connected.c.system)
    return (
        select(connected.c.shop_id, _named(Direction.PUSH), connected.c.system)
        .select_from(connected.join(active, active.c.id == connected.c.shop_id).outerjoin(blocks, blocked))
        .where(
            blocks.c.system.is_(None),
            _of_one(active.c.id),
            document_queries.any_due(connected.c.shop_id, connected.c.system, now=_NOW),
        )
    )


def _to_write_back() -> Select[Any]:
    """Active shops to which something goes back: it has a purpose in the shop's rate limits."""
    connected, active = connections.connected(), shop_queries.in_states(ShopState.ACTIVE)
    blocks = lanes.blocks(Direction.PUSH, now=_NOW)
    blocked = and_(blocks.c.shop_id == connected.c.shop_id, blocks.c.system == _SHOP_SYSTEM)
    below = func.coalesce(blocks.c.priority, EVERYTHING)
    return (
        select(connected.c.shop_id, _named(Direction.PUSH), _SHOP_SYSTEM.label("system"))
        .distinct()
        .select_from(connected.join(active, active.c.id == connected.c.shop_id).outerjoin(blocks, blocked))
        .where(
            connected.c.system == func.any(_WRITERS),
            _of_one(active.c.id),
            document_queries.any_due(connected.c.shop_id, _SHOP_SYSTEM, now=_NOW, below=below),
        )
    )


def _named(direction: Direction) -> ColumnElement[str]:
    return literal(str(direction), Text).label("direction")


_DUE: CompoundSelect[Any] = union_all(_to_read(), _to_probe(), _to_send(), _to_write_back())
