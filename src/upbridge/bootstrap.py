"""The background side, assembled: the service object that workers and commands share."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpx
from sqlalchemy.exc import DBAPIError

from upbridge.core.clock import Clock, utc_now
from upbridge.core.encryption import Cipher
from upbridge.core.errors import NotReady
from upbridge.core.telemetry.metered_transport import Measured
from upbridge.domain.shop_id import ShopId
from upbridge.engine.context import Service
from upbridge.rate_limits.ledger import Ledger
from upbridge.settings import Settings
from upbridge.store.database import Database, open_database, revision_of
from upbridge.store.schema import HEAD
from upbridge.systems.base import Systems
from upbridge.systems.registry import SYSTEMS
from upbridge.systems.uphance.target import UphanceTarget
from upbridge.systems.upp.client import UppClient
from upbridge.systems.upp.target import UppTarget
from upbridge.webhooks.addresses import UPHANCE_EVENT, WebhookAddresses, load_addresses

USER_AGENT = "Upbridge (+https://github.com/upbridge/upbridge)"


def webhook_url(origin: str, addresses: WebhookAddresses, shop_id: ShopId, source: str, event: str) -> str:
    """The secret address at which *source* reaches us for one shop and event."""
    token = addresses.token(shop_id, source, event)
    place = f"{source}/{token}" if event == UPHANCE_EVENT else f"{source}/{event}/{token}"
    return f"{origin}/webhooks/{place}"


async def create_service(
    settings: Settings,
    database: Database,
    http: httpx.AsyncClient,
    *,
    systems: Systems = SYSTEMS,
    clock: Clock = utc_now,
    port: int | None = None,
) -> Service:
    """The collaborators of `sync`, wired. Nobody is woken: the sweep of a worker finds what there is to do."""
    cipher = Cipher(settings.keys())
    addresses = await load_addresses(database.engine, cipher)
    origin = settings.public_origin(port)
    return Service(
        settings=settings,
        systems=systems,
        engine=database.engine,
        cipher=cipher,
        clock=clock,
        http=http,
        ledger=Ledger(database.engine, clock),
        targets={
            "upp": UppTarget(UppClient(http, settings.upp_url, clock)),
            "uphance": UphanceTarget(
                http=http, base_url=settings.uphance_url, clock=clock, engine=database.engine
            ),
        },
        webhook_url=lambda shop_id, source, event: webhook_url(origin, addresses, shop_id, source, event),
    )


def http_client(settings: Settings, *, systems: Systems = SYSTEMS) -> httpx.AsyncClient:
    """The client for all calls to other systems: no redirects, no cookies kept, every call measured."""
    named = {httpx.URL(one.url(settings)).netloc: one.name for one in systems.connected if one.url is not None}
    transport = httpx.AsyncHTTPTransport(limits=httpx.Limits(max_connections=50, max_keepalive_connections=20))
    return httpx.AsyncClient(
        transport=Measured(transport, lambda url: named.get(url.netloc, systems.platform.name)),
        follow_redirects=False,
        headers={"User-Agent": USER_AGENT},
        cookies=CookieJar(policy=DefaultCookiePolicy(allowed_domains=())),
    )


@asynccontextmanager
async def running_service(
    settings: Settings, *, pool_size: int = 5, watch: bool = False, port: int | None = None
) -> AsyncIterator[tuple[Service, Database]]:
    """The service with everything open that it needs; closed again at the end."""
    async with (
        open_database(settings, pool_size=pool_size, watch=watch) as database,
        http_client(settings) as http,
    ):
        await _need_schema(database)
        yield await create_service(settings, database, http, port=port), database


async def _need_schema(database: Database) -> None:
    """Raise `NotReady`, with what to do, unless the schema is the one that this code wants."""
    try:
        current = await revision_of(database.engine)
    except (DBAPIError, OSError) as error:
        raise NotReady(
            f"the database does not answer ({type(error).__name__}): see UPBRIDGE_DATABASE_URL"
        ) from error
    if current != HEAD:
        raise NotReady(f"the schema is at {current or 'nothing'}, not at {HEAD}: run `upbridge migrate` first")
