"""The schema's versions as Alembic knows them. Apart from `migrate`: most processes find nothing to do, and need
not load it."""

from alembic import command
from alembic.config import Config

from upbridge.core.package_files import package_file
from upbridge.store.database import sqlalchemy_url


def alembic_config(conninfo: str) -> Config:
    """Alembic's configuration for this database, inside and outside a checkout."""
    config = Config(package_file("alembic.ini"))
    config.set_main_option("script_location", str(package_file("migrations")))
    config.attributes["url"] = sqlalchemy_url(conninfo)
    return config


def to_head(conninfo: str) -> None:
    """Carry out what this database lacks, step by step."""
    command.upgrade(alembic_config(conninfo), "head")
