"""Bring the schema to the version that this code wants, by Alembic where it is not there."""

import time

import psycopg
from sqlalchemy import NullPool, create_engine
from sqlalchemy.exc import DBAPIError

from upbridge.core.database_failure import reason_of
from upbridge.core.errors import NotReady
from upbridge.store.database import sqlalchemy_url
from upbridge.store.schema import HEAD
from upbridge.store.schema_version import SchemaVersion, read_version
from upbridge.store.session import CONNECT_SECONDS

_DEADLINE_SECONDS = 60.0
"""How long a change of the schema is tried while others work on its tables."""
_PAUSE_SECONDS = 0.2


def migrate(conninfo: str) -> SchemaVersion:
    """Bring the schema to head; nothing happens to one that is newer. Returns the version that it has then.
    Idempotent; processes that start together take turns, and a version that works meanwhile hardly waits.

    Blocking: call it from a thread. Raises `NotReady` if the database cannot be reached, or others do not let go
    of a table for a minute.
    """
    engine = create_engine(
        sqlalchemy_url(conninfo), poolclass=NullPool, connect_args={"connect_timeout": CONNECT_SECONDS}
    )
    try:
        with engine.connect() as tx:
            version = read_version(tx)
        if version.newer or version.revision == HEAD:
            return version
        _upgrade(conninfo)
    except DBAPIError as error:
        raise NotReady(f"the database cannot be used: {reason_of(error)}") from error
    return SchemaVersion(HEAD)


def _upgrade(conninfo: str) -> None:
    """Migrate. A step that does not get its lock at once lets go of all that it has and begins again: what works
    on the tables meanwhile, a webhook above all, must not queue behind it."""
    from upbridge.store.alembic_steps import to_head  # noqa: PLC0415 - most processes find nothing to do

    last = time.monotonic() + _DEADLINE_SECONDS
    while True:
        try:
            to_head(conninfo)
        except DBAPIError as error:
            if not isinstance(error.orig, psycopg.errors.LockNotAvailable | psycopg.errors.DeadlockDetected):
                raise
            if time.monotonic() > last:
                raise NotReady(
                    f"the schema could not be changed for {_DEADLINE_SECONDS:.0f} s, because other sessions work"
                    " on its tables: end long statements (pg_stat_activity), then run `upbridge migrate` again"
                ) from error
            time.sleep(_PAUSE_SECONDS)
        else:
            return
