"""The shop gets something new that a rule names one by one: a problem asks about it before an order meets it.

It closes when the rule names it, when a person has saved that rule without it, and when the shop has it no more.
"""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from upbridge.domain.delivery import Unmappable
from upbridge.domain.shop import Shop
from upbridge.domain.shop_profile import ShopProfile
from upbridge.domain.shop_settings import Setting, ShopList
from upbridge.engine.connected_systems import ConnectedSystems
from upbridge.store.connections import ConnectionRow
from upbridge.store.problems import NewProblem, Stage, close_resolved, raise_problems

#: The kind of a name, and under which parent its problems are raised.
_PARENTS = {"status": "code list", "carrier": "carriers", "payment": "payments"}
_KINDS = {ShopList.STATUSES: "status", ShopList.CARRIERS: "carrier", ShopList.PAYMENTS: "payment"}


async def tell_new(
    tx: AsyncConnection,
    connected: ConnectedSystems,
    before: ShopProfile,
    shop: Shop,
    rows: Mapping[str, ConnectionRow],
    *,
    now: datetime,
) -> None:
    """Raise a problem for what the facts of *shop* have, those from *before* had not, and no rule names."""
    for system in connected.systems.connected:
        if (row := rows.get(system.name)) is None:
            continue
        context = connected.context(shop, row)
        unnamed = [_problem(system.name, one) for one in system.new_names(None, context)]
        await close_resolved(
            tx, shop.id, stages=[Stage.MAP], target=system.name, parents=list(_PARENTS.values()), still=unnamed
        )
        found = [_problem(system.name, one) for one in system.new_names(before, context)]
        await raise_problems(tx, shop.id, found, now=now)


def _problem(system: str, one: Unmappable) -> NewProblem:
    return NewProblem(
        stage=Stage.MAP,
        key=one.issue.key,
        target=system,
        kind=one.kind,
        entity=one.key,
        parent=_PARENTS[one.kind],
        params=one.issue.params,
    )


async def close_answered(tx: AsyncConnection, shop: Shop, rules: Collection[tuple[str, Setting[Any]]]) -> None:
    """A person has saved *rules* of systems, with all that they can name before their eyes."""
    for system, setting in rules:
        kind = _KINDS.get(setting.offers) if isinstance(setting.offers, ShopList) else None
        if kind is not None:
            await close_resolved(tx, shop.id, stages=[Stage.MAP], target=system, parents=[_PARENTS[kind]])
