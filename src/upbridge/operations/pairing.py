"""A person pairs a variant of the shop with a SKU, where codes and EANs do not."""

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from upbridge.core.clock import Clock
from upbridge.core.errors import Conflict, NotFound
from upbridge.domain.history import Way, What
from upbridge.domain.lane import Lane, Wake
from upbridge.domain.shop import Shop
from upbridge.domain.sku import Sku
from upbridge.store import documents, history, pairings, sku_matching, skus
from upbridge.store.history import NewEntry
from upbridge.store.variant_queries import ShownVariant, shown_by_key
from upbridge.systems.base import Systems


@dataclass(frozen=True, slots=True)
class Pairing:
    """Pairs variants with SKUs, and takes that back."""

    engine: AsyncEngine
    clock: Clock
    way: Way
    systems: Systems
    wake: Wake

    async def variant(self, shop: Shop, key: str) -> ShownVariant:
        """The variant *key* of the shop; raises `NotFound`."""
        async with self.engine.connect() as tx:
            return await _variant(tx, shop, key)

    async def search(self, shop: Shop, words: str, *, most: int) -> list[Sku]:
        """SKUs to choose from, by number, EAN or name."""
        async with self.engine.connect() as tx:
            return await skus.search(tx, shop.id, words, most=most)

    async def pair(self, shop: Shop, key: str, sku_id: int) -> Sku:
        """Let the variant *key* be this SKU from now on; what waited for that is tried again. Raises `NotFound`,
        and `Conflict` where another variant was paired with it."""
        now = self.clock()
        async with self.engine.begin() as tx:
            await sku_matching.lock_matching(tx, shop.id)
            variant = await _variant(tx, shop, key)
            sku = (await skus.of_ids(tx, shop.id, [sku_id])).get(sku_id)
            if sku is None:
                raise NotFound(f"there is no SKU {sku_id}")
            if not await pairings.pair(tx, shop.id, key, sku_id, now=now):
                raise Conflict("another variant is paired with this SKU")
            await self._follow(tx, shop, NewEntry(What.PAIRED, variant.code or key, new=called(sku)))
        await self._wake(shop)
        return sku

    async def unpair(self, shop: Shop, key: str) -> bool:
        """Let codes and EANs decide again; returns whether the variant was paired."""
        async with self.engine.begin() as tx:
            await sku_matching.lock_matching(tx, shop.id)
            sku_id = await pairings.unpair(tx, shop.id, key)
            if sku_id is None:
                return False
            sku = (await skus.of_ids(tx, shop.id, [sku_id])).get(sku_id)
            variant = (await shown_by_key(tx, shop.id, [key])).get(key)
            name = variant.code if variant is not None and variant.code else key
            was = str(sku_id) if sku is None else called(sku)
            await self._follow(tx, shop, NewEntry(What.UNPAIRED, name, old=was))
        await self._wake(shop)
        return True

    async def _follow(self, tx: AsyncConnection, shop: Shop, entry: NewEntry) -> None:
        """Match again, and try again what waits for a SKU, in the transaction that pairs."""
        now = self.clock()
        await sku_matching.rematch_all(tx, shop.id)
        await history.record(tx, shop.id, self.way, [entry], now=now)
        if self.systems.sku_system is not None:
            await documents.release(tx, shop.id, self.systems.sku_system.name, now=now)
        for write_back in self.systems.write_backs.values():
            await write_back.settings_changed(tx, shop.id, shop.settings, shop.settings, now=now)

    async def _wake(self, shop: Shop) -> None:
        if self.systems.sku_system is not None:
            await self.wake(Lane.push(shop.id, self.systems.sku_system.name))


async def _variant(tx: AsyncConnection, shop: Shop, key: str) -> ShownVariant:
    found = (await shown_by_key(tx, shop.id, [key])).get(key)
    if found is None:
        raise NotFound(f"there is no variant {key}")
    return found


def called(sku: Sku) -> str:
    """What people call a SKU."""
    return " · ".join(part for part in (sku.sku_number, sku.name, sku.ean) if part) or str(sku.sku_id)
