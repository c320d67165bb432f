"""A run through a whole list: the first import, the safety net, the search for deleted products.

A run has no path of its own: it puts its pages into `changes` and counts them. Page 1 tells how many there are,
so the others are put there with it; each page is counted in the transaction that settles it. So a kill at any
point repeats at most the page that was being read.

Things may move to an earlier page while a run goes on, if something was deleted: when the total shrinks, the
run goes round once more.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from upbridge.domain.purpose import Purpose
from upbridge.domain.shop_id import ShopId
from upbridge.engine.flows import PAGES
from upbridge.store import changes, runs
from upbridge.store.changes import Origin, PageKey
from upbridge.store.runs import Run, RunPurpose, RunState

SOURCE = "upgates"
_MAX_ROUNDS = 3

_BUDGET = {
    RunPurpose.IMPORT: Purpose.IMPORT,
    RunPurpose.SAFETY_NET: Purpose.SAFETY,
    RunPurpose.SWEEP: Purpose.SAFETY,
}
_ORIGIN = {
    RunPurpose.IMPORT: Origin.IMPORT,
    RunPurpose.SAFETY_NET: Origin.SAFETY_NET,
    RunPurpose.SWEEP: Origin.SAFETY_NET,
}


async def start_run(
    tx: AsyncConnection,
    shop_id: ShopId,
    kind: str,
    purpose: RunPurpose,
    *,
    since: datetime | None,
    now: datetime,
) -> int:
    """Start a run, or join the one that is under way if it covers as much; returns its id."""
    joined = await runs.under_way(tx, shop_id, kind, purpose, since=since)
    if joined is not None:
        return joined
    run_id = await runs.add_run(tx, shop_id, kind, purpose, since=since, now=now)
    await _mark_pages(tx, shop_id, kind, purpose, [PageKey(run_id, 1)], now=now)
    return run_id


async def count_page(
    tx: AsyncConnection,
    run: Run,
    *,
    items: int,
    pages: int,
    total: int,
    found: int,
    now: datetime,
) -> None:
    """Count a page that is being settled, and put the pages that are not asked for yet into `changes`."""
    known = await runs.count_items(tx, run.id, items=items, found=found, total=total, pages=pages)
    fresh = [PageKey(run.id, number) for number in range(known.before + 1, known.after + 1)]
    await _mark_pages(tx, run.shop_id, run.kind, run.purpose, fresh, now=now)


async def finish_if_complete(tx: AsyncConnection, run: Run, *, now: datetime) -> bool:
    """End the run if none of its pages is left, or send it round again; returns whether it ended just now."""
    if await changes.any_page_left(tx, run.shop_id, SOURCE, PAGES[run.kind], run.id):
        return False
    state = await runs.end_round(tx, run.id, most=_MAX_ROUNDS, now=now)
    if state is RunState.RUNNING:
        await _mark_pages(tx, run.shop_id, run.kind, run.purpose, [PageKey(run.id, 1)], now=now)
    return state is RunState.DONE


async def pause_imports(tx: AsyncConnection, shop_id: ShopId) -> int:
    """Let the running first imports rest until `resume_imports`; returns how many. A page that is being read is
    still counted. A worker that finds one of their pages afterwards puts it off (`readers`)."""
    imports = await runs.runs_in(tx, shop_id, RunPurpose.IMPORT, RunState.RUNNING)
    await _move_pages(tx, shop_id, imports, due_at=changes.NEVER)
    await runs.set_state(tx, imports, RunState.PAUSED)
    return len(imports)


async def resume_imports(tx: AsyncConnection, shop_id: ShopId, *, now: datetime) -> int:
    """Go on where the first imports were paused; returns how many were."""
    imports = await runs.runs_in(tx, shop_id, RunPurpose.IMPORT, RunState.PAUSED)
    await _move_pages(tx, shop_id, imports, due_at=now)
    await runs.set_state(tx, imports, RunState.RUNNING)
    for run in imports:  # its last page may have been read meanwhile
        await finish_if_complete(tx, run, now=now)
    return len(imports)


async def _move_pages(tx: AsyncConnection, shop_id: ShopId, imports: Sequence[Run], *, due_at: datetime) -> None:
    ids = [run.id for run in imports]
    await changes.move_pages(tx, shop_id, SOURCE, list(PAGES.values()), ids, due_at=due_at)


async def forget_pages(tx: AsyncConnection, keys: Sequence[str], *, now: datetime) -> None:
    """Pages of runs that will not be read and are off the list: a run that has no other page left ends without
    them, so that it can be started again."""
    for run_id in sorted({PageKey.parse(key).run_id for key in keys}):
        run = await runs.get_run(tx, run_id)
        if run is not None:
            await runs.forget_shrinking(tx, run_id)
            await finish_if_complete(tx, run, now=now)


async def _mark_pages(
    tx: AsyncConnection,
    shop_id: ShopId,
    kind: str,
    purpose: RunPurpose,
    pages: Sequence[PageKey],
    *,
    now: datetime,
) -> None:
    await changes.mark_changed(
        tx,
        shop_id,
        SOURCE,
        PAGES[kind],
        [str(page) for page in pages],
        origin=_ORIGIN[purpose],
        purpose=_BUDGET[purpose],
        now=now,
    )
