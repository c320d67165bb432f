"""A new version is rolled out beside the old one and taken back, while a shop sells: nothing is lost or twice."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.balancer import Balancer, balancer
from tests.support.next_version import REVISION, next_version
from tests.support.shops import KEY
from upbridge_sandbox.demo.processes import Processes, free_port, free_range, running_processes

SHOP = "demo"
PAUSE = 0.4
"""Seconds between two orders: each is announced, and read and delivered while versions change."""
LONGEST = 120


@dataclass(slots=True)
class Version:
    """One version of the program: its processes, and where its web side listens."""

    processes: Processes
    port: int = field(default_factory=free_port)

    def start(self) -> None:
        """Start a web process and a worker."""
        self.processes.start("serve", "serve", "--port", str(self.port))
        self.processes.start("worker", "worker", "--concurrency", "2")

    def stop(self) -> None:
        """End both, as a supervisor does."""
        for name in ("serve", "worker"):
            process = self.processes.processes[name]
            self.processes.end(name)
            assert process.returncode == 0, name


@dataclass(slots=True)
class Rollout:
    """Both versions in front of one database, and the shop that sells meanwhile."""

    client: httpx.AsyncClient
    front: Balancer
    old: Version
    new: Version
    sold: list[str] = field(default_factory=list)

    async def control(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """One call of the sandbox's control API."""
        address = f"{self.old.processes.addresses['admin']}/control{path}"
        answer = await self.client.request(method, address, json=body or {})
        answer.raise_for_status()
        return answer.json()

    async def get(self, version: Version, path: str) -> httpx.Response:
        """What the web process of *version* says."""
        return await self.client.get(f"http://127.0.0.1:{version.port}{path}")

    async def ready(self, version: Version) -> None:
        """Until the web process of *version* could store a webhook."""

        async def is_ready() -> bool:
            version.processes.check()
            try:
                return (await self.get(version, "/readyz")).status_code == 200
            except httpx.TransportError:
                return False  # it does not listen yet

        await until(is_ready)

    async def run(self, version: Version, *words: str, stdin: str | None = None) -> str:
        """What a command of *version* says."""
        return str(await asyncio.to_thread(version.processes.run, *words, stdin=stdin))

    async def open_shop(self) -> None:
        """The shop has activated the add-on and connected the system that would take an order twice."""
        assert (await self.control("POST", f"/shops/{SHOP}/activate"))["activated"]
        shop = await self.control("GET", f"/shops/{SHOP}")
        uphance = shop["credentials"]["uphance"]
        who = ("--email", uphance["email"], "--organisation", str(uphance["organisation"]))
        connect = ("shops", "connect", shop["token"], "uphance")
        await self.run(self.old, *connect, *who, stdin=uphance["password"])

    async def sell(self) -> None:
        """Orders, for ever."""
        while True:
            self.sold.append((await self.control("POST", f"/shops/{SHOP}/orders"))["order_number"])
            await asyncio.sleep(PAUSE)

    async def sell_more(self, count: int = 4) -> None:
        """Until so many more orders are there."""
        target = len(self.sold) + count

        async def are_there() -> bool:
            return len(self.sold) >= target

        await until(are_there)

    async def sent(self) -> list[str]:
        """The shop's number of every order in Uphance."""
        shop = await self.control("GET", f"/shops/{SHOP}")
        organisation = shop["credentials"]["uphance"]["organisation"]
        orders = await self.control("GET", f"/uphance/{organisation}/orders")
        return [str(order["purchase_order_ref"]).rpartition("-")[2] for order in orders["items"]]

    async def settled(self) -> None:
        """Until every order has arrived."""

        async def have_arrived() -> bool:
            self.old.processes.check()
            return set(self.sold) <= set(await self.sent())

        await until(have_arrived)


async def until(comes_true: Callable[[], Awaitable[bool]]) -> None:
    """Ask until it is true."""
    async with asyncio.timeout(LONGEST):
        while not await comes_true():  # noqa: ASYNC110 - another process gives no event
            await asyncio.sleep(PAUSE)


@asynccontextmanager
async def rollout(address: str, folder: Path) -> AsyncIterator[Rollout]:
    """The old version serves a shop; the new one is there and does not run yet."""
    async with AsyncExitStack() as stack:
        front = await stack.enter_async_context(balancer())
        client = await stack.enter_async_context(httpx.AsyncClient(trust_env=False, timeout=30))
        old, new = (stack.enter_context(running_processes(folder / name, front.port)) for name in ("old", "new"))
        old.start_sandbox(port=free_range(22_000), products=10, orders=0, clock_factor=100.0)
        old.environment |= {"UPBRIDGE_DATABASE_URL": address, "UPBRIDGE_ENCRYPTION_KEYS": KEY}
        new.directory.mkdir()
        new.addresses = old.addresses
        new.environment = {**old.environment, "PYTHONPATH": str(next_version(folder / "next").path)}
        await asyncio.to_thread(old.wait_for_sandbox)
        made = Rollout(client, front, Version(old), Version(new))
        made.old.start()
        await made.ready(made.old)
        front.ports = [made.old.port]
        await made.open_shop()
        yield made


def too_late(metrics: str) -> int:
    """How many webhooks took longer than half a second, by the program's own clock."""
    found = dict(re.findall(r'upbridge_webhook_ack_seconds_bucket\{le="(0\.5|\+Inf)"\} (\S+)', metrics))
    return int(float(found["+Inf"]) - float(found["0.5"]))


@pytest.mark.timeout(600)
async def test_a_version_is_rolled_out_and_taken_back_while_a_shop_sells(
    new_database_url: str, tmp_path: Path
) -> None:
    async with rollout(new_database_url, tmp_path) as here:
        selling = asyncio.create_task(here.sell())
        await here.sell_more()

        assert f"schema at {REVISION} " in await here.run(here.new, "migrate")
        assert (await here.get(here.old, "/readyz")).status_code == 200
        here.new.start()
        await here.ready(here.new)
        assert (await here.get(here.new, "/")).json()["version"] == "9.0.0"
        here.front.ports = [here.old.port, here.new.port]
        await here.sell_more()
        here.front.ports = [here.new.port]
        await asyncio.to_thread(here.old.stop)
        await here.sell_more()

        said = await here.run(here.old, "migrate")
        assert said == f"schema at {REVISION}, newer than this version: nothing was done\n"
        here.old.start()
        await here.ready(here.old)
        here.front.ports = [here.new.port, here.old.port]
        await here.sell_more()
        here.front.ports = [here.old.port]
        await asyncio.to_thread(here.new.stop)
        await here.sell_more()

        selling.cancel()
        await asyncio.wait([selling])
        await here.settled()
        assert sorted(await here.sent()) == sorted(here.sold)
        told = await here.control("GET", f"/shops/{SHOP}/deliveries")
        assert {call["status"] for call in told["deliveries"] if call["outcome"] != "late"} == {204}
        assert too_late((await here.get(here.old, "/metrics")).text) == 0
        broken = (await here.control("GET", "/violations"))["violations"]
        assert {one["rule"] for one in broken} <= {"late-webhook-answer"}, broken
