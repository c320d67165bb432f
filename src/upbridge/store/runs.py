"""Runs through a whole list, and how far each is. The rules of a run stand in `engine/runs.py`."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    Row,
    Select,
    and_,
    any_,
    bindparam,
    delete,
    exists,
    func,
    insert,
    literal_column,
    null,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from upbridge.domain.shop_id import ShopId
from upbridge.store import cursors
from upbridge.store.changes import next_seq
from upbridge.store.schema import runs as table
from upbridge.store.session import reading
from upbridge.store.sql import SHOPS, one_of


class RunPurpose(StrEnum):
    """Why a list is read."""

    IMPORT = "import"
    SAFETY_NET = "safety_net"
    SWEEP = "sweep"
    """The numbers of products differ: look which of ours are gone."""
    COMPLETENESS = "completeness"
    """The numbers of orders differ: look which we do not know, and which of ours are gone."""


class RunState(StrEnum):
    """How far a run is."""

    RUNNING = "running"
    PAUSED = "paused"
    """The first import alone: a person in the shop wants no calls for it now."""
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Run:
    """A row of `runs`. *since*: only what changed (safety net) or was created (orders) from then on; *pages*: how
    many were asked for."""

    id: int
    shop_id: ShopId
    kind: str
    purpose: RunPurpose
    state: RunState
    since: datetime | None
    total: int | None
    pages: int | None
    done: int
    found: int
    walk: dict[str, Any] | None
    """How far the walk through the list is (`domain/walk.py`); None before its first page."""
    complete: bool
    """Of a run that has ended: whether it left nothing out."""
    started_at: datetime
    finished_at: datetime | None


def _run(row: Row[Any]) -> Run:
    return Run(
        id=row.id,
        shop_id=ShopId(row.shop_id),
        kind=row.kind,
        purpose=RunPurpose(row.purpose),
        state=RunState(row.state),
        since=row.since,
        total=row.total,
        pages=row.pages,
        done=row.done,
        found=row.found,
        walk=row.walk,
        complete=row.complete,
        started_at=row.started_at,
        finished_at=row.finished_at,
    )


# --- reading ------------------------------------------------------------------------------------------------


async def get_run(tx: AsyncConnection, run_id: int) -> Run | None:
    """The run, or None if it was pruned."""
    row = (await tx.execute(_GET, {"run": run_id})).first()
    return None if row is None else _run(row)


async def hold_run(tx: AsyncConnection, run_id: int) -> Run | None:
    """The run, locked until the transaction ends, or None if it was pruned."""
    row = (await tx.execute(_HOLD, {"run": run_id})).first()
    return None if row is None else _run(row)


_GET = select(table).where(table.c.id == bindparam("run"))
_HOLD = _GET.with_for_update()


async def newest(tx: AsyncConnection, shop_id: ShopId, kind: str, purpose: RunPurpose) -> Run | None:
    """The shop's newest run of *purpose* through the list of *kind*."""
    query = (
        select(table)
        .where(table.c.shop_id == shop_id, table.c.kind == kind, table.c.purpose == purpose)
        .order_by(table.c.id.desc())
        .limit(1)
    )
    row = (await tx.execute(query)).first()
    return None if row is None else _run(row)


async def incomplete(tx: AsyncConnection, shop_id: ShopId) -> list[Run]:
    """The newest runs of each purpose and kind, as far as they have ended and left something out."""
    query = (
        select(table)
        .ext(distinct_on(table.c.kind, table.c.purpose))
        .where(table.c.shop_id == shop_id)
        .order_by(table.c.kind, table.c.purpose, table.c.id.desc())
    )
    found = [_run(row) for row in await tx.execute(query)]
    return [run for run in found if run.state is RunState.DONE and not run.complete]


async def runs_in(tx: AsyncConnection, shop_id: ShopId, purpose: RunPurpose, state: RunState) -> list[Run]:
    """The shop's runs of *purpose* that are in *state*, oldest first."""
    query = select(table).where(table.c.shop_id == shop_id, table.c.purpose == purpose, table.c.state == state)
    return [_run(row) for row in await tx.execute(query.order_by(table.c.id))]


async def latest_runs(engine: AsyncEngine, shop_id: ShopId, purpose: RunPurpose) -> dict[str, Run]:
    """The newest run of each kind."""
    query = (
        select(table)
        .ext(distinct_on(table.c.kind))
        .where(table.c.shop_id == shop_id, table.c.purpose == purpose)
        .order_by(table.c.kind, table.c.id.desc())
    )
    async with reading(engine) as tx:
        return {row.kind: _run(row) for row in await tx.execute(query)}


async def going_on(tx: AsyncConnection, *, started_before: datetime) -> list[Run]:
    """The runs of all shops that are under way since before that moment, locked unless another transaction holds
    them."""
    query = select(table).where(table.c.state == RunState.RUNNING, table.c.started_at < started_before)
    return [_run(row) for row in await tx.execute(query.order_by(table.c.id).with_for_update(skip_locked=True))]


def _newest() -> Select[Any]:
    kept = (table.c.shop_id, table.c.kind, table.c.purpose)
    ended = table.c.state == RunState.DONE
    purposes = [str(RunPurpose.IMPORT), str(RunPurpose.SAFETY_NET)]
    return (
        select(table)
        .ext(distinct_on(*kept, ended))
        .where(table.c.shop_id == any_(SHOPS), one_of(table.c.purpose, purposes))
        .order_by(*kept, ended, table.c.id.desc())
    )


#: Of the first imports and safety nets of `SHOPS`, by shop, kind and purpose: the newest that has ended, and the
#: newest that has not.
NEWEST = _newest()


def newest_of_each(rows: Iterable[Any]) -> tuple[list[Run], list[Run]]:
    """Rows of `NEWEST`: the newest run of each, and of the newest that have ended those that may have left
    something out."""
    newest: dict[tuple[ShopId, str, str], Run] = {}
    unproven: list[Run] = []
    for run in map(_run, rows):
        place = run.shop_id, run.kind, run.purpose
        if place not in newest or newest[place].id < run.id:
            newest[place] = run
        if run.state is RunState.DONE and not run.complete:
            unproven.append(run)
    return list(newest.values()), unproven


async def most_imported(tx: AsyncConnection, shop_id: ShopId) -> dict[str, int]:
    """The most that a finished import of each kind has read."""
    query = (
        select(table.c.kind, func.max(table.c.total).label("most"))
        .where(table.c.shop_id == shop_id, table.c.purpose == RunPurpose.IMPORT, table.c.state == RunState.DONE)
        .group_by(table.c.kind)
    )
    return {row.kind: row.most or 0 for row in await tx.execute(query)}


@dataclass(frozen=True, slots=True)
class Reach:
    """How far back the imports of a kind have read: None if there was none that reached back to a moment.
    *unfinished*: one still goes on, or is paused."""

    since: datetime | None
    unfinished: bool


async def reach_of_imports(tx: AsyncConnection, shop_id: ShopId, kind: str) -> Reach:
    """How far back the shop's list of *kind* was read by imports."""
    query = select(
        func.min(table.c.since).label("since"),
        func.coalesce(func.bool_or(table.c.state != RunState.DONE), literal_column("false")).label("unfinished"),
    ).where(table.c.shop_id == shop_id, table.c.kind == kind, table.c.purpose == RunPurpose.IMPORT)
    row = (await tx.execute(query)).one()
    return Reach(row.since, bool(row.unfinished))


async def under_way(
    tx: AsyncConnection, shop_id: ShopId, kind: str, purpose: RunPurpose, *, since: datetime | None
) -> int | None:
    """The newest run that has not ended and covers as much as one from *since* on, locked until the transaction
    ends; None if there is none."""
    everything = table.c.since.is_(None)
    covers = everything if since is None else or_(everything, table.c.since <= since)
    query = (
        select(table.c.id)
        .where(
            table.c.shop_id == shop_id,
            table.c.kind == kind,
            table.c.purpose == purpose,
            table.c.state != RunState.DONE,
            covers,
        )
        .order_by(table.c.id.desc())
        .limit(1)
        .with_for_update()
    )
    run_id: int | None = await tx.scalar(query)
    return run_id


async def was_read(tx: AsyncConnection, shop_id: ShopId, kind: str) -> bool:
    """Whether a run through the shop's list of *kind* was ever started."""
    query = select(exists().where(table.c.shop_id == shop_id, table.c.kind == kind))
    return bool(await tx.scalar(query))


async def first_import_under_way(tx: AsyncConnection, shop_id: ShopId) -> bool:
    """Whether a list is being imported of which no import has ended yet."""
    ended = table.alias("ended")
    query = select(
        exists().where(
            table.c.shop_id == shop_id,
            table.c.purpose == RunPurpose.IMPORT,
            table.c.state != RunState.DONE,
            ~exists().where(
                ended.c.shop_id == table.c.shop_id,
                ended.c.kind == table.c.kind,
                ended.c.purpose == table.c.purpose,
                ended.c.state == RunState.DONE,
            ),
        )
    )
    return bool(await tx.scalar(query))


#: The cursor that names, for each system of a shop, the run which reads the orders that were forgotten.
_CATCHING_UP = "catching_up"
#: The cursor with the number of the last document that was queued before.
_OUT_OF_DATE = "out_of_date"
_HELD = timedelta(hours=1)
"""A shop that does not answer for so long holds nothing back any more."""


async def is_catching_up(tx: AsyncConnection, shop_id: ShopId, system: str) -> bool:
    """Whether the orders that a restored database has forgotten are not read yet."""
    named = await cursors.get(tx, shop_id, system, _CATCHING_UP)
    query = select(exists().where(table.c.id == int(named or 0), table.c.state != RunState.DONE))
    return named is not None and bool(await tx.scalar(query))


async def out_of_date_up_to(tx: AsyncConnection, shop_id: ShopId, system: str, *, now: datetime) -> int:
    """The number of the last document that may say what is not so any more: it was queued before the database was
    put back, and until the orders are read, for an hour at most, the shop may have cancelled it. 0 if none may."""
    told = await cursors.named(tx, [shop_id], system, (_OUT_OF_DATE, cursors.PUT_BACK_AT))
    number, put_back_at = (told.get((shop_id, name)) for name in (_OUT_OF_DATE, cursors.PUT_BACK_AT))
    if number is None or put_back_at is None or now - datetime.fromisoformat(put_back_at) > _HELD:
        return 0
    return int(number) if await is_catching_up(tx, shop_id, system) else 0


async def catch_up(
    tx: AsyncConnection, shop_id: ShopId, systems: Collection[str], run_id: int, *, now: datetime
) -> None:
    """The run reads what was forgotten of orders, and *systems* may have more than is known."""
    number = await tx.scalar(select(next_seq()))
    for system in systems:
        await cursors.put(tx, shop_id, system, cursors.PUT_BACK_AT, now.isoformat())
        await cursors.put(tx, shop_id, system, _CATCHING_UP, str(run_id))
        await cursors.put(tx, shop_id, system, _OUT_OF_DATE, str(number))


async def has_to_catch_up(tx: AsyncConnection, shop_id: ShopId, system: str) -> bool:
    """Whether what *system* has was not looked at since the database was put back."""
    return await cursors.get(tx, shop_id, system, _CATCHING_UP) is not None


async def has_caught_up(tx: AsyncConnection, shop_id: ShopId, system: str) -> None:
    """What *system* has was looked at."""
    await cursors.forget(tx, shop_id, system, _CATCHING_UP)


async def found_since(tx: AsyncConnection, shop_id: ShopId | None, since: datetime) -> int:
    """How many unannounced changes the runs have found that were started from *since* on: of one shop, or of all.

    What the first import of a kind found was not to be announced yet.
    """
    before = table.alias("before")
    again = exists().where(
        before.c.shop_id == table.c.shop_id,
        before.c.kind == table.c.kind,
        before.c.purpose == RunPurpose.IMPORT,
        before.c.id < table.c.id,
    )
    query = select(func.coalesce(func.sum(table.c.found), 0)).where(
        table.c.started_at >= since, or_(table.c.purpose != RunPurpose.IMPORT, again)
    )
    if shop_id is not None:
        query = query.where(table.c.shop_id == shop_id)
    return int(await tx.scalar(query) or 0)


async def is_unfinished(tx: AsyncConnection, shop_id: ShopId, kind: str, purpose: RunPurpose) -> bool:
    """Whether a run of *purpose* through the shop's list of *kind* has not ended; one that is paused has not."""
    mine = and_(table.c.shop_id == shop_id, table.c.kind == kind, table.c.purpose == purpose)
    return bool(await tx.scalar(select(exists().where(mine, table.c.state != RunState.DONE))))


async def is_running(tx: AsyncConnection, shop_id: ShopId, purpose: RunPurpose) -> bool:
    """Whether a run of *purpose* is under way in the shop."""
    query = select(
        exists().where(table.c.shop_id == shop_id, table.c.purpose == purpose, table.c.state == RunState.RUNNING)
    )
    return bool(await tx.scalar(query))


# --- writing ------------------------------------------------------------------------------------------------


async def add_run(
    tx: AsyncConnection,
    shop_id: ShopId,
    kind: str,
    purpose: RunPurpose,
    *,
    since: datetime | None,
    now: datetime,
) -> int:
    """A new run, under way from *now* on; returns its id."""
    values = {
        "shop_id": shop_id,
        "kind": kind,
        "purpose": purpose,
        "state": RunState.RUNNING,
        "since": since,
        "started_at": now,
    }
    run_id: int = (await tx.execute(insert(table).values(values).returning(table.c.id))).scalar_one()
    return run_id


async def count_page(
    tx: AsyncConnection, run_id: int, *, walk: dict[str, Any], done: int, found: int = 0, total: int | None = None
) -> int:
    """A page of a run was asked for: how far its walk is now, how much of the list that is, and what it *found*;
    returns how many pages were asked for by now. *total*: how long the list is, if a page came."""
    query = (
        update(table)
        .where(table.c.id == run_id)
        .values(
            walk=walk,
            done=done,
            found=table.c.found + found,
            total=table.c.total if total is None else total,
            pages=func.coalesce(table.c.pages, 0) + 1,
        )
        .returning(table.c.pages)
    )
    pages: int = (await tx.execute(query)).scalar_one()
    return pages


async def end_run(tx: AsyncConnection, run_id: int, *, complete: bool, now: datetime) -> bool:
    """End a run that is under way; returns whether it was. Of one that is *complete* the walk is forgotten."""
    ended = update(table).where(table.c.id == run_id, table.c.state == RunState.RUNNING)
    walk = null() if complete else table.c.walk
    values = {"state": RunState.DONE, "complete": complete, "finished_at": now, "walk": walk}
    return (await tx.execute(ended.values(values))).rowcount > 0


async def set_state(tx: AsyncConnection, runs: Sequence[Run], state: RunState) -> None:
    """Pause *runs*, or let them go on; one that has ended stays ended."""
    await tx.execute(
        update(table)
        .where(one_of(table.c.id, [run.id for run in runs]), table.c.state != RunState.DONE)
        .values(state=state)
    )


async def drop_runs(tx: AsyncConnection, shop_id: ShopId, purpose: RunPurpose, kinds: Collection[str]) -> None:
    """Forget the runs of *purpose* through the lists of *kinds* that have not ended, because another one begins: a
    run that was not read to its end never counts as one that was."""
    unfinished = (table.c.shop_id == shop_id, table.c.purpose == purpose, table.c.state != RunState.DONE)
    await tx.execute(delete(table).where(*unfinished, one_of(table.c.kind, kinds)))
