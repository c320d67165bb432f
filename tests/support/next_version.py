"""The next version of the program: a copy of this one with another number and a migration more."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from upbridge.core.package_files import package_file
from upbridge.store.schema import HEAD

REVISION = "9001"
_VERSION = "9.0.0"

#: As releases are: a table of its own, and a column in each table that a webhook writes or a worker takes from.
_MIGRATION = f"""
import sqlalchemy as sa
from alembic import op

revision = "{REVISION}"
down_revision = "{HEAD}"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table("novelties", sa.Column("id", sa.BigInteger(), primary_key=True))
    for table in ("changes", "documents", "orders", "shops"):
        op.add_column(table, sa.Column("novelty", sa.Text(), nullable=False, server_default="new"))


def downgrade() -> None:
    raise NotImplementedError
"""


@dataclass(frozen=True, slots=True)
class NextVersion:
    """The copy; with *path* as PYTHONPATH, `python -m upbridge` is the next version."""

    path: Path
    version: str = _VERSION


def next_version(folder: Path) -> NextVersion:
    """Make the copy in *folder*, laid out as in a wheel: what ships beside the code lies inside the package."""
    package = folder / "upbridge"
    source = Path(package_file("locales")).parent
    shutil.copytree(source / "src" / "upbridge", package)  # with what is compiled: it starts at once
    for name in ("alembic.ini", "locales", "migrations", "templates"):
        found = package_file(name)
        (shutil.copytree if found.is_dir() else shutil.copy)(found, package / name)
    (package / "migrations" / "versions" / f"{REVISION}_novelties.py").write_text(_MIGRATION)
    init = package / "__init__.py"
    init.write_text(init.read_text().replace('__version__ = "', f'__version__ = "{_VERSION}"  # was "'))
    return NextVersion(folder)
