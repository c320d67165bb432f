"""Put together what workers and commands work with, over a database that fits this code. Decides nothing."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import psycopg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from upbridge.core.clock import Clock, utc_now
from upbridge.core.database_failure import reason_of
from upbridge.core.deadline import with_deadline
from upbridge.core.encryption import Cipher
from upbridge.core.errors import NotReady
from upbridge.domain import webhooks
from upbridge.domain.lane import Wake, leave_to_sweep
from upbridge.domain.shop import Shop
from upbridge.job_queue import JOBS_POOL
from upbridge.rate_limits.ledger import Ledger
from upbridge.settings import Settings
from upbridge.store.database import Database, open_database
from upbridge.store.probes import ANSWER_SECONDS, require_sessions
from upbridge.store.schema_version import schema_version
from upbridge.systems.base import Systems, Target
from upbridge.systems.connecting import Tools
from upbridge.systems.http.transport import http_client
from upbridge.systems.registry import SYSTEMS
from upbridge.webhooks.addresses import WebhookAddresses, load_addresses
from upbridge.worker_container import WorkerContainer


def worker_pool(concurrency: int) -> int:
    """Connections for the work of a worker that works on *concurrency* lanes of each system.

    A lane keeps one while it is worked on; most of them wait for an answer, and need no other.
    """
    return concurrency * (len(SYSTEMS.all) + 2) + 4


def connections_of_worker(concurrency: int) -> int:
    """The most connections that a worker holds: for work, for the job library, and to hear of new jobs."""
    return worker_pool(concurrency) + JOBS_POOL + len(SYSTEMS.all) + 1


def webhook_url(origin: str, addresses: WebhookAddresses, shop: Shop, source: str, event: str) -> str:
    """The secret address at which *source* reaches us for one shop and event."""
    token = addresses.token(shop.id, source, event, shop.webhook_generation)
    return webhooks.address(origin, source, event, token)


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
