"""How products and orders are read by key, and which kind of change is read by what."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from sqlalchemy.ext.asyncio import AsyncConnection

from upbridge.domain.platform import PLATFORM
from upbridge.domain.purpose import Purpose
from upbridge.domain.shop import Shop
from upbridge.domain.variant_key import variant_key
from upbridge.engine import deleted_orders
from upbridge.engine.after_reading import feeds_of, look_again, look_later, plan_read, wake_targets
from upbridge.engine.answers import deleted_in, read_of
from upbridge.engine.completeness import count_orders, count_products
from upbridge.engine.context import Service
from upbridge.engine.early_net import cast_early
from upbridge.engine.former_numbers import with_former_numbers
from upbridge.engine.invented import worth_asking
from upbridge.engine.list_pages import read_orders_page, read_products_page
from upbridge.engine.parameters import with_shown_parameters
from upbridge.engine.planner import ReadBatch
from upbridge.engine.second_look import announce_variants
from upbridge.engine.shop_maintenance import compare_webhooks, probe, read_facts
from upbridge.engine.unknown_names import informed
from upbridge.engine.unstorable import stored
from upbridge.store import changes, shops, variants
from upbridge.store.changes import Change, Kind, Origin
from upbridge.store.first_looks import Taken
from upbridge.systems.base import Reader as SystemReader
from upbridge.systems.base import Reading, Systems


@dataclass(frozen=True, slots=True)
class Reader:
    """How a kind of change is read, and how many of it one call can ask for."""

    read: Callable[[Service, Shop, list[Change]], Awaitable[None]]
    batch: int


async def _orders(service: Service, shop: Shop, chunk: list[Change]) -> None:
    chunk = await worth_asking(service.engine, shop, Taken.ORDER, chunk, now=service.clock())
    if not chunk:
        return
    client = await service.shop_api(shop)
    numbers = [change.key for change in chunk]
    page = await client.orders_by_numbers(numbers, purpose=chunk[0].purpose)
    shop = await informed(service, shop, page.items)
    read = read_of("order", page, asked=numbers)
    read, moved = await with_former_numbers(service.engine, shop, client, read, purpose=chunk[0].purpose)
    await _settle(service, shop, chunk, read, told={*moved, *deleted_in(page)})


async def _products(service: Service, shop: Shop, chunk: list[Change]) -> None:
    chunk = await worth_asking(service.engine, shop, Taken.PRODUCT, chunk, now=service.clock())
    if not chunk:
        return
    client = await service.shop_api(shop)
    ids = [change.key for change in chunk]
    purpose = chunk[0].purpose
    page = await client.products_by_ids([int(key) for key in ids if key.isdigit()], purpose=purpose)
    page = await with_shown_parameters(service, shop, client, page, purpose=purpose)
    shop = await informed(service, shop, page.items)
    await _settle(service, shop, chunk, read_of("product", page, asked=ids))


async def _deleted_orders(service: Service, shop: Shop, chunk: list[Change]) -> None:
    """Orders of ours that stand in the list of deleted ones, and such as have left it again: of a deletion or a
    restoration whose webhook was lost, nothing else tells."""
    purpose, client = chunk[0].purpose, await service.shop_api(shop)
    async for asked, page in deleted_orders.found(service, shop, chunk[0]):
        read = read_of("order", page, asked=asked)
        read, _ = await with_former_numbers(service.engine, shop, client, read, purpose=purpose)
        await _settle(service, shop, [], read, told=read.missing, purpose=purpose)
    async with service.engine.begin() as tx:
        if await deleted_orders.under_way(tx, shop.id):  # a long list: others have their turn in between
            await changes.done(tx, shop.id, PLATFORM, chunk)
            await deleted_orders.ask(tx, shop.id, now=service.clock())
            return
    again = await deleted_orders.restored(service, shop, purpose=purpose)
    if again is not None and again.items:
        shop = await informed(service, shop, again.items)
        read = read_of("order", again)
        read, moved = await with_former_numbers(service.engine, shop, client, read, purpose=purpose)
        await _settle(service, shop, [], read, told={*moved, *deleted_in(again)}, purpose=purpose)
    async with service.engine.begin() as tx:
        await changes.done(tx, shop.id, PLATFORM, chunk)


async def _variants(service: Service, shop: Shop, chunk: list[Change]) -> None:
    """A deleted variant: its product says what is left of it (R44). One that we never had needs nothing."""
    now = service.clock()
    deleted = [variant_key(change.key) for change in chunk if change.origin is Origin.DELETION]
    async with service.engine.begin() as tx:
        deleted = list(await variants.names_of(tx, shop.id, deleted))  # others have nothing to lose
        products = await variants.products_of(tx, shop.id, [variant_key(change.key) for change in chunk])
        await announce_variants(tx, shop.id, deleted, now=now)
        await changes.mark_changed(
            tx,
            shop.id,
            PLATFORM,
            Kind.PRODUCT,
            [str(product) for product in products],
            origin=Origin.WEBHOOK,
            now=now,
        )
        await changes.done(tx, shop.id, PLATFORM, chunk)


async def _settle(
    service: Service,
    shop: Shop,
    chunk: Sequence[Change],
    read: ReadBatch,
    *,
    told: Collection[str] = (),
    purpose: Purpose | None = None,
) -> None:
    """Settle what was read and take the changes of *chunk* off the list, in one transaction. *told*: what the shop
    says is deleted, besides what its hints announced. *purpose*: what it was read for, where no change says it."""
    feeds = await feeds_of(service, shop)
    read = replace(read, heard={change.key: change.hinted_at for change in chunk})
    told = {*told, *(change.key for change in chunk if change.origin is Origin.DELETION)}
    purpose, now = min((change.purpose for change in chunk), default=purpose), service.clock()
    assert purpose is not None
    priority = int(purpose)
    plan = partial(plan_read, service, shop, feeds, told=told, priority=priority, now=now)

    async def settle(tx: AsyncConnection, read: ReadBatch) -> set[str]:
        if not await shops.maps_as_before(tx, shop):
            return set()  # it is read again by what is new
        weighed, settled = await plan(tx, read)
        await changes.done(tx, shop.id, PLATFORM, chunk)
        await look_again(tx, shop, weighed.read, settled, now=now)
        await look_later(tx, shop, weighed, purpose, now=now)
        return settled.news

    await wake_targets(service.wake, shop, feeds, await stored(service.engine, read, plan, settle))


READERS: Mapping[Kind, Reader] = {
    Kind.ORDER: Reader(_orders, 100),
    Kind.PRODUCT: Reader(_products, 100),
    Kind.VARIANT: Reader(_variants, 1000),
    Kind.ORDERS_PAGE: Reader(read_orders_page, 1),
    Kind.PRODUCTS_PAGE: Reader(read_products_page, 1),
    Kind.COUNT: Reader(count_products, 1),
    Kind.ORDER_COUNT: Reader(count_orders, 1),
    Kind.ORDERS_DELETED: Reader(_deleted_orders, 1),
    Kind.EVERYTHING: Reader(cast_early, 1),
    Kind.FACTS: Reader(read_facts, 1),
    Kind.WEBHOOKS: Reader(compare_webhooks, 1),
    Kind.PROBE: Reader(probe, 1),
}


def reader_of(systems: Systems, kind: Kind) -> Reader:
    """How a kind of change is read: one of the shop itself here, any other by the system whose kind it is.

    Raises `LookupError` for a kind that no system in the registry declares.
    """
    if kind in READERS:
        return READERS[kind]
    for system in systems.connected:
        if system.source is not None and kind in system.source.readers:
            theirs = system.source.readers[kind]
            return Reader(partial(_by_system, system.name, theirs), theirs.batch)
    raise LookupError(f"no system reads {kind}")


async def _by_system(name: str, theirs: SystemReader, service: Service, shop: Shop, chunk: list[Change]) -> None:
    row = (await service.connected(shop)).get(name)
    connected = None if row is None else service.connection(shop, row)
    await theirs.read(Reading(tools=service.tools, shop=shop, connected=connected, wake=service.wake), chunk)
