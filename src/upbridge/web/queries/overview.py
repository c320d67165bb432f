"""The numbers of the first page: what today came to, what waits, and every known order in exactly one box."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncEngine

from upbridge.core.clock import PRAGUE, begin_of_day
from upbridge.domain.days import SHOWN_DAYS
from upbridge.domain.lane import Direction, Lane
from upbridge.domain.shop import Shop
from upbridge.domain.shop_id import ShopId
from upbridge.engine.completeness import Counted
from upbridge.insights.daily_stats import StatKind, daily_stats_of
from upbridge.insights.flow_states import FlowFacts, looking
from upbridge.insights.order_boxes import Boxes, order_boxes
from upbridge.insights.webhook_coverage import Coverage, coverage
from upbridge.operations.reconcile import rests_until
from upbridge.store.order_events import delivered_since
from upbridge.store.orders import count_orders
from upbridge.store.runs import Run, RunState
from upbridge.systems.base import Systems
from upbridge.web.queries.health import ShopHealth

#: A chart of fewer days says nothing that a sentence does not say better.
CHART_DAYS = 7


@dataclass(frozen=True, slots=True)
class Wait:
    """What waits in one place: *name* is the system's, *reading* from it or else sending to it."""

    name: str
    reading: bool
    count: int
    since: datetime | None
    until: datetime | None
    """Until when the other system, or our budget for it, wants us to wait."""


@dataclass(frozen=True, slots=True)
class OrderDelay:
    """How long orders took on one day, in seconds from when we heard of them until the system had them.

    *p95*: what 95 of 100 did not exceed. Orders of the first import do not count, waiting for a person does.
    """

    day: date
    count: int = 0
    median: float = 0.0
    p95: float = 0.0


@dataclass(frozen=True, slots=True)
class Net:
    """The safety net: when it may run again, what a run costs, what the last one found unannounced."""

    since: datetime | None
    """Since when one runs; None if none does."""
    rests_until: datetime | None
    cost: int
    last_at: datetime | None
    found: int
    read: int

    @property
    def ready(self) -> bool:
        """Whether "run now" may be pressed."""
        return self.since is None and self.rests_until is None


@dataclass(frozen=True, slots=True)
class WebhookFailures:
    """The webhooks whose last call had failed when Upgates was last asked (R45)."""

    asked_at: datetime
    count: int


@dataclass(frozen=True, slots=True)
class Today:
    """The totals of today so far (Prague time)."""

    orders: int
    """Made in the shop."""
    delivered: Mapping[str, int]
    """Orders that each system was given, today's and earlier ones; shipments are the shop's own."""
    since: datetime


@dataclass(frozen=True, slots=True)
class OverviewView:
    """All numbers of the first page."""

    today: Today
    waits: tuple[Wait, ...]
    boxes: tuple[Boxes, ...]
    known: int
    """Known orders, counted on their own: every system's boxes have to add up to it."""
    counted: Mapping[str, Counted]
    """What the shop itself counted last, by kind."""
    looking: frozenset[str]
    """The kinds of which the missing ones are being read just now."""
    net: Net
    delays: Mapping[str, tuple[OrderDelay, ...]]
    """Per system and day, for the systems that something was delivered to."""
    coverage: Coverage
    failures: WebhookFailures | None


class Overviews:
    """Reads the numbers of one shop."""

    def __init__(self, systems: Systems, engine: AsyncEngine) -> None:
        self._systems = systems
        self._engine = engine

    async def of(self, health: ShopHealth, now: datetime) -> OverviewView:
        """The numbers at *now* of a shop with this *health*."""
        shop, seen = health.shop, health.seen
        connected = [system for system in self._systems.titles if system in health.rows]
        # The orders of a month are weighed while everything else is asked, on a connection of its own.
        (known, boxes), webhooks, delays, today = await asyncio.gather(
            _boxes(self._engine, self._systems, shop.id, connected, now),
            coverage(self._engine, shop.id, now=now),
            _delays(self._engine, self._systems, shop.id, now),
            _today(self._engine, shop.id, now),
        )
        return OverviewView(
            today=today,
            waits=_waits(shop.id, seen, now),
            boxes=boxes,
            known=known,
            counted=seen.counted,
            looking=looking(seen),
            net=_net(shop, seen.nets, now),
            delays=delays,
            coverage=webhooks,
            failures=_failures(shop),
        )


async def _today(engine: AsyncEngine, shop_id: ShopId, now: datetime) -> Today:
    since = begin_of_day(now.astimezone(PRAGUE).date())
    async with engine.connect() as tx:
        made = await count_orders(tx, shop_id, since=since)
        return Today(made, await delivered_since(tx, shop_id, since), since)


def _waits(shop_id: ShopId, seen: FlowFacts, now: datetime) -> tuple[Wait, ...]:
    parts = [(Lane.pull(shop_id, one.source), one.count, one.since) for one in seen.unread]
    parts += [
        (Lane.push(shop_id, one.target), one.open, one.since) for one in seen.outbox if one.since is not None
    ]
    found: dict[Lane, list[tuple[int, datetime]]] = {}
    for lane, count, since in parts:
        found.setdefault(lane, []).append((count, since))
    order = sorted(found.items(), key=lambda pair: (pair[0].direction is not Direction.PULL, pair[0].system))
    return tuple(
        Wait(
            lane.system,
            lane.direction is Direction.PULL,
            sum(count for count, _ in waiting),
            min(since for _, since in waiting),
            block.until if (block := seen.failing.get(lane)) is not None and block.until > now else None,
        )
        for lane, waiting in order
    )


async def _boxes(
    engine: AsyncEngine, systems: Systems, shop_id: ShopId, targets: Sequence[str], now: datetime
) -> tuple[int, tuple[Boxes, ...]]:
    since = now - timedelta(days=SHOWN_DAYS)
    async with engine.connect() as tx:
        return await order_boxes(tx, shop_id, platform=systems.platform.name, systems=targets, since=since)


def _net(shop: Shop, nets: Mapping[str, Run], now: datetime) -> Net:
    return Net(
        since=min((run.started_at for run in nets.values() if run.state is RunState.RUNNING), default=None),
        rests_until=rests_until(shop.reconciled_at, now),
        cost=max(sum(run.pages or 1 for run in nets.values()), len(("order", "product"))),
        last_at=shop.reconciled_at,
        found=sum(run.found for run in nets.values()),
        read=sum(run.done for run in nets.values()),
    )


def _failures(shop: Shop) -> WebhookFailures | None:
    if shop.subscribed_at is None or not shop.webhook_failures:
        return None
    return WebhookFailures(shop.subscribed_at, len(shop.webhook_failures))


async def _delays(
    engine: AsyncEngine, systems: Systems, shop_id: ShopId, now: datetime
) -> Mapping[str, tuple[OrderDelay, ...]]:
    today = now.astimezone(PRAGUE).date()
    days = [today - timedelta(days=back) for back in range(SHOWN_DAYS - 1, -1, -1)]
    found = {
        (one.system, one.day): OrderDelay(one.day, one.count, one.median or 0.0, one.p95 or 0.0)
        for one in await daily_stats_of(engine, shop_id, StatKind.DELAYS, since=days[0], now=now)
    }
    return {
        system: tuple(found.get((system, day), OrderDelay(day)) for day in days)
        for system in systems.titles
        if any(target == system for target, _ in found)
    }
