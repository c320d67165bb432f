"""Tickets, permits and sessions of the pages, by the digest of their secret (`web/sessions.py`)."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from upbridge.domain.shop_id import ShopId
from upbridge.store.schema import sessions


class SessionPurpose(StrEnum):
    """What a secret is good for."""

    TICKET = "ticket"
    PERMIT = "permit"
    SESSION = "session"
    USED = "used"
    """A ticket or permit that was good once."""


@dataclass(frozen=True, slots=True)
class SessionOwner:
    """Whose secret it is, and the language of its pages."""

    shop_id: ShopId
    language: str


async def add(
    tx: AsyncConnection,
    digest: bytes,
    purpose: SessionPurpose,
    owner: SessionOwner,
    *,
    expires_at: datetime,
    ends_at: datetime,
) -> None:
    """Store a new secret that is good until *expires_at*, and never longer than until *ends_at*."""
    await tx.execute(
        insert(sessions).values(
            digest=digest,
            purpose=purpose,
            shop_id=owner.shop_id,
            language=owner.language,
            expires_at=expires_at,
            ends_at=ends_at,
        )
    )


async def use(
    tx: AsyncConnection, digest: bytes, purpose: SessionPurpose, *, now: datetime, shop_id: ShopId | None = None
) -> SessionOwner | None:
    """Use a ticket or permit that has not expired; None if there is none. Of two callers one gets it. *shop_id*:
    only if it belongs to this shop."""
    statement = (
        update(sessions)
        .where(sessions.c.digest == digest, sessions.c.purpose == purpose, sessions.c.expires_at > now)
        .values(purpose=SessionPurpose.USED)
        .returning(sessions.c.shop_id, sessions.c.language)
    )
    if shop_id is not None:
        statement = statement.where(sessions.c.shop_id == shop_id)
    row = (await tx.execute(statement)).first()
    return None if row is None else SessionOwner(ShopId(row.shop_id), row.language)


async def enter(
    tx: AsyncConnection, digest: bytes, *, now: datetime, until: datetime | None, within: timedelta = timedelta()
) -> SessionOwner | None:
    """The owner of a session that has not expired; it lasts until *until* then (None: no longer than before), but
    not beyond its end. *within*: it is not written for so little more."""
    here = (sessions.c.digest == digest, sessions.c.purpose == SessionPurpose.SESSION, sessions.c.expires_at > now)
    columns = sessions.c.shop_id, sessions.c.language, sessions.c.expires_at, sessions.c.ends_at
    row = (await tx.execute(select(*columns).where(*here))).first()
    if row is None:
        return None
    if until is not None and min(until, row.ends_at) > row.expires_at + within:
        longer = update(sessions).where(*here).values(expires_at=func.least(until, sessions.c.ends_at))
        if (await tx.execute(longer)).rowcount == 0:  # it was ended meanwhile
            return None
    return SessionOwner(ShopId(row.shop_id), row.language)


async def set_language(tx: AsyncConnection, digest: bytes, language: str) -> None:
    """The pages of a session in another language."""
    await tx.execute(
        update(sessions)
        .where(sessions.c.digest == digest, sessions.c.purpose == SessionPurpose.SESSION)
        .values(language=language)
    )


async def language_of(tx: AsyncConnection, digest: bytes) -> str | None:
    """The language of a secret that is known, expired or used as it may be."""
    language: str | None = await tx.scalar(select(sessions.c.language).where(sessions.c.digest == digest))
    return language


async def end(tx: AsyncConnection, digest: bytes) -> None:
    """End one session."""
    await tx.execute(
        update(sessions)
        .where(sessions.c.digest == digest, sessions.c.purpose == SessionPurpose.SESSION)
        .values(purpose=SessionPurpose.USED)
    )


async def end_all(tx: AsyncConnection, shop_id: ShopId) -> int:
    """End the shop's sessions, and its tickets and permits with them; returns how many there were."""
    ended = await tx.execute(
        update(sessions)
        .where(sessions.c.shop_id == shop_id, sessions.c.purpose != SessionPurpose.USED)
        .values(purpose=SessionPurpose.USED)
    )
    return ended.rowcount
