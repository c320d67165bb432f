"""An order's page: what it comes to, where it is in each system, what asks for a person, what happened."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

from upbridge.domain.order_outline import OrderOutline
from upbridge.domain.shop import Shop
from upbridge.insights.order_list import Box, OrderPlace
from upbridge.insights.order_search import describe
from upbridge.store import link_queries, problem_queries
from upbridge.store.link_queries import SeenLink
from upbridge.store.order_events import KINDS
from upbridge.store.orders import ordered_at
from upbridge.store.problem_queries import KnownProblem
from upbridge.web.queries.find import Hit, TimelineEntry, timeline

#: The amounts of a difference, in the order in which a person adds them up.
ARITHMETIC = ("lines", "discounts", "shipping", "payment", "sum", "expected", "difference")


@dataclass(frozen=True, slots=True)
class OrderCard:
    """Everything on the page of one order."""

    number: str
    ordered_at: datetime | None
    outline: OrderOutline | None
    places: tuple[OrderPlace, ...]
    links: dict[str, SeenLink]
    """What the systems have of it, by their names; what the shop has is its shipment."""
    open: tuple[KnownProblem, ...]
    moments: tuple[TimelineEntry, ...]

    @property
    def stopped(self) -> bool:
        """Whether something of it waits for a person."""
        return bool(self.open) or any(place.box is Box.PARKED for place in self.places)


async def card_of(
    engine: AsyncEngine,
    shop: Shop,
    number: str,
    *,
    systems: Sequence[str],
    platform: str,
    open_body: Callable[[bytes], bytes],
) -> OrderCard | None:
    """The page of the order *number*; None where nothing is known of it."""
    async with engine.connect() as tx:
        made = await ordered_at(tx, shop.id, number)
        described = await describe(tx, shop.id, [number], platform=platform, systems=systems)
        links = await link_queries.about(tx, shop.id, sorted(KINDS), number, most=40)
        known = await problem_queries.history_of(tx, shop.id, sorted(KINDS), number, limit=40)
    line = await timeline(engine, shop.id, Hit("order", number, number), open_body=open_body)
    if made is None and not line.moments:
        return None
    places, outline = described[number]
    return OrderCard(
        number,
        made,
        outline,
        places,
        {link.target: link for link in links},
        tuple(one for one in known if one.dismissed_at is None),
        line.moments,
    )


def arithmetic(params: dict[str, Any]) -> list[tuple[str, str]]:
    """The sums that a problem holds: the last part of a text's key, and the amount; empty where it holds none."""
    if not {"lines", "sum", "expected"} <= params.keys():
        return []
    return [(name, str(params[name])) for name in ARITHMETIC if name in params]
