"""A shop's connections to Upp.ai and Uphance, and the vault that keeps their secrets sealed."""

import json
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Exists,
    Subquery,
    bindparam,
    case,
    delete,
    exists,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from upbridge.core.encryption import Cipher, DecryptionError
from upbridge.core.errors import LoginUnreadable
from upbridge.domain.history import Way, What
from upbridge.domain.lane import Lane
from upbridge.domain.shop import LISTENING, ShopState
from upbridge.domain.shop_id import ShopId
from upbridge.store import cursors, documents, history, lanes, links, problems, shop_queries
from upbridge.store.history import NewEntry
from upbridge.store.schema import connections as table
from upbridge.store.session import reading
from upbridge.store.sql import Composed, Overdue, one_of


class ConnectionState(StrEnum):
    """Whether the connection works."""

    CONNECTED = "connected"
    BROKEN = "broken"
    """The target refused the credentials: nothing is sent until a person connects again."""


class Breakage(StrEnum):
    """What stopped a connection that does not work."""

    REFUSED = "refused"
    """The other system refused the login."""
    ELSEWHERE = "elsewhere"
    """The login works, and leads to another account than the one that was connected."""
    UNREADABLE = "unreadable"
    """None of our keys opens the login."""
    GIVEN_UP = "given_up"
    """The shop has left us."""


@dataclass(frozen=True, slots=True)
class ConnectionRow:
    """A row of `connections`, without secrets."""

    shop_id: ShopId
    system: str
    state: ConnectionState
    reason: str | None
    account: str
    prefix: str
    facts: Mapping[str, Any]
    connected_at: datetime
    """Since when the shop has been connected to this account."""
    login_at: datetime
    """When its login was stored."""
    polled_at: datetime | None
    broken_by: str | None = None
    """What stopped it (`Breakage`); None of one that works, or that stopped before this was kept."""

    @property
    def leads_elsewhere(self) -> bool:
        """Whether it is stopped because its login leads to another account than the one that was connected."""
        return self.state is ConnectionState.BROKEN and self.broken_by == Breakage.ELSEWHERE


_COLUMNS = tuple(table.c[field.name] for field in fields(ConnectionRow))


def _here(shop_id: ShopId, system: str) -> tuple[ColumnElement[bool], ...]:
    return (table.c.shop_id == shop_id, table.c.system == system)


class Connections:
    """The connections of all shops."""

    def __init__(self, engine: AsyncEngine, cipher: Cipher, *, way: Way = Way.PROGRAM) -> None:
        """*way*: by which changes come, for the history."""
        self._engine = engine
        self._cipher = cipher
        self._way = way

    async def of(self, shop_id: ShopId) -> dict[str, ConnectionRow]:
        """The shop's connections by system."""
        async with reading(self._engine) as tx:
            return await connections_of(tx, shop_id)

    async def connect(
        self,
        tx: AsyncConnection,
        shop_id: ShopId,
        system: str,
        *,
        account: str,
        secret: Mapping[str, str] | None,
        tokens: Mapping[str, Any] | None,
        renew_at: datetime | None,
        facts: Mapping[str, Any],
        shop_key: str,
        prefixes_names: bool,
        now: datetime,
    ) -> tuple[ConnectionRow, bool]:
        """Store a connection that was tested; returns it and whether the shop had none to this account.

        *prefixes_names*: the second shop that connects the same account gets its key as prefix on all ids there;
        a shop keeps the prefix that it once had for that account, because another one would double everything.
        """
        await tx.execute(text("SELECT pg_advisory_xact_lock(hashtext('upbridge.connect'))"))
        before = (await connections_of(tx, shop_id)).get(system)
        again = before is not None and before.account == account
        last = _Account(before.account, before.prefix) if before else await _left(tx, shop_id, system)
        if last is not None and last.name == account:
            prefix = last.prefix
        else:
            taken = prefixes_names and await _bare_names_taken(tx, shop_id, system, account)
            prefix = f"{shop_key}-" if taken else ""
        values = {
            "shop_id": shop_id,
            "system": system,
            "state": ConnectionState.CONNECTED,
            "reason": None,
            "broken_by": None,
            "account": account,
            "prefix": prefix,
            "secret": None if secret is None else self._cipher.encrypt(json.dumps(dict(secret))),
            "tokens": None if tokens is None else self._cipher.encrypt(json.dumps(dict(tokens))),
            "tokens_renew_at": renew_at,
            "facts": dict(facts),
            "polled_at": None,
            "connected_at": now,
            "login_at": now,
        }
        new = insert(table).values(values)
        same_account = table.c.account == new.excluded.account
        await tx.execute(
            new.on_conflict_do_update(
                index_elements=[table.c.shop_id, table.c.system],
                set_={name: new.excluded[name] for name in values if name not in {"shop_id", "system"}}
                | {"connected_at": case((same_account, table.c.connected_at), else_=new.excluded.connected_at)},
            )
        )
        if last is not None and last.name != account:  # another account: what was linked there is not here
            await links.forget(tx, shop_id, system)
            await cursors.forget(tx, shop_id, system)
        told = NewEntry(What.CONNECTED, system, old=None if before is None else before.account, new=account)
        await history.record(tx, shop_id, self._way, [told], now=now)
        return (await connections_of(tx, shop_id))[system], not again

    async def disconnect(
        self,
        shop_id: ShopId,
        system: str,
        *,
        now: datetime,
        forget: Callable[[AsyncConnection, ShopId], Awaitable[None]] | None = None,
    ) -> None:
        """Forget the connection, its secrets and what waits for it; the links stay for a return.

        *forget*: what else goes with it, in the same transaction.
        """
        async with self._engine.begin() as tx:
            if forget is not None:
                await forget(tx, shop_id)
            left = (await connections_of(tx, shop_id)).get(system)
            if left is not None:
                await cursors.put(tx, shop_id, system, _ACCOUNT, left.account)
                await cursors.put(tx, shop_id, system, _PREFIX, left.prefix)
                told = NewEntry(What.DISCONNECTED, system, old=left.account)
                await history.record(tx, shop_id, self._way, [told], now=now)
            await documents.forget(tx, shop_id, system)
            await lanes.unblock(tx, Lane.push(shop_id, system))
            await problems.forget_target(tx, shop_id, system)
            await tx.execute(delete(table).where(*_here(shop_id, system)))

    async def break_off(
        self, shop_id: ShopId, system: str, reason: str, *, by: Breakage = Breakage.REFUSED, now: datetime
    ) -> None:
        """Stop the connection until a person connects it again, because its credentials do not work any more.

        *reason* is for people, *by* for what is done about it.
        """
        async with self._engine.begin() as tx:
            here = select(table.c.state).where(*_here(shop_id, system))
            before = await tx.scalar(here.with_for_update())
            await tx.execute(
                update(table)
                .where(*_here(shop_id, system))
                .values(state=ConnectionState.BROKEN, reason=reason, broken_by=by)
            )
            if before == ConnectionState.CONNECTED:
                what = What.LOGIN_ELSEWHERE if by is Breakage.ELSEWHERE else What.LOGIN_REFUSED
                await history.record(tx, shop_id, self._way, [NewEntry(what, system)], now=now)

    async def mend(self, tx: AsyncConnection, shop_id: ShopId, system: str, *, now: datetime) -> bool:
        """The login works again: go on, in the caller's transaction. Returns whether it was broken."""
        result = await tx.execute(
            update(table)
            .where(*_here(shop_id, system), table.c.state == ConnectionState.BROKEN)
            .values(state=ConnectionState.CONNECTED, reason=None, broken_by=None)
        )
        if result.rowcount > 0:
            await history.record(tx, shop_id, self._way, [NewEntry(What.LOGIN_RESTORED, system)], now=now)
        return result.rowcount > 0

    async def forget_tokens(self, shop_id: ShopId, system: str, reason: str) -> None:
        """Delete the connection's credentials; its account and links stay. A person has to connect it again."""
        async with self._engine.begin() as tx:
            await tx.execute(
                update(table)
                .where(*_here(shop_id, system))
                .values(
                    state=ConnectionState.BROKEN,
                    reason=reason,
                    broken_by=Breakage.GIVEN_UP,
                    tokens=None,
                    tokens_renew_at=None,
                )
            )

    async def still_open(self) -> list[ShopId]:
        """Shops that have left us and whose tokens we still keep."""
        async with reading(self._engine) as tx:
            gone = shop_queries.in_states(ShopState.UNINSTALLED)
            query = (
                select(table.c.shop_id)
                .join(gone, gone.c.id == table.c.shop_id)
                .where(table.c.tokens.is_not(None))
                .distinct()
                .order_by(table.c.shop_id)
            )
            return [ShopId(shop_id) for shop_id in await tx.scalars(query)]

    def vault(self, shop_id: ShopId, system: str) -> "EncryptedVault":
        """The secrets of one connection."""
        return EncryptedVault(self._engine, self._cipher, shop_id, system)


@dataclass(frozen=True, slots=True)
class _Account:
    """An account at a target, and the prefix of the shop's names in it."""

    name: str
    prefix: str


#: The cursors that remember, after a disconnection, to which account the links lead.
_ACCOUNT, _PREFIX = "account", "account_prefix"


async def _left(tx: AsyncConnection, shop_id: ShopId, system: str) -> _Account | None:
    """The account that the shop has left, if it has."""
    name = await cursors.get(tx, shop_id, system, _ACCOUNT)
    prefix = await cursors.get(tx, shop_id, system, _PREFIX)
    return None if name is None else _Account(name, prefix or "")


async def _bare_names_taken(tx: AsyncConnection, shop_id: ShopId, system: str, account: str) -> bool:
    """Whether another shop feeds, or has fed, this account without a prefix."""
    feeds = exists().where(
        table.c.system == system, table.c.account == account, table.c.shop_id != shop_id, table.c.prefix == ""
    )
    if await tx.scalar(select(feeds)):
        return True
    return await cursors.any_other(tx, shop_id, system, {_ACCOUNT: account, _PREFIX: ""})


async def connections_of(tx: AsyncConnection, shop_id: ShopId) -> dict[str, ConnectionRow]:
    """The shop's connections by system, in the caller's transaction."""
    rows = await _OF_SHOP.all(tx, shop_id=shop_id)
    return {row.system: ConnectionRow(**{**row._asdict(), "state": ConnectionState(row.state)}) for row in rows}


_OF_SHOP = Composed(select(*_COLUMNS).where(table.c.shop_id == bindparam("shop_id")).order_by(table.c.system))


async def of_shops(tx: AsyncConnection, shop_ids: Collection[ShopId]) -> list[ConnectionRow]:
    """The connections of these shops."""
    rows = await tx.execute(select(*_COLUMNS).where(one_of(table.c.shop_id, shop_ids)))
    return [ConnectionRow(**{**row, "state": ConnectionState(row["state"])}) for row in rows.mappings()]


async def set_polled(
    tx: AsyncConnection, shop_id: ShopId, system: str, facts: Mapping[str, Any], *, now: datetime
) -> None:
    """The connected system was read to its end at *now*, and says *facts* of itself."""
    await tx.execute(update(table).where(*_here(shop_id, system)).values(polled_at=now, facts=dict(facts)))


async def was_polled(tx: AsyncConnection, shop_id: ShopId, system: str) -> bool:
    """Whether the connected system was read to its end since it was connected."""
    return bool(await tx.scalar(select(exists().where(*_here(shop_id, system), table.c.polled_at.is_not(None)))))


def unpolled(system: str, *, before: datetime) -> Overdue:
    """The active shops whose connection to *system* works and was last read before then, or never."""
    active = shop_queries.in_states(ShopState.ACTIVE)
    working = (
        select(table.c.shop_id)
        .join(active, active.c.id == table.c.shop_id)
        .where(table.c.system == system, table.c.state == ConnectionState.CONNECTED)
    )
    return Overdue.of(working, table.c.polled_at, before)


class EncryptedVault:
    """A connection's secrets (`connecting.Vault`). Each call is one short transaction. To read what none of the
    keys opens raises `LoginUnreadable`."""

    def __init__(self, engine: AsyncEngine, cipher: Cipher, shop_id: ShopId, system: str) -> None:
        self._engine = engine
        self._cipher = cipher
        self._shop_id = shop_id
        self._system = system

    async def secret(self) -> Mapping[str, str]:
        """What was stored when the connection was made; {} if nothing."""
        value = await self._read(_SECRET)
        return {} if value is None else value

    async def tokens(self) -> Mapping[str, Any] | None:
        """The tokens last saved, or None."""
        return await self._read(_TOKENS)

    async def save_tokens(self, tokens: Mapping[str, Any], *, renew_at: datetime) -> None:
        """Seal and keep *tokens*; they are to be renewed from *renew_at* on."""
        sealed = self._cipher.encrypt(json.dumps(dict(tokens)))
        async with self._engine.begin() as tx:
            here = update(table).where(*_here(self._shop_id, self._system))
            await tx.execute(here.values(tokens=sealed, tokens_renew_at=renew_at))

    async def _read(self, sealed: Composed) -> dict[str, Any] | None:
        async with reading(self._engine) as tx:
            row = await sealed.first(tx, shop_id=self._shop_id, system=self._system)
        if row is None or row.sealed is None:
            return None
        try:
            opened: dict[str, Any] = json.loads(self._cipher.decrypt(row.sealed))
        except DecryptionError as error:
            raise LoginUnreadable from error
        return opened


def _sealed(column: Column[bytes]) -> Composed:
    here = (one == bindparam(one.name) for one in table.primary_key)
    return Composed(select(column.label("sealed")).where(*here))


_SECRET, _TOKENS = _sealed(table.c.secret), _sealed(table.c.tokens)


def connected() -> Subquery:
    """The connections of all shops that work: shop_id, system."""
    query = select(table.c.shop_id, table.c.system).where(table.c.state == ConnectionState.CONNECTED)
    return query.subquery("connected")


@dataclass(frozen=True, slots=True)
class DeadLogin:
    """A connection of a shop that is not uninstalled, which does not work any more."""

    shop_key: str
    system: str
    by: Breakage


async def dead_logins(tx: AsyncConnection) -> list[DeadLogin]:
    """What people have to connect again."""
    shop = shop_queries.in_states(*LISTENING)
    query = (
        select(shop.c.key, table.c.system, table.c.broken_by)
        .join(shop, shop.c.id == table.c.shop_id)
        .where(table.c.state != ConnectionState.CONNECTED)
        .order_by(shop.c.key, table.c.system)
    )
    return [
        DeadLogin(row.key, row.system, Breakage(row.broken_by or Breakage.REFUSED))
        for row in await tx.execute(query)
    ]


async def unreadable(tx: AsyncConnection) -> list[tuple[ShopId, str]]:
    """The connections that were broken off because none of our keys opened the login that is kept."""
    query = select(table.c.shop_id, table.c.system).where(
        table.c.state == ConnectionState.BROKEN,
        table.c.broken_by == Breakage.UNREADABLE,
        or_(table.c.secret.is_not(None), table.c.tokens.is_not(None)),
    )
    rows = await tx.execute(query.order_by(table.c.shop_id, table.c.system))
    return [(ShopId(row.shop_id), row.system) for row in rows]


def any_of(shop_id: ColumnElement[Any]) -> Exists:
    """Whether the shop that the column *shop_id* names is connected to anything."""
    return exists().where(table.c.shop_id == shop_id)
