"""Every query about shops. A shop is keyed by its Upgates token (R15); `key` is its name at targets."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import (
    CTE,
    ColumnElement,
    FromClause,
    Select,
    and_,
    bindparam,
    case,
    delete,
    insert,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from upbridge.core.encryption import Cipher, DecryptionError
from upbridge.core.errors import BadSignature, LoginUnreadable, NotFound
from upbridge.domain.history import Way, What
from upbridge.domain.shop import BY_A_PERSON, BY_SHOP, LISTENING, Credentials, Shop, ShopState
from upbridge.domain.shop_id import ShopId
from upbridge.domain.shop_key import free_key, shop_key
from upbridge.domain.shop_settings import Declared, ShopSettings, as_text
from upbridge.store import history, sessions
from upbridge.store.history import NewEntry
from upbridge.store.schema import shops as table
from upbridge.store.session import reading
from upbridge.store.sql import Composed, constant

#: What a `Shop` is made of.
_COLUMNS = tuple(table.c[field.name] for field in fields(Shop))
_BY_ID = Composed(select(*_COLUMNS).where(table.c.id == bindparam("shop")))
_CREDENTIALS = Composed(
    select(table.c.api_url, table.c.api_user, table.c.api_key).where(table.c.id == bindparam("shop"))
)


class Arrival(StrEnum):
    """What an installation turned out to be."""

    NEW = "new"
    RENEWED = "renewed"
    """The shop was active: only its credentials are new (R14)."""
    RETURNED = "returned"
    """The shop had been uninstalled or suspended: its settings and links were kept."""


@dataclass(frozen=True, slots=True)
class Installation:
    """The signed content of an installation call, ready to be stored."""

    token: str
    api_url: str
    api_user: str
    api_key: str
    version: int | None
    language: str
    signed_at: datetime


class Shops:
    """The shops of this service. Each method is one short transaction unless it takes a connection."""

    def __init__(self, engine: AsyncEngine, cipher: Cipher, declared: Declared, *, way: Way = Way.PROGRAM) -> None:
        """*declared*: the settings that a shop has; *way*: by which changes come, for the history."""
        self._engine = engine
        self._cipher = cipher
        self._declared = declared
        self._way = way

    # --- reading --------------------------------------------------------------------------------------------

    async def get(self, shop_id: ShopId) -> Shop:
        """The shop; raises `NotFound`."""
        async with reading(self._engine) as tx:
            return await self.read(tx, shop_id)

    async def read(self, tx: AsyncConnection, shop_id: ShopId) -> Shop:
        """The same over the caller's connection."""
        row = await _BY_ID.first(tx, shop=shop_id)
        if row is None:
            raise NotFound(f"no shop is called {shop_id}")
        return self._shop(row._asdict())

    async def by_token(self, token: str) -> Shop:
        """The shop with this Upgates token; raises `NotFound`."""
        return await self._one(table.c.token == token, token)

    async def find(self, name: str) -> Shop:
        """The shop that an operator means: our id, its Upgates token, or its key. Raises `NotFound`."""
        try:
            return await self._one(table.c.id == UUID(name), name)
        except (ValueError, NotFound):
            pass
        try:
            return await self._one((table.c.token == name) | (table.c.key == name), name)
        except NotFound as error:
            raise NotFound(f"{error}; `upbridge shops list` shows them all") from None

    async def hold(self, tx: AsyncConnection, shop_id: ShopId) -> Shop:
        """The shop, which stays as it is until the caller's transaction ends; raises `NotFound`. Others can write
        what belongs to it."""
        query = select(*_COLUMNS).where(table.c.id == shop_id).with_for_update(key_share=True)
        return await self._found(tx, query, shop_id)

    async def all(self) -> list[Shop]:
        """Every shop, oldest first."""
        async with reading(self._engine) as tx:
            rows = await tx.execute(select(*_COLUMNS).order_by(table.c.installed_at, table.c.id))
            return [self._shop(row) for row in rows.mappings()]

    async def pages(self, size: int) -> AsyncIterator[list[Shop]]:
        """Every shop, *size* at a time, in no order that means anything; no transaction stays open between two."""
        last = UUID(int=0)
        while True:
            query = select(*_COLUMNS).where(table.c.id > last).order_by(table.c.id).limit(size)
            async with reading(self._engine) as tx:
                page = [self._shop(row) for row in (await tx.execute(query)).mappings()]
            if not page:
                return
            yield page
            last = page[-1].id

    async def with_mail(self, tx: AsyncConnection) -> list[Shop]:
        """The shops that are installed and whose people read mails about them."""
        chosen = table.c.settings.has_key("notify.email")
        query = select(*_COLUMNS).where(chosen, table.c.state.in_(LISTENING)).order_by(table.c.id)
        return [self._shop(row) for row in (await tx.execute(query)).mappings()]

    async def _one(self, where: ColumnElement[bool], name: object) -> Shop:
        async with reading(self._engine) as tx:
            return await self._found(tx, select(*_COLUMNS).where(where), name)

    async def _found(self, tx: AsyncConnection, query: Select[Any], name: object) -> Shop:
        row = (await tx.execute(query)).mappings().first()
        if row is None:
            raise NotFound(f"no shop is called {name}")
        return self._shop(row)

    def _shop(self, row: Mapping[Any, Any]) -> Shop:
        values = dict(row)
        shop_settings = ShopSettings(self._declared, values.pop("settings"))
        return Shop(
            **{
                **values,
                "id": ShopId(values["id"]),
                "state": ShopState(values["state"]),
                "settings": shop_settings,
            }
        )

    async def credentials(self, shop_id: ShopId) -> Credentials | None:
        """What a call to the shop's API needs; None once they were destroyed. Raises `LoginUnreadable`."""
        async with reading(self._engine) as tx:
            row = await _CREDENTIALS.first(tx, shop=shop_id)
        if row is None or row.api_key is None:
            return None
        try:
            api_key = self._cipher.decrypt_text(row.api_key)
        except DecryptionError as error:
            raise LoginUnreadable from error
        return Credentials(api_url=row.api_url, api_user=row.api_user or "", api_key=api_key)

    # --- life cycle -----------------------------------------------------------------------------------------

    async def install(self, tx: AsyncConnection, call: Installation, *, now: datetime) -> tuple[Shop, Arrival]:
        """Store a verified installation that arrived at *now*: new shop, new credentials, or a return (R14, R15).

        Runs in the caller's transaction. Raises `BadSignature` if a newer installation was accepted before. A
        shop that an operator suspended stays so.
        """
        await tx.execute(text("SELECT pg_advisory_xact_lock(hashtext('upbridge.install'))"))
        query = select(*_COLUMNS).where(table.c.token == call.token)
        before = (await tx.execute(query)).mappings().first()
        values: dict[str, Any] = {
            "api_url": call.api_url,
            "api_user": call.api_user,
            "api_key": self._cipher.encrypt(call.api_key),
            "version": call.version,
            "language": call.language,
            "signed_at": call.signed_at,
        }
        if before is None:
            key = free_key(shop_key(call.api_url), set(await tx.scalars(select(table.c.key))))
            fresh = {"id": uuid4(), "key": key, "token": call.token, "state": ShopState.ACTIVE}
            since = {"installed_at": now, "state_since": now}
            rows = await tx.execute(insert(table).values(**fresh, **values, **since).returning(*_COLUMNS))
            shop = self._shop(rows.mappings().one())
            await self._moved(tx, shop.id, None, shop.state, {"arrival": Arrival.NEW}, now=now)
            return shop, Arrival.NEW
        if before["signed_at"] is not None and call.signed_at < before["signed_at"]:
            raise BadSignature("a newer installation of this shop was accepted before")
        held = before["state"] == ShopState.SUSPENDED and before["reason"] in BY_A_PERSON
        forgotten = dict.fromkeys(("probed_at", "subscribed_at", "webhook_failures", "uninstalled_at"))
        installed = table.c.state.in_((ShopState.ACTIVE, ShopState.SUSPENDED))
        values["installed_at"] = case((installed, table.c.installed_at), else_=now)
        if not held:
            values["state"], values["reason"] = ShopState.ACTIVE, None
            values["state_since"] = case((table.c.state == ShopState.ACTIVE, table.c.state_since), else_=now)
        await sessions.end_all(tx, ShopId(before["id"]))
        statement = update(table).where(table.c.token == call.token).values({**values, **forgotten})
        shop = self._shop((await tx.execute(statement.returning(*_COLUMNS))).mappings().one())
        arrival = Arrival.RENEWED if before["state"] == ShopState.ACTIVE else Arrival.RETURNED
        await self._moved(tx, shop.id, before["state"], shop.state, {"arrival": arrival}, now=now)
        return shop, arrival

    async def move(
        self,
        shop_id: ShopId,
        *,
        to: ShopState,
        among: Sequence[ShopState],
        now: datetime,
        reason: str | None = None,
        signed_at: datetime | None = None,
        only_by: str | None = None,
    ) -> bool:
        """Change the state at *now* if it is one of *among*; returns whether it changed.

        *signed_at*: only if no installation was accepted after the one that was signed then (R14); *only_by*: only
        if that is the reason of the state. Sessions end with every state but `ACTIVE`, and a pause by the shop.
        `UNINSTALLED` also destroys the credentials and forgets the webhooks, which Upgates deletes itself (R30).
        """
        async with self._engine.begin() as tx:
            before = await tx.scalar(select(table.c.state).where(table.c.id == shop_id).with_for_update())
            statement = update(table).where(
                table.c.id == shop_id,
                table.c.state.in_(among),
                or_(table.c.state != to, table.c.reason.is_distinct_from(reason)),
            )
            if signed_at is not None:
                statement = statement.where(table.c.signed_at == signed_at)
            if only_by is not None:
                statement = statement.where(table.c.reason == only_by)
            values: dict[str, Any] = {"state": to, "reason": reason, "state_since": now, "probed_at": None}
            if to is ShopState.UNINSTALLED:
                forgotten = ("api_user", "api_key", "subscribed_at", "webhook_failures")
                values |= {**dict.fromkeys(forgotten), "uninstalled_at": now}
            result = await tx.execute(statement.values(values))
            changed = result.rowcount > 0
            if changed:
                await self._moved(tx, shop_id, before, to, {"reason": reason} if reason else {}, now=now)
            if changed and to is not ShopState.ACTIVE and reason != BY_SHOP:
                await sessions.end_all(tx, shop_id)
            return changed

    async def _moved(
        self,
        tx: AsyncConnection,
        shop_id: ShopId,
        before: str | None,
        after: str,
        details: Mapping[str, str],
        *,
        now: datetime,
    ) -> None:
        entry = NewEntry(What.STATE, old=before, new=after, details=details)
        await history.record(tx, shop_id, self._way, [entry], now=now)

    async def set_version(self, shop_id: ShopId, version: int | None) -> None:
        """Remember which version of the add-on the shop runs (R31)."""
        await self._set(shop_id, version=version)

    async def set_language(self, shop_id: ShopId, language: str) -> None:
        """Remember the admin's language, a hint and nothing more (R7)."""
        await self._set(shop_id, language=language)

    async def set_api_url(self, shop_id: ShopId, api_url: str) -> None:
        """The shop moved to another server (R55)."""
        await self._set(shop_id, api_url=api_url)

    async def mark(self, shop_id: ShopId, column: str, *, now: datetime) -> None:
        """Set one of the moments `reconciled_at`, `probed_at`."""
        if column not in {"reconciled_at", "probed_at"}:
            raise ValueError(column)
        await self._set(shop_id, **{column: now})

    async def set_subscribed(
        self, shop_id: ShopId, failed: Sequence[Mapping[str, Any]], *, generation: int, now: datetime
    ) -> None:
        """The webhooks were compared at *now*, and lead to addresses of *generation*: older ones are not taken any
        more. *failed*: `event`, `at` and `status` of last calls that failed."""
        await self._set(
            shop_id,
            subscribed_at=now,
            webhook_failures=list(failed) if failed else None,
            webhooks_taken_from=generation,
        )

    async def change_settings(
        self, tx: AsyncConnection, shop_id: ShopId, texts: Mapping[str, str], *, now: datetime
    ) -> tuple[ShopSettings, ShopSettings]:
        """Change settings as typed, in the caller's transaction; returns the rules before and after.

        Raises `BadRequest` and changes nothing for a wrong text. Others can write what belongs to the shop.
        """
        before = (await self.hold(tx, shop_id)).settings
        after = before.changed(texts)
        await tx.execute(update(table).where(table.c.id == shop_id).values(settings=dict(after.chosen)))
        entries = [
            NewEntry(What.SETTING, key, old=as_text(before.get(key)), new=as_text(after.get(key)))
            for key in before.differing(after)
        ]
        await history.record(tx, shop_id, self._way, entries, now=now)
        return before, after

    async def _set(self, shop_id: ShopId, **values: Any) -> None:
        async with self._engine.begin() as tx:
            await tx.execute(update(table).where(table.c.id == shop_id).values(values))


async def set_facts(
    tx: AsyncConnection, shop_id: ShopId, facts: Mapping[str, Any], *, read_at: datetime | None
) -> None:
    """Keep what rarely changes (R52). *read_at*: when all of it was read; None if only a part was."""
    at = {} if read_at is None else {"facts_at": read_at}
    await tx.execute(update(table).where(table.c.id == shop_id).values(facts=dict(facts), **at))


async def maps_as_before(tx: AsyncConnection, shop: Shop) -> bool:
    """Whether the settings and the facts of *shop* are still the ones that it was read with."""
    row = await _MAPS_BY.first(tx, shop=shop.id)
    return row is not None and (row.settings, row.facts) == (dict(shop.settings.chosen), shop.facts)


_MAPS_BY = Composed(select(table.c.settings, table.c.facts).where(table.c.id == bindparam("shop")))


@dataclass(frozen=True, slots=True)
class Reconciled:
    """When a shop's safety net was last started, and when the shop was installed."""

    at: datetime | None
    installed_at: datetime

    @property
    def since(self) -> datetime:
        """What changed before is known."""
        return self.installed_at if self.at is None else self.at


async def hold_reconciled(tx: AsyncConnection, shop_id: ShopId) -> Reconciled:
    """When the shop's safety net was last started. No other worker starts one until the caller's transaction
    ends."""
    query = select(table.c.reconciled_at, table.c.installed_at).where(table.c.id == shop_id)
    row = (await tx.execute(query.with_for_update())).one()
    return Reconciled(row.reconciled_at, row.installed_at)


async def set_reconciled(tx: AsyncConnection, shop_id: ShopId, at: datetime) -> None:
    """The shop's safety net was started at *at*."""
    await tx.execute(update(table).where(table.c.id == shop_id).values(reconciled_at=at))


def listening(asked: FromClause) -> CTE:
    """The rows of *asked* whose shop (id) still has webhooks worth storing and still takes what comes to its
    addresses of that generation; with all their columns."""
    states = [constant(state) for state in LISTENING]
    taken = and_(table.c.state.in_(states), table.c.webhooks_taken_from <= asked.c.generation)
    return select(*asked.c).join(table, and_(table.c.id == asked.c.id, taken)).cte("listening")


async def renew_webhooks(tx: AsyncConnection, shop_id: ShopId) -> None:
    """Let the shop's webhooks have new addresses. Older ones are taken until its webhooks were compared."""
    await tx.execute(
        update(table).where(table.c.id == shop_id).values(webhook_generation=table.c.webhook_generation + 1)
    )


async def erase(tx: AsyncConnection, shop_id: ShopId) -> int:
    """Delete the shop and, by the foreign keys, what belongs to it; returns how many shops went."""
    return (await tx.execute(delete(table).where(table.c.id == shop_id))).rowcount


async def active_since(tx: AsyncConnection, shop_id: ShopId) -> datetime | None:
    """When the shop was installed, or came back; None if it is not active."""
    query = select(table.c.state_since).where(table.c.id == shop_id, table.c.state == ShopState.ACTIVE)
    return (await tx.execute(query)).scalar()


async def all_keys(tx: AsyncConnection) -> list[str]:
    """The key of every shop."""
    return list((await tx.scalars(select(table.c.key).order_by(table.c.key))).all())
