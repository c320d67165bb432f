"""The schema's versions, by Alembic. Apart from `db`, because only who migrates pays for loading it."""

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


def alembic_config(conninfo: str) -> Config:
    """Alembic's configuration for this database, inside and outside a checkout."""
    config = Config(package_file("alembic.ini"))
    config.set_main_option("script_location", str(package_file("migrations")))
    config.attributes["url"] = sqlalchemy_url(conninfo)
    return config


def migrate(conninfo: str) -> SchemaVersion:
    """Bring the schema to head; nothing happens to one that is newer. Returns the version that it has then.
    Idempotent; processes that start together take turns.

    Blocking: call it from a thread. Raises `NotReady` if the database cannot be reached.
    """
    engine = create_engine(
        sqlalchemy_url(conninfo), poolclass=NullPool, connect_args={"connect_timeout": CONNECT_SECONDS}
    )
    try:
        with engine.connect() as tx:
            version = read_version(tx)
        if version.newer:
            return version
        command.upgrade(alembic_config(conninfo), "head")
    except DBAPIError as error:
        raise NotReady(f"the database cannot be used: {reason_of(error)}") from error
    return SchemaVersion(HEAD)
