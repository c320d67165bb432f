"""The start page: the steps of the way to a working add-on, the first import, what waits."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy.ext.asyncio import AsyncEngine

from upbridge.core.clock import Clock
from upbridge.domain.lane import Lane
from upbridge.domain.shop import BY_OPERATOR, Shop, ShopState
from upbridge.domain.shop_id import ShopId
from upbridge.engine.flows import PAGES
from upbridge.insights.flow_lights import Light
from upbridge.insights.flow_states import FlowState, Seen, flow_states, see
from upbridge.rate_limits.forecast import finish_time
from upbridge.rate_limits.ledger import Ledger
from upbridge.store import change_queries
from upbridge.store.changes import Origin
from upbridge.store.connections import ConnectionRow, Connections, ConnectionState
from upbridge.store.lanes import block_of
from upbridge.store.problems import OpenProblem, count_open, newest_open
from upbridge.store.runs import Run, RunState, most_imported
from upbridge.store.shops import Shops
from upbridge.systems.base import Setup, SetupStep, System, Systems

#: What the first import reads, in this order.
KINDS = ("product", "order")
SHOWN_PROBLEMS = 3


class StepState(StrEnum):
    """A step of the way to a working add-on (R23)."""

    DONE = "done"
    WAITING = "waiting"


@dataclass(frozen=True, slots=True)
class Step:
    """One step. *page* is the place where it is taken, where there is one; *about* is with whom, *missing* what it
    still lacks."""

    name: str
    state: StepState
    page: str | None = None
    about: str | None = None
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Import:
    """How far the first import of one kind is; *run* is None until it starts."""

    kind: str
    run: Run | None
    spared: bool = False
    """Nothing of this kind has to be read (no connected system wants what is older than its connection)."""
    read: int = 0
    """The most that a finished import of this kind has read: a later one for another system may have had less."""

    @property
    def finished(self) -> bool:
        """Whether everything was read."""
        return self.spared or (self.run is not None and self.run.state is RunState.DONE)

    @property
    def paused(self) -> bool:
        """Whether a user has paused it."""
        return self.run is not None and self.run.state is RunState.PAUSED

    @property
    def moving(self) -> bool:
        """Whether it goes on by itself."""
        return self.run is not None and self.run.state is RunState.RUNNING and not self.spared

    @property
    def total(self) -> int:
        """The number of things, 1 as long as it is not known (so that a bar can be drawn)."""
        return max((self.run.total if self.run else None) or 1, 1)

    @property
    def done(self) -> int:
        """How many were read, never more than `total`: a list may shrink under the run."""
        return self.total if self.finished else min(self.run.done if self.run else 0, self.total)


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits: *changes* to be read from the shop, *documents* to be sent and *parked* ones, per target."""

    changes: int
    documents: Mapping[str, int]
    parked: int


@dataclass(frozen=True, slots=True)
class StartView:
    """Everything on the start page."""

    systems: Systems
    shop: Shop
    connections: Mapping[str, ConnectionRow]
    imports: tuple[Import, ...]
    backlog: Backlog
    problems: tuple[OpenProblem, ...]
    problem_count: int
    alarms: tuple[FlowState, ...]
    """The flows that are stopped."""
    import_ends_at: datetime | None
    """When the budget will have allowed the rest of the first import; None if there is none or it is unknown."""

    @property
    def pausable(self) -> bool:
        """Whether there is a first import that could rest."""
        return any(one.moving for one in self.imports)

    @property
    def paused(self) -> bool:
        """Whether a user has paused a first import."""
        return any(one.paused for one in self.imports)

    @property
    def state(self) -> str:
        """The last part of the state's key in the catalogue."""
        if self.shop.state is ShopState.SUSPENDED and self.shop.reason == BY_OPERATOR:
            return "suspended_operator"
        return "login_refused" if self.shop.state is ShopState.ACTIVE and self.refused else str(self.shop.state)

    @property
    def company(self) -> str | None:
        """Who the shop belongs to, after Upgates was asked (R25)."""
        company = (self.shop.facts or {}).get("company")
        return str(company) if company else None

    @property
    def connected(self) -> tuple[str, ...]:
        """The systems whose connection works."""
        return tuple(name for name, row in self.connections.items() if row.state is ConnectionState.CONNECTED)

    @property
    def refused(self) -> tuple[str, ...]:
        """The systems whose login no longer works: refused, or given up when the shop had left."""
        return tuple(name for name in self.connections if name not in self.connected)

    @property
    def hindered(self) -> bool:
        """Whether the shop takes from us what a flow that is switched on needs, or does not answer."""
        return bool(self.alarms)

    @property
    def for_you(self) -> int:
        """How much waits for a person: one number, wherever the page says it."""
        return max(self.backlog.parked, self.problem_count)

    @property
    def steps(self) -> tuple[Step, ...]:
        """The way from activation to running, each step done or waiting."""
        imported = all(one.finished for one in self.imports) and bool(self.connections)
        before = (
            Step("activated", _reached(self.shop.state is ShopState.ACTIVE)),
            Step("paired", _reached(self.shop.facts is not None), about=self.company),
            *(self._connection(system) for system in self.systems.connected),
            *(self._of_system(system, step) for system in self.systems.connected for step in system.steps),
            Step("imported", _reached(imported)),
        )
        # Nothing runs by itself while a step before it waits, or something that it needs was taken away.
        done = all(step.state is StepState.DONE for step in before)
        running = done and not (self.refused or self.paused or self.hindered)
        return (*before, Step("running", _reached(running)))

    def _connection(self, system: System) -> Step:
        row = self.connections.get(system.name)
        about = system.account_name(row) if row is not None and system.account_name is not None else None
        return Step(system.name, _reached(system.name in self.connected), f"connections#{system.name}", about)

    def _of_system(self, system: System, step: SetupStep) -> Step:
        setup = Setup(self.shop, self.connections.get(system.name), works=system.name in self.connected)
        return Step(step.name, _reached(step.done(setup)), step.page, missing=tuple(step.missing(setup)))

    @property
    def settled(self) -> bool:
        """Whether nothing on the page will move by itself for now."""
        return (
            not self.backlog.changes
            and not any(self.backlog.documents[name] for name in self.connected)
            and not any(one.moving for one in self.imports)
        )


def _reached(done: object) -> StepState:
    return StepState.DONE if done else StepState.WAITING


class Views:
    """Reads what a page shows. Every query takes the shop."""

    def __init__(
        self,
        engine: AsyncEngine,
        *,
        systems: Systems,
        shops: Shops,
        connections: Connections,
        ledger: Ledger,
        clock: Clock,
    ) -> None:
        self._systems = systems
        self._engine = engine
        self._shops = shops
        self._connections = connections
        self._ledger = ledger
        self._clock = clock

    async def start(self, shop_id: ShopId) -> StartView:
        """The start page of one shop; raises `NotFound` if it was erased."""
        problems, problem_count = await self._newest_problems(shop_id)
        shop, rows = await self._shops.get(shop_id), await self._connections.of(shop_id)
        async with self._engine.connect() as tx:
            read = await most_imported(tx, shop_id)
            seen = await see(tx, self._systems, shop_id)
        runs = seen.imports
        imports = tuple(
            Import(kind, runs.get(kind), spared=bool(runs) and kind not in runs, read=read.get(kind, 0))
            for kind in KINDS
        )
        return StartView(
            systems=self._systems,
            shop=shop,
            connections=rows,
            imports=imports,
            import_ends_at=await self.import_ends_at(shop_id) if any(one.moving for one in imports) else None,
            backlog=self._backlog(seen),
            problems=problems,
            problem_count=problem_count,
            alarms=self._alarms(shop, rows, seen),
        )

    def _alarms(self, shop: Shop, rows: Mapping[str, ConnectionRow], seen: Seen) -> tuple[FlowState, ...]:
        states = flow_states(self._systems, shop, rows, seen, self._clock())
        return tuple(state for state in states if state.light is Light.STOPPED)

    async def import_ends_at(self, shop_id: ShopId) -> datetime | None:
        """When the budget will have allowed the pages that the first import still wants, not before the shop's API
        is called again at all; None if it never will, or nothing is left to read."""
        now = self._clock()
        async with self._engine.connect() as tx:
            pages = list(PAGES.values())
            left = await change_queries.count_of(tx, shop_id, "upgates", pages, Origin.IMPORT)
            block = await block_of(tx, Lane.pull(shop_id, "upgates"))
        if not left:
            return None
        try:
            ends_at = finish_time(left, await self._ledger.outlook(shop_id), now)
        except ValueError:  # limits that allow no call
            return None
        return ends_at if block is None else max(ends_at, block.until)

    async def _newest_problems(self, shop_id: ShopId) -> tuple[tuple[OpenProblem, ...], int]:
        """The newest open problems, and how many there are."""
        async with self._engine.connect() as tx:
            number = await count_open(tx, shop_id)
            return tuple(await newest_open(tx, shop_id, limit=SHOWN_PROBLEMS)), number

    def _backlog(self, seen: Seen) -> Backlog:
        unsent = dict.fromkeys(self._systems.titles, 0)
        for one in seen.outbox:
            if one.open:
                unsent[one.target] = unsent.get(one.target, 0) + one.open
        return Backlog(
            changes=sum(one.count for one in seen.unread),
            documents=unsent,
            parked=sum(one.parked for one in seen.outbox),
        )
