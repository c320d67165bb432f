"""The facts of a shop are renewed, and what follows from that in the same transaction."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from upbridge.core.clock import Clock
from upbridge.domain.platform import PLATFORM
from upbridge.domain.shop import Shop
from upbridge.domain.shop_id import ShopId
from upbridge.domain.shop_profile import LISTS, ShopProfile
from upbridge.domain.shop_settings import ShopList, ShopSettings
from upbridge.engine.code_lists import tell_new
from upbridge.engine.connected_systems import ConnectedSystems
from upbridge.engine.flows import SERVICES
from upbridge.engine.imports import Again, Imports
from upbridge.engine.remapping import map_again, moved_by_facts
from upbridge.store import changes, documents, first_looks, problem_queries, problems, shops
from upbridge.store.changes import Kind, Origin
from upbridge.store.connections import ConnectionRow
from upbridge.store.first_looks import LookedAt, Taken
from upbridge.store.problems import NewProblem, Stage, close_resolved
from upbridge.store.shops import Shops
from upbridge.systems.base import Systems

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ShopFacts:
    """Stores what was read of a shop's facts, and does what follows from a change."""

    clock: Clock
    shops: Shops
    connected: ConnectedSystems
    imports: Imports
    lag: timedelta
    """After how long a second look is believed."""

    async def renew(
        self,
        tx: AsyncConnection,
        shop_id: ShopId,
        facts: ShopProfile,
        targets: Mapping[str, ConnectionRow],
        *,
        now: datetime,
        complete: bool = True,
        doubtful: bool = True,
    ) -> None:
        """Keep *facts*, let what waited for one of them try again, and map again what was mapped by one that has
        changed. *complete*: all of them were read just now, else some. *doubtful*: nothing but this answer says
        that a list got shorter."""
        before = await self.shops.hold(tx, shop_id)
        chosen = before.settings
        if before.facts is not None:
            former = ShopProfile.model_validate(before.facts)
            if doubtful:
                facts = await self._believed(tx, shop_id, facts, former, now=now)
            facts, chosen = facts.following(former), await self._follow_names(tx, before, former, facts)
        after = replace(before, facts=facts.model_dump(mode="json"), settings=chosen)
        await shops.set_facts(tx, shop_id, after.facts or {}, read_at=now if complete else None)
        if after.facts != before.facts:  # a new status or language may be what was missing
            for system in (*targets, PLATFORM):
                await documents.release(tx, shop_id, system, now=now)
        await _alarm(tx, self.connected.systems, shop_id, facts, targets, now=now)
        if before.facts is None:
            return
        if ShopProfile.model_validate(before.facts).rights != facts.rights:
            # Upgates takes the webhooks away together with the right, and does not give them back with it.
            await changes.mark_changed(
                tx, shop_id, PLATFORM, Kind.WEBHOOKS, ["webhooks"], origin=Origin.LIFECYCLE, now=now
            )
        moved = moved_by_facts(self.connected, before, after, targets)
        if moved:
            log.info("facts_moved", shop_id=str(shop_id), kinds=sorted(moved))
        await map_again(tx, self.imports, after, targets, moved, why=Again.FACTS)
        await self._granted(tx, before, after, targets)
        await _listed(tx, before, facts, now=now)
        await tell_new(tx, self.connected, ShopProfile.model_validate(before.facts), after, targets, now=now)

    async def _believed(
        self, tx: AsyncConnection, shop_id: ShopId, facts: ShopProfile, former: ShopProfile, *, now: datetime
    ) -> ShopProfile:
        """*facts*, without what one look alone would take away: a list that only got shorter stays as it was until
        a second look agrees (`second_look`)."""
        shorter, first = facts.shortened(former), await first_looks.of_keys(tx, shop_id, LISTS)
        seen = {place.key: look.at for place, look in first.items() if place.kind is Taken.LIST}
        doubted = {name for name in shorter if now - seen.get(name, now) < self.lag}
        await first_looks.remember(tx, shop_id, [LookedAt(Taken.LIST, name) for name in doubted], now=now)
        settled = [LookedAt(Taken.LIST, name) for name in seen if name not in doubted]
        await first_looks.forget(tx, shop_id, settled)
        if doubted:
            due = min(seen.get(name, now) for name in doubted) + self.lag
            keys, origin = ["facts"], Origin.SCHEDULE
            await changes.mark_changed(tx, shop_id, PLATFORM, Kind.FACTS, keys, origin=origin, now=now, due_at=due)
        return facts.with_lists_of(former, doubted)

    async def _follow_names(
        self, tx: AsyncConnection, shop: Shop, former: ShopProfile, facts: ShopProfile
    ) -> ShopSettings:
        """The settings of *shop*, which name a renamed price list by its new name."""
        renamed = facts.renamed_pricelists(former)
        names = {
            key: renamed[name]
            for key, setting in self.connected.systems.settings.items()
            if setting.offers is ShopList.PRICELISTS and (name := shop.settings.text(key) or "") in renamed
        }
        if not names:
            return shop.settings
        log.info("settings_follow_names", shop_id=str(shop.id), settings=names)
        return (await self.shops.change_settings(tx, shop.id, names, now=self.clock()))[1]

    async def _granted(
        self, tx: AsyncConnection, before: Shop, after: Shop, targets: Mapping[str, ConnectionRow]
    ) -> None:
        """What the shop lets us read again is read from the beginning: its changes were not kept meanwhile."""
        former, rights = (before.facts or {}).get("rights") or {}, (after.facts or {}).get("rights") or {}
        for kind, name in SERVICES.items():
            if former.get(name) == "deny" and rights.get(name) != "deny":
                await close_resolved(tx, after.id, stages=[Stage.READ], target=PLATFORM, parents=[name])
                await self.imports.start(tx, after, targets, kinds=(kind,), again=Again.RIGHT)


async def _alarm(
    tx: AsyncConnection,
    systems: Systems,
    shop_id: ShopId,
    facts: ShopProfile,
    targets: Mapping[str, ConnectionRow],
    *,
    now: datetime,
) -> None:
    """What a connected system wants and the shop does not let us read is a problem from now on, until it does."""
    denied = [
        name
        for kind, name in SERVICES.items()
        if facts.rights.get(name) == "deny" and set(systems.taking(kind)) & targets.keys()
    ]
    readable = [name for name in SERVICES.values() if facts.rights.get(name) != "deny"]
    await close_resolved(tx, shop_id, stages=[Stage.READ], target=PLATFORM, parents=readable)
    await problems.raise_problems(tx, shop_id, [no_right(name) for name in denied], now=now)


def no_right(service: str) -> NewProblem:
    """The shop does not let us read from *service*, as GET /status names it."""
    return NewProblem(
        stage=Stage.READ,
        key="shop.no_right",
        target=PLATFORM,
        kind="right",
        entity=service,
        parent=service,
        params={"service": service},
    )


async def _listed(tx: AsyncConnection, before: Shop, facts: ShopProfile, *, now: datetime) -> None:
    """Orders that wait because their status was unknown are read again, where it is listed now."""
    waiting = await problem_queries.parents_of(tx, before.id, "order.unknown_status")
    keys = {parent for parent, params in waiting if facts.has_status(params.get("status"))}
    await changes.mark_changed(tx, before.id, PLATFORM, Kind.ORDER, keys, origin=Origin.SETTINGS, now=now)
