"""The first import: which lists are read for which targets, and from when on."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy.ext.asyncio import AsyncConnection

from upbridge.core.clock import Clock
from upbridge.domain.platform import PLATFORM
from upbridge.domain.shop import Shop
from upbridge.engine.connected_systems import ConnectedSystems
from upbridge.engine.runs import start_run
from upbridge.store import cursors, runs
from upbridge.store.connections import ConnectionRow
from upbridge.store.runs import Run, RunPurpose


class Again(StrEnum):
    """Why lists are read again from the beginning."""

    FACTS = "facts"
    """The shop has changed something that things are mapped by."""
    SETTINGS = "settings"
    """A person has changed rules."""
    RIGHT = "right"
    """The shop lets us read again what it had not for a while."""


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
        again: Again | None = None,
    ) -> list[int]:
        """Start (or join) the first import of *kinds* for the targets in *rows*; returns the runs.

        *anew*: pages that were read already do not count (they were read for other settings, or other targets).
        *again*: why what was read already is read again, for people.

        Orders are read as far back as one of the targets is sent them.
        """
        now = self.clock()
        if anew:
            await runs.drop_runs(tx, shop.id, RunPurpose.IMPORT, kinds)
        since = self.orders_since(shop, rows)
        reach = {"product": None} if since is None else {"product": None, "order": since}
        started = []
        for kind, first in reach.items():
            if kind not in kinds:
                continue
            run_id = await start_run(tx, shop.id, kind, RunPurpose.IMPORT, since=first, now=now)
            started.append(run_id)
            if again is not None:
                await cursors.put(tx, shop.id, PLATFORM, _why(kind), f"{run_id} {again}")
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


async def why_again(tx: AsyncConnection, run: Run) -> Again | None:
    """Why *run* reads what was read already; None if it is the first to read it."""
    run_id, _, why = (await cursors.get(tx, run.shop_id, PLATFORM, _why(run.kind)) or "").partition(" ")
    return Again(why) if run_id == str(run.id) else None


def _why(kind: str) -> str:
    """The cursor that holds which run of *kind* reads again, and why."""
    return f"reads again: {kind}"
