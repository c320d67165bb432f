"""Key rotation: encrypt every stored secret again with the newest key, row by row, while the service runs."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Column, select, tuple_
from sqlalchemy.ext.asyncio import AsyncEngine

from upbridge.core.encryption import Cipher, DecryptionError
from upbridge.store.schema import metadata

#: Every encrypted column, by the schema. A test compares this with all columns of bytes.
ENCRYPTED: tuple[Column[Any], ...] = tuple(
    column for table in metadata.sorted_tables for column in table.columns if "encrypted" in column.info
)
_BATCH = 500


class Rotated(NamedTuple):
    """How many values of a column are sealed with the newest key now, and how many none of the keys opens."""

    done: int
    unreadable: int


async def rotate_all(engine: AsyncEngine, cipher: Cipher) -> dict[str, Rotated]:
    """Re-encrypt, by column. What none of the keys opens stays as it is, and keeps nothing else from the new key.

    Rows that are written meanwhile need nothing: a running process writes with the newest key.
    """
    return {str(column): await _rotate(engine, cipher, column) for column in ENCRYPTED}


async def _rotate(engine: AsyncEngine, cipher: Cipher, column: Column[Any]) -> Rotated:
    table = column.table
    keys = list(table.primary_key.columns)
    last: Sequence[Any] | None = None
    count = unreadable = 0
    while True:
        query = select(*keys, column.label("sealed")).where(column.is_not(None))
        if last is not None:
            query = query.where(tuple_(*keys) > tuple_(*last))
        async with engine.begin() as tx:
            rows = (await tx.execute(query.order_by(*keys).limit(_BATCH).with_for_update())).all()
            for *key, sealed in rows:
                try:
                    renewed = cipher.rotate(sealed)
                except DecryptionError:
                    unreadable += 1
                    continue
                await tx.execute(
                    table.update()
                    .where(*(one == value for one, value in zip(keys, key, strict=True)))
                    .values({column.name: renewed})
                )
                count += 1
        if len(rows) < _BATCH:
            return Rotated(count, unreadable)
        last = rows[-1][:-1]
