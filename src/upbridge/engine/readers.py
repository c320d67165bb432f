"""How products and orders are read, by key and page by page; and which kind of change is read by what."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from upbridge.core.errors import Missing, Rejected, Unreachable
from upbridge.domain.lane import Lane
from upbridge.domain.order import Order
from upbridge.domain.product import Product
from upbridge.domain.purpose import Purpose
from upbridge.domain.shop import Shop
from upbridge.domain.shop_profile import ShopProfile
from upbridge.domain.walk_by_place import PlaceWalk
from upbridge.engine import deleted_orders
from upbridge.engine.answers import deleted_in, read_of
from upbridge.engine.completeness import FIRST, ask_count, count_orders, count_products, recount
from upbridge.engine.context import Service
from upbridge.engine.flows import shows_parameters
from upbridge.engine.list_walks import answer_of, ask_orders, ask_products, goes_round, settle_missed
from upbridge.engine.planner import PlanResult, ReadBatch, plan_documents
from upbridge.engine.runs import AnyWalk, count_page, walk_of
from upbridge.engine.second_look import Weighed, announce_variants, lag_of, weigh
from upbridge.engine.shop_maintenance import compare_webhooks, probe, read_facts
from upbridge.engine.unknown_names import informed
from upbridge.engine.unstorable import stored
from upbridge.store import changes, open_order_lines, orders, shops, variants
from upbridge.store.changes import Change, Kind, Origin, PageKey
from upbridge.store.runs import Run, RunPurpose, RunState, end_run, get_run
from upbridge.systems.base import MappingContext, Reading, Systems, Target
from upbridge.systems.base import Reader as SystemReader
from upbridge.systems.upgates.client import Page, UpgatesClient
from upbridge.systems.upgates.parameters import with_parameters

log = structlog.get_logger(__name__)

SOURCE = "upgates"

_BY_KEY: Mapping[str, Kind] = {"product": Kind.PRODUCT, "order": Kind.ORDER}
_LOOK_AGAIN = timedelta(seconds=30)
"""By then what was on its way has usually arrived."""


@dataclass(frozen=True, slots=True)
class Reader:
    """How a kind of change is read, and how many of it one call can ask for."""

    read: Callable[[Service, Shop, list[Change]], Awaitable[None]]
    batch: int


# --- products and orders by key -----------------------------------------------------------------------------


async def _orders(service: Service, shop: Shop, chunk: list[Change]) -> None:
    client = await service.upgates(shop)
    numbers = [change.key for change in chunk]
    page = await client.orders_by_numbers(numbers, purpose=chunk[0].purpose)
    shop = await informed(service, shop, page.items)
    await _settle(service, shop, chunk, read_of("order", page, asked=numbers), told=deleted_in(page))


async def _products(service: Service, shop: Shop, chunk: list[Change]) -> None:
    client = await service.upgates(shop)
    ids = [change.key for change in chunk]
    purpose = chunk[0].purpose
    page = await client.products_by_ids([int(key) for key in ids if key.isdigit()], purpose=purpose)
    page = await _with_parameters(service, shop, client, page, purpose=purpose)
    shop = await informed(service, shop, page.items)
    await _settle(service, shop, chunk, read_of("product", page, asked=ids))


async def _with_parameters(
    service: Service, shop: Shop, client: UpgatesClient, page: Page[Product], *, purpose: Purpose
) -> Page[Product]:
    """The same products with colour, size and the like of their variants: one call more, and only where a target
    of the shop shows them."""
    ids = [product.product_id for product in page.items if any(one.variant_id for one in product.variants)]
    if not ids or not shows_parameters(service.systems, shop.settings, await service.target_connections(shop)):
        return page
    language = _language(service.systems, shop)
    found = await client.product_parameters(ids, language=language, purpose=purpose)
    parameters = {variant: pairs for one in found.items for variant, pairs in one.items()}
    return replace(page, items=[with_parameters(product, parameters) for product in page.items])


def _language(systems: Systems, shop: Shop) -> str | None:
    """The language that was chosen for a system's texts, else the shop's own."""
    keys = (system.language_setting for system in systems.connected if system.language_setting is not None)
    chosen = next(filter(None, map(shop.settings.text, keys)), None)
    return chosen or ShopProfile.model_validate(shop.facts or {}).default_language


async def _deleted_orders(service: Service, shop: Shop, chunk: list[Change]) -> None:
    """Orders of ours that stand in the list of deleted ones: of a deletion whose webhook was lost, nothing else
    tells."""
    async for asked, page in deleted_orders.found(service, shop, purpose=chunk[0].purpose):
        read = read_of("order", page, asked=asked)
        await _settle(service, shop, chunk, read, told=read.missing)
    async with service.engine.begin() as tx:
        await changes.done(tx, shop.id, SOURCE, chunk)


async def _variants(service: Service, shop: Shop, chunk: list[Change]) -> None:
    """A deleted variant: its product says what is left of it (R44). One that we never had needs nothing."""
    now = service.clock()
    deleted = [f"v-{change.key}" for change in chunk if change.origin is Origin.DELETION]
    async with service.engine.begin() as tx:
        products = await variants.products_of(tx, shop.id, [f"v-{change.key}" for change in chunk])
        await announce_variants(tx, shop.id, deleted, now=now)
        await changes.mark_changed(
            tx,
            shop.id,
            SOURCE,
            Kind.PRODUCT,
            [str(product) for product in products],
            origin=Origin.WEBHOOK,
            now=now,
        )
        await changes.done(tx, shop.id, SOURCE, chunk)


async def _settle(
    service: Service, shop: Shop, chunk: Sequence[Change], read: ReadBatch, *, told: Collection[str] = ()
) -> None:
    """Settle what was read and take the changes off the list, in one transaction. *told*: what the shop says is
    deleted, besides what its hints announced."""
    feeds = await _feeds(service, shop)
    read = replace(read, heard={change.key: change.hinted_at for change in chunk})
    told = {*told, *(change.key for change in chunk if change.origin is Origin.DELETION)}
    priority, now = min(int(change.purpose) for change in chunk), service.clock()
    plan = partial(_plan, service, shop, feeds, told=told, priority=priority, now=now)

    async def settle(tx: AsyncConnection, read: ReadBatch) -> set[str]:
        if not await shops.maps_as_before(tx, shop):
            return set()  # it is read again by what is new
        weighed, settled = await plan(tx, read)
        await changes.done(tx, shop.id, SOURCE, chunk)
        await _look_again(tx, shop, weighed.read, settled, now=now)
        await _look_later(tx, shop, weighed, chunk[0].purpose, now=now)
        return settled.news

    await _wake(service, shop, feeds, await stored(service.engine, read, plan, settle))


async def _plan(
    service: Service,
    shop: Shop,
    feeds: "Feeds",
    tx: AsyncConnection,
    read: ReadBatch,
    *,
    told: Collection[str],
    priority: int,
    now: datetime,
) -> tuple[Weighed, PlanResult]:
    """What of *read* is believed, and what it means for each target."""
    weighed = await weigh(tx, shop.id, read, lag=lag_of(service.settings.coalesce_seconds), told=told, now=now)
    settled = await plan_documents(
        tx,
        service.cipher,
        shop.id,
        weighed.read,
        feeds,
        write_backs=service.systems.write_backs,
        priority=priority,
        now=now,
    )
    return weighed, settled


async def _look_again(
    tx: AsyncConnection, shop: Shop, read: ReadBatch, settled: PlanResult, *, now: datetime
) -> None:
    gone = settled.again.intersection(read.missing)  # believed already
    for keys, origin in ((settled.again - gone, Origin.SCHEDULE), (gone, Origin.DELETION)):
        await changes.mark_changed(
            tx,
            shop.id,
            SOURCE,
            _BY_KEY[read.kind],
            keys,
            origin=origin,
            now=now,
            due_at=now + _LOOK_AGAIN,
        )


async def _look_later(
    tx: AsyncConnection, shop: Shop, weighed: Weighed, purpose: Purpose, *, now: datetime
) -> None:
    """What is not believed yet is read again at its time."""
    for due_at in sorted(set(weighed.again.values())):
        await changes.mark_changed(
            tx,
            shop.id,
            SOURCE,
            _BY_KEY[weighed.read.kind],
            [key for key, due in weighed.again.items() if due == due_at],
            origin=Origin.SCHEDULE,
            now=now,
            due_at=due_at,
            purpose=min(purpose, Purpose.SAFETY),
        )


Feeds = list[tuple[Target, MappingContext]]


async def _feeds(service: Service, shop: Shop) -> Feeds:
    rows = await service.target_connections(shop)
    return [(service.targets[system], service.context(shop, row)) for system, row in rows.items()]


async def _wake(service: Service, shop: Shop, feeds: Feeds, news: set[str]) -> None:
    if news:
        for target, _front in feeds:
            await service.wake(Lane.push(shop.id, target.system))


# --- runs: page by page -------------------------------------------------------------------------------------


async def _orders_page(service: Service, shop: Shop, chunk: list[Change]) -> None:
    await _page(service, shop, chunk[0])


async def _products_page(service: Service, shop: Shop, chunk: list[Change]) -> None:
    await _page(service, shop, chunk[0])


async def _under_way(service: Service, shop: Shop, change: Change) -> tuple[Run, AnyWalk] | None:
    """The run that wants this page now, and its walk; None if it is paused, over or gone."""
    async with service.engine.begin() as tx:
        run = await get_run(tx, PageKey.parse(change.key).run_id)
        if run is not None and run.state is RunState.PAUSED:
            await changes.postpone(tx, shop.id, SOURCE, [change], until=changes.NEVER)
            return None
        if run is None or run.state is RunState.DONE:
            await changes.done(tx, shop.id, SOURCE, [change])
            return None
        walk = walk_of(run)
        if walk.ended:  # while it was paused
            await changes.done(tx, shop.id, SOURCE, [change])
            await end_run(tx, run.id, complete=walk.complete, now=service.clock())
            await _after(tx, shop, run, walk, service)
            return None
        return run, walk


async def _page(service: Service, shop: Shop, change: Change) -> None:
    """Read one page of a run; its entities, its place in the count and the pages after it are settled together."""
    found = await _under_way(service, shop, change)
    if found is None:
        return
    run, walk = found
    client = await service.upgates(shop)
    try:
        page: Page[Order] | Page[Product]
        if isinstance(walk, PlaceWalk):
            page = await ask_products(client, run, walk, purpose=change.purpose)
            page = await _with_parameters(service, shop, client, page, purpose=change.purpose)
        else:
            page = await ask_orders(client, walk, purpose=change.purpose)
    except (Unreachable, Rejected) as error:
        if not goes_round(walk, change, error):
            raise
        await _go_round(service, shop, run, walk, change, error=error)
        if not walk.isolating:
            raise
        return
    shop = await informed(service, shop, page.items)
    read = read_of(run.kind, page)
    feeds = await _feeds(service, shop)
    now = service.clock()
    plan = partial(_plan, service, shop, feeds, told=deleted_in(page), priority=int(change.purpose), now=now)

    async def settle(tx: AsyncConnection, read: ReadBatch) -> set[str]:
        if not await shops.maps_as_before(tx, shop):
            return set()  # it is read again by what is new
        before = await _known(tx, shop, run, read)
        weighed, settled = await plan(tx, read)
        news = settled.news
        await changes.done(tx, shop.id, SOURCE, [change])
        await _look_again(tx, shop, weighed.read, settled, now=now)
        await _look_later(tx, shop, weighed, change.purpose, now=now)
        onwards = walk.read(answer_of(page))
        missed = len(news - before - await _announced(tx, shop, read.kind, news))
        if await count_page(tx, run, walk, onwards, found=missed, total=_total(walk, page), now=now):
            await _after(tx, shop, run, onwards, service)
        return news

    await _wake(service, shop, feeds, await stored(service.engine, read, plan, settle))


def _total(walk: AnyWalk, page: Page[Order] | Page[Product]) -> int | None:
    """How long the whole list is, if *page* says so: a later page by time counts what is left."""
    return page.total if isinstance(walk, PlaceWalk) or walk.steps == 0 else None


async def _go_round(
    service: Service, shop: Shop, run: Run, walk: AnyWalk, change: Change, *, error: Unreachable | Rejected
) -> None:
    """A page cannot be read: the walk goes on without it, or in smaller pieces."""
    now, missing = service.clock(), isinstance(error, Missing)
    onwards = (
        walk.failed(missing=missing) if isinstance(walk, PlaceWalk) else walk.failed(now=now, missing=missing)
    )
    log.warning("page_unreadable", shop_id=str(shop.id), kind=run.kind, asked=str(walk.ask), error=str(error))
    async with service.engine.begin() as tx:
        await changes.done(tx, shop.id, SOURCE, [change])
        if await count_page(tx, run, walk, onwards, now=now):
            await _after(tx, shop, run, onwards, service)


async def _known(tx: AsyncConnection, shop: Shop, run: Run, read: ReadBatch) -> set[str]:
    """Those of the entities read that were known before, and so not missed: an import brings news to a new target
    that was announced long ago. None for the other runs."""
    if run.purpose is not RunPurpose.IMPORT:
        return set()
    keys = [entity.key for entity in read.entities]
    if read.kind == "order":
        return await orders.known(tx, shop.id, keys)
    return {str(one.product_id) for one in await variants.copied(tx, shop.id, [int(key) for key in keys])}


async def _announced(tx: AsyncConnection, shop: Shop, kind: str, keys: set[str]) -> set[str]:
    """Those of *keys* that a hint has announced and that still wait to be read."""
    return await changes.announced(tx, shop.id, SOURCE, _BY_KEY[kind], keys)


async def _after(tx: AsyncConnection, shop: Shop, run: Run, walk: AnyWalk, service: Service) -> None:
    """What follows when a run has ended."""
    log.info(
        "run_finished",
        shop_id=str(shop.id),
        kind=run.kind,
        purpose=run.purpose,
        done=walk.count,
        complete=walk.complete,
    )
    await settle_missed(tx, shop.id, run.kind, walk, now=service.clock())
    match run.purpose, run.kind:
        case RunPurpose.SAFETY_NET, "product":
            # A deleted product has no time of its last change: only a count can miss it.
            await ask_count(tx, shop.id, "product", FIRST, now=service.clock())
        case RunPurpose.SAFETY_NET, "order":
            await _ask_about_open_orders(tx, shop, service)
            await ask_count(tx, shop.id, "order", FIRST, now=service.clock())
        case RunPurpose.SWEEP, "product":
            await _ask_about_unseen(tx, shop, run, service)
            await recount(tx, shop.id, "product", now=service.clock())
        case RunPurpose.COMPLETENESS, "order":
            await _ask_about_unseen_orders(tx, shop, run, service)
            await recount(tx, shop.id, "order", now=service.clock())
        case RunPurpose.IMPORT, "product":
            # The list holds what is on sale. What has left it is mapped by what has changed, too.
            await _ask_about_unseen(tx, shop, run, service, on_sale=False)


async def _ask_about_open_orders(tx: AsyncConnection, shop: Shop, service: Service) -> None:
    """A deleted order is in no plain list: those that are not through yet are asked about by number, and once a
    day the deleted ones are listed, where the API does that."""
    now = service.clock()
    if await deleted_orders.due(tx, shop.id, now=now):
        await changes.mark_changed(
            tx, shop.id, SOURCE, Kind.ORDERS_DELETED, ["list"], origin=Origin.SAFETY_NET, now=now
        )
    numbers = await open_order_lines.order_numbers(tx, shop.id)
    await changes.mark_changed(
        tx,
        shop.id,
        SOURCE,
        Kind.ORDER,
        numbers,
        origin=Origin.SAFETY_NET,
        now=now,
        purpose=Purpose.SAFETY,
    )


async def _ask_about_unseen_orders(tx: AsyncConnection, shop: Shop, run: Run, service: Service) -> None:
    """Orders of ours that a complete reading of their days did not show: each is asked for by its number."""
    made_since = run.since or run.started_at
    numbers = await orders.unseen_orders(tx, shop.id, made_since=made_since, read_before=run.started_at)
    await changes.mark_changed(
        tx,
        shop.id,
        SOURCE,
        Kind.ORDER,
        numbers,
        origin=Origin.SAFETY_NET,
        now=service.clock(),
        purpose=Purpose.SAFETY,
    )


async def _ask_about_unseen(
    tx: AsyncConnection, shop: Shop, run: Run, service: Service, *, on_sale: bool = True
) -> None:
    """Products of ours that a complete reading did not show: the API is asked for each before anything is done.
    Without *on_sale* those too that were not on sale when they were read last."""
    products = await variants.unseen_products(tx, shop.id, since=run.started_at, on_sale=on_sale)
    await changes.mark_changed(
        tx,
        shop.id,
        SOURCE,
        Kind.PRODUCT,
        [str(product) for product in products],
        origin=Origin.SAFETY_NET,
        now=service.clock(),
        purpose=Purpose.SAFETY if on_sale else Purpose.IMPORT,
    )


READERS: Mapping[Kind, Reader] = {
    Kind.ORDER: Reader(_orders, 100),
    Kind.PRODUCT: Reader(_products, 100),
    Kind.VARIANT: Reader(_variants, 1000),
    Kind.ORDERS_PAGE: Reader(_orders_page, 1),
    Kind.PRODUCTS_PAGE: Reader(_products_page, 1),
    Kind.COUNT: Reader(count_products, 1),
    Kind.ORDER_COUNT: Reader(count_orders, 1),
    Kind.ORDERS_DELETED: Reader(_deleted_orders, 1),
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
