"""A run through a whole list: the first import, the safety net, the search for deleted products.

A run has no path of its own: it puts its next page into `changes` and counts it. Which page that is says its walk
(`domain/walk_by_time.py` for orders, `domain/walk_by_place.py` for products), which is kept in the run. A page is
counted in the transaction that settles it, so a kill at any point repeats at most the page that was being read,
and the one that was asked for ahead (`engine/read_ahead.py`).

A run always ends. It is complete if every row was read that was there before and after it. If it is not, nothing
takes it for more than it was: the next safety net begins where this one began, and an import is made again.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from upbridge.domain.platform import PLATFORM
from upbridge.domain.purpose import Purpose
from upbridge.domain.shop_id import ShopId
from upbridge.domain.walk_by_place import PlaceWalk
from upbridge.domain.walk_by_time import TimeWalk
from upbridge.engine.flows import PAGES
from upbridge.store import change_queries, changes, runs
from upbridge.store.changes import Origin, PageKey
from upbridge.store.runs import Run, RunPurpose, RunState

AnyWalk = TimeWalk | PlaceWalk

_BUDGET = {
    RunPurpose.IMPORT: Purpose.IMPORT,
    RunPurpose.SAFETY_NET: Purpose.SAFETY,
    RunPurpose.SWEEP: Purpose.SAFETY,
    RunPurpose.COMPLETENESS: Purpose.SAFETY,
}
_ORIGIN = {
    RunPurpose.IMPORT: Origin.IMPORT,
    RunPurpose.SAFETY_NET: Origin.SAFETY_NET,
    RunPurpose.SWEEP: Origin.SAFETY_NET,
    RunPurpose.COMPLETENESS: Origin.SAFETY_NET,
}


_LOST_AFTER = timedelta(minutes=1)
"""A run and its first page are stored together; one that is younger may just be beginning."""


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


def walk_of(run: Run) -> AnyWalk:
    """How far the walk of *run* is."""
    if run.kind == "order":
        begin = TimeWalk.begin("updated" if run.purpose is RunPurpose.SAFETY_NET else "created", run.since)
        return begin if run.walk is None else TimeWalk.model_validate(run.walk)
    return PlaceWalk() if run.walk is None else PlaceWalk.model_validate(run.walk)


async def count_page(
    tx: AsyncConnection,
    run: Run,
    before: AnyWalk,
    after: AnyWalk,
    *,
    found: int = 0,
    total: int | None = None,
    now: datetime,
) -> bool:
    """Count a page that is being settled, and put the next one into `changes`; returns whether the run has ended.

    *before* and *after*: the walk as it asked, and with the answer. If another worker was faster, its step
    counts.
    """
    held = await runs.hold_run(tx, run.id)
    if held is None or held.state is RunState.DONE or walk_of(held) != before:
        return False
    pages = await runs.count_page(
        tx, run.id, walk=after.model_dump(mode="json"), done=after.count, found=found, total=total
    )
    if after.ended:
        return await runs.end_run(tx, run.id, complete=after.complete, now=now)
    await _mark_pages(tx, run.shop_id, run.kind, run.purpose, [PageKey(run.id, pages + 1)], now=now)
    return False


async def give_up_stuck(tx: AsyncConnection, run: Run, *, longer_than: timedelta, now: datetime) -> bool:
    """End a run that is under way for *longer_than*, incomplete, so that the next one can start on time; returns
    whether it did. Its page is not read any more (`readers`)."""
    if run.state is not RunState.RUNNING or run.started_at > now - longer_than:
        return False
    return await runs.end_run(tx, run.id, complete=False, now=now)


async def end_lost(tx: AsyncConnection, *, now: datetime) -> list[Run]:
    """End the runs, of all shops, that no worker goes on with: no page of theirs waits to be read. They are
    incomplete, so the next safety net reaches back as far. Returns them."""
    going = await runs.going_on(tx, started_before=now - _LOST_AFTER)
    reading = await change_queries.runs_with_pages(tx, PLATFORM, list(PAGES.values())) if going else set()
    lost = [run for run in going if run.id not in reading]
    for run in lost:
        await runs.end_run(tx, run.id, complete=False, now=now)
    return lost


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
    # The last page of one may have been read meanwhile: then a page is due that only ends it (`readers`).
    for run in imports:
        if walk_of(run).ended:
            page = PageKey(run.id, (run.pages or 0) + 1)
            await _mark_pages(tx, shop_id, run.kind, run.purpose, [page], now=now)
    return len(imports)


async def _move_pages(tx: AsyncConnection, shop_id: ShopId, imports: Sequence[Run], *, due_at: datetime) -> None:
    ids = [run.id for run in imports]
    await changes.move_pages(tx, shop_id, PLATFORM, list(PAGES.values()), ids, due_at=due_at)


async def forget_pages(tx: AsyncConnection, keys: Sequence[str], *, now: datetime) -> None:
    """Pages of runs that will not be read and are off the list: their runs end without them, so that they can be
    started again."""
    for run_id in sorted({PageKey.parse(key).run_id for key in keys}):
        await runs.end_run(tx, run_id, complete=False, now=now)


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
        PLATFORM,
        PAGES[kind],
        [str(page) for page in pages],
        origin=_ORIGIN[purpose],
        purpose=_BUDGET[purpose],
        now=now,
    )
