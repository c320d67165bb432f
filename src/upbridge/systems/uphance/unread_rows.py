"""Rows above our mark in a list of Uphance that cannot be read: whether one of them may be an order of ours.

It may be, if the database was put back: then it has forgotten what was created since. So a worker asks
before it creates something, and creates it in these cases:

- the order was placed after the row was there: it cannot be that order;
- a process has seen the list without the row, and the row after it, and the database was not put back since: what
  was created of ours meanwhile has a link. That process would have noticed it (`engine/catch_up.py`);
- a person has looked at the row in Uphance and has marked its problem as handled.

Else the one order waits, with a problem that names the row, until the row can be read.
"""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from upbridge.domain.shop_id import ShopId
from upbridge.store import cursors, documents, problems
from upbridge.store.problem_queries import LIST, history_of
from upbridge.store.problems import NewProblem, Stage
from upbridge.systems.uphance.careful_read import Gap
from upbridge.systems.uphance.resource_types import ORDERS, ResourceType

_SYSTEM = "uphance"

CLOCKS = timedelta(minutes=5)
"""Assumption: the clocks of a shop and of ours differ by no more."""
NOTICED = timedelta(seconds=30)
"""A database that was put back is noticed by the next beats of a worker (`engine/catch_up.py`)."""
AGAIN = timedelta(minutes=10)
"""So often a row that cannot be read is asked for again."""
WHOLE_READS = 2
"""So often in a row a list is read as a whole before it is read carefully."""


@dataclass(frozen=True, slots=True)
class UnreadGap:
    """A gap that was first *seen* at a moment. *watched_from*: when the process that saw it had last seen the list
    without it; None if it had not. *handled*: a person says that nothing of ours is in it."""

    gap: Gap
    seen: datetime
    watched_from: datetime | None = None
    handled: bool = False

    def doubts(self, placed_at: datetime | None, *, put_back_at: datetime | None, now: datetime) -> "Doubt | None":
        """Whether it may be what is to be created: an order that was placed at that moment (None: no order)."""
        if self.handled:
            return None
        if placed_at is not None and self.gap.high is not None and placed_at > self.seen + CLOCKS:
            return None
        if self.watched_from is None or (put_back_at is not None and put_back_at >= self.watched_from):
            return Doubt(self.gap)
        return Doubt(self.gap, self.seen + NOTICED) if now < self.seen + NOTICED else None


@dataclass(frozen=True, slots=True)
class Doubt:
    """What may be there already, in this *gap* of *what*. *until*: it will be known by then, if ever."""

    gap: Gap
    until: datetime | None = None
    what: str = ""

    @property
    def row(self) -> str:
        """What cannot be read, for people."""
        return f"{self.what} {self.gap}"


@dataclass(slots=True)
class Sights:
    """What this process has seen of the lists of all shops: the highest id that was there, and when."""

    highest: dict[tuple[ShopId, str], tuple[int, datetime]] = field(default_factory=dict)
    tried: dict[tuple[ShopId, str], datetime] = field(default_factory=dict)
    failed: Counter[tuple[ShopId, str]] = field(default_factory=Counter)

    def saw(self, shop_id: ShopId, kind: str, highest: int, at: datetime) -> None:
        """The list was looked at."""
        self.highest[shop_id, kind] = (highest, at)
        self.failed.pop((shop_id, kind), None)

    def bears(self, shop_id: ShopId, kind: str) -> bool:
        """Whether a failure is borne as one of Uphance; the next ones are looked into."""
        self.failed[shop_id, kind] += 1
        return self.failed[shop_id, kind] <= WHOLE_READS

    def may_try(self, shop_id: ShopId, kind: str, now: datetime) -> bool:
        """Whether it is time to ask again for what could not be read; notes that it is asked for."""
        before = self.tried.get((shop_id, kind))
        if before is not None and now - before < AGAIN:
            return False
        self.tried[shop_id, kind] = now
        return True

    def before(self, shop_id: ShopId, kind: str, gap: Gap) -> datetime | None:
        """When the list was seen without what is in *gap*; None if it never was."""
        highest, at = self.highest.get((shop_id, kind), (None, None))
        return at if highest is not None and highest <= gap.low else None


def _name(kind: str) -> str:
    return f"unread_{kind}"


def _parent(resource: ResourceType) -> str:
    return f"list of {resource.list_name}"


async def unread_rows(tx: AsyncConnection, shop_id: ShopId, resource: ResourceType) -> list[UnreadGap]:
    """What cannot be read of a list, as it was kept."""
    kept = json.loads(await cursors.get(tx, shop_id, _SYSTEM, _name(resource.kind)) or "[]")
    if not kept:
        return []
    told = await history_of(tx, shop_id, [LIST], _parent(resource), limit=1)
    handled = any(one.dismissed_at is not None for one in told)
    return [
        UnreadGap(
            Gap(one["low"], one["high"]),
            datetime.fromisoformat(one["seen"]),
            None if one["from"] is None else datetime.fromisoformat(one["from"]),
            handled=handled or one["handled"],
        )
        for one in kept
    ]


async def keep_unread(
    tx: AsyncConnection, shop_id: ShopId, resource: ResourceType, rows: Sequence[UnreadGap], *, now: datetime
) -> None:
    """Remember what cannot be read, and have it told by name. What waited for something that can be read by now,
    or that a person has looked at, may go."""
    before = await unread_rows(tx, shop_id, resource)
    kept = [
        {
            "low": row.gap.low,
            "high": row.gap.high,
            "seen": row.seen.isoformat(),
            "from": None if row.watched_from is None else row.watched_from.isoformat(),
            "handled": row.handled,
        }
        for row in rows
    ]
    doubtful = {row.gap for row in rows if not row.handled}
    if kept:
        await cursors.put(tx, shop_id, _SYSTEM, _name(resource.kind), json.dumps(kept))
        problem = _problem(resource, sorted(rows, key=lambda row: row.gap.low))
        await problems.raise_problems(tx, shop_id, [problem], now=now)
        if doubtful - {row.gap for row in before}:
            await problems.reopen(tx, shop_id, target=_SYSTEM, kind=LIST, entity=problem.entity)
    else:
        await cursors.remove(tx, shop_id, _SYSTEM, _name(resource.kind))
        await problems.close_resolved(
            tx, shop_id, stages=[Stage.PUSH], target=_SYSTEM, parents=[_parent(resource)]
        )
    if any(row.gap not in doubtful for row in before):
        await documents.release(tx, shop_id, _SYSTEM, now=now)


def _problem(resource: ResourceType, rows: Sequence[UnreadGap]) -> NewProblem:
    """Orders wait for either list, so both are problems of the orders that go there."""
    return NewProblem(
        stage=Stage.PUSH,
        key=f"uphance.{resource.kind}s_unread",
        target=_SYSTEM,
        kind=LIST,
        entity=ORDERS.kind,
        parent=_parent(resource),
        params={"rows": ", ".join(str(row.gap) for row in rows)},
    )
