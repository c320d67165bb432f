"""Map again what was mapped by settings or facts that have changed.

    settings change ─┐
                     ├─► map_again ─► a run through the list, as the first import ─► what differs is sent
    facts change ────┘

The run is started in the transaction that stores the change, so neither is there without the other. A second
change ends the run and starts another one. What is being read meanwhile is planned by the newest settings and
facts or not at all (`store.shops.maps_as_before`): the copy at a target is never a mix once the run has ended.
"""

from collections.abc import Collection, Mapping

from sqlalchemy.ext.asyncio import AsyncConnection

from upbridge.domain.shop import Shop
from upbridge.engine.connected_systems import ConnectedSystems
from upbridge.engine.imports import Again, Imports
from upbridge.store.connections import ConnectionRow


async def map_again(
    tx: AsyncConnection,
    imports: Imports,
    shop: Shop,
    rows: Mapping[str, ConnectionRow],
    kinds: Collection[str],
    *,
    why: Again,
) -> None:
    """Read the lists of *kinds* again from the beginning, as the first import does. *shop* has what is new."""
    if kinds:
        await imports.start(tx, shop, rows, kinds=tuple(sorted(kinds)), anew=True, again=why)


def moved_by_facts(
    connected: ConnectedSystems, before: Shop, after: Shop, rows: Mapping[str, ConnectionRow]
) -> set[str]:
    """The kinds of entities whose mapping for one of the connections *rows* depends on facts that are not the same
    *before* and *after*."""
    moved: set[str] = set()
    for system in connected.systems.connected:
        if (row := rows.get(system.name)) is None:
            continue
        former = system.mapping_basis(connected.context(before, row)).facts
        now = system.mapping_basis(connected.context(after, row)).facts
        moved |= {kind for kind, facts in former.items() if _differ(facts, now.get(kind, {}))}
    return moved


def _differ(former: Mapping[str, object], now: Mapping[str, object]) -> bool:
    return any(_differs(value, now.get(name)) for name, value in former.items())


def _differs(former: object, now: object) -> bool:
    if isinstance(former, Mapping) and isinstance(now, Mapping):
        return any(now.get(key) != value for key, value in former.items())
    return former != now
