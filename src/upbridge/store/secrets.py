"""Secrets that the service makes for itself, encrypted."""

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from upbridge.store.schema import secrets


async def keep(tx: AsyncConnection, name: str, value: bytes) -> bytes:
    """Store *value* unless *name* has one already; returns the value that *name* has now."""
    await tx.execute(insert(secrets).values(name=name, value=value).on_conflict_do_nothing())
    return bytes((await tx.execute(select(secrets.c.value).where(secrets.c.name == name))).scalar_one())


async def find(tx: AsyncConnection, name: str) -> bytes | None:
    """The value of *name*; None if it has none."""
    value = await tx.scalar(select(secrets.c.value).where(secrets.c.name == name))
    return None if value is None else bytes(value)


async def values(tx: AsyncConnection) -> list[bytes]:
    """Every value, encrypted as it is stored."""
    return [bytes(value) for value in await tx.scalars(select(secrets.c.value))]
