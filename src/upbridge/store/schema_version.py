"""Which version of the schema the database has, and whether this code may run on it.

    older ──► migrate first        the same, or newer ──► run        newer, and it says that we cannot ──► upgrade

So versions overlap while a new one is rolled out, and the one before can be put back without touching the
database. A migration that code of an older version cannot live with says so in the table `compatibility`.
"""

from dataclasses import dataclass

from sqlalchemy import Connection, select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from upbridge.store.schema import HEAD, compatibility


@dataclass(frozen=True, slots=True)
class SchemaVersion:
    """The revision that the database has, None if it was never migrated; and the oldest whose code may run on it,
    None where it says nothing against ours."""

    revision: str | None
    oldest: str | None = None

    @property
    def usable(self) -> bool:
        """Whether this code may run."""
        return self.problem is None

    @property
    def newer(self) -> bool:
        """Whether a later version has migrated the database."""
        return self.revision is not None and self.revision > HEAD

    @property
    def problem(self) -> str | None:
        """Why this code may not run, and what to do; None if it may."""
        if self.revision is None:
            return "the database has no schema yet: run `upbridge migrate` first"
        if self.revision < HEAD:
            return f"the schema is at {self.revision}, not at {HEAD}: run `upbridge migrate` first"
        if self.oldest is not None and self.oldest > HEAD:
            return (
                f"the schema is at {self.revision}, and this version, which knows {HEAD}, is too old for it:"
                " start the newer version"
            )
        return None


def read_version(tx: Connection) -> SchemaVersion:
    """The version of the database at the other end of *tx*."""
    if tx.scalar(text("SELECT to_regclass('alembic_version')")) is None:
        return SchemaVersion(None)
    revision: str | None = tx.scalar(text("SELECT version_num FROM alembic_version"))
    if revision is None or revision <= HEAD:
        return SchemaVersion(revision)
    return SchemaVersion(revision, tx.scalar(select(compatibility.c.oldest)))


async def schema_version(engine: AsyncEngine) -> SchemaVersion:
    """The version of the database."""
    async with engine.connect() as tx:
        return await tx.run_sync(read_version)
