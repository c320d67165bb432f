"""Make what may have leaked worthless: addresses of webhooks, sessions of the pages."""

from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from upbridge.core.clock import Clock
from upbridge.domain.history import Way, What
from upbridge.domain.lane import Lane, Wake
from upbridge.domain.shop import Shop
from upbridge.domain.webhooks import ANY_EVENT
from upbridge.store import history
from upbridge.store import sessions as store
from upbridge.store.changes import Kind, Origin, mark_changed
from upbridge.store.history import NewEntry
from upbridge.store.shops import Shops, renew_webhooks
from upbridge.systems.base import Systems
from upbridge.systems.connecting import WebhookUrl

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class SecretRenewal:
    """Renews what is secret of shops."""

    engine: AsyncEngine
    clock: Clock
    way: Way
    shops: Shops
    systems: Systems
    webhook_url: WebhookUrl
    wake: Wake

    async def renew(self, shop: Shop, *, webhooks: bool, sessions: bool) -> dict[str, Any]:
        """Renew what is asked for; returns how many *sessions* ended, and the new addresses that people have to
        type.

        Webhooks of the shop's own platform are renewed by the next comparison, which is asked for here; older
        addresses are taken until it is through.
        """
        platform = self.systems.platform.name
        ended = 0
        now = self.clock()
        async with self.engine.begin() as tx:
            if webhooks:
                await renew_webhooks(tx, shop.id)
                await mark_changed(
                    tx, shop.id, platform, Kind.WEBHOOKS, ["webhooks"], origin=Origin.SETTINGS, now=now
                )
                await history.record(tx, shop.id, self.way, [NewEntry(What.WEBHOOKS_RENEWED)], now=now)
            if sessions:
                ended = await store.end_all(tx, shop.id)
                told = NewEntry(What.SESSIONS_ENDED, details={"count": ended})
                await history.record(tx, shop.id, self.way, [told], now=now)
        log.info("secrets_renewed", shop_id=str(shop.id), webhooks=webhooks, sessions=ended)
        if webhooks:
            await self.wake(Lane.pull(shop.id, platform))
            shop = await self.shops.get(shop.id)
        addresses = {
            one.name: self.webhook_url(shop, one.name, ANY_EVENT)
            for one in self.systems.connected
            if webhooks and one.calls_back
        }
        return {"sessions": ended, "addresses": addresses}
