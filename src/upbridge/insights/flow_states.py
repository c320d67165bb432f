"""How every flow of a shop is: what the pages, `shops show --json` and the metrics all read."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Protocol, TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from upbridge.domain.lane import Lane
from upbridge.domain.purpose import Purpose
from upbridge.domain.shop import LISTENING, Shop, ShopState
from upbridge.domain.shop_id import ShopId
from upbridge.engine.completeness import KINDS as COUNTED
from upbridge.engine.completeness import Counted, counted_of, uncounted_of
from upbridge.engine.completeness import names as count_names
from upbridge.engine.flows import ENTITY, PAGES, SERVICES
from upbridge.engine.shop_maintenance import INACTIVE_WEBHOOKS
from upbridge.insights.flow_lights import Importing, Light, Login, Rest, Sight, in_doubt, judge
from upbridge.store import (
    change_queries,
    cursors,
    document_queries,
    heartbeat,
    lanes,
    link_queries,
    problem_queries,
    rate_limits,
    runs,
)
from upbridge.store.change_queries import WaitingChanges
from upbridge.store.changes import Kind
from upbridge.store.connections import ConnectionRow, ConnectionState, of_shops
from upbridge.store.document_queries import OutboxCount
from upbridge.store.lanes import Block
from upbridge.store.problem_queries import OpenCount
from upbridge.store.runs import Run, RunPurpose, RunState
from upbridge.store.shops import Shops
from upbridge.store.sql import Together
from upbridge.systems.base import Flow, System, Systems

#: What is read at the other system for what flows back from it.
_BACK: Mapping[str, frozenset[Kind]] = {
    "stock": frozenset({Kind.CATALOGUE, Kind.STOCK}),
    "shipment": frozenset({Kind.PICK_TICKETS}),
}
#: The service of the shop's API that is written to for what flows back, as GET /status names it.
_WRITTEN = {"stock": "products", "shipment": "orders"}
_MAY_READ, _MAY_WRITE = frozenset({"readonly", "all"}), frozenset({"all"})
#: Documents and problems of these kinds belong to the flow of another kind: the other system's products, which are
#: read for their stock, too.
_PARTS = {"variant": "product", "products": "stock"}
_IMPORTING = {
    RunState.DONE: Importing.DONE,
    RunState.RUNNING: Importing.RUNNING,
    RunState.PAUSED: Importing.PAUSED,
}


@dataclass(frozen=True, slots=True)
class FlowState:
    """One flow: what it carries, from where to where, its light and why. *system* is the one that is not the
    shop, *next* the page where the reason can be changed."""

    kind: str
    system: str
    source: str
    target: str
    light: Light
    reason: str
    count: int = 0
    at: datetime | None = None
    waiting: int = 0
    """What waits to be read or sent, and does not wait for a person."""
    oldest: datetime | None = None
    setting: str | None = None
    doubted: bool = False
    """Whether what is known of its source may be out of date, or not all there is."""

    @property
    def name(self) -> str:
        """What it carries and where it ends."""
        return f"{self.kind}.{self.target}"

    @property
    def next(self) -> str | None:
        """The page where the reason can be changed, with the place on it."""
        if self.reason == "switched_off":
            return f"rules#{self.setting}"
        return _NEXT.get(self.reason)


_NEXT = {
    "not_connected": "connections",
    "broken": "connections",
    "elsewhere": "connections",
    "problems": "problems",
    "no_right": "problems",
    "unannounced": "problems",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowFacts:
    """All that the lights of one shop are judged by, beside the shop and its connections."""

    unread: Sequence[WaitingChanges] = ()
    outbox: Sequence[OutboxCount] = ()
    problems: Sequence[OpenCount] = ()
    failing: Mapping[Lane, Block] = field(default_factory=dict)
    imports: Mapping[str, Run] = field(default_factory=dict)
    nets: Mapping[str, Run] = field(default_factory=dict)
    inactive: frozenset[str] = frozenset()
    """Kinds of entities whose webhooks are not active."""
    unproven: frozenset[str] = frozenset()
    """Kinds of entities of which the last reading of the list may have left something out."""
    counted: Mapping[str, Counted] = field(default_factory=dict)
    uncounted: Mapping[str, datetime] = field(default_factory=dict)
    """Since when the shop has not answered the count of a kind."""
    last_at: Mapping[tuple[str, str], datetime] = field(default_factory=dict)
    metered: bool = False
    """Whether the shop's tariff limits its calls."""
    worked_at: datetime | None = None
    """When a worker was last there; None if there never was one."""


_QUESTIONS = {
    "unread": change_queries.UNREAD,
    "outbox": document_queries.COUNTS,
    "open_problems": problem_queries.OPEN_COUNTS,
    "runs": runs.NEWEST,
    "lanes": lanes.FAILING,
    "cursors": cursors.NAMED,
    "beats": heartbeat.LAST,
}
_OF_MANY = Together(**_QUESTIONS)
_OF_ONE = Together(**_QUESTIONS, last=link_queries.LAST_DELIVERED, metered=rate_limits.METERED)


async def see(tx: AsyncConnection, systems: Systems, shop_id: ShopId) -> FlowFacts:
    """What decides about the lights of one shop."""
    shown = [(systems.target_of(system, flow), flow.kind) for system, flow in systems.flows if flow.shown]
    asked = {**_asked(systems), **link_queries.pairs_asked(shop_id, shown)}
    said = await _OF_ONE.ask(tx, [shop_id], **asked)
    return replace(
        _seen(said, [shop_id])[shop_id],
        last_at=link_queries.last_delivered(said["last"]),
        metered=bool(said["metered"]),
    )


async def see_many(tx: AsyncConnection, systems: Systems, only: Collection[ShopId]) -> dict[ShopId, FlowFacts]:
    """The same of many shops, without when something was delivered last and whether calls are metered."""
    return _seen(await _OF_MANY.ask(tx, only, **_asked(systems)), only)


def _asked(systems: Systems) -> dict[str, Any]:
    return {"system": systems.platform.name, "names": [*count_names(), INACTIVE_WEBHOOKS]}


def _seen(said: Mapping[str, Sequence[Any]], shop_ids: Collection[ShopId]) -> dict[ShopId, FlowFacts]:
    unread = _by_shop(map(change_queries.unread_of, said["unread"]))
    outbox = _by_shop(map(document_queries.count_of_row, said["outbox"]))
    open_problems = _by_shop(map(problem_queries.open_count_of, said["open_problems"]))
    newest, doubtful = runs.newest_of_each(said["runs"])
    started, unproven = _by_shop(newest), _by_shop(doubtful)
    failing: dict[ShopId, dict[Lane, Block]] = {}
    for lane, block in lanes.failing(said["lanes"]).items():
        failing.setdefault(lane.shop_id, {})[lane] = block
    kept = cursors.by_name(said["cursors"])
    worked_at = max((one.at for one in said["beats"]), default=None)
    return {
        shop_id: FlowFacts(
            unread=unread.get(shop_id, ()),
            outbox=outbox.get(shop_id, ()),
            problems=open_problems.get(shop_id, ()),
            failing=failing.get(shop_id, {}),
            imports=_newest(started.get(shop_id, ()), RunPurpose.IMPORT),
            nets=_newest(started.get(shop_id, ()), RunPurpose.SAFETY_NET),
            inactive=inactive_of(kept.get((shop_id, INACTIVE_WEBHOOKS))),
            unproven=frozenset(run.kind for run in unproven.get(shop_id, ())),
            counted=counts_of(kept, shop_id),
            uncounted=uncounted_of(kept, shop_id),
            worked_at=worked_at,
        )
        for shop_id in shop_ids
    }


def _newest(started: Iterable[Run], purpose: RunPurpose) -> dict[str, Run]:
    return {run.kind: run for run in started if run.purpose is purpose}


class _OfShop(Protocol):
    @property
    def shop_id(self) -> ShopId: ...


_Row = TypeVar("_Row", bound=_OfShop)


def _by_shop(rows: Iterable[_Row]) -> dict[ShopId, list[_Row]]:
    found: dict[ShopId, list[_Row]] = {}
    for row in rows:
        found.setdefault(row.shop_id, []).append(row)
    return found


def flow_states(
    systems: Systems, shop: Shop, connected: Mapping[str, ConnectionRow], seen: FlowFacts, now: datetime
) -> tuple[FlowState, ...]:
    """How every flow of *shop* is that has a light. Pure."""
    platform = systems.platform.name
    return tuple(
        _state(platform, system, flow, _Ground(shop, connected.get(system.name), seen, now))
        for system, flow in systems.flows
        if flow.shown
    )


@dataclass(frozen=True, slots=True)
class _Ground:
    """What the light of a flow to or from one system is judged by."""

    shop: Shop
    row: ConnectionRow | None
    seen: FlowFacts
    now: datetime


def _state(platform: str, system: System, flow: Flow, ground: _Ground) -> FlowState:
    shop, seen, now = ground.shop, ground.seen, ground.now
    source, target = (system.name, platform) if flow.back else (platform, system.name)
    kinds = _kinds(flow)
    # What the shop's facts have become may change all that is sent: until they are read, it may differ.
    read = kinds if flow.back else {*kinds, Kind.FACTS}
    unread = [one for one in seen.unread if one.source == source and one.kind in read]
    outbox = [one for one in seen.outbox if one.target == target and _PARTS.get(one.kind, one.kind) == flow.kind]
    open_problems = sum(one.number for one in seen.problems if _concerns(one, flow, kinds, source, target))
    unread_since = min((one.since for one in unread), default=None)
    waiting_since = min((one.since for one in outbox if one.since is not None), default=None)
    counted = None if flow.back else seen.counted.get(flow.kind)
    run = None if flow.back else seen.imports.get(flow.kind)
    sight = Sight(
        now=now,
        active=shop.state is ShopState.ACTIVE,
        unattended_since=seen.worked_at if _unattended(seen, now) else None,
        login=_login(ground.row),
        switched_on=shop.settings.yes(flow.setting),
        permitted=permitted(shop, flow),
        from_shop=not flow.back,
        announced=flow.back or flow.kind not in seen.inactive,
        importing=Importing.DONE if run is None else _IMPORTING[run.state],
        unread=sum(one.count for one in unread),
        unread_since=unread_since,
        source=_rest(seen.failing.get(Lane.pull(shop.id, source)), now, unread),
        proven=flow.back or flow.kind not in seen.unproven,
        astray=0 if counted is None else counted.astray,
        uncounted_since=None if flow.back else seen.uncounted.get(flow.kind),
        waiting=sum(one.open for one in outbox),
        waiting_since=waiting_since,
        parked=sum(one.parked for one in outbox),
        problems=open_problems,
        target=_rest(seen.failing.get(Lane.push(shop.id, target)), now, ()),
        last_at=seen.last_at.get((target, flow.kind)),
    )
    judged = judge(sight)
    return FlowState(
        kind=flow.kind,
        system=system.name,
        source=source,
        target=target,
        light=judged.light,
        reason=judged.reason,
        count=judged.count,
        at=judged.at,
        waiting=sight.unread + sight.waiting,
        oldest=min((one for one in (unread_since, waiting_since) if one is not None), default=None),
        setting=flow.setting,
        doubted=in_doubt(sight),
    )


def _unattended(seen: FlowFacts, now: datetime) -> bool:
    """Whether the workers are gone. Before the first one none is missed: then what waits says so."""
    return seen.worked_at is not None and now - seen.worked_at >= heartbeat.NO_WORKER


def _concerns(one: OpenCount, flow: Flow, kinds: Collection[Kind], source: str, target: str) -> bool:
    """Whether problems keep *flow* from its end: where it goes to, or where it is read from."""
    if one.target == target and not one.reading:
        return _PARTS.get(one.kind, one.kind) == flow.kind
    theirs = _PARTS.get(one.kind, one.kind) == flow.kind or one.kind in kinds
    return one.target == source and one.reading and theirs


def looking(seen: FlowFacts) -> frozenset[str]:
    """The kinds of which the missing ones are being read just now, or are counted again when they were."""
    counts = {Kind.ORDER_COUNT: "order", Kind.COUNT: "product"}
    pages = {kind: entity for entity, kind in PAGES.items()}
    return frozenset((counts | pages).get(one.kind, "") for one in seen.unread) - {""}


def _kinds(flow: Flow) -> Collection[Kind]:
    """The changes that bring what *flow* carries."""
    if flow.back:
        return _BACK.get(flow.kind, frozenset())
    return {kind for kind, entity in ENTITY.items() if entity == flow.kind}


def permitted(shop: Shop, flow: Flow) -> bool:
    """Whether the shop lets us read what *flow* carries, or write it there. What it does not mention it allows."""
    service = _WRITTEN.get(flow.kind) if flow.back else SERVICES.get(flow.kind)
    right = ((shop.facts or {}).get("rights") or {}).get(service)
    return right is None or right in (_MAY_WRITE if flow.back else _MAY_READ)


def _login(row: ConnectionRow | None) -> Login:
    if row is None:
        return Login.NONE
    if row.state is ConnectionState.CONNECTED:
        return Login.WORKS
    return Login.ELSEWHERE if row.leads_elsewhere else Login.REFUSED


def _rest(block: Block | None, now: datetime, unread: Sequence[WaitingChanges]) -> Rest | None:
    """A lane rests until its moment, and is no better between two tries while something waits for it.

    Where only the page of a list fails, what is announced passes.
    """
    if block is None or (block.until <= now and not unread):
        return None
    if not block.asked and block.priority >= Purpose.SAFETY:
        return None
    return Rest(block.since, block.until, budget=block.asked, logins=block.logins)


def inactive_of(value: str | None) -> frozenset[str]:
    """The kinds of entities whose webhooks are not active, as they are kept."""
    return frozenset(json.loads(value)) if value is not None else frozenset()


def counts_of(kept: Mapping[tuple[ShopId, str], str], shop_id: ShopId) -> dict[str, Counted]:
    """The last count of each kind that was counted."""
    found = {kind: counted_of(kept, shop_id, kind) for kind in COUNTED}
    return {kind: one for kind, one in found.items() if one is not None}


TOGETHER = 200
"""Shops that are judged in one go: the web process takes webhooks meanwhile, and each go holds them up."""
LIGHTS_EVERY = timedelta(minutes=1)


class CountedLights:
    """How many flows of all shops have each light, for the metric: counted at most once a minute."""

    def __init__(self, engine: AsyncEngine, systems: Systems, shops: Shops) -> None:
        self._engine = engine
        self._systems = systems
        self._shops = shops
        self._turn = asyncio.Lock()
        self._counted: tuple[datetime, Counter[Light]] | None = None

    async def at(self, now: datetime) -> Counter[Light]:
        """The lights at *now*, or a little before. Shops that are gone have none."""
        async with self._turn:
            if self._counted is None or not timedelta(0) <= now - self._counted[0] < LIGHTS_EVERY:
                self._counted = (now, await self._count(now))
            return self._counted[1]

    async def _count(self, now: datetime) -> Counter[Light]:
        found = Counter[Light]()
        async for _, states in of_all(self._engine, self._systems, self._shops, now):
            found.update(state.light for state in states)
        return found


async def of_all(
    engine: AsyncEngine, systems: Systems, shops: Shops, now: datetime
) -> AsyncIterator[tuple[Shop, tuple[FlowState, ...]]]:
    """Every shop that is there, with how its flows are at *now*, in portions of `TOGETHER`."""
    async for page in shops.pages(TOGETHER):
        present = [shop for shop in page if shop.state in LISTENING]
        ids = [shop.id for shop in present]
        rows: dict[ShopId, dict[str, ConnectionRow]] = {}
        async with engine.connect() as tx:
            seen = await see_many(tx, systems, ids)
            for row in await of_shops(tx, ids):
                rows.setdefault(row.shop_id, {})[row.system] = row
        for shop in present:
            yield shop, flow_states(systems, shop, rows.get(shop.id, {}), seen[shop.id], now)
