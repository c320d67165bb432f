"""Secrets that the service makes for itself, encrypted."""

from secrets import token_bytes

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from upbridge.core.encryption import Cipher, DecryptionError
from upbridge.store.schema import secrets


async def own_key(engine: AsyncEngine, cipher: Cipher, name: str) -> bytes:
    """The key *name* of 32 bytes. The first caller makes it, every other reads it. Raises `DecryptionError`."""
    there = select(secrets.c.value).where(secrets.c.name == name)
    async with engine.begin() as tx:
        value = await tx.scalar(there)
        if value is None:
            made = cipher.encrypt(token_bytes(32))
            await tx.execute(insert(secrets).values(name=name, value=made).on_conflict_do_nothing())
            value = (await tx.execute(there)).scalar_one()
    return cipher.decrypt(bytes(value))


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
