"""Every statement that goes to the database of an engine: those of SQLAlchemy, and those that are composed once
and go straight to the driver (`store.sql.Composed`), which no event of SQLAlchemy tells of."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine


@contextmanager
def each_statement(engine: AsyncEngine, seen: Callable[[str], None]) -> Iterator[None]:
    """Call *seen* with the text of each statement before it is sent; what it raises is raised there."""
    with each_question(engine, lambda words, _values: seen(words)):
        yield


@contextmanager
def each_question(engine: AsyncEngine, seen: Callable[[str, Any], None]) -> Iterator[None]:
    """The same with the values that are sent with it."""
    execute = psycopg.AsyncCursor.execute

    def by_sqlalchemy(_connection: Any, _cursor: Any, words: str, values: Any, *_: Any) -> None:
        seen(words, values)

    async def by_itself(self: psycopg.AsyncCursor[Any], query: Any, values: Any = None, **more: Any) -> Any:
        if isinstance(query, bytes) and str(engine.url.database) == self.connection.info.dbname:
            seen(query.decode(), values)
        return await execute(self, query, values, **more)

    event.listen(engine.sync_engine, "before_cursor_execute", by_sqlalchemy)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(psycopg.AsyncCursor, "execute", by_itself)
            yield
    finally:
        event.remove(engine.sync_engine, "before_cursor_execute", by_sqlalchemy)
