"""Logins that end: one that a system refuses, and one that is given up because the shop has left."""

from dataclasses import dataclass

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from upbridge.core.clock import Clock
from upbridge.core.encryption import Cipher
from upbridge.core.errors import LoginElsewhere, LoginRefused, LoginUnreadable, RemoteError
from upbridge.domain.lane import Lane
from upbridge.domain.platform import PLATFORM
from upbridge.domain.purpose import Purpose
from upbridge.domain.shop import BY_LOST_KEY, BY_UPGATES, PROBE_PAUSE, Shop, ShopState
from upbridge.domain.shop_id import ShopId
from upbridge.engine import lanes
from upbridge.engine.connected_systems import ConnectedSystems
from upbridge.store import changes, secrets
from upbridge.store.changes import Kind, Origin
from upbridge.store.connections import Breakage, ConnectionRow, Connections
from upbridge.store.problems import NewProblem, Stage, raise_problems
from upbridge.store.session import reading
from upbridge.store.shops import Shops

log = structlog.get_logger(__name__)


def reason_of(error: LoginRefused) -> str:
    """Why a shop whose login failed so is suspended."""
    return BY_LOST_KEY if isinstance(error, LoginUnreadable) else BY_UPGATES


def _breakage(error: LoginRefused) -> Breakage:
    """What stops a connection whose login failed so."""
    match error:
        case LoginUnreadable():
            return Breakage.UNREADABLE
        case LoginElsewhere():
            return Breakage.ELSEWHERE
        case _:
            return Breakage.REFUSED


@dataclass(frozen=True, slots=True)
class Logins:
    """Stops what works with a login that was refused, and gives up the logins of shops that have left."""

    engine: AsyncEngine
    clock: Clock
    shops: Shops
    connections: Connections
    connected: ConnectedSystems
    cipher: Cipher

    async def refused_by_target(self, shop: Shop, system: str, error: LoginRefused) -> None:
        """Stop the connection until a person connects it again: its login fails, or leads to another company."""
        if not await self._may_judge(error):
            return
        by = _breakage(error)
        await self.connections.break_off(shop.id, system, str(error), by=by, now=self.clock())
        log.warning("login_stopped", shop_id=str(shop.id), system=system, by=by, reason=str(error))
        async with self.engine.begin() as tx:
            await raise_problems(
                tx,
                shop.id,
                [
                    NewProblem(
                        stage=Stage.PUSH,
                        key=f"connection.{error.code.removeprefix('login_')}",  # refused, wrong_organisation
                        target=system,
                        kind="connection",
                        entity=system,
                        parent=system,
                        params={"said": str(error)},
                    )
                ],
                now=self.clock(),
            )

    async def refused_by_platform(self, shop: Shop, error: LoginRefused) -> None:
        """401 or 403: suspended or uninstalled, we cannot know. Keep everything, ask once an hour (R56).

        Credentials that none of our keys opens rest likewise. Not where *shop* was installed again while the call
        was under way: its new credentials were not refused (R14).
        """
        if not await self._may_judge(error):
            return
        now = self.clock()
        await self.shops.move(
            shop.id,
            to=ShopState.SUSPENDED,
            among=[ShopState.ACTIVE],
            now=now,
            reason=reason_of(error),
            signed_at=shop.signed_at,
        )
        if (await self.shops.get(shop.id)).state is ShopState.ACTIVE:
            return
        async with self.engine.begin() as tx:
            await changes.mark_changed(
                tx,
                shop.id,
                PLATFORM,
                Kind.PROBE,
                ["probe"],
                origin=Origin.SCHEDULE,
                now=now,
                due_at=now + PROBE_PAUSE,
                purpose=Purpose.LIFECYCLE,
            )

    async def _may_judge(self, error: LoginRefused) -> bool:
        """Whether *error* says something about the login. Where our keys do not even open what the service has
        made for itself, it says something about this process: another one goes on with the lane."""
        if not isinstance(error, LoginUnreadable):
            return True
        async with reading(self.engine) as tx:
            return await secrets.opened_by(tx, self.cipher)

    async def give_up(self, shop_id: ShopId) -> None:
        """Give up each login that is a person's, if the shop has left us. Settings, links and the accounts stay
        for a return. Does nothing while a worker uses the connection: it is asked again."""
        for system in self.connected.systems.connected:
            if system.connect is None or not system.connect.revokes:
                continue
            async with lanes.exclusive(self.engine, Lane.push(shop_id, system.name)) as mine:
                if mine is None:
                    continue
                shop = await self.shops.get(shop_id)
                row = (await self.connections.of(shop_id)).get(system.name)
                if shop.state is ShopState.UNINSTALLED and row is not None:
                    await self.revoke(shop, row)
                    await self.connections.forget_tokens(shop_id, system.name, "the add-on was deactivated")
                    log.info("login_given_up", shop_id=str(shop_id), system=system.name)

    async def revoke(self, shop: Shop, row: ConnectionRow) -> None:
        """Have the system forget the shop's login. If it cannot be asked now, the login dies by itself; it is
        thrown away here in any case."""
        system = self.connected.systems.get(row.system)
        if system is None or system.connect is None:
            return
        try:
            await system.connect.revoke(self.connected.connection(shop, row))
        except RemoteError as error:
            log.warning("login_not_revoked", shop_id=str(shop.id), system=row.system, reason=str(error))
