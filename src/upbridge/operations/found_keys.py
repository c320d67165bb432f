"""What rests for want of an encryption key goes on by itself when the key is there again.

Keys change only when a process starts, so the start of a worker is the moment to look.
"""

from dataclasses import dataclass

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from upbridge.core.clock import Clock
from upbridge.core.errors import LoginUnreadable
from upbridge.domain.lane import Lane, Wake
from upbridge.domain.platform import PLATFORM
from upbridge.domain.shop import BY_LOST_KEY, ShopState
from upbridge.engine.shop_apis import ShopApis
from upbridge.operations.connections import ConnectionEditor
from upbridge.store import connections as connections_store
from upbridge.store import shop_queries
from upbridge.store.connections import Connections
from upbridge.store.shops import Shops

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class FoundKeys:
    """Lets go on what no key opened, and one opens now."""

    engine: AsyncEngine
    clock: Clock
    shops: Shops
    shop_apis: ShopApis
    connections: Connections
    editor: ConnectionEditor
    wake: Wake

    async def go_on(self) -> None:
        """Shops that rest because no key opened their credentials work again, and connections likewise, if all
        that is kept of their login opens. What a person or another system has stopped stays so."""
        async with self.engine.connect() as tx:
            shops, connections = await shop_queries.unreadable(tx), await connections_store.unreadable(tx)
        for shop_id in shops:
            if not await self.shop_apis.opens(shop_id):
                continue
            gone_on = await self.shops.move(
                shop_id, to=ShopState.ACTIVE, among=[ShopState.SUSPENDED], now=self.clock(), only_by=BY_LOST_KEY
            )
            if gone_on:
                log.info("login_opens_again", shop_id=str(shop_id), system=PLATFORM)
                await self.wake(Lane.pull(shop_id, PLATFORM))
        for shop_id, system in connections:
            vault = self.connections.vault(shop_id, system)
            try:
                await vault.secret()
                await vault.tokens()
            except LoginUnreadable:
                continue
            if await self.editor.restore(await self.shops.get(shop_id), system):
                log.info("login_opens_again", shop_id=str(shop_id), system=system)
                await self.wake(Lane.push(shop_id, system))
