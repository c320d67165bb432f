"""Where the measurements happen: the real processes, a real shop in the sandbox, and the bare receiver beside."""

import asyncio
import contextlib
import os
import secrets
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import psutil
import psycopg
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from bench.bare import TABLE
from upbridge.core.encryption import Cipher
from upbridge.domain.shop_id import ShopId
from upbridge.settings import load_settings
from upbridge.store.database import Database, open_database
from upbridge.webhooks.addresses import WebhookAddresses, load_addresses
from upbridge_sandbox.demo.processes import Failed, Processes, free_port, free_range, running_processes

TOP = Path(__file__).parents[1]
SHOP = "demo"
QUIET_SECONDS = 120.0
_ANOTHER = text(
    "INSERT INTO shops (id, key, token, state, api_url)"
    " VALUES (:id, :name, :name, 'active', 'https://another.invalid/api/v2')"
)


@dataclass(slots=True)
class Testbed:
    """Running processes and what is needed to call them."""

    __test__ = False  # pytest takes a class of such a name for tests

    processes: Processes
    database: Database
    addresses: WebhookAddresses
    shop_id: ShopId
    bare_port: int
    products: list[int] = field(default_factory=list)
    orders: list[str] = field(default_factory=list)

    @property
    def engine(self) -> AsyncEngine:
        """Connections to the database that everything here shares."""
        return self.database.engine

    def path(self, event: str, shop_id: ShopId | None = None) -> str:
        """The webhook address of the shop, or of *shop_id*, for *event*."""
        return f"/webhooks/upgates/{event}/{self.addresses.token(shop_id or self.shop_id, 'upgates', event)}"

    async def another_shop(self) -> ShopId:
        """An active shop that nothing answers for."""
        number = uuid4()
        async with self.engine.begin() as tx:
            await tx.execute(_ANOTHER, {"id": number, "name": f"another-{number.hex}"})
        return ShopId(number)

    async def value(self, query: str, **values: Any) -> Any:
        """One value from the database."""
        async with self.engine.connect() as tx:
            return await tx.scalar(text(query), {"shop": self.shop_id, **values})

    async def run(self, statement: str, **values: object) -> None:
        """One statement with *values* outside a transaction."""
        async with self.engine.connect() as plain:
            tx = await plain.execution_options(isolation_level="AUTOCOMMIT")
            await tx.execute(text(statement), values)

    async def calls(self) -> int:
        """Calls of the shop's API so far, the life cycle's aside."""
        return int(
            await self.value(
                "SELECT COALESCE(sum(count), 0) FROM api_calls WHERE shop_id = :shop AND purpose <> 'lifecycle'"
            )
        )

    def postgres(self) -> psutil.Process:
        """The first process of Postgres; its children are all others."""
        pid = (load_settings().data_dir / "postgres/postmaster.pid").read_text().split()[0]
        return psutil.Process(int(pid))

    async def ready(self, shop_id: ShopId) -> None:
        """Until a worker has read the facts of the shop."""
        deadline = time.monotonic() + QUIET_SECONDS
        while await self.value("SELECT facts IS NULL FROM shops WHERE id = :id", id=shop_id):
            if time.monotonic() > deadline:
                raise Failed("the worker does not read the shop's facts")
            self.processes.check()
            await asyncio.sleep(0.1)

    async def quiet(self, *tokens: str) -> None:
        """Until nothing waits to be read or sent, or nothing of the shops with these *tokens*."""
        deadline = time.monotonic() + QUIET_SECONDS
        still = 0
        while still < 3:  # noqa: PLR2004 - a run that ends may start another one
            if time.monotonic() > deadline:
                raise Failed("the worker did not come to rest")
            self.processes.check()
            left = await self.value(
                "WITH wanted AS (SELECT id FROM shops WHERE token = ANY(:tokens) OR :tokens = '{}') SELECT"
                " (SELECT count(*) FROM changes JOIN wanted ON id = shop_id)"
                " + (SELECT count(*) FROM documents d JOIN wanted ON id = shop_id WHERE d.state <> 'parked')",
                tokens=list(tokens),
            )
            still = 0 if left else still + 1
            await asyncio.sleep(0.3)

    async def nothing_gathers(self) -> None:
        """Until nothing waits, and what is announced next is the first after a quiet time."""
        await self.quiet()
        while await self.value("SELECT count(*) FROM gatherings WHERE shop_id = :shop AND until > now()"):
            self.processes.check()
            await asyncio.sleep(0.1)

    async def connect(self) -> None:
        """Start a worker, connect the shop to Upp.ai, and wait for the first import."""
        self.processes.start("worker", "worker", "--port", str(self.processes.web_port))
        async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
            shop = (await client.get(f"{self.processes.addresses['admin']}/control/shops/{SHOP}")).json()
        upp = shop["credentials"]["upp"]
        await asyncio.to_thread(
            self.processes.run,
            *("shops", "connect", str(self.shop_id), "upp", "--client-id", upp["client_id"]),
            stdin=upp["secret"],
        )
        await self.quiet()
        async with self.engine.connect() as tx:
            rows = await tx.execute(text("SELECT DISTINCT product_id FROM variants ORDER BY 1"))
            self.products = [row.product_id for row in rows]
            rows = await tx.execute(text("SELECT DISTINCT key FROM links WHERE kind = 'order' ORDER BY 1"))
            self.orders = [row.key for row in rows]


def used(process: psutil.Process) -> float:
    """Processor seconds of *process* so far."""
    times = process.cpu_times()
    return float(times.user + times.system)


class Clocks:
    """Processor seconds of Postgres' processes from now on; of one that ended, as far as it was seen."""

    def __init__(self, postmaster: psutil.Process) -> None:
        self._postmaster = postmaster
        self._seen: dict[int, float] = {}
        self.look()
        self._before = sum(self._seen.values())

    def look(self) -> None:
        """Read the clocks."""
        for process in (self._postmaster, *self._postmaster.children()):
            with contextlib.suppress(psutil.NoSuchProcess):
                self._seen[process.pid] = used(process)

    def used(self) -> float:
        """Seconds since this was made."""
        self.look()
        return sum(self._seen.values()) - self._before


@contextlib.asynccontextmanager
async def testbed(directory: Path, *, products: int, orders: int) -> AsyncIterator[Testbed]:
    """The sandbox with an activated shop, a web side, the bare receiver on the same Postgres; no worker yet."""
    with running_processes(directory, free_port()) as running:
        running.start_sandbox(
            port=free_range(20_000 + 5 * secrets.randbelow(4000)),
            products=products,
            orders=orders,
            clock_factor=100.0,
        )
        running.start("serve", "serve", "--host", "127.0.0.1", "--port", str(running.web_port))
        await asyncio.to_thread(running.wait_for_sandbox)
        await asyncio.to_thread(running.wait_ready)
        async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
            address = f"{running.addresses['admin']}/control/shops/{SHOP}/activate"
            answer = (await client.post(address, json={})).json()
        if not answer["activated"]:
            raise Failed(f"the activation failed: {answer}")
        os.environ.update(running.settings())  # the keys of this processes are ours as well
        async with open_database(load_settings(), pool_size=20) as database:
            addresses = await load_addresses(database.engine, Cipher(load_settings().keys()))
            async with database.engine.begin() as tx:
                shop_id = ShopId(await tx.scalar(text("SELECT id FROM shops")))
            async with bare_receiver(database.conninfo) as port:
                yield Testbed(running, database, addresses, shop_id, port)


@contextlib.asynccontextmanager
async def bare_receiver(conninfo: str) -> AsyncIterator[int]:
    """The bare receiver's port, as long as the block lasts."""
    async with await psycopg.AsyncConnection.connect(conninfo, autocommit=True) as tx:
        await tx.execute(TABLE)
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "uvicorn", "bench.bare:app", "--port", str(port)),
        *("--no-access-log", "--log-level", "warning"),
        cwd=TOP,
        env={**os.environ, "BENCH_DATABASE": conninfo},
    )
    try:
        for _ in range(200):
            with contextlib.suppress(OSError):
                _reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                break
            await asyncio.sleep(0.05)
        yield port
    finally:
        process.terminate()
        await process.wait()
