"""How many of a shop's orders are in which box: `order_list` order by order, here counted in one statement."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    CTE,
    CompoundSelect,
    FromClause,
    Select,
    Text,
    and_,
    case,
    func,
    literal,
    null,
    select,
    true,
    union_all,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from upbridge.domain.shop_id import ShopId
from upbridge.insights.order_list import Box
from upbridge.insights.order_signs import KIND, STOPPED, UNDER_WAY, signs, unread
from upbridge.store import link_queries, orders
from upbridge.store.sql import arrays, constant

#: How far the shop's clock may be ahead of ours.
_CLOCKS = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Boxes:
    """The orders of a period, each in exactly one box: the most urgent that fits."""

    system: str
    delivered: int
    by_hand: int
    waiting: int
    held: int
    parked: int

    @property
    def total(self) -> int:
        """All boxes together."""
        return self.delivered + self.by_hand + self.waiting + self.held + self.parked


async def order_boxes(
    tx: AsyncConnection, shop_id: ShopId, *, platform: str, systems: Sequence[str], since: datetime
) -> tuple[int, tuple[Boxes, ...]]:
    """How many orders are known, and each one's box for each of *systems*: the most urgent that fits. *platform*
    is where orders are read, and where problems with reading them are.

    An order is known if it was made within the period, or if we have heard of it and could not read it yet: then
    its date is not known. What is asked of single orders is asked by index (a subquery that Postgres does
    not turn into a join), so that a shop's history costs nothing.
    """
    known = _known(shop_id, platform, since)
    query: CompoundSelect[Any] = union_all(
        select(null().label("system"), null().label("box"), func.count().label("number")).select_from(known),
        _by_box(shop_id, known, platform, systems, since),
    )
    rows = await tx.execute(query, {"systems": list(systems)})
    counted = {(row.system, row.box): int(row.number) for row in rows}
    boxes = [Boxes(system, **{box: counted.get((system, box), 0) for box in Box}) for system in systems]
    return counted[None, None], tuple(boxes)


def _known(shop_id: ShopId, platform: str, since: datetime) -> CTE:
    number = unread(shop_id, platform).c[0]
    known = union_all(
        orders.made_after(shop_id, since), select(number).where(orders.made_at(shop_id, number).is_(None))
    )
    return known.cte("known").prefix_with("MATERIALIZED")


def _weightiest(shop_id: ShopId, platform: str, systems: FromClause) -> CTE:
    """The weightiest sign of each order and system that has one; a sign of *platform* is one for every system."""
    sign = signs(shop_id, platform).subquery("sign")
    query = (
        select(sign.c.number, systems.c.system, func.max(sign.c.weight).label("weight"))
        .join_from(sign, systems, sign.c.target.in_([systems.c.system, literal(platform)]))
        .group_by(sign.c.number, systems.c.system)
    )
    return query.cte("weightiest").prefix_with("MATERIALIZED")


def _by_box(
    shop_id: ShopId, known: CTE, platform: str, targets: Sequence[str], since: datetime
) -> Select[str, str, int]:
    systems = arrays("systems", system=("systems", Text()))
    sign = _weightiest(shop_id, platform, systems)
    link = link_queries.delivered_since(shop_id, targets, KIND, since - _CLOCKS)
    number = known.c[0]
    box = case(
        (sign.c.weight == STOPPED, constant(Box.PARKED)),
        (sign.c.weight == UNDER_WAY, constant(Box.WAITING)),
        (link.c.by_hand, constant(Box.BY_HAND)),
        (link.c.key.is_not(None), constant(Box.DELIVERED)),
        else_=constant(Box.HELD),
    )
    return (
        select(systems.c.system, box.label("box"), func.count())
        .select_from(known)
        .join(systems, true())
        .outerjoin(sign, and_(sign.c.number == number, sign.c.system == systems.c.system))
        .outerjoin(link, and_(link.c.key == number, link.c.target == systems.c.system))
        .group_by(systems.c.system, box)
    )
