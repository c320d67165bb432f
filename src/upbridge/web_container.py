"""What the web process works with, put together once. Workers do without the pages and their libraries."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace

import httpx
import psycopg
import structlog
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from upbridge.bootstrap import create_worker_container
from upbridge.core.clock import Clock, utc_now
from upbridge.core.database_failure import reason_of
from upbridge.core.deferred import Deferred
from upbridge.core.encryption import Cipher, DecryptionError
from upbridge.core.errors import NotReady
from upbridge.core.telemetry.database_outage import DATABASE
from upbridge.core.telemetry.seldom import Seldom
from upbridge.domain.history import Way
from upbridge.domain.lane import Lane
from upbridge.domain.webhooks import ANY_EVENT
from upbridge.insights.flow_states import CountedLights
from upbridge.installation.keys import SignatureKeys
from upbridge.installation.service import InstallationService
from upbridge.job_queue import WakeUps, create_jobs
from upbridge.mail.rounds import Rounds
from upbridge.settings import DEFAULT_PORT, Settings
from upbridge.store.connections import Connections
from upbridge.store.database import PAGES_POOL, Database
from upbridge.store.probes import require_sessions
from upbridge.store.schema_version import schema_version
from upbridge.store.shops import Shops
from upbridge.systems.registry import SYSTEMS
from upbridge.web.context import Pages
from upbridge.web.readiness import Readiness
from upbridge.webhooks.addresses import WebhookAddresses, load_addresses
from upbridge.webhooks.connection_pool import SIZE as INBOX_POOL
from upbridge.webhooks.connection_pool import InboxPool
from upbridge.webhooks.inbox import DEADLINE, Announce, Inbox, inbox_engine
from upbridge.worker_container import WorkerContainer

log = structlog.get_logger(__name__)

_RETRY_SECONDS = 1.0


def connections_of_web() -> int:
    """The most connections that one web process holds: pages, webhooks, one to wake workers, one for readiness."""
    return PAGES_POOL + INBOX_POOL + 1 + 1


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
    seldom: Seldom = field(default_factory=Seldom)
    """Which lines are due, of those that any caller can cause."""

    async def load_webhook_key(self, *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
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
            await sleep(_RETRY_SECONDS)

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


def _announce(wake_ups: WakeUps) -> Announce:
    """What the inbox does with news: it has the lane woken that reads them."""
    return lambda shop_id, source: wake_ups.ask(Lane.pull(shop_id, source))


def create_web_container(
    settings: Settings,
    database: Database,
    http: httpx.AsyncClient,
    *,
    clock: Clock = utc_now,
    port: int = DEFAULT_PORT,
    webhook_seconds: float = DEADLINE,
) -> WebContainer:
    """The web process's collaborators. Asks nothing of the database yet. A webhook that is not stored within
    *webhook_seconds* is refused."""
    cipher = Cipher(settings.keys())
    shops = Shops(database.engine, cipher, SYSTEMS.settings, way=Way.PLATFORM)
    worker: Deferred[WorkerContainer] = Deferred("the key of the webhook addresses is not loaded yet")
    webhook_connections = inbox_engine(database.conninfo, seconds=webhook_seconds)
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
        inbox=Inbox(webhook_connections, clock, announce=_announce(wake_ups), seconds=webhook_seconds),
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
