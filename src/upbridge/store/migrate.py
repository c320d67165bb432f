"""The schema's versions, by Alembic. Apart from `db`, because only who migrates pays for loading it."""

from alembic import command
from alembic.config import Config
from sqlalchemy.exc import OperationalError

from upbridge.core.errors import NotReady
from upbridge.core.package_files import package_file
from upbridge.store.database import sqlalchemy_url
from upbridge.store.schema import HEAD


def alembic_config(conninfo: str) -> Config:
    """Alembic's configuration for this database, inside and outside a checkout."""
    config = Config(package_file("alembic.ini"))
    config.set_main_option("script_location", str(package_file("migrations")))
    config.attributes["url"] = sqlalchemy_url(conninfo)
    return config


def migrate(conninfo: str) -> str:
    """Bring the schema to head and return that revision. Idempotent; processes that start together take turns.

    Blocking: call it from a thread. Raises `NotReady` if the database cannot be reached.
    """
    try:
        command.upgrade(alembic_config(conninfo), "head")
    except OperationalError as error:
        said = " ".join(str(error.orig).split())  # the driver speaks in several lines
        raise NotReady(f"the database cannot be reached: {said}") from error
    return HEAD
