"""Put the rooms together: what the web process and what workers and commands work with. Decides nothing."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import httpx
import psycopg
import structlog
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from upbridge.core.clock import Clock, utc_now
from upbridge.core.database_failure import reason_of
from upbridge.core.deadline import with_deadline
from upbridge.core.deferred import Deferred
from upbridge.core.encryption import Cipher, DecryptionError
from upbridge.core.errors import NotReady
from upbridge.core.telemetry.database_outage import DATABASE
from upbridge.core.telemetry.seldom import Seldom
from upbridge.domain.history import Way
from upbridge.domain.lane import Lane, Wake, leave_to_sweep
from upbridge.domain.shop import Shop
from upbridge.insights.flow_states import CountedLights
from upbridge.installation.keys import SignatureKeys
from upbridge.installation.service import InstallationService
from upbridge.job_queue import JOBS_POOL, WakeUps, create_jobs
from upbridge.mail.rounds import Rounds
from upbridge.rate_limits.ledger import Ledger
from upbridge.settings import DEFAULT_PORT, Settings
from upbridge.store.connections import Connections
from upbridge.store.database import PAGES_POOL, Database, open_database
from upbridge.store.probes import ANSWER_SECONDS, require_sessions
from upbridge.store.schema_version import schema_version
from upbridge.store.shops import Shops
from upbridge.systems.base import ANY_EVENT, Systems, Target
from upbridge.systems.connecting import Tools
from upbridge.systems.http.transport import http_client
from upbridge.systems.registry import SYSTEMS
from upbridge.web.context import Pages
from upbridge.web.readiness import Readiness
from upbridge.webhooks.addresses import WebhookAddresses, load_addresses
from upbridge.webhooks.connection_pool import SIZE as INBOX_POOL
from upbridge.webhooks.connection_pool import InboxPool
from upbridge.webhooks.inbox import Inbox, inbox_engine
from upbridge.worker_container import WorkerContainer

log = structlog.get_logger(__name__)

_RETRY_SECONDS = 1.0


def worker_pool(concurrency: int) -> int:
    """Connections for the work of a worker that works on *concurrency* lanes of each system.

    A lane keeps one while it is worked on; most of them wait for an answer, and need no other.
    """
    return concurrency * (len(SYSTEMS.all) + 2) + 4


def connections_of_worker(concurrency: int) -> int:
    """The most connections that a worker holds: for work, for the job library, and to hear of new jobs."""
    return worker_pool(concurrency) + JOBS_POOL + len(SYSTEMS.all) + 1


def connections_of_web() -> int:
    """The most connections that one web process holds: pages, webhooks, one to wake workers, one for readiness."""
    return PAGES_POOL + INBOX_POOL + 1 + 1


def webhook_url(origin: str, addresses: WebhookAddresses, shop: Shop, source: str, event: str) -> str:
    """The secret address at which *source* reaches us for one shop and event."""
    token = addresses.token(shop.id, source, event, shop.webhook_generation)
    place = f"{source}/{token}" if event == ANY_EVENT else f"{source}/{event}/{token}"
    return f"{origin}/webhooks/{place}"


def targets_of(systems: Systems, tools: Tools) -> dict[str, Target]:
    """The targets of all systems, by name."""
    return {one.name: one.target(tools) for one in systems.connected if one.target is not None}


async def create_worker_container(
    settings: Settings,
    database: Database,
    http: httpx.AsyncClient,
    *,
    systems: Systems = SYSTEMS,
    clock: Clock = utc_now,
    port: int | None = None,
    wake: Wake = leave_to_sweep,
) -> WorkerContainer:
    """What workers and commands work with."""
    cipher = Cipher(settings.keys())
    addresses = await load_addresses(database.engine, cipher)
    origin = settings.public_origin(port)
    return WorkerContainer(
        settings=settings,
        systems=systems,
        engine=database.engine,
        cipher=cipher,
        clock=clock,
        http=http,
        ledger=Ledger(database.engine, clock),
        targets=targets_of(
            systems, Tools(http=http, settings=settings, engine=database.engine, cipher=cipher, clock=clock)
        ),
        webhook_url=lambda shop, source, event: webhook_url(origin, addresses, shop, source, event),
        wake=wake,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class WebContainer:
    """What the endpoints work with: made once per process by `create_web_container`."""

    settings: Settings
    database: Database
    clock: Clock
    http: httpx.AsyncClient
    inbox: Inbox
    webhook_connections: InboxPool
    wake_ups: WakeUps
    pages: Pages
    readiness: Readiness
    lights: CountedLights
    installation: InstallationService
    addresses: Deferred[WebhookAddresses]
    """The webhook addresses. Their key lies in the database: until that answers, webhooks are refused with 503."""
    mail: Rounds
    worker: Deferred[WorkerContainer]
    """What forms call; not ready as long as the addresses are not."""
    port: int

    async def load_webhook_key(self) -> None:
        """Try until the key of the webhook addresses is loaded from the database; say once why it is not."""
        seldom = Seldom()
        while True:
            try:
                await self._load_webhook_key()
            except (DBAPIError, psycopg.Error, PoolTimeout, OSError) as error:
                if not DATABASE.explains(error) and seldom.times(reason := reason_of(error)):
                    log.warning("webhook_addresses_not_loaded", reason=reason)
            except NotReady as error:
                if seldom.times(str(error)):
                    log.error("database_refused", what_to_do=str(error))  # noqa: TRY400
            except DecryptionError:
                if seldom.times("keys"):
                    log.error("encryption_keys_do_not_fit", see="UPBRIDGE_ENCRYPTION_KEYS")  # noqa: TRY400
            else:
                return
            await asyncio.sleep(_RETRY_SECONDS)

    async def _load_webhook_key(self) -> None:
        if self.database.embedded is None:
            await require_sessions(self.database.conninfo)
        current = await schema_version(self.database.engine)
        if current.problem is not None:
            raise NotReady(current.problem)
        await self.inbox.warm_up()
        container = await create_worker_container(
            self.settings,
            self.database,
            self.http,
            clock=self.clock,
            port=self.port,
            wake=self.wake_ups.wake,
        )
        self.worker.set(replace(container, way=Way.PAGE))
        self.addresses.set(await load_addresses(self.database.engine, Cipher(self.settings.keys())))

    async def close(self) -> None:
        """Let go of the connections that only the web process has, and of a key that is being fetched."""
        await self.installation.keys.close()
        await self.webhook_connections.dispose()
        await self.readiness.close()


def create_web_container(
    settings: Settings,
    database: Database,
    http: httpx.AsyncClient,
    *,
    clock: Clock = utc_now,
    port: int = DEFAULT_PORT,
) -> WebContainer:
    """The web process's collaborators. Asks nothing of the database yet."""
    cipher = Cipher(settings.keys())
    shops = Shops(database.engine, cipher, SYSTEMS.settings, way=Way.PLATFORM)
    worker: Deferred[WorkerContainer] = Deferred("the key of the webhook addresses is not loaded yet")
    webhook_connections = inbox_engine(database.conninfo)
    wake_ups = WakeUps(create_jobs(database.conninfo, pool_size=1))
    pages = Pages.of(
        settings,
        systems=SYSTEMS,
        engine=database.engine,
        shops=shops,
        connections=Connections(database.engine, cipher),
        cipher=cipher,
        clock=clock,
        origin=settings.public_origin(port),
        act=lambda: worker.get().actions,
        webhook_address=lambda shop, system: worker.get().webhook_url(shop, system, ANY_EVENT),
    )
    return WebContainer(
        settings=settings,
        database=database,
        clock=clock,
        http=http,
        inbox=Inbox(
            webhook_connections, clock, announce=lambda shop_id, source: wake_ups.ask(Lane.pull(shop_id, source))
        ),
        webhook_connections=webhook_connections,
        wake_ups=wake_ups,
        pages=pages,
        readiness=Readiness(database.conninfo),
        lights=CountedLights(database.engine, SYSTEMS, shops),
        installation=InstallationService.of(
            settings,
            engine=database.engine,
            shops=shops,
            keys=SignatureKeys(http, settings.signature_key_url, clock),
            ticket_address=pages.ticket_address,
            clock=clock,
            wake=wake_ups.wake,
        ),
        addresses=Deferred("the key of the webhook addresses is not loaded yet"),
        mail=Rounds.of(
            settings,
            engine=database.engine,
            cipher=cipher,
            systems=SYSTEMS,
            clock=clock,
            origin=settings.public_origin(port),
        ),
        worker=worker,
        port=port,
    )


@asynccontextmanager
async def running_container(
    settings: Settings, *, pool_size: int = 5, watch: bool = False, port: int | None = None
) -> AsyncIterator[tuple[WorkerContainer, Database]]:
    """The container with everything open that it needs; closed again at the end."""
    async with running_database(settings, pool_size=pool_size, watch=watch) as database, http_client() as http:
        yield await create_worker_container(settings, database, http, port=port), database


@asynccontextmanager
async def running_database(
    settings: Settings, *, pool_size: int = 3, watch: bool = False
) -> AsyncIterator[Database]:
    """The database alone, for what has to be done while no key opens what is stored. Raises `NotReady`."""
    async with open_database(settings, pool_size=pool_size, watch=watch) as database:
        await _need_schema(database)
        yield database


async def _need_schema(database: Database) -> None:
    """Raise `NotReady`, with what to do, unless sessions are sessions and this code may run on the schema."""
    try:
        if database.embedded is None:
            await require_sessions(database.conninfo)
        current = await with_deadline(ANSWER_SECONDS, schema_version(database.engine))
    except TimeoutError as error:
        raise NotReady(f"the database does not answer within {ANSWER_SECONDS:g} s") from error
    except (DBAPIError, psycopg.Error, PoolTimeout, OSError) as error:
        raise NotReady(f"the database cannot be used: {reason_of(error)}") from error
    if current.problem is not None:
        raise NotReady(current.problem)
