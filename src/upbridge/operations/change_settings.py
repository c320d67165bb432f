"""Change the settings of a shop, and what follows from it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from upbridge.domain.shop import Shop
from upbridge.domain.shop_settings import BUDGET, ShopSettings
from upbridge.engine.code_lists import settle
from upbridge.engine.context import Service
from upbridge.engine.remapping import map_again
from upbridge.store import documents
from upbridge.store.connections import ConnectionRow
from upbridge.systems.base import Systems


async def change_settings(service: Service, shop: Shop, texts: Mapping[str, str]) -> ShopSettings:
    """Change settings as typed; queue what they make sendable, release what waited for them.

    One transaction, because saving the same settings again would not repeat a missed release. Raises `BadRequest`
    with a line for each wrong setting, and then changes nothing.
    """
    rows = await service.connections.of(shop.id)
    now = service.clock()
    async with service.engine.begin() as tx:
        before, after = await service.shops.change_settings(tx, shop.id, texts, now=now)
        changed = before.differing(after)
        settings = service.systems.settings
        affected = {settings[key].affects for key in changed}
        if BUDGET in affected:
            # The ledger commits by itself: a tariff whose rule was not saved is set once more with it.
            tariff, packages = after.text("budget.tariff"), after.number("budget.packages") or 0
            await service.ledger.set_tariff(shop.id, tariff, packages)
        for system in sorted(released(service.systems, changed, rows)):
            await documents.release(tx, shop.id, system, now=now)
        if service.systems.platform.name in affected:
            for write_back in service.systems.write_backs.values():
                await write_back.settings_changed(tx, shop.id, before, after, now=now)
        await settle(tx, shop, [(service.systems.declaring(key).name, settings[key]) for key in changed])
        await map_again(tx, service, replace(shop, settings=after), rows, reread(service.systems, changed, rows))
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
