"""What a change of settings will do: the pages show it before `change_settings` does it.

Both take what follows from the same two functions, `released` and `reread`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from sqlalchemy.ext.asyncio import AsyncEngine

from upbridge.domain.shop import Shop
from upbridge.engine.flows import shows_parameters
from upbridge.engine.imports import Imports
from upbridge.operations.change_settings import released, reread
from upbridge.store import orders, variants
from upbridge.store.connections import Connections
from upbridge.store.document_queries import count_releasable
from upbridge.systems.base import Systems
from upbridge.systems.platform import PAGE_SIZE


@dataclass(frozen=True, slots=True)
class SettingsPreview:
    """What changing some settings will do."""

    tried: int = 0
    """Stopped documents that are tried again: those that the change resolves go."""
    reread: tuple[str, ...] = ()
    """Lists of the shop that are read again from the beginning."""
    calls: int = 0
    """Calls that the reading will cost, as far as what is known tells."""
    compared: bool = False
    """Stock and shipments are compared with the shop, and what differs is written."""


@dataclass(frozen=True, slots=True)
class SettingsPreviewer:
    """Tells what a change of settings will do."""

    engine: AsyncEngine
    connections: Connections
    systems: Systems
    imports: Imports

    async def preview(self, shop: Shop, texts: Mapping[str, str]) -> SettingsPreview:
        """What `change_settings` will do, without doing it. Raises `BadRequest` for wrong texts."""
        after = shop.settings.changed(texts)
        changed = shop.settings.differing(after)
        rows = await self.connections.of(shop.id)
        targets = released(self.systems, changed, rows)
        since = self.imports.orders_since(replace(shop, settings=after), rows)
        lists = tuple(kind for kind in reread(self.systems, changed, rows) if kind != "order" or since is not None)
        async with self.engine.connect() as tx:
            tried = await count_releasable(tx, shop.id, sorted(targets))
            known = {
                "product": await variants.count_products(tx, shop.id),
                "order": 0 if since is None else await orders.count_orders(tx, shop.id, since=since),
            }
        # Colour and size are a call of their own for each page of products.
        times = {"product": 2 if shows_parameters(self.systems, after, rows) else 1}
        return SettingsPreview(
            tried=tried,
            reread=lists,
            calls=sum(max(1, -(-known.get(kind, 0) // PAGE_SIZE)) * times.get(kind, 1) for kind in lists),
            compared=self.systems.platform.name in targets,
        )
