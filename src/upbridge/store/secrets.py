"""Secrets that the service makes for itself, encrypted."""

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from upbridge.core.encryption import Cipher, DecryptionError
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


async def opened_by(tx: AsyncConnection, cipher: Cipher) -> bool:
    """Whether *cipher* opens every value. If not, this process has other keys than the service: `upbridge keys
    rotate` has run since it started, for instance."""
    for value in await values(tx):
        try:
            cipher.decrypt(value)
        except DecryptionError:
            return False
    return True
