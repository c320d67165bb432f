"""Where the attacks happen: the real processes with an embedded Postgres, a genuine shop, shops that attack."""

import asyncio
import contextlib
import os
import re
import secrets
import shutil
import signal
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import active_children, get_context
from pathlib import Path
from typing import Any

import httpx
import psutil
import psycopg
from bench.testbed import bare_receiver

from tests.attack.genuine import Genuine, Taken
from tests.attack.weapons import Fired, Weapon, fire
from upbridge.core.clock import utc_now
from upbridge.core.encryption import Cipher
from upbridge.domain.shop_id import ShopId
from upbridge.settings import load_settings
from upbridge.store.database import open_database
from upbridge.web.sessions import Entrance, Sessions
from upbridge.webhooks.addresses import WebhookAddresses, load_addresses
from upbridge_sandbox.demo.processes import Failed, Processes, free_port, free_range, running_processes

VICTIM = "victim"
CONCURRENCY = 4
#: Where the web side writes down what held its loop.
HELD = "held.txt"
_WATCHED = Path(__file__).parent / "watched"
_LONGEST = 120.0
_TRACEBACK = re.compile(rb"Traceback \(most recent call last\)")


@dataclass(frozen=True, slots=True)
class Usage:
    """What was used so far: of the web side processor seconds, bytes of memory now, and bytes of log; processor
    seconds of Postgres, of all that belongs to this run, and of the whole machine, at that moment."""

    processor: float
    memory: int
    log: int
    postgres: float
    ours: float
    machine: float
    at: float


@dataclass(frozen=True, slots=True)
class Attacked:
    """An attack, and how the genuine shop fared meanwhile. *bare*: how the same webhooks fared at a receiver
    beside it on which no attack is made. *processor*, *postgres*: seconds of the web side and of Postgres; *log*:
    bytes without the lines about that shop; *others*: processors that were taken by what does not belong to this
    run; *holds*: how long callbacks held the web side's loop, in milliseconds of the processor, and which, the
    longest first."""

    fired: Fired
    taken: Taken
    bare: Taken
    processor: float
    postgres: float
    log: int
    others: float
    holds: Sequence[tuple[float, str]]


@dataclass(slots=True)
class Testbed:
    """Running processes, the shops in them, and who attacks."""

    __test__ = False  # pytest takes a class of such a name for tests

    processes: Processes
    addresses: WebhookAddresses
    database: str
    client: httpx.AsyncClient
    tickets: Sessions
    attackers: ProcessPoolExecutor
    bare_port: int
    shops: dict[str, ShopId] = field(default_factory=dict)
    orders: Sequence[str] = ()
    sessions: dict[str, str] = field(default_factory=dict)
    fuzzed_sessions: list[str] = field(default_factory=list)

    @property
    def port(self) -> int:
        """Where the add-on listens."""
        return self.processes.web_port

    @property
    def genuine(self) -> Genuine:
        """The genuine shop's webhooks."""
        return Genuine(self.port, self.webhook(VICTIM), self.orders)

    def webhook(self, shop: str, event: str = "Orders.update") -> str:
        """The webhook address of *shop* for *event*."""
        return f"/webhooks/upgates/{event}/{self.addresses.token(self.shops[shop], 'upgates', event)}"

    async def control(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """One call of the sandbox's control API. Raises `Failed`."""
        address = f"{self.processes.addresses['admin']}/control{path}"
        response = await self.client.request(method, address, json=body or {})
        if response.is_error:
            raise Failed(f"{method} {path}: {response.status_code} {response.text[:300]}")
        return response.json()

    async def open_shop(self, name: str) -> None:
        """A new shop that has activated the add-on."""
        shop = await self.control("POST", "/shops", {"name": name, "products": 6, "orders": 6})
        answer = await self.control("POST", f"/shops/{name}/activate")
        if not answer["activated"]:
            raise Failed(f"the activation failed: {answer}")
        found = await self.value("SELECT id FROM shops WHERE token = %s", shop["token"])
        self.shops[name] = ShopId(found)

    async def enter(self, name: str) -> str:
        """A living session of *name*; not by a signed call, which opens once a second."""
        ticket = await self.tickets.issue(self.shops[name], "en")
        entered = await self.tickets.redeem(ticket)
        assert isinstance(entered, Entrance)
        return entered.session

    async def connect(self, name: str, system: str) -> None:
        """Connect *name* to *system* by the program's command."""
        how = (await self.control("GET", f"/shops/{name}"))["credentials"][system]
        if system == "upp":
            who, secret = ["--client-id", how["client_id"]], how["secret"]
        else:
            who = ["--email", how["email"], "--organisation", str(how["organisation"])]
            secret = how["password"]
        await asyncio.to_thread(
            self.processes.run, "shops", "connect", str(self.shops[name]), system, *who, stdin=secret
        )

    async def value(self, query: str, *values: Any) -> Any:
        """One value from the database."""
        async with await psycopg.AsyncConnection.connect(self.database, autocommit=True) as tx:
            row = await (await tx.execute(query.encode(), values)).fetchone()
        return None if row is None else row[0]

    async def until(self, query: str, *values: Any, seconds: float = _LONGEST) -> float:
        """Until *query* says true; the seconds that it took. Raises `Failed` after so many."""
        began = time.monotonic()
        while not await self.value(query, *values):
            if time.monotonic() > began + seconds:
                raise Failed(f"it did not come true: {query}")
            self.processes.check()
            await asyncio.sleep(0.05)
        return time.monotonic() - began

    async def quiet(self, *names: str) -> None:
        """Until nothing of these shops waits to be read or sent; of one that attacks, something waits for long."""
        shops = [self.shops[name] for name in names]
        await self.until(
            "SELECT NOT EXISTS (SELECT FROM changes WHERE shop_id = ANY(%s))"
            " AND NOT EXISTS (SELECT FROM documents WHERE state <> 'parked' AND shop_id = ANY(%s))",
            shops,
            shops,
        )

    def usage(self) -> Usage:
        """What was used so far."""
        web = psutil.Process(self.processes.processes["serve"].pid)
        postmaster = int((self.processes.directory / "postgres/postmaster.pid").read_text().split()[0])
        postgres = _used(psutil.Process(postmaster))
        whole = psutil.cpu_times()
        return Usage(
            processor=_used(web),
            memory=web.memory_info().rss,
            log=len(self.log()),
            postgres=postgres,
            ours=postgres + _used(psutil.Process()),  # the process that starts Postgres is not its parent
            machine=whole.user + whole.nice + whole.system,
            at=time.monotonic(),
        )

    def held(self) -> list[tuple[float, str]]:
        """What has held the web side's loop so far: milliseconds and callback."""
        lines = (line.partition(" ") for line in (self.processes.directory / HELD).read_text().splitlines())
        return [(float(milliseconds), callback) for milliseconds, _, callback in lines]

    def log(self, name: str = "serve", *, since: int = 0) -> bytes:
        """What a process has logged so far, its first *since* bytes left out."""
        return (self.processes.directory / f"{name}.log").read_bytes()[since:]

    def tracebacks(self) -> int:
        """How many tracebacks the web side and the worker have logged."""
        return sum(len(_TRACEBACK.findall(self.log(name))) for name in ("serve", "worker"))

    async def attack(self, weapon: Weapon | None, *, seconds: float) -> Attacked:
        """Use *weapon* while the genuine shop's webhooks come; without one, those alone for so many seconds."""
        before, until, holds = self.usage(), asyncio.Event(), len(self.held())
        sending = asyncio.create_task(self.genuine.send(until))
        beside = asyncio.create_task(Genuine(self.bare_port, "/hook", self.orders).send(until))
        if weapon is None:
            await asyncio.sleep(seconds)
            fired = Fired(seconds)
        else:
            fired = await asyncio.get_running_loop().run_in_executor(self.attackers, fire, weapon)
        until.set()
        taken, bare, after = await sending, await beside, self.usage()
        genuine = str(self.shops[VICTIM]).encode()
        lines = self.log(since=before.log).splitlines(keepends=True)
        others = (after.machine - before.machine) - (after.ours - before.ours)
        return Attacked(
            fired,
            taken,
            bare,
            processor=after.processor - before.processor,
            postgres=after.postgres - before.postgres,
            log=sum(len(line) for line in lines if genuine not in line),
            others=max(others, 0.0) / (after.at - before.at),
            holds=sorted(self.held()[holds:], reverse=True),
        )


def _used(process: psutil.Process) -> float:
    """Seconds of the processor that *process* has used, and its children."""
    times = process.cpu_times()
    used = times.user + times.system + times.children_user + times.children_system
    for child in process.children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            used += sum(child.cpu_times()[:2])
    return float(used)


@contextlib.asynccontextmanager
async def open_testbed() -> AsyncIterator[Testbed]:
    """The processes, a genuine shop and one that attacks, all gone with the block.

    What they wrote goes too, and is kept where the block fails. What holds the web side's loop is written down.
    """
    directory = Path(tempfile.mkdtemp(prefix="upbridge-attack-"))
    kept = False
    try:
        with running_processes(directory, free_port()) as running, _attackers() as attackers:
            await _start(running)
            settings = load_settings(data_dir=directory, public_url=running.web, allow_insecure=True)
            async with (
                open_database(settings) as database,
                httpx.AsyncClient(trust_env=False, timeout=60) as client,
                bare_receiver(database.conninfo) as bare,
            ):
                cipher = Cipher(settings.keys())
                addresses = await load_addresses(database.engine, cipher)
                tickets = Sessions(database.engine, utc_now, cipher)
                here = Testbed(running, addresses, database.conninfo, client, tickets, attackers, bare)
                await _open_shops(here)
                yield here
    except Exception:
        kept = True
        raise
    finally:
        if not kept:
            shutil.rmtree(directory, ignore_errors=True)


@contextlib.contextmanager
def _attackers() -> Iterator[ProcessPoolExecutor]:
    """The process that attacks. It ends with the block, also in the middle of an attack."""
    # Ctrl-C reaches it as well; it is ended in order, by us.
    with ProcessPoolExecutor(1, get_context("spawn"), signal.signal, (signal.SIGINT, signal.SIG_IGN)) as attackers:
        try:
            yield attackers
        except BaseException:
            for child in active_children():
                child.terminate()
            raise


async def _start(running: Processes) -> None:
    port = free_range(20_000 + 6 * secrets.randbelow(4000))
    running.start_sandbox(port=port, products=1, orders=0, clock_factor=100.0)
    running.environment["UPBRIDGE_METRICS_TOKEN"] = secrets.token_hex(16)
    plain = running.environment
    paths = [str(_WATCHED), *filter(None, [plain.get("PYTHONPATH")])]
    held = {"ATTACK_HELD": str(running.directory / HELD), "PYTHONPATH": os.pathsep.join(paths)}
    running.environment = {**plain, **held}
    running.start("serve", "serve", "--host", "127.0.0.1", "--port", str(running.web_port))
    running.environment = plain
    running.start("worker", "worker", "--concurrency", str(CONCURRENCY), "--port", str(running.web_port))
    await asyncio.to_thread(running.wait_for_sandbox)
    await asyncio.to_thread(running.wait_ready)
    if not (running.directory / HELD).read_text():
        raise Failed("nothing watches what holds the web side's loop")


async def _open_shops(here: Testbed) -> None:
    for name in (VICTIM, "attacker"):
        await here.open_shop(name)
    await here.connect(VICTIM, "upp")
    orders = await here.control("GET", f"/shops/{VICTIM}/orders")
    here.orders = [order["order_number"] for order in orders["items"]]
    here.sessions["attacker"] = await here.enter("attacker")
    await here.quiet(VICTIM)
