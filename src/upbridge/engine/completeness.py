"""What the shop itself counts, held against what we know: the proof of completeness that can fail.

The shop is asked for one number: of the orders of the last days, and of the products on sale. Two counts of a
living shop may differ for a moment, so a difference is looked at once more before it is believed. Then the list
is read, and counted again when all that it brought is settled: by the number that the list itself gave, and only
where that differs by a call. What still differs is shown until a count agrees. A count that the shop did not
answer is shown likewise: an older one proves nothing any more.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from upbridge.core.clock import Clock
from upbridge.core.errors import Rejected, Unreachable
from upbridge.domain.days import SHOWN_DAYS
from upbridge.domain.platform import PLATFORM
from upbridge.domain.purpose import Purpose
from upbridge.domain.shop import Shop
from upbridge.domain.shop_id import ShopId
from upbridge.domain.walk_by_place import PlaceWalk
from upbridge.engine.read_ahead import ReadAhead
from upbridge.engine.runs import start_run
from upbridge.engine.shop_apis import ShopApis
from upbridge.store import change_queries, changes, connections, cursors, orders, runs, variants
from upbridge.store.changes import Change, Kind, Origin
from upbridge.store.runs import RunPurpose
from upbridge.systems.platform import OrderFilter, ProductFilter

log = structlog.get_logger(__name__)

_LEAST = timedelta(seconds=1)

_TRIES, _RETRY = 3, timedelta(minutes=1)

#: The keys of a count: it is the first one, a second look at a difference, or the one after the list was read.
FIRST, SECOND, AFTER = "count", "again", "after"

_NAME, _UNANSWERED = "completeness.{}", "uncounted.{}"
#: The kinds that are counted.
KINDS = ("order", "product")
#: What waits to be read of a kind while its count cannot be believed.
_UNSETTLED = {
    "order": (Kind.ORDER, Kind.ORDERS_PAGE),
    "product": (Kind.PRODUCT, Kind.PRODUCTS_PAGE, Kind.VARIANT),
}
#: What is about to be read of a kind, and a first count comes behind it: it would differ by just that.
_ABOUT_TO_BE = {
    "order": (Kind.ORDER, Kind.ORDERS_PAGE, Kind.ORDERS_DELETED),
    "product": (Kind.PRODUCT, Kind.PRODUCTS_PAGE, Kind.VARIANT),
}
#: Why the list of a kind is read whose count differs.
_READS = {"order": RunPurpose.COMPLETENESS, "product": RunPurpose.SWEEP}
_GATHERINGS = 6
"""So many times as long as a burst is gathered a first count waits at most: a shop that announces without end is
counted too."""


@dataclass(frozen=True, slots=True)
class Counted:
    """What the shop said of one kind at *checked_at*, and how many were known then. *since*: orders made from then
    on."""

    shop_says: int
    known: int
    checked_at: datetime
    since: datetime | None = None

    @property
    def missing(self) -> int:
        """How many the shop has and we do not know."""
        return max(0, self.shop_says - self.known)

    @property
    def astray(self) -> int:
        """By how many the two differ: also by what we know and the shop does not have."""
        return abs(self.shop_says - self.known)

    @property
    def days(self) -> int:
        """How many days back it reaches."""
        return (
            SHOWN_DAYS if self.since is None else max(1, round((self.checked_at - self.since) / timedelta(days=1)))
        )


def names() -> list[str]:
    """The names under which counts are kept."""
    return [name.format(kind) for kind in KINDS for name in (_NAME, _UNANSWERED)]


def counted_of(values: Mapping[tuple[ShopId, str], str], shop_id: ShopId, kind: str) -> Counted | None:
    """The last count of *kind* among kept *values*; None if there was none yet."""
    value = values.get((shop_id, _NAME.format(kind)))
    if value is None:
        return None
    found = json.loads(value)
    return Counted(
        found["shop_says"],
        found["known"],
        datetime.fromisoformat(found["checked_at"]),
        None if found["since"] is None else datetime.fromisoformat(found["since"]),
    )


def uncounted_of(values: Mapping[tuple[ShopId, str], str], shop_id: ShopId) -> dict[str, datetime]:
    """Since when the shop has not answered the count of a kind, by kind, among kept *values*."""
    found = {kind: values.get((shop_id, _UNANSWERED.format(kind))) for kind in KINDS}
    return {kind: datetime.fromisoformat(at) for kind, at in found.items() if at is not None}


async def keep_count(tx: AsyncConnection, shop_id: ShopId, kind: str, counted: Counted) -> None:
    """Remember what the shop said of *kind* last."""
    value = {
        "shop_says": counted.shop_says,
        "known": counted.known,
        "checked_at": counted.checked_at.isoformat(),
        "since": None if counted.since is None else counted.since.isoformat(),
    }
    await cursors.put(tx, shop_id, PLATFORM, _NAME.format(kind), json.dumps(value))
    await cursors.remove(tx, shop_id, PLATFORM, _UNANSWERED.format(kind))


async def ask_count(
    tx: AsyncConnection, shop_id: ShopId, kind: str, key: str, *, now: datetime, due_at: datetime | None = None
) -> None:
    """Have the shop count its things of *kind*, at once or at *due_at*; a first count sooner if it is hurried
    (`hurry_orders`)."""
    count = Kind.ORDER_COUNT if kind == "order" else Kind.COUNT
    await changes.mark_changed(
        tx, shop_id, PLATFORM, count, [key], origin=Origin.SAFETY_NET, now=now, due_at=due_at
    )
    if due_at is not None and key != FIRST:
        await changes.put_off(tx, shop_id, PLATFORM, count, [key], until=due_at)


async def hurry_orders(tx: AsyncConnection, shop_id: ShopId, *, now: datetime) -> None:
    """What a first count of orders waits for may be read: let it look."""
    await changes.hurry(tx, shop_id, PLATFORM, Kind.ORDER_COUNT, Purpose.SAFETY, now=now)


async def recount(tx: AsyncConnection, shop_id: ShopId, kind: str, *, gathering: timedelta, now: datetime) -> None:
    """A list was read because its count differed: have it counted again, after all that it brought.

    *gathering*: how long the changes of a burst are gathered.
    """
    await ask_count(tx, shop_id, kind, AFTER, now=now, due_at=now + _again(gathering))


def _again(gathering: timedelta) -> timedelta:
    """By then what was on its way between two counts has usually arrived."""
    return max(gathering, _LEAST)


@dataclass(frozen=True, slots=True)
class Counting:
    """Asks shops for their own counts. *gathering*: how long the changes of a burst are gathered."""

    engine: AsyncEngine
    clock: Clock
    shop_apis: ShopApis
    ahead: ReadAhead
    gathering: timedelta

    async def count_orders(self, shop: Shop, chunk: list[Change]) -> None:
        """Compare the shop's own number of orders with ours; read them if they differ twice."""
        now, again = self.clock(), _again(self.gathering)
        async with self.engine.begin() as tx:
            since = await _since(tx, shop.id, now)
            ready = since is not None and await _settled(tx, shop.id, "order", chunk, again=again, now=now)
            if since is None:
                await changes.done(tx, shop.id, PLATFORM, chunk)
            if since is None or not ready or await _agrees_with_list(tx, shop.id, "order", chunk):
                return
        client = await self.shop_apis.of(shop)
        filters = OrderFilter(created_from=since, created_to=now)
        try:
            page = await client.orders_page(1, filters=filters, purpose=chunk[0].purpose)
        except (Unreachable, Rejected) as error:
            await self._uncounted(shop, "order", chunk[0], error)
            return
        async with self.engine.begin() as tx:
            known = await orders.count_orders(tx, shop.id, since=since, until=now)
            counted = Counted(page.total, known, self.clock(), since)
            await _judge(tx, shop.id, "order", chunk, counted, again=again)

    async def count_products(self, shop: Shop, chunk: list[Change]) -> None:
        """Compare the number of products on sale with ours; read the whole list only if it differs."""
        again = _again(self.gathering)
        async with self.engine.begin() as tx:
            if not await _settled(tx, shop.id, "product", chunk, again=again, now=self.clock()):
                return
            if await _agrees_with_list(tx, shop.id, "product", chunk):
                return
        asked_at, ahead = self.clock(), self.ahead.of(shop.id)
        reads = ahead.reads
        client, filters = await self.shop_apis.of(shop), ProductFilter(active=True, archived=False)
        try:
            page = await client.products_page(1, filters=filters, purpose=chunk[0].purpose)
        except (Unreachable, Rejected) as error:
            await self._uncounted(shop, "product", chunk[0], error)
            return
        async with self.engine.begin() as tx:
            counted = Counted(page.total, await variants.count_products(tx, shop.id), self.clock())
            run_id = await _judge(tx, shop.id, "product", chunk, counted, again=again)
        if run_id is not None:
            ahead.bring(shop, run_id, PlaceWalk(), page, asked_at=asked_at, reads=reads)

    async def _uncounted(self, shop: Shop, kind: str, count: Change, error: Unreachable | Rejected) -> None:
        """The page that holds the number cannot be read: ask a few times more, then leave it to the next net, and
        let it be seen.

        It holds things too, and one of them may be what the server stumbles on. Reading the list tells which;
        nothing else waits for the number.
        """
        log.warning("count_unanswered", shop_id=str(shop.id), kind=count.kind, error=str(error))
        async with self.engine.begin() as tx:
            if count.attempts + 1 < _TRIES:
                await changes.postpone(tx, shop.id, PLATFORM, [count], until=self.clock() + _RETRY)
            else:
                await changes.done(tx, shop.id, PLATFORM, [count])
                name = _UNANSWERED.format(kind)
                if await cursors.get(tx, shop.id, PLATFORM, name) is None:
                    await cursors.put(tx, shop.id, PLATFORM, name, self.clock().isoformat())


async def _since(tx: AsyncConnection, shop_id: ShopId, now: datetime) -> datetime | None:
    """From when on every order should be known; None while none is, or the first import still goes on.

    Orders that are older than what a person wanted to have read are not missed.
    """
    reach = await runs.reach_of_imports(tx, shop_id, "order")
    if reach.unfinished:
        return None
    since = reach.since
    if since is None:
        rows = (await connections.connections_of(tx, shop_id)).values()
        since = min((row.connected_at for row in rows), default=None)
    if since is None:
        return None
    return max(since, now - timedelta(days=SHOWN_DAYS)).replace(microsecond=0) + timedelta(seconds=1)


async def _settled(
    tx: AsyncConnection,
    shop_id: ShopId,
    kind: str,
    chunk: list[Change],
    *,
    again: timedelta,
    now: datetime,
) -> bool:
    """Whether nothing waits to be read that the count has to wait for. Else it is put off, as no failure.

    A first count comes behind what is about to be read, for a while: it would be made twice. A second one waits
    for all that was announced before it was asked for, and for what safety nets and counts look for themselves.
    """
    [count] = chunk
    until = count.marked_at
    if count.key == FIRST:
        waiting = now - until < _GATHERINGS * again
        about = _ABOUT_TO_BE[kind]
        waits = waiting and await change_queries.any_due(
            tx, shop_id, PLATFORM, about, marked_until=until, due_until=now + again
        )
    else:
        waits = await change_queries.any_for(tx, shop_id, PLATFORM, _UNSETTLED[kind], Purpose.SAFETY)
        for unsettled in _UNSETTLED[kind]:
            waits = waits or await change_queries.any_marked_until(tx, shop_id, PLATFORM, unsettled, until)
    if waits:
        await changes.done(tx, shop_id, PLATFORM, chunk)
        await ask_count(tx, shop_id, kind, count.key, now=until, due_at=now + again)
    return not waits


async def _any_waits(tx: AsyncConnection, shop_id: ShopId, kind: str, now: datetime) -> bool:
    """Whether something of *kind* was announced that is not read yet: that may be all the difference, and a list
    costs more than a second count."""
    for unsettled in _UNSETTLED[kind]:
        if await change_queries.any_marked_until(tx, shop_id, PLATFORM, unsettled, now):
            return True
    return False


async def _agrees_with_list(tx: AsyncConnection, shop_id: ShopId, kind: str, chunk: list[Change]) -> bool:
    """Whether the count after a list was read is that which the list gave, so that no call has to be made."""
    run = await runs.newest(tx, shop_id, kind, _READS[kind]) if chunk[0].key == AFTER else None
    if run is None or not run.complete or run.total is None or run.finished_at is None:
        return False
    if run.since is None:
        counted = Counted(run.total, await variants.count_products(tx, shop_id), run.finished_at)
    else:
        known = await orders.count_orders(tx, shop_id, since=run.since, until=run.started_at)
        counted = Counted(run.total, known, run.started_at, run.since)
    if counted.astray:
        return False
    await changes.done(tx, shop_id, PLATFORM, chunk)
    await keep_count(tx, shop_id, kind, counted)
    return True


async def _judge(
    tx: AsyncConnection,
    shop_id: ShopId,
    kind: str,
    chunk: list[Change],
    counted: Counted,
    *,
    again: timedelta,
) -> int | None:
    """Keep a count, or look again; and read the list where it is sure that the counts differ: by the run that is
    returned."""
    now, key = counted.checked_at, chunk[0].key
    await changes.done(tx, shop_id, PLATFORM, chunk)
    if counted.astray and key == FIRST and (kind == "order" or await _any_waits(tx, shop_id, kind, now)):
        await ask_count(tx, shop_id, kind, SECOND, now=now, due_at=now + again)
        return None
    await keep_count(tx, shop_id, kind, counted)
    if not counted.astray:
        return None
    log.warning("counts_differ", shop_id=str(shop_id), kind=kind, ours=counted.known, theirs=counted.shop_says)
    if key == AFTER:
        return None
    return await start_run(tx, shop_id, kind, _READS[kind], since=counted.since, now=now)
