"""The overview: a light per flow, what waits, and every known order in exactly one box."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from functools import partial

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from upbridge.core.clock import PRAGUE
from upbridge.domain.lane import Direction, Lane
from upbridge.domain.shop import Shop, ShopState
from upbridge.domain.shop_id import ShopId
from upbridge.insights.daily_stats import StatKind, daily_stats_of
from upbridge.insights.webhook_coverage import Coverage, coverage
from upbridge.operations.reconcile import rests_until
from upbridge.rate_limits.ledger import Ledger
from upbridge.store import changes, documents
from upbridge.store.connections import ConnectionRow, Connections, ConnectionState
from upbridge.store.documents import OutboxCount
from upbridge.store.lanes import Block, blocks_of
from upbridge.store.runs import Run, RunPurpose, RunState, latest_runs
from upbridge.systems.base import Flow, System, Systems

#: How far back the proof of completeness and the chart look.
DAYS = 30
#: How far the shop's clock may be ahead of ours.
_CLOCKS = timedelta(days=1)


class Light(StrEnum):
    """How a flow is, as a traffic light says it; also the name of its colour."""

    GOOD = "good"
    BUSY = "busy"
    WARN = "warn"
    BAD = "bad"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class FlowState:
    """One flow: what it carries, from or to which system. *reason* is the last part of the sentence's key, *count*
    and *at* belong into it, *next* is the page where the reason can be changed."""

    kind: str
    system: str
    target: str
    light: Light
    reason: str
    next: str | None = None
    count: int = 0
    at: datetime | None = None

    @property
    def name(self) -> str:
        """What it carries and where it ends."""
        return f"{self.kind}.{self.target}"


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
class Boxes:
    """The orders of the last 30 days, each in exactly one box: the most urgent that fits."""

    system: str
    delivered: int
    waiting: int
    held: int
    parked: int

    @property
    def total(self) -> int:
        """All boxes together."""
        return self.delivered + self.waiting + self.held + self.parked


@dataclass(frozen=True, slots=True)
class Delay:
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

    running: bool
    rests_until: datetime | None
    cost: int
    last_at: datetime | None
    found: int
    read: int

    @property
    def ready(self) -> bool:
        """Whether "run now" may be pressed."""
        return not self.running and self.rests_until is None


@dataclass(frozen=True, slots=True)
class WebhookFailures:
    """The webhooks whose last call had failed when Upgates was last asked (R45)."""

    asked_at: datetime
    count: int


@dataclass(frozen=True, slots=True)
class OverviewView:
    """Everything on the overview."""

    flows: tuple[FlowState, ...]
    waits: tuple[Wait, ...]
    boxes: tuple[Boxes, ...]
    known: int
    """Known orders, counted on their own: every system's boxes have to add up to it."""
    net: Net
    delays: Mapping[str, tuple[Delay, ...]]
    """Per system and day, for the systems that something was delivered to."""
    coverage: Coverage
    failures: WebhookFailures | None


class Overviews:
    """Reads the overview of one shop."""

    def __init__(self, systems: Systems, engine: AsyncEngine, connections: Connections, ledger: Ledger) -> None:
        self._systems = systems
        self._engine = engine
        self._connections = connections
        self._ledger = ledger

    async def of(self, shop: Shop, now: datetime) -> OverviewView:
        """The overview at *now*."""
        rows = await self._connections.of(shop.id)
        shown = [
            (one, flow, self._systems.target_of(one, flow)) for one, flow in self._systems.flows if flow.shown
        ]
        # The orders of a month are weighed while everything else is asked, on a connection of its own.
        (known, boxes), webhooks, delays, still = await asyncio.gather(
            _boxes(self._engine, shop.id, sorted(rows), now - timedelta(days=DAYS)),
            coverage(self._engine, shop.id, now=now),
            _delays(self._engine, self._systems, shop.id, now),
            _still(self._engine, shop.id, [(target, flow.kind) for _, flow, target in shown], now),
        )
        importing = {run.state for run in still.imports.values()}
        ground = _Ground(shop, rows, still.counts, still.blocked, importing)
        return OverviewView(
            flows=tuple(_flow(*flow, ground) for flow in shown),
            waits=still.waits,
            boxes=boxes,
            known=known,
            net=_net(shop, still.nets, now),
            delays=delays,
            coverage=webhooks,
            failures=still.failures,
        )


@dataclass(frozen=True, slots=True)
class _Count:
    """What is known of one (target, kind)."""

    waiting: int = 0
    parked: int = 0
    problems: int = 0
    since: datetime | None = None
    last_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class _Still:
    """How things are at this moment."""

    blocked: Mapping[Lane, Block]
    counts: Mapping[tuple[str, str], _Count]
    waits: tuple[Wait, ...]
    failures: WebhookFailures | None
    nets: Mapping[str, Run]
    imports: Mapping[str, Run]


async def _still(engine: AsyncEngine, shop_id: ShopId, flows: Sequence[tuple[str, str]], now: datetime) -> _Still:
    nets = await latest_runs(engine, shop_id, RunPurpose.SAFETY_NET)
    imports = await latest_runs(engine, shop_id, RunPurpose.IMPORT)
    async with engine.connect() as tx:
        blocked = await blocks_of(tx, shop_id, now=now)
        return _Still(
            blocked=blocked,
            counts=await _counts(tx, shop_id, flows),
            waits=await _waits(tx, shop_id, blocked),
            failures=await _failures(tx, shop_id),
            nets=nets,
            imports=imports,
        )


async def _counts(
    tx: AsyncConnection, shop_id: ShopId, flows: Sequence[tuple[str, str]]
) -> Mapping[tuple[str, str], _Count]:
    rows = await tx.execute(
        text(
            """
            SELECT target, kind, sum(waiting) AS waiting, sum(parked) AS parked, sum(problems) AS problems,
              min(since) AS since, max(last_at) AS last_at
            FROM (
              SELECT target, kind, count(*) FILTER (WHERE state <> 'parked') AS waiting,
                count(*) FILTER (WHERE state = 'parked') AS parked, 0 AS problems,
                min(since) FILTER (WHERE state <> 'parked') AS since, CAST(NULL AS timestamptz) AS last_at
              FROM documents WHERE shop_id = :id GROUP BY 1, 2
              UNION ALL
              SELECT target, kind, 0, 0, count(*), CAST(NULL AS timestamptz), CAST(NULL AS timestamptz)
              FROM problems WHERE shop_id = :id AND dismissed_at IS NULL GROUP BY 1, 2
              UNION ALL
              SELECT target, kind, 0, 0, 0, CAST(NULL AS timestamptz), (
                SELECT max(updated_at) FROM links l
                WHERE l.shop_id = :id AND l.target = f.target AND l.kind = f.kind AND l.hash IS NOT NULL)
              FROM unnest(CAST(:targets AS text[]), CAST(:kinds AS text[])) AS f (target, kind)
            ) parts GROUP BY 1, 2
            """
        ),
        {
            "id": shop_id,
            "targets": [target for target, _ in flows],
            "kinds": [kind for _, kind in flows],
        },
    )
    return {
        (row["target"], "product" if row["kind"] == "variant" else row["kind"]): _Count(
            int(row["waiting"]), int(row["parked"]), int(row["problems"]), row["since"], row["last_at"]
        )
        for row in rows.mappings()
    }


@dataclass(frozen=True, slots=True)
class _Ground:
    """What the lights are judged by."""

    shop: Shop
    rows: Mapping[str, ConnectionRow]
    counts: Mapping[tuple[str, str], _Count]
    blocked: Mapping[Lane, Block]
    importing: AbstractSet[RunState]


def _flow(system: System, flow: Flow, target: str, ground: _Ground) -> FlowState:
    """The light of one flow. The first cause that stops it is its reason."""
    state = partial(FlowState, flow.kind, system.name, target)
    row = ground.rows.get(system.name)
    if ground.shop.state is not ShopState.ACTIVE:
        return state(Light.BAD, "stopped")
    if row is None:
        return state(Light.OFF, "not_connected", "connections")
    if row.state is not ConnectionState.CONNECTED:
        return state(Light.BAD, "broken", "connections")
    if not ground.shop.settings.yes(flow.setting):
        return state(Light.OFF, "switched_off", f"rules#{flow.setting}")
    return _moving(state, flow.kind, target, ground)


def _moving(state: Callable[..., FlowState], kind: str, target: str, ground: _Ground) -> FlowState:
    """The light of a flow that is not switched off."""
    count = ground.counts.get((target, kind), _Count())
    block = ground.blocked.get(Lane.push(ground.shop.id, target))
    if block is not None and count.waiting:
        return state(Light.WARN, "blocked", None, count.waiting, block.until)
    troubles = max(count.problems, count.parked)
    if troubles:
        return state(Light.WARN, "problems", "problems", troubles)
    if count.waiting:
        return state(Light.BUSY, "sending", None, count.waiting, count.since)
    if ground.importing - {RunState.DONE} and kind in {"product", "order"}:
        if RunState.PAUSED in ground.importing:
            return state(Light.WARN, "import_paused", "start")
        return state(Light.BUSY, "importing", "start")
    return _quiet(state, count)


def _quiet(state: Callable[..., FlowState], count: _Count) -> FlowState:
    """The light of a flow in which nothing moves."""
    if count.last_at is None:
        return state(Light.GOOD, "nothing_yet")
    return state(Light.GOOD, "delivered", None, 0, count.last_at)


async def _waits(tx: AsyncConnection, shop_id: ShopId, blocked: Mapping[Lane, Block]) -> tuple[Wait, ...]:
    unread = [(Lane.pull(shop_id, one.source), one.count, one.since) for one in await changes.backlog(tx, shop_id)]
    unsent: dict[Lane, list[OutboxCount]] = {}
    for one in await documents.counts_of(tx, shop_id):
        if one.open:
            unsent.setdefault(Lane.push(shop_id, one.target), []).append(one)
    sending = [
        (lane, sum(one.open for one in parts), min(one.since for one in parts if one.since is not None))
        for lane, parts in sorted(unsent.items(), key=lambda pair: pair[0].system)
    ]
    return tuple(
        Wait(
            lane.system,
            lane.direction is Direction.PULL,
            count,
            since,
            blocked[lane].until if lane in blocked else None,
        )
        for lane, count, since in (*unread, *sending)
    )


async def _boxes(
    engine: AsyncEngine, shop_id: ShopId, systems: Sequence[str], since: datetime
) -> tuple[int, tuple[Boxes, ...]]:
    """How many orders are known, and each one's box for each of *systems*: the most urgent that fits.

    An order is known if it was made within the period, or if we have heard of it and could not read it yet: then
    its date is not known. What is asked of single orders is asked by index (a subquery that Postgres does
    not turn into a join), so that a shop's history costs nothing.
    """
    async with engine.connect() as tx:
        rows = await tx.execute(
            text(
                """
                WITH unread AS (
                  SELECT key AS number FROM changes
                  WHERE shop_id = :id AND source = 'upgates' AND kind = 'order'
                  UNION SELECT parent FROM problems
                  WHERE shop_id = :id AND target = 'upgates' AND kind = 'order' AND dismissed_at IS NULL
                ), known AS MATERIALIZED (
                  SELECT number FROM orders WHERE shop_id = :id AND ordered_at > :since
                  UNION ALL SELECT number FROM unread u
                  WHERE (SELECT ordered_at FROM orders o WHERE o.shop_id = :id AND o.number = u.number) IS NULL
                ), signs AS (
                  -- 3: stopped, 2: under way; a sign of 'upgates' is one for every system
                  SELECT parent AS number, target, CASE WHEN state = 'parked' THEN 3 ELSE 2 END AS weight
                  FROM documents WHERE shop_id = :id AND kind = 'order'
                  UNION ALL SELECT parent, target, 3 FROM problems
                  WHERE shop_id = :id AND kind = 'order' AND dismissed_at IS NULL
                  UNION ALL SELECT key, 'upgates', 2 FROM changes
                  WHERE shop_id = :id AND source = 'upgates' AND kind = 'order'
                ), weightiest AS MATERIALIZED (
                  SELECT g.number, s.system, max(g.weight) AS weight
                  FROM signs g
                    JOIN unnest(CAST(:systems AS text[])) AS s (system) ON g.target IN (s.system, 'upgates')
                  GROUP BY 1, 2
                )
                SELECT NULL AS system, NULL AS box, count(*) AS number FROM known
                UNION ALL
                SELECT s.system,
                  CASE WHEN w.weight = 3 THEN 'parked' WHEN w.weight = 2 THEN 'waiting'
                    WHEN l.key IS NOT NULL THEN 'delivered' ELSE 'held' END,
                  count(*)
                FROM known k CROSS JOIN unnest(CAST(:systems AS text[])) AS s (system)
                  LEFT JOIN weightiest w ON w.number = k.number AND w.system = s.system
                  LEFT JOIN links l ON l.shop_id = :id AND l.target = s.system AND l.kind = 'order'
                    AND l.key = k.number AND l.state IN ('delivered', 'by_hand')
                    AND l.target = ANY(:systems) AND l.updated_at > :earlier  -- for the index alone
                GROUP BY 1, 2
                """
            ),
            {"id": shop_id, "since": since, "earlier": since - _CLOCKS, "systems": list(systems)},
        )
    counted = {(row.system, row.box): int(row.number) for row in rows}
    names = ("delivered", "waiting", "held", "parked")
    boxes = [Boxes(system, **{box: counted.get((system, box), 0) for box in names}) for system in systems]
    return counted[None, None], tuple(boxes)


def _net(shop: Shop, nets: Mapping[str, Run], now: datetime) -> Net:
    return Net(
        running=any(run.state is RunState.RUNNING for run in nets.values()),
        rests_until=rests_until(shop.reconciled_at, now),
        cost=max(sum(run.pages or 1 for run in nets.values()), len(("order", "product"))),
        last_at=shop.reconciled_at,
        found=sum(run.found for run in nets.values()),
        read=sum(run.done for run in nets.values()),
    )


async def _failures(tx: AsyncConnection, shop_id: ShopId) -> WebhookFailures | None:
    row = (
        await tx.execute(
            text(
                """
                SELECT subscribed_at, jsonb_array_length(webhook_failures) AS number
                FROM shops WHERE id = :id AND webhook_failures IS NOT NULL
                """
            ),
            {"id": shop_id},
        )
    ).one_or_none()
    return None if row is None else WebhookFailures(row.subscribed_at, row.number)


async def _delays(
    engine: AsyncEngine, systems: Systems, shop_id: ShopId, now: datetime
) -> Mapping[str, tuple[Delay, ...]]:
    today = now.astimezone(PRAGUE).date()
    days = [today - timedelta(days=back) for back in range(DAYS - 1, -1, -1)]
    found = {
        (one.system, one.day): Delay(one.day, one.count, one.median or 0.0, one.p95 or 0.0)
        for one in await daily_stats_of(engine, shop_id, StatKind.DELAYS, since=days[0], now=now)
    }
    return {
        system: tuple(found.get((system, day), Delay(day)) for day in days)
        for system in systems.titles
        if any(target == system for target, _ in found)
    }
