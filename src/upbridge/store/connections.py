"""A shop's connections to Upp.ai and Uphance, and the vault that keeps their secrets sealed."""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Exists, Subquery, exists, select, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from upbridge.core.encryption import Cipher
from upbridge.domain.lane import Lane
from upbridge.domain.shop_id import ShopId
from upbridge.store import cursors, documents, lanes, links, problems
from upbridge.store.schema import connections as table


class ConnectionState(StrEnum):
    """Whether the connection works."""

    CONNECTED = "connected"
    BROKEN = "broken"
    """The target refused the credentials: nothing is sent until a person connects again."""


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


_COLUMNS = "shop_id, system, state, reason, account, prefix, facts, connected_at, login_at, polled_at"


class Connections:
    """The connections of all shops."""

    def __init__(self, engine: AsyncEngine, cipher: Cipher) -> None:
        self._engine = engine
        self._cipher = cipher

    async def of(self, shop_id: ShopId) -> dict[str, ConnectionRow]:
        """The shop's connections by system."""
        async with self._engine.connect() as tx:
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
        await tx.execute(
            text(
                """
                INSERT INTO connections
                  (shop_id, system, state, account, prefix, secret, tokens, tokens_renew_at, facts, connected_at,
                   login_at)
                VALUES (:shop_id, :system, 'connected', :account, :prefix, :secret, :tokens, :renew_at,
                        CAST(:facts AS jsonb), :now, :now)
                ON CONFLICT (shop_id, system) DO UPDATE SET
                  state = 'connected', reason = NULL, account = excluded.account, prefix = excluded.prefix,
                  secret = excluded.secret, tokens = excluded.tokens, tokens_renew_at = excluded.tokens_renew_at,
                  facts = excluded.facts, polled_at = NULL, login_at = excluded.login_at,
                  connected_at = CASE WHEN connections.account = excluded.account THEN connections.connected_at
                                      ELSE excluded.connected_at END
                """
            ),
            {
                "shop_id": shop_id,
                "system": system,
                "account": account,
                "prefix": prefix,
                "secret": None if secret is None else self._cipher.encrypt(json.dumps(dict(secret))),
                "tokens": None if tokens is None else self._cipher.encrypt(json.dumps(dict(tokens))),
                "renew_at": renew_at,
                "facts": json.dumps(dict(facts)),
                "now": now,
            },
        )
        if last is not None and last.name != account:  # another account: what was linked there is not here
            await links.forget(tx, shop_id, system)
            await cursors.forget(tx, shop_id, system)
        return (await connections_of(tx, shop_id))[system], not again

    async def disconnect(
        self,
        shop_id: ShopId,
        system: str,
        *,
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
            await documents.forget(tx, shop_id, system)
            await lanes.unblock(tx, Lane.push(shop_id, system))
            await problems.forget_target(tx, shop_id, system)
            await tx.execute(
                text("DELETE FROM connections WHERE shop_id = :shop_id AND system = :system"),
                {"shop_id": shop_id, "system": system},
            )

    async def break_off(self, shop_id: ShopId, system: str, reason: str) -> None:
        """Stop the connection until a person connects it again, because its credentials do not work any more."""
        async with self._engine.begin() as tx:
            await tx.execute(
                text(
                    "UPDATE connections SET state = 'broken', reason = :reason"
                    " WHERE shop_id = :shop_id AND system = :system"
                ),
                {"shop_id": shop_id, "system": system, "reason": reason},
            )

    async def mend(self, tx: AsyncConnection, shop_id: ShopId, system: str) -> bool:
        """The login works again: go on, in the caller's transaction. Returns whether it was broken."""
        result = await tx.execute(
            text(
                "UPDATE connections SET state = 'connected', reason = NULL"
                " WHERE shop_id = :shop_id AND system = :system AND state = 'broken'"
            ),
            {"shop_id": shop_id, "system": system},
        )
        return result.rowcount > 0

    async def forget_tokens(self, shop_id: ShopId, system: str, reason: str) -> None:
        """Delete the connection's credentials; its account and links stay. A person has to connect it again."""
        async with self._engine.begin() as tx:
            await tx.execute(
                text(
                    "UPDATE connections SET state = 'broken', reason = :reason, tokens = NULL,"
                    " tokens_renew_at = NULL WHERE shop_id = :shop_id AND system = :system"
                ),
                {"shop_id": shop_id, "system": system, "reason": reason},
            )

    async def still_open(self) -> list[ShopId]:
        """Shops that have left us and whose tokens we still keep."""
        async with self._engine.connect() as tx:
            rows = await tx.execute(
                text(
                    "SELECT s.id FROM connections c JOIN shops s ON s.id = c.shop_id"
                    " WHERE s.state = 'uninstalled' AND c.tokens IS NOT NULL ORDER BY s.id"
                )
            )
            return [ShopId(row.id) for row in rows]

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
    rows = await tx.execute(
        text(f"SELECT {_COLUMNS} FROM connections WHERE shop_id = :shop_id ORDER BY system"),  # noqa: S608
        {"shop_id": shop_id},
    )
    return {
        row["system"]: ConnectionRow(**{**row, "state": ConnectionState(row["state"])}) for row in rows.mappings()
    }


class EncryptedVault:
    """A connection's secrets (`delivery.Vault`). Each call is one short transaction."""

    def __init__(self, engine: AsyncEngine, cipher: Cipher, shop_id: ShopId, system: str) -> None:
        self._engine = engine
        self._cipher = cipher
        self._where = {"shop_id": shop_id, "system": system}

    async def secret(self) -> Mapping[str, str]:
        """What was stored when the connection was made; {} if nothing."""
        value = await self._read("secret")
        return {} if value is None else value

    async def tokens(self) -> Mapping[str, Any] | None:
        """The tokens last saved, or None."""
        return await self._read("tokens")

    async def save_tokens(self, tokens: Mapping[str, Any], *, renew_at: datetime) -> None:
        """Seal and keep *tokens*; they are to be renewed from *renew_at* on."""
        await self._write(
            "tokens = :tokens, tokens_renew_at = :renew_at",
            tokens=self._cipher.encrypt(json.dumps(dict(tokens))),
            renew_at=renew_at,
        )

    async def _read(self, column: str) -> dict[str, Any] | None:
        async with self._engine.connect() as tx:
            value = await tx.scalar(
                text(f"SELECT {column} FROM connections WHERE shop_id = :shop_id AND system = :system"),  # noqa: S608
                self._where,
            )
        if value is None:
            return None
        opened: dict[str, Any] = json.loads(self._cipher.decrypt(value))
        return opened

    async def _write(self, assignment: str, **values: object) -> None:
        async with self._engine.begin() as tx:
            await tx.execute(
                text(f"UPDATE connections SET {assignment} WHERE shop_id = :shop_id AND system = :system"),  # noqa: S608
                {**self._where, **values},
            )


def connected() -> Subquery:
    """The connections of all shops that work: shop_id, system."""
    query = select(table.c.shop_id, table.c.system).where(table.c.state == ConnectionState.CONNECTED)
    return query.subquery("connected")


def any_of(shop_id: ColumnElement[Any]) -> Exists:
    """Whether the shop that the column *shop_id* names is connected to anything."""
    return exists().where(table.c.shop_id == shop_id)
