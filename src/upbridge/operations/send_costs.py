"""Send the cost per acquisition of days to a system that takes it. The history says who did."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from sqlalchemy.ext.asyncio import AsyncEngine

from upbridge.core.clock import Clock
from upbridge.core.errors import BadRequest, Conflict
from upbridge.domain.history import Way, What
from upbridge.domain.shop import Shop, ShopState
from upbridge.engine.connected_systems import ConnectedSystems
from upbridge.store import history
from upbridge.systems.base import System


@dataclass(frozen=True, slots=True)
class CostSender:
    """Sends costs."""

    engine: AsyncEngine
    clock: Clock
    way: Way
    connected: ConnectedSystems

    async def send(
        self, shop: Shop, system: System, discriminator: str, days: Sequence[tuple[date, Decimal]]
    ) -> None:
        """Send *days*, oldest first, for the account's *discriminator*.

        Raises `Conflict` if *shop* is not connected to *system* or does not work, `BadRequest` if there is no day
        or *system* takes no costs, and `RemoteError`.
        """
        if system.costs is None or not days:
            raise BadRequest(f"{system.title} takes the costs of at least one day, or none at all")
        row = (await self.connected.connections.of(shop.id)).get(system.name)
        if row is None:
            raise Conflict(f"{shop.key} is not connected to {system.title}")
        if shop.state is not ShopState.ACTIVE:
            raise Conflict(f"{shop.key} is {shop.state}: nothing is sent")
        await system.costs.send(self.connected.connection(shop, row), discriminator, days)
        first, last = days[0][0], days[-1][0]
        period = first.isoformat() if first == last else f"{first.isoformat()} \N{EN DASH} {last.isoformat()}"
        line = history.NewEntry(What.COSTS_SENT, system.name, new=period, details={"count": len(days)})
        async with self.engine.begin() as tx:
            await history.record(tx, shop.id, self.way, [line], now=self.clock())
