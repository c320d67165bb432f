"""One entity that no table takes holds up no other: it is set apart, and reported like one that cannot be read.

Answers are cleaned where they are read (NUL, lone surrogates, numbers out of range). This is for what the
cleaning lets through: without it a batch with such an entity would be read again for ever.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeAlias, TypeVar

import structlog
from sqlalchemy.exc import DataError, DBAPIError, OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from upbridge.engine.planner import BadEntity, ReadBatch

T = TypeVar("T")

log = structlog.get_logger(__name__)

_LONGEST_NAME = 100
#: The class of errors of Postgres for what is larger than it takes, a row of an index for instance.
_LIMITS = "54"


Plan: TypeAlias = Callable[[AsyncConnection, ReadBatch], Awaitable[object]]


async def stored(
    engine: AsyncEngine, read: ReadBatch, plan: Plan, settle: Callable[[AsyncConnection, ReadBatch], Awaitable[T]]
) -> T:
    """What *settle* makes of *read* in one transaction, without those entities that *plan* cannot store.

    *plan* is the part of *settle* that writes what was read. Raises what *settle* raises otherwise.
    """
    try:
        async with engine.begin() as tx:
            return await settle(tx, read)
    except (DBAPIError, UnicodeEncodeError) as error:
        if not _is_unstorable(error):
            raise
    read = await _set_apart(engine, read, plan)
    async with engine.begin() as tx:
        return await settle(tx, read)


async def _set_apart(engine: AsyncEngine, read: ReadBatch, plan: Plan) -> ReadBatch:
    """*read* with the entities broken that cannot be stored by themselves: each is tried in a transaction that is
    rolled back."""
    broken: dict[str, BadEntity] = {}
    for entity in read.entities:
        try:
            async with engine.connect() as tx:
                await plan(tx, replace(read, entities=[entity], broken=(), missing=()))
        except (DBAPIError, UnicodeEncodeError) as error:
            if not _is_unstorable(error):
                raise
            name = entity.key[:_LONGEST_NAME]
            log.warning("entity_unstorable", kind=read.kind, key=name, error=type(error).__name__)
            broken[entity.key] = BadEntity(name, "a value is larger than can be stored")
    kept = [entity for entity in read.entities if entity.key not in broken]
    return replace(read, entities=kept, broken=[*read.broken, *broken.values()])


def _is_unstorable(error: BaseException) -> bool:
    """Whether *error* says that a value fits no table; any other failure is about the database itself."""
    if isinstance(error, OperationalError):
        return (getattr(error.orig, "sqlstate", None) or "").startswith(_LIMITS)
    return isinstance(error, DataError | UnicodeEncodeError)
