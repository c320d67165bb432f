"""A testbed: a shop, the real engine, and every system around it as strict as its rules, all in one process."""

import copy
import itertools
import random
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from uuid import NAMESPACE_DNS, uuid5

import httpx
from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.conformance.snapshot import Snapshot
from tests.conformance.third_system.abacus.system import ABACUS
from tests.conformance.third_system.simulated import Book, abacus_api
from tests.conformance.virtual import Hours, Network, Reaper
from tests.support.engine import settings
from upbridge.bootstrap import targets_of
from upbridge.core.encryption import Cipher
from upbridge.domain.lane import Lane
from upbridge.domain.shop import Shop
from upbridge.domain.shop_id import ShopId
from upbridge.engine import lanes
from upbridge.rate_limits.ledger import Ledger
from upbridge.store import changes, schema
from upbridge.store.changes import Kind, Origin
from upbridge.store.problems import Stage
from upbridge.systems.base import Systems, Target
from upbridge.systems.connecting import Tools
from upbridge.systems.registry import SYSTEMS as REGISTRY
from upbridge.systems.uphance.target import UphanceTarget
from upbridge.systems.upp.client import UppClient
from upbridge.systems.upp.target import UppTarget
from upbridge.worker_container import WorkerContainer
from upbridge_sandbox.changes import Changes
from upbridge_sandbox.demo.compare import Origin as Goods
from upbridge_sandbox.demo.compare import Problems
from upbridge_sandbox.demo.upp_rules import Market
from upbridge_sandbox.demo.writeback_checks import StaffWork
from upbridge_sandbox.seed.plan import Plan, open_shop
from upbridge_sandbox.shop import Shop as SandboxShop
from upbridge_sandbox.signing import Signer
from upbridge_sandbox.state import Addresses, State
from upbridge_sandbox.upgates.api import upgates_api
from upbridge_sandbox.uphance.api import uphance_api
from upbridge_sandbox.uphance.organisations import Organisation
from upbridge_sandbox.upp.api import upp_api
from upbridge_sandbox.upp.tenant import Tenant

HOST = "demo.admin.s24.upgates.com"
UPP, UPHANCE = "http://upp.test", "http://uphance.test"
#: The registry with one line more: every testbed has the third system, and a test connects what it is about.
SYSTEMS = Systems(platform=REGISTRY.platform, connected=(*REGISTRY.connected, ABACUS))

Json = dict[str, Any]
#: What an event is about; any other one is about the shop's facts.
_KINDS = {"Orders": Kind.ORDER, "Products": Kind.PRODUCT}


@dataclass
class Letters:
    """What the shop announces; the postman is `Testbed.deliver`."""

    waiting: list[tuple[str, str]] = field(default_factory=list)
    lost: bool = False
    """Nothing arrives any more."""

    def announce(self, shop: SandboxShop, event: str, key: str, body: Json, *, array: str = "") -> None:
        if not self.lost and array != "variants":  # a deleted product says so itself, too
            self.waiting.append((event, key))


@dataclass
class Testbed:
    """One shop and everything around it. `service` is that of the process which is alive."""

    __test__ = False  # pytest takes a class of such a name for tests

    engine: AsyncEngine
    cipher: Cipher
    http: httpx.AsyncClient
    world: State
    origin: SandboxShop
    edits: Changes
    letters: Letters
    hours: Hours
    reaper: Reaper
    network: Network
    shop_id: ShopId
    service: WorkerContainer
    book: Book = field(default_factory=Book)
    """The shop's account at Abacus."""
    day: StaffWork = field(default_factory=StaffWork)
    """What staff have done in Uphance."""
    put_back: bool = False
    """Whether the database was put back to an earlier state."""

    @property
    def organisation(self) -> Organisation:
        """The shop's own company in Uphance."""
        return self.world.uphance.organisations[501]

    @property
    def tenant(self) -> Tenant:
        """The shop's client at Upp.ai."""
        return self.world.tenants["upp-demo"]

    async def shop(self) -> Shop:
        return await self.service.shops.get(self.shop_id)

    async def set(self, **texts: str) -> None:
        """Change settings as typed (`stock__write="true"`)."""
        typed = {name.replace("__", "."): value for name, value in texts.items()}
        await self.service.settings_editor.change(await self.shop(), typed)

    # --- the machinery ----------------------------------------------------------------------------------------

    def start(self) -> None:
        """A fresh process on the same database: nothing that was in memory is left."""
        self.service = _service(self.engine, self.cipher, self.http, self.hours)
        self.reaper.spare()

    async def deliver(self, order: Callable[[list[tuple[str, str]]], Iterable[tuple[str, str]]] = list) -> None:
        """Bring what the shop has announced, in the *order* asked for; what was not taken comes again."""
        said = list(self.letters.waiting)
        if not said:
            return
        async with self.service.engine.begin() as tx:
            for event, letters in itertools.groupby(order(said), key=lambda letter: letter[0].partition(".")[0]):
                await changes.mark_changed(
                    tx,
                    self.shop_id,
                    "upgates",
                    _KINDS.get(event, Kind.FACTS),
                    [key for _, key in letters] if event in _KINDS else ["facts"],
                    origin=Origin.WEBHOOK,
                    now=self.hours(),
                )
        del self.letters.waiting[: len(said)]

    async def work(self, shuffle: Callable[[list[Lane]], None] = lambda _: None) -> None:
        """Until nothing is left that could be done now."""
        for _ in range(200):
            due = list(await lanes.due(self.service.engine, SYSTEMS, now=self.hours(), only=self.shop_id))
            if not due:
                return
            shuffle(due)
            for lane in due:
                await self.service.lane_worker.work_on(lane)
            await self.nothing_unforeseen()
        raise AssertionError("the work does not end")

    async def settle(self, shuffle: Callable[[list[Lane]], None] = lambda _: None) -> None:
        """Until nothing waits, neither for its turn nor its time: letters and the schedule come, hours pass."""
        for _ in range(400):
            await self.deliver()
            await self.service.scheduler.run_once()
            await self.work(shuffle)
            if self.letters.waiting:
                continue
            if (due := await self._next()) is None:
                return
            self.hours.move(seconds=1 if due > self.hours() else 300)
            self.hours.reach(due)
        raise AssertionError("something waits for ever")

    async def _next(self) -> Any:
        """The moment for which the next thing waits; None if nothing does."""
        rows = await self.rows(
            """
            SELECT min(w.due_at) AS due, max(l.until) AS open FROM (
              SELECT 'pull' AS direction, source AS system, due_at FROM changes
              WHERE shop_id = :shop_id AND kind <> 'probe'
              UNION ALL
              SELECT 'push', target, due_at FROM documents
              WHERE shop_id = :shop_id AND state IN ('waiting', 'sending')) w
            LEFT JOIN lanes l ON l.shop_id = :shop_id AND l.direction = w.direction AND l.system = w.system
            """
        )
        return None if rows[0].due is None else max(rows[0].due, rows[0].open or rows[0].due)

    async def nothing_unforeseen(self) -> None:
        """No lane has met an error that the engine does not expect."""
        rows = await self.rows(
            "SELECT direction, system, reason FROM lanes WHERE shop_id = :shop_id AND reason LIKE 'unexpected%'"
        )
        assert not rows, rows

    async def rows(self, query: str, **values: Any) -> list[Any]:
        async with self.engine.connect() as tx:
            return list(await tx.execute(text(query), {"shop_id": self.shop_id, **values}))

    async def retry_everything(self) -> list[str]:
        """A person retries everything that could not be sent or read; returns the keys of those problems."""
        found = [one for one in await self.service.problems.open(self.shop_id) if one.stage != Stage.MAP]
        for problem in found:
            await self.service.problem_actions.retry(problem.id)
        return [problem.key for problem in found]

    # --- what is true -----------------------------------------------------------------------------------------

    def goods(self) -> Goods:
        """What the shop holds, held and deleted, for those who compare."""
        held = copy.deepcopy((self.origin.goods.products, self.origin.deleted_products, self.origin.orders))
        products, deleted, orders = held
        facts = self.origin.facts
        return Goods(
            list(products.values()),
            list(deleted.values()),
            orders,
            copy.deepcopy(self.origin.versions),
            Market(facts.language, facts.default_pricelist, facts.prices_with_vat),
        )

    async def told(self) -> Problems:
        """What the merchant was told, for those who compare."""
        found = await self.service.problems.open(self.shop_id)
        return Problems([{"entity": one.entity, "message": one.message, "target": one.target} for one in found])

    def written(self, system: str) -> int:
        """How many writes *system* has taken."""
        return sum(
            count
            for (where, operation, status), count in self.world.call_log.counts.items()
            if where == system
            and operation.startswith("P")
            and not any(free in operation for free in ("/oauth/", "/organisations/", "/webhooks"))
            and 200 <= status < 300
        )


@cache
def _signer() -> Signer:
    """One for all testbeds: nothing here is signed, and a key costs a quarter of a second."""
    return Signer()


def _service(engine: AsyncEngine, cipher: Cipher, http: httpx.AsyncClient, hours: Hours) -> WorkerContainer:
    ours = settings(uphance_url=UPHANCE, upp_url=UPP, allow_insecure=True)
    tools = Tools(http=http, settings=ours, engine=engine, cipher=cipher, clock=hours)
    targets: dict[str, Target] = {
        **targets_of(SYSTEMS, tools),
        "upp": UppTarget(UppClient(http, UPP, hours)),
        "uphance": UphanceTarget.stored(http, UPHANCE, engine, hours, sleep=hours.pause),
    }
    return WorkerContainer(
        settings=ours,
        systems=SYSTEMS,
        engine=engine,
        cipher=cipher,
        clock=hours,
        http=http,
        ledger=Ledger(engine, hours, sleep=hours.pause),
        targets=targets,
        webhook_url=lambda shop, source, event: f"https://upbridge.example/webhooks/{source}/{event}/t-{shop.id}",
    )


@asynccontextmanager
async def open_testbed(
    engine: AsyncEngine,
    cipher: Cipher,
    *,
    products: int = 12,
    orders: int = 14,
    seed: int = 1,
) -> AsyncIterator[Testbed]:
    """An activated shop that is connected to nothing yet. In the end no published rule was broken."""
    hours = Hours()
    world = State("sig", None, seed=seed, clock=hours, sleep=hours.sleep, signer=_signer())
    world.addresses = Addresses(*[f"https://{HOST}"] * 6)
    origin = open_shop(world, Plan(name="demo", products=products, orders=orders, seed=seed))
    origin.active = True
    origin.adopt(origin.new_access(), world.now())
    assert origin.access is not None
    shop_id = ShopId(uuid5(NAMESPACE_DNS, origin.token))  # its place in the hour and the day, the same each time
    values = {
        "id": shop_id,
        "key": "demo",
        "token": origin.token,
        "state": "active",
        "api_url": f"https://{HOST}/api/v2",
        "api_user": origin.access.user,
        "api_key": cipher.encrypt(origin.access.key),
        "installed_at": hours(),
        "reconciled_at": hours(),
        "subscribed_at": hours(),  # the postman needs no subscription
    }
    async with engine.begin() as tx:
        await tx.execute(insert(schema.shops).values(values))
    async with _around(engine, cipher, world, hours, shop_id) as testbed:
        yield testbed


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A testbed at a moment, to start from again and again: the world, and the rows of the database."""

    world: State
    hours: Hours
    shop_id: ShopId
    day: StaffWork
    rows: Snapshot

    @classmethod
    def of(cls, testbed: Testbed, address: str) -> "Checkpoint":
        """*testbed*, whose database has that *address*, as it is now: quiet."""
        assert not testbed.letters.waiting
        world, hours = _copied(testbed.world, testbed.hours)
        return cls(world, hours, testbed.shop_id, copy.deepcopy(testbed.day), Snapshot.of(address))

    @asynccontextmanager
    async def again(self, engine: AsyncEngine, cipher: Cipher, address: str) -> AsyncIterator[Testbed]:
        """The testbed as it was, in an empty database."""
        self.rows.restore(address)
        world, hours = _copied(self.world, self.hours)
        async with _around(engine, cipher, world, hours, self.shop_id) as testbed:
            testbed.day = copy.deepcopy(self.day)
            yield testbed


def _copied(world: State, hours: Hours) -> tuple[State, Hours]:
    """A world of its own, with a clock of its own, at the same moment."""
    clock = Hours(hours())
    ids = next(world.uphance.ids)  # an iterator cannot be copied
    world.uphance.ids = itertools.count(ids)
    known = {id(hours): clock, id(world.signer): world.signer, id(world.uphance.ids): itertools.count(ids)}
    return copy.deepcopy(world, known), clock


@asynccontextmanager
async def _around(
    engine: AsyncEngine,
    cipher: Cipher,
    world: State,
    hours: Hours,
    shop_id: ShopId,
) -> AsyncIterator[Testbed]:
    letters, reaper = Letters(), Reaper()
    edits = Changes(world, letters)
    book = Book()
    apps = {
        HOST: upgates_api(world, edits),
        "upp.test": upp_api(world),
        "uphance.test": uphance_api(world),
        "abacus.test": abacus_api(world, book),
    }
    network = Network(hours, reaper, apps)
    async with httpx.AsyncClient(transport=network) as http:
        testbed = Testbed(
            engine=engine,
            cipher=cipher,
            http=http,
            world=world,
            origin=world.shops["demo"],
            edits=edits,
            letters=letters,
            hours=hours,
            reaper=reaper,
            network=network,
            shop_id=shop_id,
            service=_service(engine, cipher, http, hours),
            book=book,
        )
        with reaper.watching(engine):
            yield testbed
        await network.close()
    broken = [(one.rule, one.request, one.detail) for one in world.call_log.violations]
    assert not broken, broken


def rng(seed: int) -> random.Random:
    """Chance that repeats."""
    return random.Random(seed)
