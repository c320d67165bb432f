"""What the background side works with: one object, made once, handed to every loop."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import httpx
from sqlalchemy.ext.asyncio import AsyncEngine

from upbridge.core.clock import Clock
from upbridge.core.encryption import Cipher
from upbridge.core.errors import LoginRefused
from upbridge.domain.history import Way
from upbridge.domain.lane import Wake, leave_to_sweep
from upbridge.domain.shop import Shop
from upbridge.domain.shop_profile import ShopProfile
from upbridge.engine.catch_up import LastBeat
from upbridge.rate_limits.ledger import Ledger
from upbridge.settings import Settings
from upbridge.store.connections import ConnectionRow, Connections, ConnectionState
from upbridge.store.problem_queries import Problems
from upbridge.store.shops import Shops
from upbridge.systems.base import Connection, MappingContext, Systems, Target
from upbridge.systems.connecting import Connected, Tools, Vault
from upbridge.systems.platform import ShopAccess, ShopApi

WebhookUrl = Callable[[Shop, str, str], str]
"""(shop, source, event) to the address that the event is to be sent to."""


@dataclass(frozen=True, slots=True)
class Receiver:
    """A target, ready to be pushed to for one shop."""

    target: Target
    context: MappingContext
    vault: Vault


@dataclass(frozen=True, slots=True)
class Service:
    """The container of workers and commands: made once, by `bootstrap.create_service`."""

    settings: Settings
    systems: Systems
    engine: AsyncEngine
    cipher: Cipher
    clock: Clock
    http: httpx.AsyncClient
    ledger: Ledger
    targets: Mapping[str, Target]
    webhook_url: WebhookUrl
    wake: Wake = leave_to_sweep
    last_beat: LastBeat = field(default_factory=LastBeat)
    way: Way = Way.PROGRAM
    """By which way its changes come: the history says it."""

    @property
    def shops(self) -> Shops:
        """The shops."""
        return Shops(self.engine, self.cipher, self.systems.settings, way=self.way)

    @property
    def connections(self) -> Connections:
        """The connections of shops to targets."""
        return Connections(self.engine, self.cipher, way=self.way)

    @property
    def problems(self) -> Problems:
        """What people have to cure."""
        return Problems(self.engine)

    async def shop_api(self, shop: Shop) -> ShopApi:
        """The shop's API; raises `LoginRefused` if its credentials were destroyed."""
        return (await self._opened(shop))[0]

    async def _opened(self, shop: Shop) -> tuple[ShopApi, Target]:
        credentials = await self.shops.credentials(shop.id)
        if credentials is None:
            raise LoginRefused("the shop has no credentials any more")

        async def moved(api_url: str) -> None:
            await self.shops.set_api_url(shop.id, api_url)

        opened = self.systems.platform.open_shop
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

    @property
    def tools(self) -> Tools:
        """What the systems are given to work with."""
        return Tools(
            http=self.http, settings=self.settings, engine=self.engine, cipher=self.cipher, clock=self.clock
        )

    def connection(self, shop: Shop, row: ConnectionRow) -> Connected:
        """A connection of the shop, at hand."""
        return Connected(tools=self.tools, shop=shop, row=row, vault=self.connections.vault(shop.id, row.system))

    async def target_connections(self, shop: Shop) -> dict[str, ConnectionRow]:
        """The shop's connections whose system we know how to feed. A broken one is among them: what happens
        meanwhile waits for it, because no net that was cast meanwhile reaches back that far again."""
        rows = await self.connections.of(shop.id)
        return {system: row for system, row in rows.items() if system in self.targets}

    async def connected(self, shop: Shop) -> dict[str, ConnectionRow]:
        """Those of them that work: whom we can call."""
        rows = await self.target_connections(shop)
        return {system: row for system, row in rows.items() if row.state is ConnectionState.CONNECTED}

    async def receiver(self, shop: Shop, system: str) -> Receiver | None:
        """Who takes what is to be delivered to *system*; None if it is not connected.

        The shop itself needs no connection of its own, but one from which something flows back to it.
        """
        platform = self.systems.platform.name
        connected = await self.connected(shop)
        sources = self.systems.write_backs if system == platform else (system,)
        row = next((connected[name] for name in sources if name in connected), None)
        if row is None:
            return None
        target = (await self._opened(shop))[1] if system == platform else self.targets[system]
        return Receiver(target, self.context(shop, row), self.connections.vault(shop.id, system))

    def context(self, shop: Shop, row: ConnectionRow) -> MappingContext:
        """What mapping may look at."""
        return MappingContext(
            settings=shop.settings,
            facts=ShopProfile.model_validate(shop.facts or {}),
            connection=Connection(
                shop_id=shop.id,
                shop_key=shop.key,
                system=row.system,
                account=row.account,
                prefix=row.prefix,
                connected_at=row.connected_at,
                facts=row.facts,
            ),
            now=self.clock(),
        )
