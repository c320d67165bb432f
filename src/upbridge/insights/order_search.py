"""The orders of a shop that a person looks for, newest first: by number, box, reason and day.

Which orders they are is one statement, by the same signs as `order_boxes`; `order_list` says where each is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import (
    CTE,
    ColumnElement,
    DateTime,
    Select,
    Subquery,
    and_,
    exists,
    false,
    func,
    literal,
    null,
    or_,
    select,
    type_coerce,
    union_all,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from upbridge.domain.order_outline import OrderOutline
from upbridge.domain.shop_id import ShopId
from upbridge.insights.order_list import RULES, Box, OrderPlace, places_of
from upbridge.insights.order_signs import KIND, STOPPED, UNDER_WAY, signs, unread
from upbridge.store import link_queries, orders
from upbridge.store.sql import literally

#: So many orders are counted; of more it is said that there are more.
MOST_COUNTED = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderSearch:
    """What is looked for. Each that is given narrows the list; *words* begin a number, or are what a system calls
    the order. Orders that were not read yet have no day: a day that is asked for does not leave them out."""

    words: str = ""
    system: str | None = None
    box: Box | None = None
    reason: str = ""
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class FoundOrder:
    """An order with its place in each connected system. It has no *ordered_at* until it was read, and no *outline*
    if it was not read since outlines are kept."""

    number: str
    ordered_at: datetime | None
    places: tuple[OrderPlace, ...]
    outline: OrderOutline | None = None


@dataclass(frozen=True, slots=True)
class FoundOrders:
    """One page of them. *count* is how many there are, at most `MOST_COUNTED` with *more* behind them."""

    orders: tuple[FoundOrder, ...] = field(default=())
    count: int = 0
    more: bool = False


async def find_orders(
    tx: AsyncConnection,
    shop_id: ShopId,
    wanted: OrderSearch,
    *,
    platform: str,
    systems: Sequence[str],
    offset: int = 0,
    limit: int,
) -> FoundOrders:
    """The orders that *wanted* describes, from the *offset*th on; *platform* is where they are read, *systems* are
    those that the shop is connected to."""
    query = _query(shop_id, wanted, platform, systems)
    # Most of the work is to tell which they are: as many as are counted are read with the page, and all of it at
    # once. Far on in a long list the page is asked for by itself.
    first = (await tx.execute(query.limit(MOST_COUNTED + 1))).all()
    count, page = len(first), first[offset : offset + limit]
    if count > MOST_COUNTED and offset + limit > count:
        page = (await tx.execute(query.offset(offset).limit(limit))).all()
    made = {row.number: row.ordered_at for row in page}
    found = await describe(tx, shop_id, list(made), platform=platform, systems=systems)
    return FoundOrders(
        tuple(FoundOrder(number, made[number], places, outline) for number, (places, outline) in found.items()),
        min(count, MOST_COUNTED),
        more=count > MOST_COUNTED,
    )


async def describe(
    tx: AsyncConnection, shop_id: ShopId, numbers: Sequence[str], *, platform: str, systems: Sequence[str]
) -> Mapping[str, tuple[tuple[OrderPlace, ...], OrderOutline | None]]:
    """Where each of these orders is and what is kept of it, in their order. Why the rules keep one back is said as
    exactly as it was judged when the order was read last."""
    places = await places_of(tx, shop_id, platform, systems, numbers)
    kept = await orders.kept_of(tx, shop_id, numbers)
    found = {}
    for number in numbers:
        outline, verdicts = kept.get(number, (None, {}))
        found[number] = (
            tuple(
                OrderPlace(one.system, one.box, verdicts.get(one.system, RULES)) if one.box is Box.HELD else one
                for one in places[number]
            ),
            outline,
        )
    return found


def _query(
    shop_id: ShopId, wanted: OrderSearch, platform: str, systems: Sequence[str]
) -> Select[str, datetime | None, object]:
    made = orders.known_of(shop_id, since=wanted.since, until=wanted.until)
    number = unread(shop_id, platform).c[0]
    known = union_all(
        select(made.c.number, made.c.ordered_at, made.c.kept_back),
        select(number, null().cast(DateTime(timezone=True)), literal({}, JSONB)).where(
            orders.made_at(shop_id, number).is_(None)
        ),
    ).subquery("orders")
    query = select(known.c.number, known.c.ordered_at, known.c.kept_back)
    if wanted.words:
        named = link_queries.called(shop_id, systems, KIND, wanted.words)
        query = query.where(or_(known.c.number.like(f"{literally(wanted.words)}%"), known.c.number.in_(named)))
    if wanted.box is not None or wanted.reason:
        asked = [one for one in systems if wanted.system in {None, one}]
        found = signs(shop_id, platform, reasons=True).cte("signs").prefix_with("MATERIALIZED")
        there = (_is_there(shop_id, known, wanted, found, platform, system) for system in asked)
        query = query.where(or_(false(), *there))
    return query.order_by(known.c.ordered_at.desc().nulls_first(), known.c.number.desc())


def _is_there(  # noqa: PLR0917 - one condition of one statement
    shop_id: ShopId, known: Subquery, wanted: OrderSearch, found: CTE, platform: str, system: str
) -> ColumnElement[bool]:
    """Whether an order is in the box of *system*, for the reason, that *wanted* asks for."""
    number, kept_back = known.c.number, type_coerce(known.c.kept_back, JSONB)
    here = found.c.target.in_([system, platform])

    def signed(*conditions: ColumnElement[bool]) -> ColumnElement[bool]:
        condition: ColumnElement[bool] = number.in_(select(found.c.number).where(here, *conditions))
        return condition

    because = (found.c.reason == wanted.reason,) if wanted.reason else ()
    stopped = signed(found.c.weight == STOPPED)
    link = link_queries.delivered(shop_id, KIND)
    there = (link.c.target == system, link.c.key == number)
    has_it = exists().where(*there)
    verdict = func.coalesce(kept_back[system].astext, RULES)
    boxes = {
        Box.PARKED: signed(found.c.weight == STOPPED, *because),
        Box.WAITING: and_(signed(found.c.weight == UNDER_WAY, *because), ~stopped),
        Box.DELIVERED: and_(~signed(), exists().where(*there, ~link.c.by_hand)) if not wanted.reason else false(),
        Box.BY_HAND: and_(~signed(), exists().where(*there, link.c.by_hand)) if not wanted.reason else false(),
        Box.HELD: and_(~signed(), ~has_it, *((verdict == wanted.reason,) if wanted.reason else ())),
    }
    return or_(*boxes.values()) if wanted.box is None else boxes[wanted.box]
