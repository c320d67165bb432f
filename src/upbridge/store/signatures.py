"""The signatures that were accepted: how a replay is noticed (R8)."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from upbridge.store.schema import signatures


async def remember(tx: AsyncConnection, digest: bytes, endpoint: str, *, now: datetime) -> str | None:
    """Note that a signature was accepted, in the caller's transaction; returns the endpoint that saw it before, if
    any.

    Of two transactions with the same signature the second waits for the first.
    """
    fresh = insert(signatures).values(digest=digest, endpoint=endpoint, seen_at=now).on_conflict_do_nothing()
    if await tx.scalar(fresh.returning(signatures.c.digest)) is not None:
        return None
    seen = await tx.execute(select(signatures.c.endpoint).where(signatures.c.digest == digest))
    return str(seen.scalar_one())
