"""The schema's versions, by Alembic. Apart from `db`, because only who migrates pays for loading it."""

import time

import psycopg
from alembic import command
from alembic.config import Config
from sqlalchemy import NullPool, create_engine
from sqlalchemy.exc import DBAPIError

from upbridge.core.database_failure import reason_of
from upbridge.core.errors import NotReady
from upbridge.core.package_files import package_file
from upbridge.store.database import sqlalchemy_url
from upbridge.store.schema import HEAD
from upbridge.store.schema_version import SchemaVersion, read_version
from upbridge.store.session import CONNECT_SECONDS

_DEADLINE_SECONDS = 60.0
"""How long a change of the schema is tried while others work on its tables."""
_PAUSE_SECONDS = 0.2


def alembic_config(conninfo: str) -> Config:
    """Alembic's configuration for this database, inside and outside a checkout."""
    config = Config(package_file("alembic.ini"))
    config.set_main_option("script_location", str(package_file("migrations")))
    config.attributes["url"] = sqlalchemy_url(conninfo)
    return config


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
        if version.newer:
            return version
        _upgrade(alembic_config(conninfo))
    except DBAPIError as error:
        raise NotReady(f"the database cannot be used: {reason_of(error)}") from error
    return SchemaVersion(HEAD)


def _upgrade(config: Config) -> None:
    """Migrate. A step that does not get its lock at once lets go of all that it has and begins again: what works
    on the tables meanwhile, a webhook above all, must not queue behind it."""
    last = time.monotonic() + _DEADLINE_SECONDS
    while True:
        try:
            command.upgrade(config, "head")
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
