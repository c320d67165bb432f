"""What was ordered in the shop and a target may not know of: a row for each line of goods.

Which of them are open is a question to these lines, to the links (does the target know the order, is it a draft
there?) and to the documents that wait.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

import msgspec
from sqlalchemy import (
    ColumnElement,
    Subquery,
    Uuid,
    and_,
    bindparam,
    case,
    delete,
    exists,
    false,
    func,
    literal,
    select,
)
from sqlalchemy.dialects.postgresql import Insert, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from upbridge.domain.shop_id import ShopId
from upbridge.store.document_queries import places
from upbridge.store.link_queries import known_orders
from upbridge.store.schema import open_order_lines as table
from upbridge.store.sql import Composed, among, as_rows, rows_of


class OpenOrderLine(msgspec.Struct, frozen=True, gc=False):
    """A line of goods. *pending*: its order may still be sent."""

    order_number: str
    position: int
    variant_key: str | None
    code: str | None
    quantity: Decimal
    pending: bool
    ordered_at: datetime


class Pieces(NamedTuple):
    """Pieces of one variant, by its key or, if that is unknown, by its code."""

    variant_key: str | None
    code: str | None
    quantity: Decimal


@dataclass(frozen=True, slots=True)
class OrderedPieces:
    """Pieces of one code in an order that the target knows. *sent*: the trace of what it was sent."""

    pieces: Pieces
    sent: bytes | None


async def replace_lines(
    tx: AsyncConnection, shop_id: ShopId, numbers: Collection[str], lines: Sequence[OpenOrderLine]
) -> None:
    """Let *lines* be all that is noted of the orders *numbers*."""
    await _FORGET.run(tx, shop_id=shop_id, numbers=sorted(numbers))
    if lines:
        await _NOTE.run(tx, shop_id=shop_id, rows=as_rows(lines))


def _noting() -> Insert:
    c = rows_of("line", "rows", **{name: table.c[name].type for name in OpenOrderLine.__struct_fields__}).c
    rows = select(bindparam("shop_id", type_=Uuid), *c)
    return insert(table).from_select(["shop_id", *c.keys()], rows).on_conflict_do_nothing()


_FORGET = Composed(
    delete(table).where(table.c.shop_id == bindparam("shop_id"), among(table.c.order_number, "numbers"))
)
_NOTE = Composed(_noting())


async def order_numbers(tx: AsyncConnection, shop_id: ShopId) -> list[str]:
    """The orders that have lines."""
    query = select(table.c.order_number).where(table.c.shop_id == shop_id).distinct()
    return list((await tx.scalars(query)).all())


async def forget_lines(tx: AsyncConnection, shop_id: ShopId) -> None:
    """Forget all of them."""
    await tx.execute(delete(table).where(table.c.shop_id == shop_id))


async def open_pieces(tx: AsyncConnection, shop_id: ShopId, target: str, *, drafts: bool) -> list[Pieces]:
    """Pieces of orders that *target* does not know and may still be sent; with *drafts*, of those too that are
    drafts there."""
    known = known_orders(target)
    at_target = and_(known.c.draft, literal(drafts))
    query = (
        select(table.c.variant_key, table.c.code, func.sum(table.c.quantity))
        .select_from(table.outerjoin(known, _same_order(known)))
        .where(
            table.c.shop_id == shop_id,
            case((known.c.key.is_(None), table.c.pending), else_=func.coalesce(at_target, false())),
        )
        .group_by(table.c.variant_key, table.c.code)
    )
    return [Pieces(*row) for row in await tx.execute(query)]


async def ordered_pieces(
    tx: AsyncConnection, shop_id: ShopId, target: str, *, drafts: bool
) -> list[OrderedPieces]:
    """Pieces of orders that *target* knows and that wait to be sent again, by order and code; with *drafts*,
    without those that are drafts there."""
    known, waiting = known_orders(target), places(target, "order")
    query = (
        select(func.min(table.c.variant_key), table.c.code, func.sum(table.c.quantity), known.c.sent)
        .join(known, _same_order(known))
        .join(waiting, and_(waiting.c.shop_id == table.c.shop_id, waiting.c.key == table.c.order_number))
        .where(
            table.c.shop_id == shop_id,
            ~and_(known.c.draft, literal(drafts)),
            table.c.code.is_not(None),
        )
        .group_by(table.c.order_number, table.c.code, known.c.sent)
    )
    return [
        OrderedPieces(Pieces(variant_key, code, quantity), sent)
        for variant_key, code, quantity, sent in await tx.execute(query)
    ]


async def prune(tx: AsyncConnection, shop_id: ShopId, target: str) -> None:
    """Forget the orders that *target* counts by itself: those that it knows, that are no drafts there and that do
    not wait to be sent again."""
    known, waiting = known_orders(target), places(target, "order")
    await tx.execute(
        delete(table).where(
            table.c.shop_id == shop_id,
            exists().where(_same_order(known), ~known.c.draft),
            ~exists().where(waiting.c.shop_id == table.c.shop_id, waiting.c.key == table.c.order_number),
        )
    )


def _same_order(known: Subquery) -> ColumnElement[bool]:
    return and_(known.c.shop_id == table.c.shop_id, known.c.key == table.c.order_number)
