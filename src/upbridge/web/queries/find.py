"""Find: one thing's way through the bridge, from what is stored about it.

Webhooks are kept for a few days, the steps of orders for 90, documents until they are delivered, links for good:
the timeline says no more than that. Personal data is masked: of what is or was sent, only fields that are known to
be harmless are shown, and of what was sent nothing else is stored (`store/order_events.py`).
"""

import json
import zlib
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from upbridge.domain.delivery import LinkState
from upbridge.domain.masking import masked
from upbridge.domain.shop_id import ShopId
from upbridge.domain.sku import code_key
from upbridge.store import changes, documents, links, problems
from upbridge.store.changes import Kind
from upbridge.store.deliveries import latest_about
from upbridge.store.order_events import KINDS, OrderEventKind, events_of, opened
from upbridge.store.orders import ordered_at
from upbridge.store.problems import OpenProblem

SOURCE = "upgates"

MOST = 20
#: Of so many of a shop's newest webhooks those are opened that are about such things, at most so many.
_LATEST, _DELIVERIES = 2_000, 400
_LARGEST = 100_000


@dataclass(frozen=True, slots=True)
class Hit:
    """A thing that answers a search: an order, or a variant of a product."""

    kind: str
    key: str
    """The shop's number of the order, or of the product."""
    name: str
    code: str | None = None


@dataclass(frozen=True, slots=True)
class Moment:
    """One entry of a timeline: *what* is the last part of its text's key."""

    at: datetime
    what: str
    system: str = "upgates"
    detail: str = ""
    until: datetime | None = None
    body: str | None = None
    problem: OpenProblem | None = None


@dataclass(frozen=True, slots=True)
class Timeline:
    """Everything that is known of one thing, oldest first."""

    hit: Hit
    moments: tuple[Moment, ...] = field(default=())


async def search(
    engine: AsyncEngine, shop_id: ShopId, wanted: str, *, targets: Collection[str]
) -> tuple[Hit, ...]:
    """Orders by number, variants by code or EAN, then by a part of their name. *targets*: where orders go."""
    async with engine.connect() as tx:
        return (*await _orders(tx, shop_id, wanted, targets), *await _products(tx, shop_id, wanted))


async def _orders(tx: AsyncConnection, shop_id: ShopId, wanted: str, targets: Collection[str]) -> list[Hit]:
    rows = await tx.execute(
        text(
            """
            SELECT number FROM (
              (SELECT parent AS number FROM links WHERE shop_id = :id AND target = ANY(:targets)
                 AND kind = 'order' AND parent LIKE :begins ORDER BY parent USING ~<~ LIMIT :most)
              UNION (SELECT parent FROM documents WHERE shop_id = :id AND target = ANY(:targets) AND kind = 'order'
                 AND parent LIKE :begins ORDER BY parent LIMIT :most)
              UNION (SELECT parent FROM problems WHERE shop_id = :id AND kind = 'order'
                 AND parent LIKE :begins ORDER BY parent LIMIT :most)
              UNION (SELECT key FROM changes WHERE shop_id = :id AND source = 'upgates' AND kind = 'order'
                 AND key LIKE :begins ORDER BY key LIMIT :most)
              UNION (SELECT number FROM orders WHERE shop_id = :id AND number LIKE :begins
                 ORDER BY number USING ~<~ LIMIT :most)
            ) found ORDER BY number <> :wanted, number LIMIT :most
            """
        ),
        {
            "id": shop_id,
            "wanted": wanted,
            "begins": f"{_literally(wanted)}%",
            "most": MOST,
            "targets": list(targets),
        },
    )
    return [Hit("order", row.number, row.number) for row in rows if row.number]


async def _products(tx: AsyncConnection, shop_id: ShopId, wanted: str) -> list[Hit]:
    rows = await tx.execute(
        text(
            """
            SELECT product_id, code, title FROM (
              SELECT key, product_id, code, title, 0 AS place FROM variants
              WHERE shop_id = :id AND code_key = :code
              UNION ALL
              (SELECT key, product_id, code, title, 1 FROM variants
               WHERE shop_id = :id AND (title_folded LIKE '%' || lower(:part) || '%' OR ean_key = :code)
                 AND code_key IS DISTINCT FROM :code
               ORDER BY title, code LIMIT :most)
            ) found ORDER BY place, title, code LIMIT :most
            """
        ),
        {"id": shop_id, "code": code_key(wanted), "part": _literally(wanted), "most": MOST},
    )
    return [Hit("product", str(row.product_id), row.title or "", row.code) for row in rows]


def _literally(wanted: str) -> str:
    """*wanted* for LIKE: nothing in it is a pattern."""
    return wanted.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


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
    return Timeline(hit, tuple(sorted(moments, key=lambda moment: moment.at)))


async def _heard(tx: AsyncConnection, shop_id: ShopId, hit: Hit) -> list[Moment]:
    latest = await latest_about(tx, shop_id, SOURCE, hit.kind, among=_LATEST, most=_DELIVERIES, largest=_LARGEST)
    name = "order_number" if hit.kind == "order" else "product_id"
    return [
        Moment(one.received_at, "heard", detail=one.event)
        for one in latest
        if _names(json.loads(zlib.decompress(one.body)), f"{hit.kind}s", name, hit.key)
    ]


def _names(payload: Any, section: str, name: str, key: str) -> bool:
    records = payload.get(section) if isinstance(payload, dict) else None
    return isinstance(records, list) and any(
        isinstance(record, dict) and str(record.get(name)) == key for record in records
    )


async def _made(tx: AsyncConnection, where: dict[str, Any]) -> list[Moment]:
    if where["kind"] != "order":
        return []
    made = await ordered_at(tx, where["id"], where["parent"])
    return [] if made is None else [Moment(made, "made")]


async def _steps(tx: AsyncConnection, where: dict[str, Any]) -> list[Moment]:
    return [
        Moment(one.at, _past(one.event, one.target), one.target, one.detail, body=opened(one.body))
        for one in await events_of(tx, where["id"], where["parent"], limit=100)
    ]


def _past(what: str, target: str) -> str:
    """The moment that a step was. "Parked" is what a document is now, "stopped" what it once was."""
    if what == OrderEventKind.PARKED:
        return "stopped"
    return "shipped" if what == OrderEventKind.DELIVERED and target == "upgates" else what


async def _to_be_read(tx: AsyncConnection, shop_id: ShopId, hit: Hit) -> list[Moment]:
    change = await changes.about(tx, shop_id, SOURCE, Kind(hit.kind), hit.key)
    return [] if change is None else [Moment(change.hinted_at, f"hinted.{change.origin}", until=change.due_at)]


async def _to_be_sent(
    tx: AsyncConnection, shop_id: ShopId, where: dict[str, Any], open_body: Callable[[bytes], bytes]
) -> list[Moment]:
    waiting = await documents.about(tx, shop_id, where["kinds"], where["parent"], most=20)
    return [
        Moment(
            one.since,
            one.state,
            one.target,
            detail=one.key if one.key != where["parent"] else "",
            until=one.due_at if one.state == documents.WAITING else None,
            body=masked(open_body(one.body)),
        )
        for one in waiting
    ]


async def _sent(tx: AsyncConnection, where: dict[str, Any]) -> list[Moment]:
    return [
        Moment(
            one.updated_at,
            one.state if one.state in {LinkState.DELIVERED, LinkState.BY_HAND} else "attempted",
            one.target,
            detail=one.remote_id or one.key,
        )
        for one in await links.about(tx, where["id"], where["kinds"], where["parent"], most=40)
    ]


async def _problems(tx: AsyncConnection, where: dict[str, Any]) -> list[Moment]:
    moments = []
    for one in await problems.history_of(tx, where["id"], where["kinds"], where["parent"], limit=40):
        moments.append(Moment(one.problem.since, "problem", one.target, problem=one.problem))
        if one.dismissed_at is not None:
            moments.append(Moment(one.dismissed_at, "handled", one.target))
    return moments
