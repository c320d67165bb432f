"""The shop gets something new that a rule names one by one: a problem asks about it before an order meets it."""

from collections.abc import Collection, Mapping
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from upbridge.domain.shop import Shop
from upbridge.domain.shop_profile import ShopProfile
from upbridge.engine.context import Service
from upbridge.store.connections import ConnectionRow
from upbridge.store.problems import NewProblem, Stage, close_cured, raise_problems

_PARENT = "code list"


async def tell_new(
    tx: AsyncConnection,
    service: Service,
    before: ShopProfile,
    shop: Shop,
    rows: Mapping[str, ConnectionRow],
    *,
    now: datetime,
) -> None:
    """Raise a problem for what the facts of *shop* have, those from *before* had not, and no rule names."""
    for system in service.systems.connected:
        if (row := rows.get(system.name)) is None:
            continue
        found = [
            NewProblem(
                stage=Stage.MAP,
                key=one.issue.key,
                target=system.name,
                kind=one.kind,
                entity=one.key,
                parent=_PARENT,
                params=one.issue.params,
            )
            for one in system.new_names(before, service.context(shop, row))
        ]
        await raise_problems(tx, shop.id, found, now=now)


async def settle(tx: AsyncConnection, shop: Shop, systems: Collection[str]) -> None:
    """A person has saved the rules of *systems* that name such things, with all of them before their eyes."""
    for system in sorted(systems):
        await close_cured(tx, shop.id, stages=[Stage.MAP], target=system, parents=[_PARENT])
