"""The APIs of shops: each is opened with the shop's own credentials, and its calls are counted."""

from dataclasses import dataclass

from upbridge.core.errors import LoginRefused, LoginUnreadable
from upbridge.domain.shop import Shop
from upbridge.domain.shop_id import ShopId
from upbridge.domain.shop_profile import ShopProfile
from upbridge.rate_limits.ledger import Ledger
from upbridge.store.shops import Shops
from upbridge.systems.base import System, Target
from upbridge.systems.connecting import Tools
from upbridge.systems.platform import ShopAccess, ShopApi


@dataclass(frozen=True, slots=True)
class ShopApis:
    """Opens the API of a shop at the *platform*."""

    platform: System
    shops: Shops
    ledger: Ledger
    tools: Tools

    async def of(self, shop: Shop) -> ShopApi:
        """The shop's API; raises `LoginRefused` if its credentials were destroyed."""
        return (await self._opened(shop))[0]

    async def target(self, shop: Shop) -> Target:
        """The shop as a target, of what flows back to it; raises `LoginRefused` likewise."""
        return (await self._opened(shop))[1]

    async def opens(self, shop_id: ShopId) -> bool:
        """Whether a key of this process opens what the shop's credentials are kept in, if there are any."""
        try:
            await self.shops.credentials(shop_id)
        except LoginUnreadable:
            return False
        return True

    async def _opened(self, shop: Shop) -> tuple[ShopApi, Target]:
        credentials = await self.shops.credentials(shop.id)
        if credentials is None:
            raise LoginRefused("the shop has no credentials any more")

        async def moved(api_url: str) -> None:
            await self.shops.set_api_url(shop.id, api_url)

        opened = self.platform.open_shop
        assert opened is not None, "it is the platform"
        return opened(
            ShopAccess(
                tools=self.tools,
                ledger=self.ledger,
                shop_id=shop.id,
                facts=ShopProfile.model_validate(shop.facts or {}),
                api_url=credentials.api_url,
                api_user=credentials.api_user,
                api_key=credentials.api_key,
                on_moved=moved,
            )
        )
