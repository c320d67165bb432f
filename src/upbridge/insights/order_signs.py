"""What says that an order is not simply delivered or held: one home for what is counted and for what is found.

`order_boxes` counts by these signs, `order_search` finds by them; of several the weightiest decides.
"""

from typing import Any

from sqlalchemy import CompoundSelect, Subquery, case, func, literal, select, union, union_all

from upbridge.domain.shop_id import ShopId
from upbridge.store import change_queries, document_queries, documents, problem_queries
from upbridge.store.changes import Kind
from upbridge.store.sql import constant

KIND = "order"
STOPPED, UNDER_WAY = 3, 2
"""What a sign weighs: it waits for a person, or it goes on by itself."""


def signs(shop_id: ShopId, platform: str, *, reasons: bool = False) -> CompoundSelect[Any]:
    """The signs of a shop's orders: number, target, weight, and with *reasons* why. One of *platform*, from which
    orders are read, is one for every system."""
    document = document_queries.parents(shop_id, KIND)
    failed = problem_queries.open_parents(shop_id, KIND)
    waiting = change_queries.unread_keys(shop_id, platform, Kind.ORDER).subquery("waiting_to_be_read")
    weight = case((document.c.state == constant(documents.PARKED), STOPPED), else_=UNDER_WAY)
    parts = (
        (
            select(document.c.parent.label("number"), document.c.target, weight.label("weight")),
            func.coalesce(document.c.reason, "sending").label("reason"),
        ),
        (select(failed.c.parent, failed.c.target, literal(STOPPED)), failed.c.key),
        (select(waiting.c[0], literal(platform), literal(UNDER_WAY)), literal("reading")),
    )
    return union_all(*(part.add_columns(reason) if reasons else part for part, reason in parts))


def unread(shop_id: ShopId, platform: str) -> Subquery:
    """The numbers of orders that we have heard of and not read, or could not read."""
    failed = problem_queries.open_parents(shop_id, KIND)
    return union(
        change_queries.unread_keys(shop_id, platform, Kind.ORDER),
        select(failed.c.parent).where(failed.c.target == platform),
    ).subquery("unread")
