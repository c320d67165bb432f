"""The signatures that were accepted: how a replay is noticed (R8)."""

from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from upbridge.installation.signature import Endpoint, SignedCall


async def remember(tx: AsyncConnection, call: SignedCall, *, now: datetime) -> Endpoint | None:
    """Note that *call* was accepted, in the caller's transaction; returns the endpoint that saw it before, if any.

    Of two transactions with the same signature the second waits for the first.
    """
    fresh = await tx.execute(
        text(
            "INSERT INTO signatures (digest, endpoint, seen_at) VALUES (:digest, :endpoint, :now)"
            " ON CONFLICT (digest) DO NOTHING"
        ),
        {"digest": call.digest, "endpoint": call.endpoint, "now": now},
    )
    if fresh.rowcount:
        return None
    seen = await tx.execute(
        text("SELECT endpoint FROM signatures WHERE digest = :digest"), {"digest": call.digest}
    )
    return Endpoint(seen.scalar_one())
