"""Put a row into every table that there is."""

from datetime import datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import (
    Boolean,
    Column,
    DateTime,
    Double,
    Integer,
    LargeBinary,
    Numeric,
    Table,
    Text,
    Uuid,
    insert,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncEngine

from upbridge.domain.shop_id import ShopId
from upbridge.store.schema import metadata


def _value(column: Column[Any], now: datetime) -> Any:
    made = {
        Text: f"{column.name}-{uuid4().hex[:6]}",
        Uuid: uuid4(),
        DateTime: now,
        LargeBinary: uuid4().bytes,
        Boolean: False,
        JSONB: {},
        Double: 1.0,
        Numeric: 1,
        Integer: 1,
    }
    return next(value for kind, value in made.items() if isinstance(column.type, kind))


def row(table: Table, now: datetime, **given: Any) -> dict[str, Any]:
    """A row with something in every column."""
    made = {
        column.name: _value(column, now)
        for column in table.columns
        if column.identity is None and column.computed is None
    }
    return {**made, **{name: value for name, value in given.items() if name in table.c}}


async def fill(engine: AsyncEngine, shop_id: ShopId, *, now: datetime, **given: Any) -> set[str]:
    """A row about the shop in every table that has such; returns their names."""
    tables = [table for table in metadata.sorted_tables if "shop_id" in table.c]
    async with engine.begin() as tx:
        for table in tables:
            await tx.execute(insert(table).values(row(table, now, shop_id=shop_id, **given)))
    return {table.name for table in tables}
