"""The first page: the steps of the way to a working add-on, the first import, the causes of problems."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from upbridge.core.clock import Clock
from upbridge.domain.lane import Lane
from upbridge.domain.platform import PLATFORM
from upbridge.domain.shop import ShopState
from upbridge.domain.shop_id import ShopId
from upbridge.engine.flows import PAGES
from upbridge.engine.imports import why_again
from upbridge.insights.news import TOLD_BY_LIGHTS
from upbridge.rate_limits.forecast import finish_time
from upbridge.rate_limits.ledger import Ledger
from upbridge.store import change_queries, cursors
from upbridge.store.changes import Origin
from upbridge.store.connections import ConnectionState
from upbridge.store.lanes import block_of
from upbridge.store.problem_queries import RankedProblem, largest_causes
from upbridge.store.runs import Run, RunState, most_imported
from upbridge.systems.base import Setup, SetupStep, System, Systems
from upbridge.web.queries.health import ShopHealth

#: What the first import reads, in this order.
KINDS = ("product", "order")
#: So many causes of problems lead the page: the others are one click away.
SHOWN_CAUSES = 5
#: What the shop is said to have no use for: the name of a note about the system.
UNWANTED = "unwanted"


class StepState(StrEnum):
    """A step of the way to a working add-on (R23)."""

    DONE = "done"
    WAITING = "waiting"


@dataclass(frozen=True, slots=True)
class StartStep:
    """One step. *page* is the place where a person takes it, None where it takes place by itself; *about* is with
    whom, *missing* what it still lacks."""

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
    again: str | None = None
    """Why what was read already is read again: the last part of the reason's key."""

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
        """The number of things; 1 until it is known, so that a bar can be drawn."""
        return max((self.run.total if self.run else None) or 1, 1)

    @property
    def done(self) -> int:
        """How many were read, never more than `total`: a list may shrink under the run."""
        return self.total if self.finished else min(self.run.done if self.run else 0, self.total)


@dataclass(frozen=True, slots=True)
class StartView:
    """What the first page says beside the shop's health and its numbers."""

    systems: Systems
    health: ShopHealth
    imports: tuple[Import, ...]
    causes: tuple[RankedProblem, ...]
    """The causes of open problems that no light tells, each by its newest problem."""
    unwanted: frozenset[str]
    """Systems that the shop has no use for."""
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
    def again(self) -> tuple[str, ...]:
        """Why what was read already is being read again, each reason once."""
        reasons = (one.again for one in self.imports if one.again and (one.moving or one.paused))
        return tuple(dict.fromkeys(reason for reason in reasons if reason))

    @property
    def untold(self) -> bool:
        """Whether there are more causes than the page leads with."""
        return len(self.causes) >= SHOWN_CAUSES

    @property
    def company(self) -> str | None:
        """Who the shop belongs to, after Upgates was asked (R25)."""
        company = (self.health.shop.facts or {}).get("company")
        return str(company) if company else None

    @property
    def connected(self) -> tuple[str, ...]:
        """The systems whose connection works."""
        return tuple(name for name, row in self.health.rows.items() if row.state is ConnectionState.CONNECTED)

    @property
    def to_do(self) -> tuple[StartStep, ...]:
        """What a person does once, in this order. A login that died later is no step, it is an alarm."""
        wanted = [
            system
            for system in self.systems.connected
            if system.name not in self.unwanted or system.name in self.health.rows
        ]
        return (
            StartStep("activated", _reached(self.health.shop.state is ShopState.ACTIVE)),
            *(self._connection(system) for system in wanted),
            *(self._of_system(system, step) for system in wanted for step in system.steps),
        )

    @property
    def by_itself(self) -> tuple[StartStep, ...]:
        """What takes place by itself."""
        shop = self.health.shop
        imported = all(one.finished for one in self.imports) and bool(self.health.rows)
        paired = StartStep("paired", _reached(shop.facts is not None), about=self.company)
        before = (*self.to_do, paired, StartStep("imported", _reached(imported)))
        # Nothing runs by itself while a step before it waits, or something that it needs was taken away.
        done = all(step.state is StepState.DONE for step in before)
        running = done and not (self.paused or self.health.alarms)
        return (*before[-2:], StartStep("running", _reached(running)))

    @property
    def next_step(self) -> tuple[int, StartStep] | None:
        """The first step that a person has still to take, and its place in the list; None once all are taken."""
        open_steps = (
            (place, step)
            for place, step in enumerate(self.to_do, 1)
            if step.page and step.state is not StepState.DONE
        )
        return next(open_steps, None)

    @property
    def skippable(self) -> str | None:
        """The system that the next step would connect, where the shop may do without: another is connected."""
        step = self.next_step
        return step[1].name if step and step[1].name in self.systems.titles and self.health.rows else None

    def _connection(self, system: System) -> StartStep:
        row = self.health.rows.get(system.name)
        about = system.account_name(row) if row is not None and system.account_name is not None else None
        return StartStep(system.name, _reached(row is not None), f"connections#{system.name}", about)

    def _of_system(self, system: System, step: SetupStep) -> StartStep:
        row = self.health.rows.get(system.name)
        # That a login died later undoes no step: the alarm says it.
        setup = Setup(self.health.shop, row, works=row is not None)
        return StartStep(step.name, _reached(step.done(setup)), step.page, missing=tuple(step.missing(setup)))

    @property
    def settled(self) -> bool:
        """Whether nothing on the page will move by itself for now."""
        seen = self.health.seen
        return (
            not seen.unread
            and not any(one.open and one.target in self.connected for one in seen.outbox)
            and not any(one.moving for one in self.imports)
        )


def _reached(done: object) -> StepState:
    return StepState.DONE if done else StepState.WAITING


class Views:
    """Reads what the first page shows. Every query takes the shop."""

    def __init__(self, engine: AsyncEngine, *, systems: Systems, ledger: Ledger, clock: Clock) -> None:
        self._systems = systems
        self._engine = engine
        self._ledger = ledger
        self._clock = clock

    async def start(self, health: ShopHealth) -> StartView:
        """What the first page shows of a shop with this *health*."""
        shop_id, runs = health.shop.id, health.seen.imports
        async with self._engine.connect() as tx:
            read = await most_imported(tx, shop_id)
            causes = await largest_causes(tx, shop_id, apart=TOLD_BY_LIGHTS, most=SHOWN_CAUSES)
            unwanted = frozenset(await self._unwanted(tx, shop_id))
            again = {kind: await why_again(tx, run) for kind, run in runs.items()}
        imports = tuple(
            Import(
                kind,
                runs.get(kind),
                spared=bool(runs) and kind not in runs,
                read=read.get(kind, 0),
                again=again.get(kind),
            )
            for kind in KINDS
        )
        return StartView(
            systems=self._systems,
            health=health,
            imports=imports,
            causes=tuple(causes),
            unwanted=unwanted,
            import_ends_at=await self.import_ends_at(shop_id) if any(one.moving for one in imports) else None,
        )

    async def do_without(self, shop_id: ShopId, system: str) -> None:
        """Stop asking for the steps of *system*, which the shop does without."""
        async with self._engine.begin() as tx:
            await cursors.put(tx, shop_id, system, UNWANTED, "yes")

    async def _unwanted(self, tx: AsyncConnection, shop_id: ShopId) -> Collection[str]:
        return [
            system.name
            for system in self._systems.connected
            if await cursors.get(tx, shop_id, system.name, UNWANTED) is not None
        ]

    async def import_ends_at(self, shop_id: ShopId) -> datetime | None:
        """When the budget will have allowed the pages that the first import still wants, not before the shop's API
        is called again at all; None if it never will, or nothing is left to read."""
        now = self._clock()
        async with self._engine.connect() as tx:
            pages = list(PAGES.values())
            left = await change_queries.count_of(tx, shop_id, PLATFORM, pages, Origin.IMPORT)
            block = await block_of(tx, Lane.pull(shop_id, PLATFORM))
        if not left:
            return None
        try:
            ends_at = finish_time(left, await self._ledger.snapshot(shop_id), now)
        except ValueError:  # limits that allow no call
            return None
        return ends_at if block is None else max(ends_at, block.until)
