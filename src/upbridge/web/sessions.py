"""Tickets and sessions of the pages, without cookies (docs/decisions/0004-sessions-without-cookies.md).

    open call ──issue()──► ticket, 60 s, once ──redeem()──► session, 30 idle minutes and 12 hours in all, in the
                                                             path of every page

Both are random secrets of 256 bits; the database keeps digests, so what it holds opens nothing. A stamp behind
them says that this service made them: an invented one is refused without asking the database. Nothing here is
ever logged. A session belongs to one shop: every page takes the shop from `Visitor` and from nothing else.
"""

import secrets
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeAlias

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from upbridge.core.clock import Clock
from upbridge.core.encryption import Cipher, digest, from_url_text, url_text
from upbridge.domain.shop_id import ShopId
from upbridge.store import sessions as store
from upbridge.store.sessions import SessionOwner, SessionPurpose

TICKET_LIFE = timedelta(seconds=60)
SESSION_IDLE = timedelta(minutes=30)
SESSION_LIFE = timedelta(hours=12)
"""However busy it is: an address that was copied is worth nothing the next day."""
_NOT_WRITTEN = timedelta(seconds=5)
"""A person who clicks, and a flood of pages, write the moment of the last visit no more often than that."""
_REMEMBERED = 1_000

_RANDOM_BYTES = 32
_STAMP_BYTES = 12
"""A guess is right once in 2^96; and then the database still has to know the secret before it."""
#: As text: 43 characters and 16.
_RANDOM_LENGTH, _LENGTH = 43, 59


class Visitor(SessionOwner):
    """A user in the admin of *shop_id*; Upgates does not say which (R27)."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Entrance:
    """A ticket that was good: the session that it opened."""

    session: str = field(repr=False)
    visitor: Visitor


@dataclass(frozen=True, slots=True)
class Ended:
    """The ticket or session is used, expired or unknown. *language*: that of its visitor, if it was known."""

    language: str | None


Entry: TypeAlias = Entrance | Ended


class Sessions:
    """The tickets and sessions of the pages. Each method is one short transaction."""

    def __init__(self, engine: AsyncEngine, clock: Clock, cipher: Cipher) -> None:
        self._engine = engine
        self._cipher = cipher
        self._clock = clock
        self._languages: OrderedDict[bytes, str] = OrderedDict()

    def made(self, secret: str, purpose: SessionPurpose) -> bool:
        """Whether this service made *secret* for that *purpose*, by computation alone; it may have ended."""
        if len(secret) != _LENGTH or not secret.isascii():
            return False
        stamp = from_url_text(secret[_RANDOM_LENGTH:])
        return stamp is not None and self._cipher.stamped(stamp, purpose, secret[:_RANDOM_LENGTH])

    def _new(self, purpose: SessionPurpose) -> str:
        random = secrets.token_urlsafe(_RANDOM_BYTES)
        return random + url_text(self._cipher.stamp(purpose, random)[:_STAMP_BYTES])

    async def issue(self, shop_id: ShopId, language: str) -> str:
        """A ticket for this shop: good once, for 60 seconds."""
        ticket = self._new(SessionPurpose.TICKET)
        async with self._engine.begin() as tx:
            expires_at = self._clock() + TICKET_LIFE
            await _store(tx, ticket, SessionPurpose.TICKET, Visitor(shop_id, language), expires_at=expires_at)
        return ticket

    async def redeem(self, ticket: str) -> Entry:
        """A session for a ticket that is good; of two callers with the same ticket only one gets one."""
        now = self._clock()
        async with self._engine.begin() as tx:
            owner = await store.use(tx, digest(ticket), SessionPurpose.TICKET, now=now)
            if owner is None:
                return await _ended(tx, ticket)
            visitor = Visitor(owner.shop_id, owner.language)
            session = self._new(SessionPurpose.SESSION)
            await _store(
                tx,
                session,
                SessionPurpose.SESSION,
                visitor,
                expires_at=now + SESSION_IDLE,
                ends_at=now + SESSION_LIFE,
            )
        self._remember(session, visitor.language)
        return Entrance(session, visitor)

    async def permit(self, visitor: Visitor, what: str = "") -> str:
        """A permit to do once, within 60 seconds, what a form has asked for: the page after it has an address that
        can be loaded again and gone back to, and then does nothing. *what*: it is good for nothing else."""
        permit = self._new(SessionPurpose.PERMIT)
        async with self._engine.begin() as tx:
            await _store(tx, permit + what, SessionPurpose.PERMIT, visitor, expires_at=self._clock() + TICKET_LIFE)
        return permit

    async def use(self, permit: str, visitor: Visitor, what: str = "") -> bool:
        """Whether *permit* was given to this shop for *what* and is used now, for the first time."""
        if not self.made(permit, SessionPurpose.PERMIT):
            return False
        async with self._engine.begin() as tx:
            used = await store.use(
                tx, digest(permit + what), SessionPurpose.PERMIT, now=self._clock(), shop_id=visitor.shop_id
            )
        return used is not None

    async def enter(self, session: str, *, active: bool = True) -> Visitor | Ended:
        """The visitor of a living session. *active*: a person did something, so that 30 minutes begin again; a
        page that polls by itself passes False."""
        async with self._engine.begin() as tx:
            return await self.visitor(tx, session, active=active)

    async def visitor(self, tx: AsyncConnection, session: str, *, active: bool) -> Visitor | Ended:
        """The same in the caller's transaction, or in none."""
        now = self._clock()
        until = now + SESSION_IDLE if active else None
        owner = await store.enter(tx, digest(session), now=now, until=until, within=_NOT_WRITTEN)
        if owner is None:
            return await _ended(tx, session)
        visitor = Visitor(owner.shop_id, owner.language)
        self._remember(session, visitor.language)
        return visitor

    async def speak(self, session: str, language: str) -> None:
        """Go on in another language; a session that has ended stays ended."""
        async with self._engine.begin() as tx:
            await store.set_language(tx, digest(session), language)

    async def leave(self, session: str) -> None:
        """End this session."""
        async with self._engine.begin() as tx:
            await store.end(tx, digest(session))

    def language(self, session: str) -> str | None:
        """That of a session which this process saw lately: for the time in which the database says nothing."""
        return self._languages.get(digest(session))

    def _remember(self, session: str, language: str) -> None:
        self._languages[digest(session)] = language
        self._languages.move_to_end(digest(session))
        if len(self._languages) > _REMEMBERED:
            self._languages.popitem(last=False)


async def _store(
    tx: AsyncConnection,
    secret: str,
    purpose: SessionPurpose,
    visitor: Visitor,
    *,
    expires_at: datetime,
    ends_at: datetime | None = None,
) -> None:
    ends_at = expires_at if ends_at is None else ends_at
    await store.add(tx, digest(secret), purpose, visitor, expires_at=expires_at, ends_at=ends_at)


async def _ended(tx: AsyncConnection, secret: str) -> Ended:
    return Ended(await store.language_of(tx, digest(secret)))
