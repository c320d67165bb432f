"""Change the settings of a shop, and what follows from it."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from upbridge.core.clock import Clock
from upbridge.domain.shop import Shop
from upbridge.domain.shop_settings import BUDGET, Clash, ShopSettings
from upbridge.engine.code_lists import close_answered
from upbridge.engine.imports import Again, Imports
from upbridge.engine.remapping import map_again
from upbridge.operations.known_choices import refuse_unknown
from upbridge.rate_limits.ledger import Ledger
from upbridge.store import documents
from upbridge.store.connections import ConnectionRow, Connections
from upbridge.store.shops import Shops
from upbridge.systems.base import Systems

Also: TypeAlias = Callable[[AsyncConnection, Shop, Shop], Awaitable[None]]
"""What is done with a change of settings: the transaction, the shop before and after it."""


@dataclass(frozen=True, slots=True)
class SettingsEditor:
    """Changes the settings of shops."""

    engine: AsyncEngine
    clock: Clock
    shops: Shops
    connections: Connections
    systems: Systems
    ledger: Ledger
    imports: Imports

    async def change(
        self, shop: Shop, texts: Mapping[str, str], *, seen: ShopSettings | None = None, also: Also | None = None
    ) -> ShopSettings:
        """Change settings as typed; queue what they make sendable, release what waited for them; then do *also*.

        One transaction, because saving the same settings again would not repeat a missed release. Raises
        `WrongSettings` with a line for each wrong setting, `Clash` if one of them is not what it was when
        its user has *seen* them, and what *also* raises; and then changes nothing.
        """
        rows = await self.connections.of(shop.id)
        now = self.clock()
        async with self.engine.begin() as tx:
            before, after = await self.shops.change_settings(tx, shop.id, texts, now=now)
            if seen is not None and any(before.get(key) != seen.get(key) for key in texts):
                raise Clash
            refuse_unknown(self.systems, before, after, shop.facts, rows)
            changed = before.differing(after)
            settings = self.systems.settings
            affected = {settings[key].affects for key in changed}
            if BUDGET in affected:
                # The ledger commits by itself: a tariff whose rule was not saved is set once more with it.
                tariff, packages = after.text("budget.tariff"), after.number("budget.packages") or 0
                await self.ledger.set_tariff(shop.id, tariff, packages)
            for system in sorted(released(self.systems, changed, rows)):
                await documents.release(tx, shop.id, system, now=now)
            if self.systems.platform.name in affected:
                for write_back in self.systems.write_backs.values():
                    await write_back.settings_changed(tx, shop.id, before, after, now=now)
            await close_answered(tx, shop, [(self.systems.declaring(key).name, settings[key]) for key in changed])
            kinds = reread(self.systems, changed, rows)
            await map_again(tx, self.imports, replace(shop, settings=after), rows, kinds, why=Again.SETTINGS)
            if also is not None:
                await also(tx, replace(shop, settings=before), replace(shop, settings=after))
        return after


def released(systems: Systems, changed: Sequence[str], rows: Mapping[str, ConnectionRow]) -> set[str]:
    """The targets whose stopped documents are tried again when *changed* changes."""
    affected = {systems.settings[key].affects for key in changed}
    return affected & {*rows, systems.platform.name}


def reread(systems: Systems, changed: Sequence[str], rows: Mapping[str, ConnectionRow]) -> tuple[str, ...]:
    """The lists that are read again when *changed* changes."""
    settings = [setting for key in changed if (setting := systems.settings[key]).rereads]
    if not {setting.affects for setting in settings} & rows.keys():
        return ()
    return tuple(sorted({kind for setting in settings for kind in setting.rereads}))
