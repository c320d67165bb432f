"""The database: where it is, how to reach it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog
from sqlalchemy import make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from upbridge.core.errors import NotReady
from upbridge.settings import Settings
from upbridge.store.session import CONNECT_SECONDS, KEPT_ALIVE_SECONDS, limit_all, look_before_use

if TYPE_CHECKING:
    from upbridge.store.embedded import EmbeddedPostgres

log = structlog.get_logger(__name__)

_WATCH_SECONDS = 1.0


PAGES_POOL = 10
"""Connections that the pages, the signed calls and the engine's forms share in a web process."""


@dataclass(frozen=True, slots=True)
class Database:
    """An open database: an engine for our queries, an address for the job library's own pool."""

    engine: AsyncEngine
    conninfo: str
    embedded: "EmbeddedPostgres | None"


def sqlalchemy_url(conninfo: str) -> str:
    """The address as SQLAlchemy spells it, with psycopg as the driver."""
    url = make_url(conninfo)
    return url.set(drivername="postgresql+psycopg").render_as_string(hide_password=False)


def embedded_postgres(settings: Settings) -> "EmbeddedPostgres":
    """A handle on the embedded server. Raises `NotReady` where it is not installed: the image goes without."""
    try:
        from upbridge.store.embedded import EmbeddedPostgres  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as error:
        raise NotReady(
            "no database is configured, and the embedded one is not installed: set UPBRIDGE_DATABASE_URL, or"
            " install upbridge[embedded]"
        ) from error
    return EmbeddedPostgres(settings.data_dir)


@asynccontextmanager
async def open_database(
    settings: Settings, *, pool_size: int = PAGES_POOL, watch: bool = False
) -> AsyncIterator[Database]:
    """The configured database, or the embedded one, started if need be; closed and let go at the end.

    With *watch* a task revives the embedded server whenever it dies. Raises `NotReady` if it cannot start.
    """
    embedded: EmbeddedPostgres | None = None
    if settings.database_url is not None:
        conninfo = settings.given_database()
    else:
        embedded = embedded_postgres(settings)
        conninfo = await asyncio.to_thread(embedded.start)
    engine = create_async_engine(
        sqlalchemy_url(conninfo),
        pool_size=pool_size,
        max_overflow=0,
        pool_use_lifo=True,  # few do most of the work, and have its statements prepared
        connect_args={
            "connect_timeout": CONNECT_SECONDS,
            "prepare_threshold": 1,
            "keepalives_idle": KEPT_ALIVE_SECONDS,
        },
        hide_parameters=True,  # an error's text goes to the log, and parameters are people's data
    )
    limit_all(engine)
    look_before_use(engine)
    watcher = asyncio.create_task(_watch(embedded)) if embedded is not None and watch else None
    try:
        yield Database(engine=engine, conninfo=conninfo, embedded=embedded)
    finally:
        if watcher is not None:
            watcher.cancel()
        await engine.dispose()
        if embedded is not None:
            await asyncio.to_thread(embedded.close)


async def _watch(embedded: "EmbeddedPostgres") -> None:
    while True:
        await asyncio.sleep(_WATCH_SECONDS)
        if not await asyncio.to_thread(embedded.running):
            log.warning("embedded_postgres_died")
            try:
                await asyncio.to_thread(embedded.revive)
            except NotReady as error:
                log.error("embedded_postgres_stays_down", error=str(error))  # noqa: TRY400
            else:
                log.info("embedded_postgres_revived")
