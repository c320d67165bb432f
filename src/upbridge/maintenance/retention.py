"""What is thrown away, and when: the schema says of each table that grows with time how long its rows are kept."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Column, ColumnElement, Delete, any_, func, literal_column, select
from sqlalchemy.ext.asyncio import AsyncEngine

from upbridge.store.schema import Kept, metadata

_LIMIT = 5_000


def kept() -> dict[str, Kept]:
    """How long the rows of each table are kept; the others are bounded, or go with their shop."""
    return {column.table.name: column.info["kept"] for column in _moments()}


async def prune(engine: AsyncEngine, *, now: datetime) -> dict[str, int]:
    """Delete what is past its time; returns how many rows went per table. In small portions: no lock is held for
    long."""
    gone: dict[str, int] = {}
    for column in _moments():
        statement = _portion(column, now)
        while True:
            async with engine.begin() as tx:
                number = (await tx.execute(statement)).rowcount
            gone[column.table.name] = gone.get(column.table.name, 0) + number
            if number < _LIMIT:
                break
    return gone


def _moments() -> list[Column[Any]]:
    return [column for table in metadata.sorted_tables for column in table.columns if "kept" in column.info]


def _portion(column: Column[Any], now: datetime) -> Delete:
    table, rule = column.table, column.info["kept"]
    place: ColumnElement[Any] = literal_column("ctid")
    old = select(place).select_from(table).where(column < now - timedelta(days=rule.days))
    if rule.state is not None:
        old = old.where(table.c.state == rule.state)
    return table.delete().where(place == any_(func.array(old.limit(_LIMIT).scalar_subquery())))
