"""Connect a shop to a system, and disconnect it: test first, store sealed, then the first import begins."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from upbridge.core.clock import Clock
from upbridge.core.errors import BadRequest, Conflict
from upbridge.domain.lane import Lane
from upbridge.domain.platform import PLATFORM
from upbridge.domain.shop import Shop, ShopState
from upbridge.engine import lanes
from upbridge.engine.access import Logins
from upbridge.engine.connected_systems import ConnectedSystems
from upbridge.engine.imports import Imports
from upbridge.engine.parameters import PARAMETERS, offers_parameters
from upbridge.operations.login_attempts import LoginAttempts
from upbridge.store import documents, links
from upbridge.store.changes import Kind, Origin, mark_changed
from upbridge.store.connections import ConnectionRow, Connections, connections_of
from upbridge.store.lanes import unblock
from upbridge.store.problems import Stage, close_entity
from upbridge.store.runs import was_read
from upbridge.store.shops import Shops
from upbridge.systems.base import System, Systems
from upbridge.systems.connecting import Connect, NewConnection

log = structlog.get_logger(__name__)


def connect_of(systems: Systems, name: str) -> Connect:
    """How a shop is connected to the system *name*; raises `BadRequest` if it cannot be connected to it."""
    system = systems.get(name)
    if system is None or system.connect is None:
        raise BadRequest(f"{name}: no system that a shop can be connected to")
    return system.connect


class MadeConnection(NamedTuple):
    """A connection that was made, or made anew."""

    row: ConnectionRow
    fresh: bool
    """Whether it leads to another account than before, or there was none: then the first import begins."""


@dataclass(frozen=True, slots=True)
class ConnectionEditor:
    """Connects shops to systems, and disconnects them."""

    engine: AsyncEngine
    clock: Clock
    shops: Shops
    connections: Connections
    connected: ConnectedSystems
    imports: Imports
    logins: Logins
    attempts: LoginAttempts

    async def connect(self, shop: Shop, name: str, typed: Mapping[str, str]) -> MadeConnection:
        """Connect *shop* to the system *name* with what was *typed* into the fields of its `Connect`.

        Raises `LoginRefused` (nothing stored), `TooManyLogins`, `ChoiceNeeded` where something has to be chosen
        too, `Conflict` if the shop has left, `BadRequest` for no such system.
        """
        how = connect_of(self.connected.systems, name)
        _may_connect(shop)
        others = [one.key for one in await self.shops.all()]
        async with self.attempts.attempt(shop, name):
            new = await how.log_in(self.connected.tools, shop, typed, others=others)
        return await self._store(shop, name, how, new)

    async def disconnect(self, shop: Shop, system: str) -> None:
        """Forget a connection and what waits for it; the links stay, so that a return doubles nothing.

        Raises `Conflict` if there is none.
        """
        async with lanes.exclusive(self.engine, Lane.push(shop.id, system), wait=True):
            row = (await self.connections.of(shop.id)).get(system)
            if row is None:
                raise Conflict(f"{shop.key} is not connected to {system}")
            await self.logins.revoke(shop, row)
            write_back = self.connected.systems.write_backs.get(system)
            await self.connections.disconnect(
                shop.id, system, now=self.clock(), forget=None if write_back is None else write_back.forget
            )

    async def test(self, shop: Shop, row: ConnectionRow) -> bool:
        """Try the stored login now; returns False where a worker is using it, and only one may at a time.

        Raises `RemoteError` if it does not work, and `TooManyLogins`.
        """
        how = connect_of(self.connected.systems, row.system)
        if not how.in_turn:
            async with self.attempts.attempt(shop, row.system):
                await how.test(self.connected.connection(shop, row))
            return True
        async with lanes.exclusive(self.engine, Lane.push(shop.id, row.system)) as mine:
            if mine is None:
                return False
            async with self.attempts.attempt(shop, row.system):
                await how.test(self.connected.connection(shop, row))
        return True

    async def restore(self, shop: Shop, system: str) -> bool:
        """The login of a connection was tried and works: if it was thought broken, what waits for it goes on;
        returns whether it was."""
        async with self.engine.begin() as tx:
            mended = await self.connections.mend(tx, shop.id, system, now=self.clock())
            if mended:
                await _go_on(tx, shop, system, now=self.clock())
                log.info("connection_mended", shop_id=str(shop.id), system=system)
        return mended

    async def _store(self, shop: Shop, name: str, how: Connect, new: NewConnection) -> MadeConnection:
        """Store the tested connection after the workers of the old one have ended: they record their last results
        (links of another account, a refused old login) before it, and none after it. Raises `Conflict` if the shop
        has left meanwhile."""
        system = self.connected.systems.get(name)
        assert system is not None
        async with (
            lanes.exclusive(self.engine, Lane.push(shop.id, name), wait=True),
            self.engine.begin() as tx,
        ):
            shop, now = await self.shops.hold(tx, shop.id), self.clock()
            _may_connect(shop)
            before = (await connections_of(tx, shop.id)).get(name)
            row, fresh = await self.connections.connect(
                tx,
                shop.id,
                name,
                account=new.account,
                secret=new.secret,
                tokens=new.tokens,
                renew_at=new.renew_at,
                facts=new.facts,
                shop_key=shop.key,
                prefixes_names=how.prefixes_names,
                now=now,
            )
            if before is None or before.prefix != row.prefix:
                await _name_again(tx, self.connected.systems.platform.name, shop, name, now=now)
            await _go_on(tx, shop, name, now=now)
            await links.adopt_found(tx, shop.id, name, new.known, now=now)
            for poll in system.source.polls if system.source is not None else ():
                await mark_changed(tx, shop.id, name, poll.kind, [poll.key], origin=Origin.LIFECYCLE, now=now)
            if fresh:
                # To match products a catalogue that was read for another target will do; to send them it will not.
                known = not _sends_products(system, shop) and await was_read(tx, shop.id, "product")
                kinds = ("order",) if known else ("product", "order")
                await self.imports.start(tx, shop, {name: row}, kinds=kinds, anew=True)
                if not known and offers_parameters(self.connected.systems, [name]):  # else in its daily turn
                    await mark_changed(
                        tx, shop.id, PLATFORM, Kind.FACTS, [PARAMETERS], origin=Origin.SETTINGS, now=now
                    )
        log.info("connected", shop_id=str(shop.id), system=name, fresh=fresh)
        return MadeConnection(row, fresh)


def _may_connect(shop: Shop) -> None:
    if shop.state not in (ShopState.ACTIVE, ShopState.SUSPENDED):
        raise Conflict("the shop has deactivated the add-on")


def _sends_products(system: System, shop: Shop) -> bool:
    """Whether the shop's products go to *system* now."""
    flows = [flow for flow in system.flows if flow.kind == "product" and not flow.back]
    return any(shop.settings.yes(flow.setting) for flow in flows)


async def _name_again(tx: AsyncConnection, platform: str, shop: Shop, system: str, *, now: datetime) -> None:
    """What waits has the names of another account in it, or was on its way into the outbox while the shop was
    disconnected: it is read and mapped again."""
    parents: dict[Kind, set[str]] = {}
    for kind, parent in await documents.forget(tx, shop.id, system):
        parents.setdefault(Kind(kind), set()).add(parent)
    for kind in sorted(parents):
        await mark_changed(tx, shop.id, platform, kind, parents[kind], origin=Origin.LIFECYCLE, now=now)


async def _go_on(tx: AsyncConnection, shop: Shop, system: str, *, now: datetime) -> None:
    """Nothing of what stopped with the connection stands any more."""
    await unblock(tx, Lane.push(shop.id, system))
    await unblock(tx, Lane.pull(shop.id, system))
    await documents.release(tx, shop.id, system, now=now)
    await close_entity(tx, shop.id, stage=Stage.PUSH, target=system, kind="connection", entities=[system])
