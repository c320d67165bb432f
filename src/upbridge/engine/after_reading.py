"""What follows when orders or products were read: planned for each target, looked at again, sent on."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from upbridge.core.encryption import Cipher
from upbridge.domain.lane import Lane, Wake
from upbridge.domain.platform import PLATFORM
from upbridge.domain.purpose import Purpose
from upbridge.domain.shop import Shop
from upbridge.engine.connected_systems import ConnectedSystems
from upbridge.engine.planner import PlanResult, ReadBatch, plan_documents
from upbridge.engine.second_look import Weighed, weigh
from upbridge.store import changes, documents
from upbridge.store.changes import Kind, Origin
from upbridge.store.connections import ConnectionRow
from upbridge.systems.base import MappingContext, Target

#: Which kind of change reads an entity by its key.
KINDS: Mapping[str, Kind] = {"product": Kind.PRODUCT, "order": Kind.ORDER}
#: The targets of a shop that orders and products are planned for, each with what its mapping needs.
Feeds = list[tuple[Target, MappingContext]]

_LOOK_AGAIN = timedelta(seconds=30)
"""By then what was on its way has usually arrived."""


@dataclass(frozen=True, slots=True)
class Planning:
    """Plans what was read for the connected targets of a shop."""

    cipher: Cipher
    connected: ConnectedSystems
    lag: timedelta
    """After how long a second look is believed."""
    gathering: timedelta
    """How long the changes of a burst are gathered."""

    async def plan(
        self,
        shop: Shop,
        feeds: Feeds,
        tx: AsyncConnection,
        read: ReadBatch,
        *,
        told: Collection[str],
        priority: int,
        now: datetime,
    ) -> tuple[Weighed, PlanResult]:
        """What of *read* is believed, and what it means for each target."""
        weighed = await weigh(tx, shop.id, read, lag=self.lag, told=told, now=now)
        await self._postpone(tx, shop, feeds, sorted(set(read.missing).difference(weighed.read.missing)), now=now)
        settled = await plan_documents(
            tx,
            self.cipher,
            shop.id,
            weighed.read,
            feeds,
            write_backs=self.connected.systems.write_backs,
            priority=priority,
            now=now,
        )
        return weighed, settled

    async def _postpone(
        self, tx: AsyncConnection, shop: Shop, feeds: Feeds, missing: Sequence[str], *, now: datetime
    ) -> None:
        """What was not there at the first look is not sent before the second one has had its time."""
        if missing:
            for target, _ in feeds:
                await documents.postpone(tx, shop.id, target.system, missing, until=now + 2 * self.lag)

    async def feeds_of(self, shop: Shop, rows: Mapping[str, ConnectionRow] | None = None) -> Feeds:
        """The connected targets of *shop*; *rows* are its connections, where they have just been read."""
        if rows is None:
            rows = await self.connected.target_connections(shop)
        return [
            (self.connected.targets[system], self.connected.context(shop, row)) for system, row in rows.items()
        ]


async def look_again(
    tx: AsyncConnection, shop: Shop, read: ReadBatch, settled: PlanResult, *, now: datetime
) -> None:
    """What was read but is not at rest is read again soon."""
    gone = settled.again.intersection(read.missing)  # believed already
    for keys, origin in ((settled.again - gone, Origin.SCHEDULE), (gone, Origin.DELETION)):
        await changes.mark_changed(
            tx,
            shop.id,
            PLATFORM,
            KINDS[read.kind],
            keys,
            origin=origin,
            now=now,
            due_at=now + _LOOK_AGAIN,
        )


async def look_later(
    tx: AsyncConnection, shop: Shop, weighed: Weighed, purpose: Purpose, *, now: datetime
) -> None:
    """What is not believed yet is read again at its time."""
    for due_at in sorted(set(weighed.again.values())):
        await changes.mark_changed(
            tx,
            shop.id,
            PLATFORM,
            KINDS[weighed.read.kind],
            [key for key, due in weighed.again.items() if due == due_at],
            origin=Origin.SCHEDULE,
            now=now,
            due_at=due_at,
            purpose=min(purpose, Purpose.SAFETY),
        )


async def wake_targets(wake: Wake, shop: Shop, feeds: Feeds, news: set[str]) -> None:
    """Have sent what was planned, if anything was."""
    if news:
        for target, _front in feeds:
            await wake(Lane.push(shop.id, target.system))
