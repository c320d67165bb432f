"""When a worker was last there: how a database is noticed that is older than the world."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from upbridge.store.schema import heartbeat as table

NO_WORKER = timedelta(minutes=2)
"""No worker was there for so long: there is none. It says every ten seconds that it is."""
_NAME = "worker"
#: The cluster, its timeline (a replica that takes over begins a new one), and the database.
_IDENTITY = text(
    "SELECT concat_ws('/', (SELECT system_identifier FROM pg_control_system()),"
    " left(pg_walfile_name(pg_current_wal_lsn()), 8),"
    " (SELECT oid FROM pg_database WHERE datname = current_database()))"
)


@dataclass(frozen=True, slots=True)
class Beat:
    """When a worker was there, and the identity of the database that it saw; "" where that cannot be asked."""

    at: datetime
    identity: str


async def beat(tx: AsyncConnection, *, now: datetime) -> tuple[Beat | None, Beat]:
    """Note that a worker is there; returns the beat before, None if there was none, and this one."""
    row = (await tx.execute(select(table.c.at, table.c.identity).where(table.c.name == _NAME))).first()
    this = Beat(now, await _identity(tx))
    fresh = insert(table).values(name=_NAME, at=this.at, identity=this.identity)
    changed = {"at": fresh.excluded.at, "identity": fresh.excluded.identity}
    await tx.execute(fresh.on_conflict_do_update(constraint=table.primary_key, set_=changed))
    return None if row is None else Beat(row.at, row.identity), this


LAST = select(table.c.at).where(table.c.name == _NAME)
"""When a worker was last there; no row if never."""


async def last_beat(tx: AsyncConnection) -> datetime | None:
    """When a worker was last there; None if never."""
    return await tx.scalar(LAST)


async def _identity(tx: AsyncConnection) -> str:
    try:
        async with tx.begin_nested():
            return str(await tx.scalar(_IDENTITY))
    except DBAPIError:  # a managed Postgres may keep these functions to itself: then only the time tells
        return ""
