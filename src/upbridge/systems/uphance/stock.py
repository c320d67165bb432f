"""Turn Uphance's stock into numbers for the shop: absolute, only what differs, nothing from half a catalogue.

This makes no call: the SKUs were read completely or not at all (`sku_sync`), and the shop's own numbers
are in `variants`. Uphance's number is compared with the one that the shop *shows*, not with the one written last:
if a person edits a number in the shop, the next run corrects it.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from upbridge.core.backoff import pause_after
from upbridge.domain.delivery import Delivered, Document, ProblemKey
from upbridge.domain.lane import Lane
from upbridge.domain.platform import PLATFORM
from upbridge.domain.purpose import Purpose
from upbridge.domain.shop import Shop
from upbridge.domain.shop_id import ShopId
from upbridge.store import (
    change_queries,
    changes,
    cursors,
    document_queries,
    documents,
    sku_matching,
    variant_queries,
    variants,
    warehouses,
)
from upbridge.store.changes import Change, Kind, Origin
from upbridge.store.guards import ask_a_person, let_pass
from upbridge.store.history import StockWrite, record_stock
from upbridge.store.link_queries import by_hand
from upbridge.store.links import mark_by_hand
from upbridge.store.problems import NewProblem, Stage, close_entity, close_resolved, raise_problems
from upbridge.store.runs import first_import_under_way, is_catching_up
from upbridge.systems.base import ReaderContext
from upbridge.systems.connecting import Tools
from upbridge.systems.uphance import reservations
from upbridge.systems.uphance.stock_calculation import (
    GUARD,
    KIND,
    Level,
    QueuedNumber,
    StockComparison,
    StockPlan,
    mark_of,
    needs_a_person,
)

log = structlog.get_logger(__name__)

TARGET = PLATFORM
SEVERAL = "stock.several"
_LONGEST_PAUSE = timedelta(minutes=1)
_EXAMPLES = 10
_PORTION = 2_000

_QUANTITIES = {
    "available_to_sell_from_stock": "available_from_stock",
    "available_to_sell": "available",
    "in_stock": "in_stock",
}


async def read_stock(reading: ReaderContext, chunk: list[Change]) -> None:
    """Compare all matched SKUs with what the shop shows, and queue what differs."""
    shop, tools = reading.shop, reading.tools
    async with tools.engine.begin() as tx:
        await reservations.prune(tx, shop.id)
        if reading.connected is None or not shop.settings.yes("stock.write"):
            await _stop(tx, shop.id)
            await close_entity(tx, shop.id, stage=Stage.PUSH, target=TARGET, kind=KIND, entities=[SEVERAL])
            await changes.done(tx, shop.id, "uphance", chunk)
            return
        if not await _agreed(tx, shop.id, now=tools.clock()):
            await changes.done(tx, shop.id, "uphance", chunk)
            return
        if (why := await _too_early(tx, shop.id, max(one.marked_at for one in chunk))) is not None:
            log.info("stock_waits", shop_id=str(shop.id), reason=why)
            until = tools.clock() + min(pause_after(chunk[0].attempts + 1), _LONGEST_PAUSE)
            await changes.postpone(tx, shop.id, "uphance", chunk, until=until)
            return
        planned = await _plan(tx, shop, await _waiting(tx, shop.id), run=tools.clock())
        held = await _queue(tools, tx, shop, planned)
        await _report_unmatched(tx, shop.id, now=tools.clock())
        await changes.done(tx, shop.id, "uphance", chunk)
    tally = planned.tally
    log.info(
        "stock_compared",
        shop_id=str(shop.id),
        matched=tally.matched,
        differing=len(planned.put),
        fresh=tally.changed,
        held=held,
    )
    if planned.put:
        await reading.wake(Lane.push(shop.id, TARGET))


async def foresee(tx: AsyncConnection, shop: Shop, *, now: datetime) -> tuple[StockPlan, bool]:
    """What a run would do with the shop's settings, and whether the numbers may still be wrong. Writes nothing."""
    planned = await _plan(tx, shop, {}, run=now)
    return planned, not await _may_begin(tx, shop.id, now)


async def write_now(tx: AsyncConnection, tools: Tools, shop: Shop, *, now: datetime) -> None:
    """Queue what differs; a person has seen it, so no guard judges it."""
    planned = await _plan(tx, shop, await _waiting(tx, shop.id), run=now)
    await documents.put(tx, tools.cipher, shop.id, TARGET, planned.put, priority=int(Purpose.STOCK), now=now)
    await let_pass(tx, shop.id, TARGET, KIND, GUARD, now=now, keys=[one.key for one in planned.put])


async def wrote(
    tx: AsyncConnection,
    shop_id: ShopId,
    delivered: Sequence[tuple[Document, Delivered]],
    *,
    now: datetime,
) -> None:
    """The shop shows what was written: remember it, so that the webhook which this causes is no news.

    What the answer did not confirm is read again instead.
    """
    stock = [(document, outcome) for document, outcome in delivered if document.kind == KIND]
    if not stock:
        return
    bodies = {one.key: json.loads(one.body) for one, outcome in stock if outcome.confirmed}
    shown = {key: body["written"] for key, body in bodies.items()}
    await sku_matching.lock_matching(tx, shop_id)
    await variants.show_stock(tx, shop_id, dict(sorted(shown.items())))
    await _tell(tx, shop_id, bodies, now=now)
    taken_back = {key: body for key, body in bodies.items() if "undone" in body}
    await decline(
        tx, shop_id, {key: (one["code"], Decimal(one["undone"])) for key, one in taken_back.items()}, now=now
    )
    unsure = [one.key for one, outcome in stock if not outcome.confirmed]
    again = [str(product) for product in await variants.products_of(tx, shop_id, unsure)]
    await changes.mark_changed(tx, shop_id, PLATFORM, Kind.PRODUCT, again, origin=Origin.SCHEDULE, now=now)


async def decline(
    tx: AsyncConnection, shop_id: ShopId, numbers: Mapping[str, tuple[str, Decimal]], *, now: datetime
) -> None:
    """Do not write these numbers (by key: code and number) until Uphance has others."""
    handled = [(KIND, key, key, mark_of(code, number)) for key, (code, number) in sorted(numbers.items())]
    await mark_by_hand(tx, shop_id, TARGET, handled, now=now)


async def _tell(
    tx: AsyncConnection, shop_id: ShopId, bodies: Mapping[str, Mapping[str, Any]], *, now: datetime
) -> None:
    """Write into the shop's history which numbers were written by which run."""
    runs: dict[str, list[StockWrite]] = {}
    for key, body in bodies.items():
        if run := body.get("run"):  # what an older version has put into the outbox names none
            write = StockWrite(key, body["code"], Decimal(body["shown"]), Decimal(body["written"]))
            runs.setdefault(run, []).append(write)
    for run, written in sorted(runs.items()):
        await record_stock(tx, shop_id, datetime.fromisoformat(run), written, now=now)


# --- the parts of a look at the stock -----------------------------------------------------------------------


async def _agreed(tx: AsyncConnection, shop_id: ShopId, *, now: datetime) -> bool:
    """Whether the main stock may be written. A shop with several warehouses is asked once: what the number means
    there is known to the shop's staff alone."""
    several = await warehouses.known(tx, shop_id, TARGET)
    if len(several) > 1 and await cursors.get(tx, shop_id, TARGET, SEVERAL) is None:
        await _stop(tx, shop_id)
        params = {"number": len(several), "names": ", ".join(several[:_EXAMPLES])}
        problem = NewProblem(
            stage=Stage.PUSH,
            key="stock.several",
            target=TARGET,
            kind=KIND,
            entity=SEVERAL,
            parent=SEVERAL,
            params=params,
        )
        await raise_problems(tx, shop_id, [problem], now=now)
        return False
    await close_entity(tx, shop_id, stage=Stage.PUSH, target=TARGET, kind=KIND, entities=[SEVERAL])
    return True


async def _may_begin(tx: AsyncConnection, shop_id: ShopId, now: datetime) -> bool:
    """Whether numbers that are computed now are right."""
    several = len(await warehouses.known(tx, shop_id, TARGET)) > 1
    agreed = not several or await cursors.get(tx, shop_id, TARGET, SEVERAL) is not None
    return agreed and await _too_early(tx, shop_id, now) is None


async def _too_early(tx: AsyncConnection, shop_id: ShopId, asked: datetime) -> str | None:
    """Why no number can be right yet: the orders that are not read yet have sold pieces that are not counted."""
    if await change_queries.any_marked_until(tx, shop_id, TARGET, Kind.ORDER, asked):
        return "orders have to be read first"
    if await is_catching_up(tx, shop_id, TARGET):
        return "what a restored database has forgotten is read first"
    return "the first import is under way" if await first_import_under_way(tx, shop_id) else None


async def _plan(
    tx: AsyncConnection, shop: Shop, waiting: Mapping[str, QueuedNumber], *, run: datetime
) -> StockPlan:
    shop_settings = shop.settings
    quantity = _QUANTITIES[shop_settings.get("stock.quantity")]
    comparison = StockComparison(
        pieces=await reservations.open_pieces(
            tx, shop.id, drafts_reserve=shop_settings.yes("stock.drafts_reserve")
        ),
        safety=shop_settings.number("stock.safety") or 0,
        waiting=waiting,
        declined=await by_hand(tx, shop.id, TARGET, KIND),
        run=run.isoformat(),
    )
    after = ""
    while portion := await sku_matching.stocked_after(tx, shop.id, quantity, after, limit=_PORTION):
        for stocked in portion:
            comparison.see(Level(*stocked))
        after = portion[-1][0]
    return comparison.plan()


async def _waiting(tx: AsyncConnection, shop_id: ShopId) -> dict[str, QueuedNumber]:
    held = await document_queries.hold_kind(tx, shop_id, TARGET, KIND)
    return {key: QueuedNumber(one.hash, one.state, one.reason) for key, one in held.items()}


async def _queue(tools: Tools, tx: AsyncConnection, shop: Shop, planned: StockPlan) -> bool:
    """Put the outbox right; returns whether a person has to look at it first."""
    percent = shop.settings.number("stock.guard_percent") or 0
    held = needs_a_person(planned.tally, percent)
    await documents.put(
        tx,
        tools.cipher,
        shop.id,
        TARGET,
        planned.put,
        priority=int(Purpose.STOCK),
        now=tools.clock(),
    )
    gone = sorted(planned.withdraw)
    await documents.withdraw(tx, shop.id, TARGET, [(KIND, key) for key in gone])
    await close_entity(tx, shop.id, stage=Stage.PUSH, target=TARGET, kind=KIND, entities=gone)
    fresh = sorted(planned.fresh)
    if held:
        await documents.hold_back(tx, shop.id, TARGET, KIND, fresh, guard=GUARD, now=tools.clock())
        tally = planned.tally
        params = {"changed": tally.changed, "zeroed": tally.zeroed, "matched": tally.matched, "percent": percent}
        await ask_a_person(tx, shop.id, TARGET, KIND, key="stock.guard", params=params, now=tools.clock())
    else:
        await let_pass(tx, shop.id, TARGET, KIND, GUARD, now=tools.clock(), keys=fresh)
    return held


async def _stop(tx: AsyncConnection, shop_id: ShopId) -> None:
    """Nothing is to be written (any more)."""
    keys = [key for key, one in (await _waiting(tx, shop_id)).items() if not one.takes_back]
    await documents.withdraw(tx, shop_id, TARGET, [(KIND, key) for key in keys])
    await close_entity(tx, shop_id, stage=Stage.PUSH, target=TARGET, kind=KIND, entities=[*keys, GUARD])
    await close_resolved(tx, shop_id, stages=[Stage.MAP], target=TARGET, parents=[KIND])


async def _report_unmatched(tx: AsyncConnection, shop_id: ShopId, *, now: datetime) -> None:
    """One problem for all variants that can never be written: no code, or several possible SKUs."""
    problems = [
        _unmatched(
            _Unmatched.AMBIGUOUS if found.ambiguous else _Unmatched.NO_CODE,
            {"number": found.number, "names": ", ".join(found.names)},
        )
        for found in await variant_queries.unwritable(tx, shop_id, examples=_EXAMPLES)
    ]
    await close_resolved(tx, shop_id, stages=[Stage.MAP], target=TARGET, parents=[KIND], still=problems)
    await raise_problems(tx, shop_id, problems, now=now)


class _Unmatched(ProblemKey):
    """Why the stock of some variants can never be written."""

    AMBIGUOUS = "stock.ambiguous"
    NO_CODE = "stock.no_code"


def _unmatched(key: _Unmatched, params: Mapping[str, Any]) -> NewProblem:
    return NewProblem(stage=Stage.MAP, key=key, target=TARGET, kind=KIND, entity=key, parent=KIND, params=params)
