"""The rows of a database, kept and brought back: what a backup and its restoration come to, in milliseconds."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import psycopg

from upbridge.store.schema import metadata

_SEQUENCES = """
    SELECT quote_ident(schemaname) || '.' || quote_ident(sequencename) AS name, last_value FROM pg_sequences
"""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Every row of our own tables, and how far their numbers had been given out."""

    rows: Mapping[str, bytes]
    sequences: Mapping[str, int | None]

    @classmethod
    def of(cls, address: str) -> "Snapshot":
        """The database at *address* as it is now."""
        with psycopg.connect(address) as tx, tx.cursor() as cursor:
            tables = [table.name for table in metadata.sorted_tables]
            rows = {table: _read(cursor, table) for table in tables}
            sequences: dict[str, int | None] = dict(cursor.execute(_SEQUENCES).fetchall())
        return cls(rows, sequences)

    def restore(self, address: str) -> None:
        """Bring the database at *address* back to that moment."""
        with psycopg.connect(address) as tx, tx.cursor() as cursor:
            for table in reversed(list(self.rows)):
                cursor.execute(f"DELETE FROM {table}".encode())
            for table, rows in self.rows.items():
                with cursor.copy(f"COPY {table} FROM STDIN".encode()) as copying:
                    copying.write(rows)
            for name, last in self.sequences.items():
                cursor.execute("SELECT setval(%s::regclass, %s, %s)", (name, last or 1, last is not None))


def _read(cursor: psycopg.Cursor[Any], table: str) -> bytes:
    with cursor.copy(f"COPY {table} TO STDOUT".encode()) as copying:
        return b"".join(bytes(part) for part in copying)
