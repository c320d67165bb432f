"""How a run through a list is read, page by page, and what follows when it has ended."""

from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any, TypeAlias

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from upbridge.core.clock import Clock
from upbridge.core.errors import Missing, Rejected, Unreachable
from upbridge.domain.lane import Wake
from upbridge.domain.order import Order
from upbridge.domain.platform import PLATFORM
from upbridge.domain.product import Product
from upbridge.domain.purpose import Purpose
from upbridge.domain.shop import Shop
from upbridge.domain.walk_by_place import PlaceWalk
from upbridge.engine import deleted_orders, forgotten
from upbridge.engine.after_reading import KINDS, Planning, look_again, look_later, wake_targets
from upbridge.engine.answers import deleted_in, read_of
from upbridge.engine.completeness import FIRST, ask_count, recount
from upbridge.engine.connected_systems import ConnectedSystems
from upbridge.engine.former_numbers import with_former_numbers
from upbridge.engine.list_walks import answer_of, ask_orders, ask_products, goes_round, report_missed
from upbridge.engine.parameters import with_shown_parameters
from upbridge.engine.planner import ReadBatch
from upbridge.engine.read_ahead import Answered, ReadAhead
from upbridge.engine.runs import AnyWalk, count_page, walk_of
from upbridge.engine.shop_apis import ShopApis
from upbridge.engine.unknown_names import UnknownNames
from upbridge.engine.unstorable import stored
from upbridge.store import change_queries, changes, orders, shops, variants
from upbridge.store.changes import Change, Kind, Origin, PageKey
from upbridge.store.connections import ConnectionRow
from upbridge.store.runs import Run, RunPurpose, RunState, end_run, get_run
from upbridge.store.session import reading
from upbridge.systems.platform import Page, ShopApi

log = structlog.get_logger(__name__)

Asking: TypeAlias = Coroutine[Any, Any, Page[Product]]


@dataclass(frozen=True, slots=True)
class ListPages:
    """Reads the pages of lists."""

    engine: AsyncEngine
    clock: Clock
    wake: Wake
    shop_apis: ShopApis
    connected: ConnectedSystems
    names: UnknownNames
    planning: Planning
    ahead: ReadAhead

    async def read_orders_page(self, shop: Shop, chunk: list[Change]) -> None:
        """One page of the list of orders."""
        await self._page(shop, chunk[0])

    async def read_products_page(self, shop: Shop, chunk: list[Change]) -> None:
        """One page of the list of products."""
        await self._page(shop, chunk[0])

    async def _page(self, shop: Shop, change: Change) -> None:
        """Read one page of a run; its entities, its place in the count and the pages after it are settled
        together."""
        found = await self._under_way(shop, change)
        if found is None:
            return
        run, walk = found
        client = await self.shop_apis.of(shop)
        try:
            asked, targets = await self._ask(shop, client, run, walk, change.purpose)
        except (Unreachable, Rejected) as error:
            if not goes_round(walk, change, error):
                raise
            await self._go_round(shop, run, walk, change, error)
            if not walk.isolating:
                raise
            return
        page, before = asked.page, shop
        shop = await self.names.informed(shop, page.items, targets or {})
        read = read_of(run.kind, page, but=asked.newer)
        read, moved = await with_former_numbers(self.engine, shop, client, read, purpose=change.purpose)
        feeds = await self.planning.feeds_of(shop, targets if shop is before else None)
        now, told, onwards = self.clock(), {*moved, *deleted_in(page)}, walk.read(answer_of(page))
        ask = partial(ask_products, client, run, purpose=change.purpose)
        self._ask_ahead(shop, run, onwards, ask, sure=bool(feeds) and shop is before)
        plan = partial(self.planning.plan, shop, feeds, told=told, priority=int(change.purpose), now=now)

        async def settle(tx: AsyncConnection, read: ReadBatch) -> set[str]:
            if not await shops.maps_as_before(tx, shop):
                return set()  # it is read again by what is new
            before = await _known(tx, shop, run, read)
            before |= await forgotten.doubt(tx, self.connected.systems, shop.id, run, read, now=now)
            weighed, settled = await plan(tx, read)
            news = settled.news
            if run.purpose is RunPurpose.IMPORT:
                before.update(weighed.known)
            await changes.done(tx, shop.id, PLATFORM, [change])
            keys = [entity.key for entity in read.entities]
            await changes.answered(tx, shop.id, PLATFORM, KINDS[run.kind], keys, asked_at=asked.at)
            await look_again(tx, shop, weighed.read, settled, now=now)
            await look_later(tx, shop, weighed.together(self.planning.lag), change.purpose, now=now)
            missed = len(news - before - await _announced(tx, shop, read.kind, news))
            if await count_page(tx, run, walk, onwards, found=missed, total=_total(walk, page), now=now):
                await self._end(tx, shop, run, onwards, now=now)
            return news

        news = await stored(self.engine, read, plan, settle)
        self.ahead.of(shop.id).was_read(read)
        if change.purpose is not Purpose.IMPORT:  # the sweep finds what pages of an import bring, some together
            await wake_targets(self.wake, shop, feeds, news)

    async def _ask(
        self, shop: Shop, client: ShopApi, run: Run, walk: AnyWalk, purpose: Purpose
    ) -> tuple[Answered[Order] | Answered[Product], Mapping[str, ConnectionRow] | None]:
        """The page that *walk* asks for; of products also the systems that the shop feeds, as they stand behind
        the last call."""
        now = self.clock()
        if not isinstance(walk, PlaceWalk):
            return Answered(now, await ask_orders(client, walk, purpose=purpose)), None
        early = await self.ahead.of(shop.id).take(shop, run.id, walk)
        asked = early or Answered(now, await ask_products(client, run, walk, purpose=purpose))
        targets, systems = await self.connected.target_connections(shop), self.connected.systems
        page = await with_shown_parameters(systems, shop, client, asked.page, targets, purpose=purpose)
        if page is not asked.page:
            asked, targets = replace(asked, page=page), await self.connected.target_connections(shop)
        return asked, targets

    def _ask_ahead(
        self, shop: Shop, run: Run, walk: AnyWalk, ask: Callable[[PlaceWalk], Asking], *, sure: bool
    ) -> None:
        """Ask for the page that a first import wants next, while this one is stored. *sure*: that the shop feeds
        something, and that its facts are those with which pages are asked for."""
        if not sure or run.purpose is not RunPurpose.IMPORT or not isinstance(walk, PlaceWalk) or walk.ended:
            return

        async def if_wanted(walk: PlaceWalk) -> Page[Product] | None:
            async with reading(self.engine) as plain:
                active = await shops.active_since(plain, shop.id) is not None
                now = await get_run(plain, run.id)
            return await ask(walk) if active and now is not None and now.state is RunState.RUNNING else None

        self.ahead.of(shop.id).ask(shop, run.id, walk, partial(if_wanted, walk), now=self.clock())

    async def _under_way(self, shop: Shop, change: Change) -> tuple[Run, AnyWalk] | None:
        """The run that wants this page now, and its walk; None if it is paused, over or gone."""
        now = self.clock()
        async with reading(self.engine) as plain:
            run = await get_run(plain, PageKey.parse(change.key).run_id)
        if run is not None and run.state is RunState.RUNNING and not (walk := walk_of(run)).ended:
            return run, walk
        async with self.engine.begin() as tx:
            run = await get_run(tx, PageKey.parse(change.key).run_id)
            if run is not None and run.state is RunState.PAUSED:
                await changes.postpone(tx, shop.id, PLATFORM, [change], until=changes.NEVER)
                return None
            if run is None or run.state is RunState.DONE:
                await changes.done(tx, shop.id, PLATFORM, [change])
                return None
            walk = walk_of(run)
            if walk.ended:  # while it was paused
                await changes.done(tx, shop.id, PLATFORM, [change])
                await end_run(tx, run.id, complete=walk.complete, now=now)
                await self._end(tx, shop, run, walk, now=now)
                return None
            return run, walk

    async def _go_round(
        self, shop: Shop, run: Run, walk: AnyWalk, change: Change, error: Unreachable | Rejected
    ) -> None:
        """A page cannot be read: the walk goes on without it, or in smaller pieces."""
        now, missing = self.clock(), isinstance(error, Missing)
        onwards = (
            walk.failed(missing=missing) if isinstance(walk, PlaceWalk) else walk.failed(now=now, missing=missing)
        )
        log.warning("page_unreadable", shop_id=str(shop.id), kind=run.kind, asked=str(walk.ask), error=str(error))
        async with self.engine.begin() as tx:
            await changes.done(tx, shop.id, PLATFORM, [change])
            if await count_page(tx, run, walk, onwards, now=now):
                await self._end(tx, shop, run, onwards, now=now)

    async def _end(self, tx: AsyncConnection, shop: Shop, run: Run, walk: AnyWalk, *, now: datetime) -> None:
        """What follows when a run has ended."""
        log.info(
            "run_finished",
            shop_id=str(shop.id),
            kind=run.kind,
            purpose=run.purpose,
            done=walk.count,
            complete=walk.complete,
        )
        await report_missed(tx, shop.id, run.kind, walk, now=now)
        await forgotten.read_again(tx, shop.id, run, complete=walk.complete)
        match run.purpose, run.kind:
            case RunPurpose.SAFETY_NET, "product":
                # A deleted product has no time of its last change: only a count can miss it.
                await ask_count(tx, shop.id, "product", FIRST, now=now)
            case RunPurpose.SAFETY_NET, "order":
                await deleted_orders.ask(tx, shop.id, now=now)
                await ask_count(tx, shop.id, "order", FIRST, now=now)
            case RunPurpose.SWEEP, "product":
                await _ask_about_unseen(tx, shop, run, now=now)
                await recount(tx, shop.id, "product", gathering=self.planning.gathering, now=now)
            case RunPurpose.COMPLETENESS, "order":
                await _ask_about_unseen_orders(tx, shop, run, now=now)
                await recount(tx, shop.id, "order", gathering=self.planning.gathering, now=now)
            case RunPurpose.IMPORT, "product":
                # The list holds what is on sale. What has left it is mapped by what has changed, too, and what
                # orders named meanwhile and the list did not bring is asked for.
                await changes.hurry(tx, shop.id, PLATFORM, Kind.PRODUCT, Purpose.ORDERS, now=now)
                await _ask_about_unseen(tx, shop, run, now=now, on_sale=False)


def _total(walk: AnyWalk, page: Page[Order] | Page[Product]) -> int | None:
    """How long the whole list is, if *page* says so: a later page by time counts what is left."""
    return page.total if isinstance(walk, PlaceWalk) or walk.steps == 0 else None


async def _known(tx: AsyncConnection, shop: Shop, run: Run, read: ReadBatch) -> set[str]:
    """Those of the orders read that were known before, and so not missed: an import brings news to a new target
    that was announced long ago. None for the other runs. Of products `Weighed.known` says it."""
    if run.purpose is not RunPurpose.IMPORT or read.kind != "order":
        return set()
    return await orders.known(tx, shop.id, [entity.key for entity in read.entities])


async def _announced(tx: AsyncConnection, shop: Shop, kind: str, keys: set[str]) -> set[str]:
    """Those of *keys* that were announced and still wait to be read."""
    return await change_queries.announced(tx, shop.id, PLATFORM, KINDS[kind], keys)


async def _ask_about_unseen_orders(tx: AsyncConnection, shop: Shop, run: Run, *, now: datetime) -> None:
    """Orders of ours that a complete reading of their days did not show: each is asked for by its number."""
    made_since = run.since or run.started_at
    numbers = await orders.unseen_orders(tx, shop.id, made_since=made_since, read_before=run.started_at)
    await _ask_about(tx, shop, Kind.ORDER, numbers, now=now)


async def _ask_about_unseen(
    tx: AsyncConnection, shop: Shop, run: Run, *, now: datetime, on_sale: bool = True
) -> None:
    """Products of ours that a complete reading did not show: the API is asked for each before anything is done.
    Without *on_sale* those too that were not on sale when they were read last."""
    products = await variants.unseen_products(tx, shop.id, since=run.started_at, on_sale=on_sale)
    purpose = Purpose.SAFETY if on_sale else Purpose.IMPORT
    await _ask_about(tx, shop, Kind.PRODUCT, map(str, products), now=now, purpose=purpose)


async def _ask_about(
    tx: AsyncConnection,
    shop: Shop,
    kind: Kind,
    keys: Iterable[str],
    *,
    now: datetime,
    purpose: Purpose = Purpose.SAFETY,
) -> None:
    """Have these things asked for one by one, with no more haste than a safety net has."""
    await changes.mark_changed(
        tx, shop.id, PLATFORM, kind, keys, origin=Origin.SAFETY_NET, now=now, purpose=purpose
    )
