"""Many rows go to Postgres as one text, and arrive as they were."""

from datetime import UTC, datetime
from decimal import Decimal

import msgspec
import pytest
from sqlalchemy import Boolean, DateTime, Numeric, Text, func, select
from sqlalchemy.exc import DataError
from sqlalchemy.ext.asyncio import AsyncEngine

from upbridge.store.sql import as_rows, rows_of


class One(msgspec.Struct):
    """A row with a column of each sort."""

    words: str | None
    amount: Decimal | None = None
    yes: bool | None = None
    moment: datetime | None = None
    body: bytes | None = None


ROWS = rows_of(
    "t", "rows", words=Text(), amount=Numeric(), yes=Boolean(), moment=DateTime(timezone=True), body=Text()
)
QUERY = select(ROWS.c.words, ROWS.c.amount, ROWS.c.yes, ROWS.c.moment, func.decode(ROWS.c.body, "base64"))


async def there_and_back(engine: AsyncEngine, *rows: One) -> list[One]:
    """The same rows as Postgres reads them."""
    async with engine.connect() as tx:
        return [One(*row) for row in await tx.execute(QUERY, {"rows": as_rows(rows)})]


async def test_every_value_arrives_as_it_was(engine: AsyncEngine) -> None:
    rows = [
        One('"quoted" \\ {"a": 1} \n\t\x01 \x7f'),
        One("Příliš žluťoučký \N{GRINNING FACE} \u2028 <b>'"),
        One(""),
        One(None),
        One("a", Decimal("0.10000000000000000000000001"), True, datetime(2024, 2, 29, 1, 2, 3, 4, UTC), b"\0\xff"),
        One("b", Decimal(-12345678901234567890), False, datetime(1, 1, 1, tzinfo=UTC), b""),
    ]

    assert await there_and_back(engine, *rows) == rows


async def test_no_rows_are_none(engine: AsyncEngine) -> None:
    assert await there_and_back(engine) == []


async def test_what_no_table_takes_is_refused_by_its_value(engine: AsyncEngine) -> None:
    with pytest.raises(DataError):
        await there_and_back(engine, One("a\0b"))
    with pytest.raises(UnicodeEncodeError):
        as_rows([One("\ud800")])
