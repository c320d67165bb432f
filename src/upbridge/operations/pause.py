"""What stops everything of a shop, and lets it go on: a switch of the shop's staff, and one of the operator."""

from dataclasses import dataclass
from datetime import datetime

from upbridge.core.clock import Clock
from upbridge.domain.lane import Lane, Wake
from upbridge.domain.platform import PLATFORM
from upbridge.domain.shop import BY_OPERATOR, BY_SHOP, Shop, ShopState
from upbridge.store.shops import Shops


async def suspend_shop(shops: Shops, shop: Shop, *, now: datetime) -> bool:
    """The operator stops everything, even if the shop or Upgates has. Returns whether that was possible."""
    return await shops.move(
        shop.id,
        to=ShopState.SUSPENDED,
        among=[ShopState.ACTIVE, ShopState.SUSPENDED],
        now=now,
        reason=BY_OPERATOR,
    )


async def resume_shop(shops: Shops, shop: Shop, *, now: datetime) -> bool:
    """The operator lets it go on, even if the shop or Upgates had stopped it. Returns whether it was."""
    return await shops.move(shop.id, to=ShopState.ACTIVE, among=[ShopState.SUSPENDED], now=now)


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
