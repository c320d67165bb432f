"""One switch of the shop's staff stops everything, and lets it go on."""

from dataclasses import dataclass

from upbridge.core.clock import Clock
from upbridge.domain.lane import Lane, Wake
from upbridge.domain.platform import PLATFORM
from upbridge.domain.shop import BY_SHOP, Shop, ShopState
from upbridge.store.shops import Shops


@dataclass(frozen=True, slots=True)
class PauseSwitch:
    """Pauses everything of a shop, and goes on."""

    clock: Clock
    shops: Shops
    wake: Wake

    async def pause(self, shop: Shop) -> bool:
        """Nothing is read or sent from now on; webhooks are still taken. Returns whether the shop was active."""
        return await self.shops.move(
            shop.id, to=ShopState.SUSPENDED, among=[ShopState.ACTIVE], now=self.clock(), reason=BY_SHOP
        )

    async def resume(self, shop: Shop) -> bool:
        """Go on where the shop's own staff have paused; returns whether they had. What an operator or Upgates has
        stopped stays so."""
        resumed = await self.shops.move(
            shop.id, to=ShopState.ACTIVE, among=[ShopState.SUSPENDED], now=self.clock(), only_by=BY_SHOP
        )
        if resumed:
            await self.wake(Lane.pull(shop.id, PLATFORM))
        return resumed
