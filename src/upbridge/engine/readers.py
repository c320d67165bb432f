"""How products and orders are read by key, and which kind of change is read by what."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from upbridge.core.clock import Clock
from upbridge.domain.lane import Wake
from upbridge.domain.platform import PLATFORM
from upbridge.domain.purpose import Purpose
from upbridge.domain.shop import Shop
from upbridge.domain.variant_key import variant_key
from upbridge.engine import deleted_orders, second_look
from upbridge.engine.after_reading import Planning, look_again, look_later, wake_targets
from upbridge.engine.answers import deleted_in, read_of
from upbridge.engine.completeness import Counting, hurry_orders
from upbridge.engine.connected_systems import ConnectedSystems
from upbridge.engine.early_net import start_early
from upbridge.engine.former_numbers import with_former_numbers
from upbridge.engine.invented import worth_asking
from upbridge.engine.list_pages import ListPages
from upbridge.engine.parameters import with_shown_parameters
from upbridge.engine.planner import ReadBatch
from upbridge.engine.read_ahead import ReadAhead
from upbridge.engine.shop_apis import ShopApis
from upbridge.engine.shop_maintenance import ShopMaintenance
from upbridge.engine.unknown_names import UnknownNames
from upbridge.engine.unstorable import stored
from upbridge.store import changes, shops, variants
from upbridge.store.changes import Change, Kind, Origin
from upbridge.store.connections import ConnectionRow, ConnectionState
from upbridge.store.first_looks import Taken
from upbridge.systems.base import ReaderContext, SystemReader


@dataclass(frozen=True, slots=True)
class ChangeReader:
    """How a kind of change is read, and how many of it one call can ask for."""

    read: Callable[[Shop, list[Change]], Awaitable[None]]
    batch: int


@dataclass(frozen=True, slots=True)
class EntityReaders:
    """Reads products, orders and variants by their keys."""

    engine: AsyncEngine
    clock: Clock
    wake: Wake
    shop_apis: ShopApis
    connected: ConnectedSystems
    names: UnknownNames
    planning: Planning
    ahead: ReadAhead

    async def orders(self, shop: Shop, chunk: list[Change]) -> None:
        chunk = await worth_asking(self.engine, shop, Taken.ORDER, chunk, now=self.clock())
        if not chunk:
            return
        client = await self.shop_apis.of(shop)
        numbers = [change.key for change in chunk]
        page = await client.orders_by_numbers(numbers, purpose=chunk[0].purpose)
        shop = await self.names.informed(shop, page.items, {})
        read = read_of("order", page, asked=numbers)
        read, moved = await with_former_numbers(self.engine, shop, client, read, purpose=chunk[0].purpose)
        await self._settle(shop, chunk, read, told={*moved, *deleted_in(page)})

    async def products(self, shop: Shop, chunk: list[Change]) -> None:
        chunk = await worth_asking(self.engine, shop, Taken.PRODUCT, chunk, now=self.clock())
        if not chunk:
            return
        client = await self.shop_apis.of(shop)
        ids = [change.key for change in chunk]
        purpose = chunk[0].purpose
        page = await client.products_by_ids([int(key) for key in ids if key.isdigit()], purpose=purpose)
        targets = await self.connected.target_connections(shop)
        page = await with_shown_parameters(self.connected.systems, shop, client, page, targets, purpose=purpose)
        shop = await self.names.informed(shop, page.items, targets)
        await self._settle(shop, chunk, read_of("product", page, asked=ids))

    async def deleted_orders(self, shop: Shop, chunk: list[Change]) -> None:
        """Orders of ours that stand in the list of deleted ones, and such as have left it again: of a deletion or
        a restoration whose webhook was lost, nothing else tells."""
        purpose, client = chunk[0].purpose, await self.shop_apis.of(shop)
        async for asked, page in deleted_orders.found(self.engine, self.clock, client, shop, chunk[0]):
            read = read_of("order", page, asked=asked)
            read, _ = await with_former_numbers(self.engine, shop, client, read, purpose=purpose)
            await self._settle(shop, [], read, told=read.missing, purpose=purpose)
        async with self.engine.begin() as tx:
            if await deleted_orders.under_way(tx, shop.id):  # a long list: others have their turn in between
                await changes.done(tx, shop.id, PLATFORM, chunk)
                await deleted_orders.ask(tx, shop.id, now=self.clock())
                return
        again = await deleted_orders.restored(self.engine, client, shop, purpose=purpose, now=self.clock())
        if again is not None and again.items:
            shop = await self.names.informed(shop, again.items, {})
            read = read_of("order", again)
            read, moved = await with_former_numbers(self.engine, shop, client, read, purpose=purpose)
            await self._settle(shop, [], read, told={*moved, *deleted_in(again)}, purpose=purpose)
        await deleted_orders.ask_about_open(self.engine, shop.id, now=self.clock())
        async with self.engine.begin() as tx:
            await changes.done(tx, shop.id, PLATFORM, chunk)
            await hurry_orders(tx, shop.id, now=self.clock())

    async def variants(self, shop: Shop, chunk: list[Change]) -> None:
        """A deleted variant: its product says what is left of it (R44). One that we never had needs nothing."""
        now = self.clock()
        deleted = [variant_key(change.key) for change in chunk if change.origin is Origin.DELETION]
        async with self.engine.begin() as tx:
            deleted = list(await variants.names_of(tx, shop.id, deleted))  # others have nothing to lose
            products = await variants.products_of(tx, shop.id, [variant_key(change.key) for change in chunk])
            await second_look.announce_variants(tx, shop.id, deleted, now=now)
            await changes.mark_changed(
                tx,
                shop.id,
                PLATFORM,
                Kind.PRODUCT,
                [str(product) for product in products],
                origin=Origin.WEBHOOK,
                now=min(change.marked_at for change in chunk),  # announced with them, so it waits no longer
            )
            await changes.done(tx, shop.id, PLATFORM, chunk)

    async def _settle(
        self,
        shop: Shop,
        chunk: Sequence[Change],
        read: ReadBatch,
        *,
        told: Collection[str] = (),
        purpose: Purpose | None = None,
    ) -> None:
        """Settle what was read and take the changes of *chunk* off the list, in one transaction. *told*: what the
        shop says is deleted, besides what was announced. *purpose*: what it was read for, where no change
        says it."""
        feeds = await self.planning.feeds_of(shop)
        last = {change.key: change.told_at for change in chunk if change.told_at is not None}
        read = replace(read, heard={change.key: change.marked_at for change in chunk}, told=last)
        told = {*told, *(change.key for change in chunk if change.origin is Origin.DELETION)}
        purpose, now = min((change.purpose for change in chunk), default=purpose), self.clock()
        assert purpose is not None
        priority = int(purpose)
        plan = partial(self.planning.plan, shop, feeds, told=told, priority=priority, now=now)

        async def settle(tx: AsyncConnection, read: ReadBatch) -> set[str]:
            if not await shops.maps_as_before(tx, shop):
                return set()  # it is read again by what is new
            weighed, settled = await plan(tx, read)
            await changes.done(tx, shop.id, PLATFORM, chunk)
            await look_again(tx, shop, weighed.read, settled, now=now)
            behind = second_look.behind(weighed.read, now=now, lag=self.planning.lag)
            await look_later(tx, shop, replace(weighed, again={**behind, **weighed.again}), purpose, now=now)
            return settled.news

        news = await stored(self.engine, read, plan, settle)
        self.ahead.of(shop.id).was_read(read)
        await wake_targets(self.wake, shop, feeds, news)


def readers_of_platform(
    entities: EntityReaders, pages: ListPages, maintenance: ShopMaintenance
) -> Mapping[Kind, ChangeReader]:
    """How each kind of change of the shop itself is read."""
    engine, clock = entities.engine, entities.clock
    counting = Counting(engine, clock, entities.shop_apis, entities.ahead, entities.planning.gathering)
    return {
        Kind.ORDER: ChangeReader(entities.orders, 100),
        Kind.PRODUCT: ChangeReader(entities.products, 100),
        Kind.VARIANT: ChangeReader(entities.variants, 1000),
        Kind.ORDERS_PAGE: ChangeReader(pages.read_orders_page, 1),
        Kind.PRODUCTS_PAGE: ChangeReader(pages.read_products_page, 1),
        Kind.COUNT: ChangeReader(counting.count_products, 1),
        Kind.ORDER_COUNT: ChangeReader(counting.count_orders, 1),
        Kind.ORDERS_DELETED: ChangeReader(entities.deleted_orders, 1),
        Kind.EVERYTHING: ChangeReader(partial(start_early, engine, clock, entities.connected), 1),
        Kind.FACTS: ChangeReader(maintenance.read_facts, 1),
        Kind.WEBHOOKS: ChangeReader(maintenance.compare_webhooks, 1),
        Kind.PROBE: ChangeReader(maintenance.probe, 1),
    }


@dataclass(frozen=True, slots=True)
class Readers:
    """How every kind of change is read: one of the shop itself as *platform* says, any other by its system."""

    connected: ConnectedSystems
    wake: Wake
    platform: Mapping[Kind, ChangeReader]

    def of(self, kind: Kind, rows: Mapping[str, ConnectionRow] | None = None) -> ChangeReader:
        """How *kind* is read, by the connections *rows* of the shop if they were just read. Raises `LookupError`
        for a kind that no system in the registry declares."""
        if kind in self.platform:
            return self.platform[kind]
        for system in self.connected.systems.connected:
            if system.source is not None and kind in system.source.readers:
                theirs = system.source.readers[kind]
                return ChangeReader(partial(self._by_system, system.name, theirs, rows), theirs.batch)
        raise LookupError(f"no system reads {kind}")

    async def _by_system(
        self,
        name: str,
        theirs: SystemReader,
        rows: Mapping[str, ConnectionRow] | None,
        shop: Shop,
        chunk: list[Change],
    ) -> None:
        row = (await self.connected.target_connections(shop) if rows is None else rows).get(name)
        works = row is not None and row.state is ConnectionState.CONNECTED
        at_hand = self.connected.connection(shop, row) if row is not None and works else None
        await theirs.read(
            ReaderContext(tools=self.connected.tools, shop=shop, connected=at_hand, wake=self.wake), chunk
        )
