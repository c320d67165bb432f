"""The engine over a real database, between a simulated Upgates and scripted targets."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from tests.support.clock import MID_HOUR, MovableClock
from tests.support.shops import KEY, MakeShop
from tests.support.simulated import FACTS, Target, Upgates, Woken
from upbridge.core.encryption import Cipher
from upbridge.domain.delivery import Entity
from upbridge.domain.lane import Lane
from upbridge.domain.shop import Shop
from upbridge.domain.shop_id import ShopId
from upbridge.engine import lanes
from upbridge.engine.planner import ReadBatch, plan_documents
from upbridge.engine.puller import A_FEW, Puller
from upbridge.rate_limits.ledger import Ledger
from upbridge.settings import Settings
from upbridge.store import changes, schema
from upbridge.store import documents as outbox
from upbridge.store.changes import Kind, Origin
from upbridge.store.problem_queries import Problem
from upbridge.store.problems import NewProblem, Stage
from upbridge.systems.registry import SYSTEMS
from upbridge.worker_container import WorkerContainer

_MOMENT = timedelta(milliseconds=1)


@dataclass
class Engine:
    """One shop connected to one target, and the whole machinery around it."""

    service: WorkerContainer
    shop_id: ShopId
    upgates: Upgates
    target: Target
    watch: MovableClock
    woken: Woken
    make_shop: MakeShop
    other: Target = field(default_factory=lambda: Target("uphance"))
    again: set[str] = field(default_factory=set)

    @property
    def db(self) -> AsyncEngine:
        return self.service.engine

    async def shop(self) -> Shop:
        return await self.service.shops.get(self.shop_id)

    async def rows(self, query: str, **values: Any) -> list[dict[str, Any]]:
        """The rows of a query about this shop (`:shop_id`)."""
        async with self.db.connect() as tx:
            rows = await tx.execute(text(query), {"shop_id": self.shop_id, **values})
            return [dict(row) for row in rows.mappings()]

    async def value(self, query: str, **values: Any) -> Any:
        """The one value of a query."""
        rows = await self.rows(query, **values)
        return None if not rows else next(iter(rows[0].values()))

    async def run(self, statement: str, **values: Any) -> None:
        """A statement about this shop."""
        async with self.db.begin() as tx:
            await tx.execute(text(statement), {"shop_id": self.shop_id, **values})

    # --- the steps ------------------------------------------------------------------------------------------

    async def mark(self, kind: Kind, *keys: str, origin: Origin = Origin.WEBHOOK, **more: Any) -> None:
        """Say that something may have changed, a moment before the worker looks; a burst so long before that it
        has been gathered."""
        source = more.pop("source", "upgates")
        gathered = timedelta(seconds=self.service.settings.coalesce_seconds) if len(keys) > A_FEW else _MOMENT
        values = {"now": self.watch() - gathered, **more}
        async with self.db.begin() as tx:
            await changes.mark_changed(tx, self.shop_id, source, kind, keys, origin=origin, **values)

    async def changes(self, source: str = "upgates") -> list[dict[str, Any]]:
        """What waits to be read."""
        return await self.rows(
            "SELECT * FROM changes WHERE shop_id = :shop_id AND source = :source ORDER BY kind, key", source=source
        )

    async def change_keys(self) -> list[tuple[str, str]]:
        return [(row["kind"], row["key"]) for row in await self.changes()]

    async def pull(self, source: str = "upgates", by: Puller | None = None, **how: Any) -> bool:
        """One slice of reading: by our own puller, or *by* another one."""
        lane = Lane.pull(self.shop_id, source)
        async with lanes.exclusive(self.db, lane) as guard:
            assert guard is not None
            return await (by or self.service.puller).pull(lane, guard, **how)

    async def push(self, system: str = "upp", **how: Any) -> bool:
        """One slice of sending."""
        lane = Lane.push(self.shop_id, system)
        async with lanes.exclusive(self.db, lane) as guard:
            assert guard is not None
            return await self.service.pusher.push(lane, guard, **how)

    async def settle(
        self,
        *entities: Entity,
        kind: str = "product",
        missing: tuple[str, ...] = (),
        targets: tuple[Target, ...] = (),
        read: ReadBatch | None = None,
        priority: int = 3,
    ) -> set[str]:
        """Turn entities into documents; returns what was news. What is to be read again is in `again`."""
        shop = await self.shop()
        rows = await self.service.connections.of(self.shop_id)
        feeds = [
            (target, self.service.connected.context(shop, rows["upp"])) for target in targets or (self.target,)
        ]
        async with self.db.begin() as tx:
            settled = await plan_documents(
                tx,
                self.service.cipher,
                self.shop_id,
                read or ReadBatch(kind, entities, missing=missing),
                feeds,
                write_backs=self.service.systems.write_backs,
                priority=priority,
                now=self.watch(),
            )
        self.again |= settled.again
        return settled.news

    async def documents(self, target: str = "upp") -> dict[str, dict[str, Any]]:
        """The outbox by key, bodies opened."""
        rows = await self.rows(
            "SELECT * FROM documents WHERE shop_id = :shop_id AND target = :target ORDER BY kind, key",
            target=target,
        )
        return {row["key"]: {**row, "body": self.service.cipher.decrypt(row["body"])} for row in rows}

    async def links(self, target: str = "upp") -> dict[str, dict[str, Any]]:
        """What the target has, by key."""
        rows = await self.rows(
            "SELECT * FROM links WHERE shop_id = :shop_id AND target = :target AND kind IN ('product', 'order')"
            " ORDER BY kind, key",
            target=target,
        )
        return {row["key"]: row for row in rows}

    async def problems(self) -> list[Problem]:
        return await self.service.problems.open(self.shop_id)

    async def lane(self, name: str) -> dict[str, Any] | None:
        """The lane's block, whether it has passed or not."""
        direction, _, system = name.partition(":")
        rows = await self.rows(
            "SELECT * FROM lanes WHERE shop_id = :shop_id AND direction = :direction AND system = :system",
            direction=direction,
            system=system,
        )
        return rows[0] if rows else None

    async def take(self, limit: int = 1000) -> list[Any]:
        """Documents on their way."""
        async with self.db.begin() as tx:
            claimed = await outbox.claim(
                tx, self.service.cipher, self.shop_id, "upp", limit=limit, now=self.watch()
            )
            return list(claimed.documents)

    async def connect(self, system: str, shop_id: ShopId | None = None, **overrides: Any) -> None:
        """A working connection, made without a call."""
        values = {
            "shop_id": shop_id or self.shop_id,
            "system": system,
            "state": "connected",
            "account": "7",
            "facts": {},
            "connected_at": self.watch(),
            **overrides,
        }
        async with self.db.begin() as tx:
            await tx.execute(insert(schema.connections).values(values))

    async def drain(self, slices: int = 20, *, by: Puller | None = None) -> None:
        """Read and send until nothing is left: by our own puller, or *by* another one."""
        for _ in range(slices):
            more = await self.pull(by=by)
            if not (await self.push() or more):
                return
        raise AssertionError("the work does not end")


def settings(**overrides: Any) -> Settings:
    """Settings of a service, independent of the environment of the tests."""
    return Settings(
        _env_file=None,
        **{"encryption_keys": KEY, "public_url": "https://upbridge.example", "reconcile_hours": 24, **overrides},
    )


MakeEngine = Callable[..., Awaitable[Engine]]


@pytest.fixture
async def make_engine(
    engine: AsyncEngine, cipher: Cipher, make_shop: MakeShop
) -> AsyncIterator[Callable[..., Awaitable[Engine]]]:
    """An engine with its own simulated Upgates; keyword arguments override columns of the shop."""
    https: list[httpx.AsyncClient] = []

    async def make(*, connected: bool = True, targets: dict[str, Any] | None = None, **overrides: Any) -> Engine:
        watch, upgates, woken = MovableClock(MID_HOUR), Upgates(), Woken()
        ours, other = Target("upp"), Target("uphance")
        shop_id = await make_shop(**{"facts": FACTS, "installed_at": watch(), **overrides})
        http = httpx.AsyncClient(transport=httpx.MockTransport(upgates.route))
        https.append(http)
        service = WorkerContainer(
            settings=settings(),
            systems=SYSTEMS,
            engine=engine,
            cipher=cipher,
            clock=watch,
            http=http,
            ledger=Ledger(engine, watch),
            targets=targets if targets is not None else {"upp": ours, "uphance": other},
            webhook_url=lambda shop, source, event: (
                f"https://upbridge.example/webhooks/{source}/{event}/t-{shop.id}"
            ),
            wake=woken,
        )
        made = Engine(service, shop_id, upgates, ours, watch, woken, make_shop, other)
        if connected:
            await made.connect("upp", account="client")
        return made

    yield make
    for http in https:
        await http.aclose()


@pytest.fixture
async def machine(make_engine: Callable[..., Awaitable[Engine]]) -> Engine:
    """A shop that is connected to `upp`."""
    return await make_engine()


@pytest.fixture
def problem() -> Callable[..., NewProblem]:
    """A problem with sane defaults."""

    def make(**overrides: Any) -> NewProblem:
        values = {
            "stage": Stage.MAP,
            "key": "product.no_price",
            "target": "upp",
            "kind": "product",
            "entity": "v-1",
            "parent": "12",
            "params": {},
            **overrides,
        }
        return NewProblem(**values)

    return make


async def in_transaction(engine: AsyncEngine, work: Callable[[AsyncConnection], Awaitable[Any]]) -> Any:
    """What *work* returns, committed."""
    async with engine.begin() as tx:
        return await work(tx)


async def webhook_received(machine: Engine, records: int, event: str = "Orders.update", **more: Any) -> None:
    row = {
        "shop_id": machine.shop_id,
        "source": "upgates",
        "event": event,
        "records": records,
        "keys": [],
        **more,
    }
    async with machine.db.begin() as tx:
        await tx.execute(insert(schema.deliveries).values({"received_at": machine.watch(), **row}))
