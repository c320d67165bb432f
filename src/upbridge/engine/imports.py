"""The first import: which lists are read for which targets, and from when on."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from upbridge.core.clock import Clock
from upbridge.domain.shop import Shop
from upbridge.engine.connected_systems import ConnectedSystems
from upbridge.engine.runs import start_run
from upbridge.store import runs
from upbridge.store.connections import ConnectionRow
from upbridge.store.runs import RunPurpose


@dataclass(frozen=True, slots=True)
class Imports:
    """Starts the first imports of shops, and tells how far back they reach."""

    connected: ConnectedSystems
    clock: Clock

    async def start(
        self,
        tx: AsyncConnection,
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
        now = self.clock()
        if anew:
            await runs.drop_runs(tx, shop.id, RunPurpose.IMPORT, kinds)
        started = []
        if "product" in kinds:
            started.append(await start_run(tx, shop.id, "product", RunPurpose.IMPORT, since=None, now=now))
        since = self.orders_since(shop, rows)
        if "order" in kinds and since is not None:
            started.append(await start_run(tx, shop.id, "order", RunPurpose.IMPORT, since=since, now=now))
        return started

    def orders_since(self, shop: Shop, rows: Mapping[str, ConnectionRow]) -> datetime | None:
        """From when on orders have to be read for the targets in *rows*; None if none is sent any of before
        now."""
        policies = [
            self.connected.targets[system].order_policy(self.connected.context(shop, row))
            for system, row in rows.items()
            if system in self.connected.targets
        ]
        reach = (policy.since for policy in policies if policy is not None and policy.enabled)
        return min((since for since in reach if since < self.clock()), default=None)
