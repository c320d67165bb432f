"""Mails on their way: written together with what they tell of, sealed until the mail server has them.

A letter is claimed for a while before it is sent, without a transaction that would stay open meanwhile; if the
process dies, it is due again after that while, with the same Message-ID.
"""

import json
from collections.abc import Collection
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from upbridge.core.encryption import Cipher
from upbridge.domain.mail import Letter
from upbridge.domain.shop_id import ShopId
from upbridge.store.schema import letters as table

#: How long a letter is left alone after a process has begun to send it: longer than that can take.
LEASE = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class ClaimedLetter:
    """A letter that this process sends now; *attempts*: how often it was begun, this time included."""

    id: int
    shop_id: ShopId | None
    sealed: bytes
    attempts: int

    def opened(self, cipher: Cipher) -> Letter:
        """What is to be sent; raises `DecryptionError`."""
        return Letter(**json.loads(cipher.decrypt(self.sealed)))


async def write(
    tx: AsyncConnection,
    cipher: Cipher,
    letter: Letter,
    *,
    once: str,
    shop_id: ShopId | None,
    now: datetime,
) -> bool:
    """Put *letter* into the outbox; returns whether it is new. *once* names what it tells of: there is one letter
    of each name."""
    values = {"shop_id": shop_id, "once": once, "made_at": now, "due_at": now}
    sealed = cipher.encrypt(json.dumps(asdict(letter), ensure_ascii=False))
    fresh = insert(table).values(**values, sealed=sealed).on_conflict_do_nothing(index_elements=[table.c.once])
    return await tx.scalar(fresh.returning(table.c.id)) is not None


async def claim(tx: AsyncConnection, *, now: datetime) -> ClaimedLetter | None:
    """The letter that waits longest, for this process alone; None where none is due."""
    due = (
        select(table.c.id)
        .where(table.c.sealed.is_not(None), table.c.due_at <= now)
        .order_by(table.c.due_at, table.c.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    claimed = (
        update(table)
        .where(table.c.id.in_(due.scalar_subquery()))
        .values(due_at=now + LEASE, attempts=table.c.attempts + 1)
        .returning(table.c.id, table.c.shop_id, table.c.sealed, table.c.attempts)
    )
    row = (await tx.execute(claimed)).first()
    if row is None:
        return None
    shop_id = None if row.shop_id is None else ShopId(row.shop_id)
    return ClaimedLetter(row.id, shop_id, bytes(row.sealed), row.attempts)


async def put_off(tx: AsyncConnection, number: int, *, until: datetime, reason: str) -> None:
    """The letter could not be sent: it waits, and why."""
    await tx.execute(update(table).where(table.c.id == number).values(due_at=until, reason=reason))


async def end(tx: AsyncConnection, number: int, *, now: datetime, reason: str | None = None) -> None:
    """Forget the letter's words: it was sent, or, with a *reason*, it never will be."""
    await tx.execute(update(table).where(table.c.id == number).values(sealed=None, ended_at=now, reason=reason))


async def written(tx: AsyncConnection, names: Collection[str]) -> set[str]:
    """Those of *names* of which there is a letter."""
    return set(await tx.scalars(select(table.c.once).where(table.c.once.in_(names)))) if names else set()


@dataclass(frozen=True, slots=True)
class WaitingLetters:
    """How many letters wait to be sent, since when, and why the last one that was tried does."""

    number: int
    since: datetime | None
    reason: str | None


async def waiting(tx: AsyncConnection) -> WaitingLetters:
    """What waits in the outbox."""
    query = select(
        func.count(), func.min(table.c.made_at), func.max(table.c.reason).filter(table.c.attempts > 0)
    ).where(table.c.sealed.is_not(None))
    number, since, reason = (await tx.execute(query)).one()
    return WaitingLetters(int(number), since, reason)


async def refused_last(tx: AsyncConnection, shop_id: ShopId) -> datetime | None:
    """When the newest letter to the shop's people was given up; None if it was sent, or there is none."""
    query = (
        select(table.c.reason, table.c.ended_at)
        .where(table.c.shop_id == shop_id, table.c.ended_at.is_not(None))
        .order_by(table.c.ended_at.desc())
        .limit(1)
    )
    row = (await tx.execute(query)).first()
    return None if row is None or row.reason is None else row.ended_at


async def written_since(tx: AsyncConnection, shop_id: ShopId | None, since: datetime) -> int:
    """How many letters to the shop's people, or to the operator, were written since then."""
    query = select(func.count()).where(table.c.shop_id.is_not_distinct_from(shop_id), table.c.made_at >= since)
    return int(await tx.scalar(query) or 0)
