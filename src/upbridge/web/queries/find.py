"""Find: one thing's way through the bridge, from what is stored about it.

Webhooks are kept for a few days, the steps of orders for 90, documents until they are delivered, links for good:
the timeline says no more than that. Personal data is masked: of what is or was sent, only fields that are known to
be harmless are shown, and of what was sent nothing else is stored (`store/order_events.py`).
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import select, union
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from upbridge.core.encryption import DecryptionError
from upbridge.domain.delivery import LinkState
from upbridge.domain.masking import masked
from upbridge.domain.platform import PLATFORM
from upbridge.domain.shop_id import ShopId
from upbridge.store import (
    change_queries,
    document_queries,
    documents,
    link_queries,
    problem_queries,
    variant_queries,
)
from upbridge.store.changes import Kind
from upbridge.store.deliveries import latest_about
from upbridge.store.order_events import KINDS, OrderEventKind, events_of, opened
from upbridge.store.orders import numbers_beginning, ordered_at
from upbridge.store.problem_queries import OpenProblem

MOST = 20
#: Of so many of a shop's newest webhooks those are shown that named the thing, at most so many.
_LATEST, _DELIVERIES = 2_000, 100


@dataclass(frozen=True, slots=True)
class Hit:
    """A thing that answers a search: an order, or a variant of a product."""

    kind: str
    key: str
    """The shop's number of the order, or of the product."""
    name: str
    code: str | None = None


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """One entry of a timeline: *what* is the last part of its text's key."""

    at: datetime
    what: str
    system: str = PLATFORM
    detail: str = ""
    until: datetime | None = None
    body: str | None = None
    problem: OpenProblem | None = None
    times: int = 1
    """How often it happened, one after the other; *at* is the last time."""

    @property
    def same(self) -> tuple[object, ...]:
        """What makes two moments one that happened twice."""
        return (self.what, self.system, self.detail, self.problem.key if self.problem else None)


#: Of what happened at one time, in this order.
_RANKS = ("made", "heard", "marked", "read", "stopped", "parked", "problem", "waiting", "sending", "attempted")


@dataclass(frozen=True, slots=True)
class Timeline:
    """Everything that is known of one thing, oldest first."""

    hit: Hit
    moments: tuple[TimelineEntry, ...] = field(default=())


async def search(
    engine: AsyncEngine, shop_id: ShopId, wanted: str, number: str, *, targets: Collection[str]
) -> tuple[Hit, ...]:
    """Orders by *number* or by what a system calls them, variants by code, EAN or the key that problems name, then
    by a part of their name. *targets*: where orders go."""
    async with engine.connect() as tx:
        return (*await _orders(tx, shop_id, number, targets), *await _products(tx, shop_id, wanted))


async def _orders(tx: AsyncConnection, shop_id: ShopId, wanted: str, targets: Collection[str]) -> list[Hit]:
    kind, most = "order", MOST
    if not wanted:
        return []
    known = union(
        *(
            query.subquery().select()
            for query in (
                link_queries.keys_beginning(shop_id, targets, kind, wanted, most=most),
                document_queries.keys_beginning(shop_id, targets, wanted, most=most),
                problem_queries.keys_beginning(shop_id, kind, wanted, most=most),
                change_queries.keys_beginning(shop_id, PLATFORM, Kind.ORDER, wanted, most=most),
                numbers_beginning(shop_id, wanted, most=most),
                link_queries.called(shop_id, targets, kind, wanted).limit(most),
            )
        )
    ).subquery("known")
    number = known.c.found
    rows = await tx.scalars(select(number).order_by(number != wanted, number.desc()).limit(most))
    return [Hit("order", found, found) for found in rows if found]


async def _products(tx: AsyncConnection, shop_id: ShopId, wanted: str) -> list[Hit]:
    found = await variant_queries.search(tx, shop_id, wanted, most=MOST)
    return [Hit("product", str(one.product_id), one.title or "", one.code) for one in found]


async def timeline(
    engine: AsyncEngine, shop_id: ShopId, hit: Hit, *, open_body: Callable[[bytes], bytes]
) -> Timeline:
    """The way of *hit*, as far as it is stored."""
    where = {
        "id": shop_id,
        "kind": hit.kind,
        "kinds": sorted(KINDS) if hit.kind == "order" else [hit.kind],
        "parent": hit.key,
    }
    async with engine.connect() as tx:
        steps = await _steps(tx, where) if hit.kind == "order" else []
        told = {step.system for step in steps if step.what in {"delivered", "shipped"}}
        moments = [
            *await _made(tx, where),
            *await _heard(tx, shop_id, hit),
            *await _to_be_read(tx, shop_id, hit),
            *await _to_be_sent(tx, shop_id, where, open_body),
            *steps,
            *[one for one in await _sent(tx, where) if one.what != "delivered" or one.system not in told],
            *await _problems(tx, where),
        ]
    return Timeline(hit, _in_order(moments))


def _in_order(moments: list[TimelineEntry]) -> tuple[TimelineEntry, ...]:
    """The oldest first; what happened again at once, without anything between, is there once."""

    def rank(moment: TimelineEntry) -> int:
        what = moment.what.partition(".")[0]
        return _RANKS.index(what) if what in _RANKS else len(_RANKS)

    told: list[TimelineEntry] = []
    for one in sorted(moments, key=lambda moment: (moment.at, rank(moment))):
        if told and told[-1].same == one.same:
            told[-1] = replace(one, times=told[-1].times + 1)
        else:
            told.append(one)
    return tuple(told)


async def _heard(tx: AsyncConnection, shop_id: ShopId, hit: Hit) -> list[TimelineEntry]:
    latest = await latest_about(tx, shop_id, PLATFORM, hit.kind, hit.key, among=_LATEST, most=_DELIVERIES)
    return [TimelineEntry(one.received_at, "heard", detail=one.event) for one in latest]


async def _made(tx: AsyncConnection, where: dict[str, Any]) -> list[TimelineEntry]:
    if where["kind"] != "order":
        return []
    made = await ordered_at(tx, where["id"], where["parent"])
    return [] if made is None else [TimelineEntry(made, "made")]


async def _steps(tx: AsyncConnection, where: dict[str, Any]) -> list[TimelineEntry]:
    return [
        TimelineEntry(one.at, _past(one.event, one.target), one.target, one.detail, body=opened(one.body))
        for one in await events_of(tx, where["id"], where["parent"], limit=100)
    ]


def _past(what: str, target: str) -> str:
    """The moment that a step was. "Parked" is what a document is now, "stopped" what it once was."""
    if what == OrderEventKind.PARKED:
        return "stopped"
    return "shipped" if what == OrderEventKind.DELIVERED and target == PLATFORM else what


async def _to_be_read(tx: AsyncConnection, shop_id: ShopId, hit: Hit) -> list[TimelineEntry]:
    change = await change_queries.about(tx, shop_id, PLATFORM, Kind(hit.kind), hit.key)
    return (
        [] if change is None else [TimelineEntry(change.marked_at, f"marked.{change.origin}", until=change.due_at)]
    )


async def _to_be_sent(
    tx: AsyncConnection, shop_id: ShopId, where: dict[str, Any], open_body: Callable[[bytes], bytes]
) -> list[TimelineEntry]:
    waiting = await document_queries.about(tx, shop_id, where["kinds"], where["parent"], most=20)
    return [
        TimelineEntry(
            one.since,
            one.state,
            one.target,
            detail=one.key if one.key != where["parent"] else "",
            until=one.due_at if one.state == documents.WAITING else None,
            body=_shown(one.body, open_body),
        )
        for one in waiting
        if one.state != documents.UNWANTED
    ]


def _shown(body: bytes, open_body: Callable[[bytes], bytes]) -> str | None:
    """What a page may show of *body*; None if no key opens it: `maintenance/lost_keys.py` tells, and helps."""
    try:
        return masked(open_body(body))
    except DecryptionError:
        return None


async def _sent(tx: AsyncConnection, where: dict[str, Any]) -> list[TimelineEntry]:
    return [
        TimelineEntry(
            one.updated_at,
            one.state if one.state in {LinkState.DELIVERED, LinkState.BY_HAND} else "attempted",
            one.target,
            detail=one.remote_id or one.key,
        )
        for one in await link_queries.about(tx, where["id"], where["kinds"], where["parent"], most=40)
    ]


async def _problems(tx: AsyncConnection, where: dict[str, Any]) -> list[TimelineEntry]:
    moments = []
    for one in await problem_queries.history_of(tx, where["id"], where["kinds"], where["parent"], limit=40):
        moments.append(TimelineEntry(one.problem.since, "problem", one.target, problem=one.problem))
        if one.dismissed_at is not None:
            moments.append(TimelineEntry(one.dismissed_at, "handled", one.target))
    return moments
