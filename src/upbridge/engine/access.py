"""Logins that end: one that a system refuses, and one that is given up because the shop has left."""

import structlog

from upbridge.core.errors import LoginRefused, RemoteError
from upbridge.domain.lane import Lane
from upbridge.domain.purpose import Purpose
from upbridge.domain.shop import BY_UPGATES, PROBE_PAUSE, Shop, ShopState
from upbridge.domain.shop_id import ShopId
from upbridge.engine import lanes
from upbridge.engine.context import Service
from upbridge.store import changes
from upbridge.store.changes import Kind, Origin
from upbridge.store.connections import ConnectionRow
from upbridge.store.problems import NewProblem, Stage, raise_problems

log = structlog.get_logger(__name__)


async def refused_by_target(service: Service, shop: Shop, system: str, error: LoginRefused) -> None:
    """Stop the connection until a person connects it again: its login fails, or leads to another company."""
    await service.connections.break_off(shop.id, system, str(error), now=service.clock())
    async with service.engine.begin() as tx:
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
            now=service.clock(),
        )


async def refused_by_platform(service: Service, shop: Shop) -> None:
    """401 or 403: suspended or uninstalled, we cannot know. Keep everything, ask once an hour (R56).

    Not where *shop* was installed again while the call was under way: its new credentials were not refused (R14).
    """
    now = service.clock()
    await service.shops.move(
        shop.id,
        to=ShopState.SUSPENDED,
        among=[ShopState.ACTIVE],
        now=now,
        reason=BY_UPGATES,
        signed_at=shop.signed_at,
    )
    if (await service.shops.get(shop.id)).state is ShopState.ACTIVE:
        return
    async with service.engine.begin() as tx:
        await changes.mark_changed(
            tx,
            shop.id,
            service.systems.platform.name,
            Kind.PROBE,
            ["probe"],
            origin=Origin.SCHEDULE,
            now=now,
            due_at=now + PROBE_PAUSE,
            purpose=Purpose.LIFECYCLE,
        )


async def give_up_logins(service: Service, shop_id: ShopId) -> None:
    """Give up each login that is a person's, if the shop has left us. Settings, links and the accounts stay for a
    return. Does nothing while a worker uses the connection: it is asked again."""
    for system in service.systems.connected:
        if system.connect is None or not system.connect.revokes:
            continue
        async with lanes.exclusive(service.engine, Lane.push(shop_id, system.name)) as mine:
            if mine is None:
                continue
            shop = await service.shops.get(shop_id)
            row = (await service.connections.of(shop_id)).get(system.name)
            if shop.state is ShopState.UNINSTALLED and row is not None:
                await revoke(service, shop, row)
                await service.connections.forget_tokens(shop_id, system.name, "the add-on was deactivated")
                log.info("login_given_up", shop_id=str(shop_id), system=system.name)


async def revoke(service: Service, shop: Shop, row: ConnectionRow) -> None:
    """Have the system forget the shop's login. If it cannot be asked now, the login dies by itself; it is thrown
    away here in any case."""
    system = service.systems.get(row.system)
    if system is None or system.connect is None:
        return
    try:
        await system.connect.revoke(service.connection(shop, row))
    except RemoteError as error:
        log.warning("login_not_revoked", shop_id=str(shop.id), system=row.system, reason=str(error))
