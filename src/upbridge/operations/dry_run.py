"""What a change of settings would do at once, computed and not done; and the change, if that is still so."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from upbridge.core.canonical_json import canonical, fingerprint
from upbridge.core.clock import Clock
from upbridge.domain.days import SHOWN_DAYS
from upbridge.domain.eligibility import Eligibility, OrderPolicy
from upbridge.domain.proposed import Proposed
from upbridge.domain.shop import Shop
from upbridge.domain.shop_profile import ShopProfile
from upbridge.engine.connected_systems import ConnectedSystems
from upbridge.operations.change_settings import SettingsEditor
from upbridge.operations.known_choices import refuse_unknown
from upbridge.store import orders
from upbridge.store.connections import ConnectionRow
from upbridge.store.orders import RuledOrder
from upbridge.systems.base import Systems, Target
from upbridge.systems.connecting import Tools
from upbridge.systems.decisions import DryRun, Rehearsal

#: Whether an order of a part was sent, and whether it would be.
_WAYS = {"orders_begin": (False, True), "orders_stop": (True, False)}


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """All that a change of settings would do at once. *mark* tells it from any other."""

    parts: tuple[DryRun, ...]

    @property
    def mark(self) -> str:
        """The same for as long as the same changes would be made."""
        return fingerprint(canonical([[one.name, one.system, one.mark] for one in self.parts])).hex()


class _Moved(Exception):
    """It would do something else by now."""


@dataclass(frozen=True, slots=True)
class Rehearsals:
    """Tells what a change of settings would do at once, and makes the change if that is still so."""

    engine: AsyncEngine
    clock: Clock
    systems: Systems
    targets: Mapping[str, Target]
    connected: ConnectedSystems
    tools: Tools
    settings: SettingsEditor

    async def rehearse(self, shop: Shop, texts: Mapping[str, str], *, limit: int | None) -> Rehearsed:
        """What changing these settings would do that a person should see first, with at most *limit* changes of
        each kind; nothing is done. Raises `BadRequest` for wrong texts."""
        after = replace(shop, settings=shop.settings.changed(texts))
        rows = await self.connected.target_connections(shop)
        refuse_unknown(self.systems, shop.settings, after.settings, shop.facts, rows)
        rows = await self.connected.working(shop)
        async with self.engine.connect() as tx:
            looks = await self._looks(tx, rows, (shop, after), limit)
        return Rehearsed(tuple(one for _, one in looks))

    async def change_as_shown(self, shop: Shop, texts: Mapping[str, str], mark: str) -> bool:
        """Change the settings, and queue what follows, if that is still what *mark* was made of; returns whether
        it was, else nothing has changed. Raises `BadRequest` for wrong texts, `Clash` if one of the settings is
        not any more what it is in *shop*."""
        rows = await self.connected.working(shop)

        async def carry_out(tx: AsyncConnection, before: Shop, after: Shop) -> None:
            parts = await self._looks(tx, rows, (before, after), 0)
            if Rehearsed(tuple(one for _, one in parts)).mark != mark:
                raise _Moved
            for rehearsal, shown in parts:
                if rehearsal is not None:
                    await rehearsal.carry_out(tx, self.tools, after, shown, now=self.clock())

        try:
            await self.settings.change(shop, texts, seen=shop.settings, also=carry_out)
        except _Moved:
            return False
        return True

    async def _looks(
        self, tx: AsyncConnection, rows: Mapping[str, ConnectionRow], ways: tuple[Shop, Shop], limit: int | None
    ) -> list[tuple[Rehearsal | None, DryRun]]:
        """What the change would do, each with what would do it where that is its own system."""
        before, after = ways
        changed = set(before.settings.differing(after.settings))
        found: list[tuple[Rehearsal | None, DryRun]] = []
        for name in rows:
            for one in self.systems.named(name).decisions.rehearsals:
                if changed.isdisjoint(one.settings):
                    continue
                shown = await one.look(tx, before, after, limit=limit, now=self.clock())
                if shown is not None:
                    found.append((one, shown))
        found += [(None, one) for one in await self._orders(tx, rows, (before, after), limit)]
        return found

    async def _orders(
        self, tx: AsyncConnection, rows: Mapping[str, ConnectionRow], ways: tuple[Shop, Shop], limit: int | None
    ) -> list[DryRun]:
        """The orders that each system would be sent, and those that it would be sent no more."""
        before, after = ways
        policies: dict[str, tuple[OrderPolicy, OrderPolicy]] = {}
        for name, row in rows.items():
            target = self.targets[name]
            was = target.order_policy(self.connected.context(before, row))
            will_be = target.order_policy(self.connected.context(after, row))
            if was is not None and will_be is not None and was != will_be:
                policies[name] = was, will_be
        if not policies:
            return []
        facts = ShopProfile.model_validate(before.facts or {})
        known = await orders.ruled_since(tx, before.id, self.clock() - timedelta(days=SHOWN_DAYS))
        found = []
        for name, (was, will_be) in policies.items():
            judged = [_as_judged(one, name, was) for one in known]
            sent = [
                tuple(policy.judge(one, facts) is Eligibility.SENT for policy in (was, will_be)) for one in judged
            ]
            for part, way in _WAYS.items():
                moved = [one.number for one, sides in zip(judged, sent, strict=True) if sides == way]
                if moved:
                    listed = [Proposed(number, number, None, *way) for number in moved[:limit]]
                    counts = {"count": len(moved)}
                    found.append(DryRun(name=part, counts=counts, changes=listed, number=len(moved), system=name))
        return found


def _as_judged(order: RuledOrder, system: str, policy: OrderPolicy) -> RuledOrder:
    """*order* with what its former verdict tells: one that was left out and fits the rules otherwise does not
    count in the shop's statistics."""
    left_out = order.kept_back.get(system) == Eligibility.NOT_CHOSEN
    return replace(order, in_statistics=not (left_out and policy.enabled and order.origin in policy.origins))
