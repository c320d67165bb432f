"""An order or a product names a status, price list or language that the shop's facts lack: the list that should
have it is read before anything is decided. Likewise where a product lacks the price list or the language without
which it is taken off: the shop may have that no more.

Once for all that is read at the same time, and for each name not again within `ASK_AGAIN`, or `DOUBT_AGAIN`: what
the list lacks then is unknown to the shop too. A product that is new or had no price has nothing to be taken off:
what it lacks is not doubted within `DOUBT_AGAIN` of reading all facts. Where the list cannot be read, nothing
waits for it: what is mapped is mapped without, and the facts are read as soon as that is possible.
"""

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from weakref import WeakValueDictionary

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from upbridge.core.clock import Clock
from upbridge.core.errors import Rejected, Unreachable
from upbridge.domain.delivery import Entity
from upbridge.domain.order import Order
from upbridge.domain.platform import PLATFORM
from upbridge.domain.product import Product
from upbridge.domain.shop import Shop
from upbridge.domain.shop_id import ShopId
from upbridge.domain.shop_profile import ShopProfile
from upbridge.engine.connected_systems import ConnectedSystems
from upbridge.engine.facts import ShopFacts
from upbridge.engine.shop_apis import ShopApis
from upbridge.store import changes, cursors, variants
from upbridge.store.changes import Kind, Origin
from upbridge.store.connections import ConnectionRow
from upbridge.store.session import reading
from upbridge.store.shops import Shops
from upbridge.systems.base import MappingBasis
from upbridge.systems.platform import FactList

log = structlog.get_logger(__name__)

ASK_AGAIN = timedelta(hours=6)
DOUBT_AGAIN = timedelta(hours=1)

#: One at a time asks for a shop's lists. A worker reads three batches of a shop at once, and no other worker any.
_ASKING: WeakValueDictionary[ShopId, asyncio.Lock] = WeakValueDictionary()


@dataclass(frozen=True, slots=True, order=True)
class Name:
    """A name that one of the shop's lists should have."""

    of: FactList
    name: str
    doubted: bool = False
    """It is among the facts, and a product lacks it."""

    @property
    def cursor(self) -> str:
        """Under which name it is remembered when it was asked about."""
        return f"{'doubted' if self.doubted else 'asked for'} {self.of}: {self.name}"

    @property
    def pause(self) -> timedelta:
        """For how long it is not asked about again."""
        return DOUBT_AGAIN if self.doubted else ASK_AGAIN


@dataclass(frozen=True, slots=True)
class UnknownNames:
    """Looks after names that the facts of a shop do not have."""

    engine: AsyncEngine
    clock: Clock
    shops: Shops
    shop_apis: ShopApis
    connected: ConnectedSystems
    facts: ShopFacts

    async def informed(self, shop: Shop, entities: Iterable[Entity], targets: Mapping[str, ConnectionRow]) -> Shop:
        """*shop*, with the lists read that lack what *entities* name, or may lack what a product does not name;
        the same *shop* if none had to be. *targets* are the systems that it feeds.

        Raises `LoginRefused` or `Throttled`; a list that cannot be read otherwise stays as it was.
        """
        entities = list(entities)
        bases = self._bases(shop, entities, targets)
        named = set(_named(entities))
        lacking = {entity.key: found for entity in entities if (found := [*_lacking(entity, shop, bases)])}
        if lacking and shop.facts_at is not None and shop.facts_at > self.clock() - DOUBT_AGAIN:
            lacking = await self._of_priced(shop, lacking)
        named.update(*lacking.values())
        if not _open(named, shop):
            return shop
        async with _ASKING.setdefault(shop.id, asyncio.Lock()):
            shop = await self.shops.get(shop.id)
            if asked := await _due(self.engine, shop, _open(named, shop), now=self.clock()):
                await self._ask(shop, asked)
                shop = await self.shops.get(shop.id)
        return shop

    def _bases(
        self, shop: Shop, entities: Iterable[Entity], rows: Mapping[str, ConnectionRow]
    ) -> list[MappingBasis]:
        if not any(isinstance(entity, Product) for entity in entities):
            return []
        systems = [
            (system, rows[system.name]) for system in self.connected.systems.connected if system.name in rows
        ]
        return [system.mapping_basis(self.connected.context(shop, row)) for system, row in systems]

    async def _of_priced(self, shop: Shop, lacking: Mapping[str, list[Name]]) -> dict[str, list[Name]]:
        """Those of products that had a price, or may have had one, when they were read last."""
        async with reading(self.engine) as tx:
            copied = await variants.copied(tx, shop.id, [int(key) for key in lacking])
        priced = {one.product_id for one in copied if one.priced is not False}
        return {key: names for key, names in lacking.items() if int(key) in priced}

    async def _ask(self, shop: Shop, asked: list[Name]) -> None:
        lists = sorted({one.of for one in asked})
        log.info("unknown_names", shop_id=str(shop.id), lists=lists, names=[one.name for one in asked[:10]])
        client = await self.shop_apis.of(shop)
        facts: ShopProfile | None = None
        try:
            facts = await client.relisted(ShopProfile.model_validate(shop.facts or {}), lists)
        except (Rejected, Unreachable) as error:
            log.warning("list_not_read", shop_id=str(shop.id), lists=lists, error=str(error))
        targets, now = await self.connected.target_connections(shop), self.clock()
        async with self.engine.begin() as tx:
            for name in asked:
                await cursors.put(tx, shop.id, PLATFORM, name.cursor, now.isoformat())
            if facts is None:
                await changes.mark_changed(
                    tx, shop.id, PLATFORM, Kind.FACTS, ["facts"], origin=Origin.SCHEDULE, now=now
                )
            else:
                await self.facts.renew(tx, shop.id, facts, targets, now=now, complete=False, doubtful=False)


def _named(entities: Iterable[Entity]) -> Iterator[Name]:
    lists: set[tuple[str, str]] = set()
    for entity in entities:
        if isinstance(entity, Product):
            priced = {id(variant.prices): variant.prices for variant in entity.variants}  # most share theirs
            lists.update((price.language, price.pricelist) for prices in priced.values() for price in prices)
        elif entity.status_id is not None:
            yield Name(FactList.STATUSES, str(entity.status_id))
    for language, pricelist in lists:
        yield Name(FactList.LANGUAGES, language)
        if pricelist:
            yield Name(FactList.PRICELISTS, pricelist)


def _lacking(entity: Entity, shop: Shop, bases: Iterable[MappingBasis]) -> Iterator[Name]:
    if isinstance(entity, Order) or not entity.active:
        return
    on_sale = [variant for variant in entity.variants if variant.active]
    if not on_sale:
        return
    default = (shop.facts or {}).get("default_pricelist")
    priced = {id(variant.prices): variant.prices for variant in on_sale}
    prices = [price for each in priced.values() for price in each]
    for basis in bases:
        if basis.language is not None and basis.language not in {price.language for price in prices}:
            yield Name(FactList.LANGUAGES, basis.language, doubted=True)
        if basis.pricelist is not None and basis.pricelist not in {price.pricelist or default for price in prices}:
            yield Name(FactList.PRICELISTS, basis.pricelist, doubted=True)


def _open(named: Iterable[Name], shop: Shop) -> list[Name]:
    """Those of *named* that are unknown or doubted."""
    facts = ShopProfile.model_validate(shop.facts or {})
    known = {
        FactList.STATUSES: lambda name: facts.has_status(int(name)),
        FactList.PRICELISTS: facts.has_pricelist,
        FactList.LANGUAGES: facts.has_language,
    }
    return sorted(one for one in named if one.doubted or not known[one.of](one.name))


async def _due(engine: AsyncEngine, shop: Shop, names: Iterable[Name], *, now: datetime) -> list[Name]:
    """Those that were not asked about lately."""
    async with reading(engine) as tx:
        asked = [(name, await cursors.get(tx, shop.id, PLATFORM, name.cursor)) for name in names]
    return [name for name, at in asked if at is None or datetime.fromisoformat(at) <= now - name.pause]
