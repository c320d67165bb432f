"""How a shop stands: its light, what is wrong and where it is put right. Every page says it above, the first page
leads with it. All of it comes from the lights of the flows, so that no two pages say different things."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from upbridge.domain.platform import PLATFORM
from upbridge.domain.shop import Shop, ShopState
from upbridge.insights.flow_lights import GRAVITY, Light
from upbridge.insights.flow_states import FlowFacts, FlowState, flow_states, see
from upbridge.insights.news import News, news_of
from upbridge.store.connections import ConnectionRow, connections_of
from upbridge.systems.base import Systems


@dataclass(frozen=True, slots=True)
class ShopHealth:
    """How a shop stands at one moment."""

    shop: Shop
    rows: Mapping[str, ConnectionRow]
    seen: FlowFacts
    flows: tuple[FlowState, ...]
    news: tuple[News, ...]
    """The gravest first."""

    @property
    def metered(self) -> bool:
        """Whether the shop's tariff limits its calls: only then they are worth a word."""
        return self.seen.metered

    @property
    def problems(self) -> int:
        """How many problems are open: the one number of them, on whichever page it stands."""
        return sum(one.number for one in self.seen.problems)

    @property
    def alarms(self) -> tuple[News, ...]:
        """What stops flows."""
        return tuple(one for one in self.news if one.light is Light.STOPPED)

    @property
    def light(self) -> Light:
        """All well, attention or stopped."""
        found = {flow.light for flow in self.flows} | {one.light for one in self.news}
        if self.problems:
            found.add(Light.ATTENTION)
        worst = next((light for light in GRAVITY if light in found), Light.OK)
        return Light.OK if worst is Light.BUSY else worst

    @property
    def busy(self) -> bool:
        """Whether something is on its way: not everything that is known has arrived yet."""
        return any(flow.light is Light.BUSY for flow in self.flows)

    @property
    def sure(self) -> frozenset[str]:
        """The kinds of which the shop itself has said how many it has, and of which nothing puts that in doubt."""
        doubted = {flow.kind for flow in self.flows if flow.doubted and flow.source == PLATFORM}
        agreed = {kind for kind, counted in self.seen.counted.items() if not counted.astray}
        return frozenset(agreed - doubted)

    @property
    def at_a_standstill(self) -> bool:
        """Whether nothing at all passes."""
        lights = {flow.light for flow in self.flows} - {Light.OFF}
        return self.shop.state is not ShopState.ACTIVE or lights == {Light.STOPPED}


async def health_of(tx: AsyncConnection, systems: Systems, shop: Shop, *, now: datetime) -> ShopHealth:
    """How *shop* stands at *now*."""
    rows = await connections_of(tx, shop.id)
    seen = await see(tx, systems, shop.id)
    flows = flow_states(systems, shop, rows, seen, now)
    return ShopHealth(
        shop=shop,
        rows=rows,
        seen=seen,
        flows=flows,
        news=news_of(shop, flows, seen, platform=systems.platform.name),
    )
