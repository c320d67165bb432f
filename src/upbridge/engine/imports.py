"""The first import: which lists are read for which targets, and from when on."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from upbridge.domain.shop import Shop
from upbridge.engine.context import Service
from upbridge.engine.runs import start_run
from upbridge.store import runs
from upbridge.store.connections import ConnectionRow
from upbridge.store.runs import RunPurpose


async def start_imports(
    tx: AsyncConnection,
    service: Service,
    shop: Shop,
    rows: Mapping[str, ConnectionRow],
    *,
    kinds: tuple[str, ...] = ("product", "order"),
    anew: bool = False,
) -> list[int]:
    """Start (or join) the first import of *kinds* for the targets in *rows*; returns the runs.

    *anew*: pages that were read already do not count (they were read for other settings, or other targets).

    Orders are read as far back as one of the targets is sent them.
    """
    now = service.clock()
    if anew:
        await runs.drop_runs(tx, shop.id, RunPurpose.IMPORT, kinds)
    started = []
    if "product" in kinds:
        started.append(await start_run(tx, shop.id, "product", RunPurpose.IMPORT, since=None, now=now))
    since = orders_since(service, shop, rows)
    if "order" in kinds and since is not None:
        started.append(await start_run(tx, shop.id, "order", RunPurpose.IMPORT, since=since, now=now))
    return started


def orders_since(service: Service, shop: Shop, rows: Mapping[str, ConnectionRow]) -> datetime | None:
    """From when on orders have to be read for the targets in *rows*; None if none is sent any of before now."""
    policies = [
        service.targets[system].order_policy(service.context(shop, row))
        for system, row in rows.items()
        if system in service.targets
    ]
    reach = (policy.since for policy in policies if policy is not None and policy.enabled)
    return min((since for since in reach if since < service.clock()), default=None)
