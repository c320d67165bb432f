"""What a shop is connected to: which targets are fed, and what is needed to call one of them."""

from collections.abc import Mapping
from dataclasses import dataclass

from upbridge.domain.shop import Shop
from upbridge.domain.shop_profile import ShopProfile
from upbridge.engine.parameters import text_language
from upbridge.engine.shop_apis import ShopApis
from upbridge.store.connections import ConnectionRow, Connections, ConnectionState
from upbridge.systems.base import Connection, MappingContext, Systems, Target
from upbridge.systems.connecting import Connected, Tools, Vault


@dataclass(frozen=True, slots=True)
class Receiver:
    """A target, ready to be pushed to for one shop."""

    target: Target
    context: MappingContext
    vault: Vault


@dataclass(frozen=True, slots=True)
class ConnectedSystems:
    """The connections of shops to the systems that we know."""

    systems: Systems
    targets: Mapping[str, Target]
    connections: Connections
    shop_apis: ShopApis
    tools: Tools

    async def target_connections(self, shop: Shop) -> dict[str, ConnectionRow]:
        """The shop's connections whose system we know how to feed. A broken one is among them: what happens
        meanwhile waits for it, because no net that was cast meanwhile reaches back that far again."""
        return self.known(await self.connections.of(shop.id))

    def known(self, rows: Mapping[str, ConnectionRow]) -> dict[str, ConnectionRow]:
        """Those of *rows* whose system we know how to feed."""
        return {system: row for system, row in rows.items() if system in self.targets}

    async def working(self, shop: Shop) -> dict[str, ConnectionRow]:
        """Those of them that work: whom we can call."""
        return _working(await self.target_connections(shop))

    async def receiver(self, shop: Shop, system: str, rows: Mapping[str, ConnectionRow]) -> Receiver | None:
        """Who takes what is to be delivered to *system*; None if it is not among the shop's connections *rows*.

        The shop itself needs no connection of its own, but one from which something flows back to it.
        """
        platform = self.systems.platform.name
        working = _working(self.known(rows))
        sources = self.systems.write_backs if system == platform else (system,)
        row = next((working[name] for name in sources if name in working), None)
        if row is None:
            return None
        target = await self.shop_apis.target(shop) if system == platform else self.targets[system]
        return Receiver(target, self.context(shop, row), self.connections.vault(shop.id, system))

    def connection(self, shop: Shop, row: ConnectionRow) -> Connected:
        """A connection of the shop, at hand."""
        return Connected(tools=self.tools, shop=shop, row=row, vault=self.connections.vault(shop.id, row.system))

    def context(self, shop: Shop, row: ConnectionRow) -> MappingContext:
        """What mapping may look at."""
        facts = ShopProfile.model_validate(shop.facts or {})
        return MappingContext(
            settings=shop.settings,
            facts=facts,
            connection=Connection(
                shop_id=shop.id,
                shop_key=shop.key,
                system=row.system,
                account=row.account,
                prefix=row.prefix,
                connected_at=row.connected_at,
                facts=row.facts,
                title=self.systems.title(row.system),
            ),
            now=self.tools.clock(),
            text_language=text_language(self.systems, shop, facts),
        )


def _working(rows: Mapping[str, ConnectionRow]) -> dict[str, ConnectionRow]:
    return {system: row for system, row in rows.items() if row.state is ConnectionState.CONNECTED}
