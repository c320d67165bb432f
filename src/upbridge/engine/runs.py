"""A run through a whole list: the first import, the safety net, the search for deleted products.

A run has no path of its own: it puts its pages into `changes` and counts them. Page 1 tells how many there are,
so the others are put there with it; each page is counted in the transaction that settles it. So a kill at any
point repeats at most the page that was being read.

Things may move to an earlier page while a run goes on, if something was deleted: when the total shrinks, the
run goes round once more.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from upbridge.domain.purpose import Purpose
from upbridge.domain.shop_id import ShopId
from upbridge.engine.flows import PAGES
from upbridge.store.changes import NEVER, Kind, Origin, mark_changed

_MAX_ROUNDS = 3


class RunPurpose(StrEnum):
    """Why a list is read."""

    IMPORT = "import"
    SAFETY_NET = "safety_net"
    SWEEP = "sweep"
    """The numbers of products differ: look which of ours are gone."""


class RunState(StrEnum):
    """How far a run is."""

    RUNNING = "running"
    PAUSED = "paused"
    """The first import alone: somebody in the shop wants no calls for it now."""
    DONE = "done"


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


@dataclass(frozen=True, slots=True)
class Run:
    """A row of `runs`. *since*: only what changed (safety net) or was created (orders) from then on."""

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
    rounds: int
    shrunk: bool
    started_at: datetime
    finished_at: datetime | None


_COLUMNS = (
    "id, shop_id, kind, purpose, state, since, total, pages, done, found, rounds, shrunk, started_at, finished_at"
)


def _run(row: RowMapping) -> Run:
    return Run(
        **{
            **row,
            "shop_id": ShopId(row["shop_id"]),
            "purpose": RunPurpose(row["purpose"]),
            "state": RunState(row["state"]),
        }
    )


def page_key(run_id: int, page: int) -> str:
    """The key of a page among the changes."""
    return f"{run_id}:{page}"


def read_page_key(key: str) -> tuple[int, int]:
    """Run and page of a change's key."""
    run, _, page = key.partition(":")
    return int(run), int(page)


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
    under_way = (
        await tx.execute(
            text(
                """
                SELECT id FROM runs WHERE shop_id = :shop_id AND kind = :kind AND purpose = :purpose
                  AND state <> 'done' AND (since IS NULL OR since <= :since)
                ORDER BY id DESC LIMIT 1 FOR UPDATE
                """
            ),
            {"shop_id": shop_id, "kind": kind, "purpose": purpose, "since": since},
        )
    ).first()
    if under_way is not None:
        return int(under_way.id)
    run_id = await tx.scalar(
        text(
            """
            INSERT INTO runs (shop_id, kind, purpose, state, since, started_at)
            VALUES (:shop_id, :kind, :purpose, 'running', :since, :now) RETURNING id
            """
        ),
        {"shop_id": shop_id, "kind": kind, "purpose": purpose, "since": since, "now": now},
    )
    await _hint_pages(tx, shop_id, kind, purpose, [page_key(int(run_id or 0), 1)], now=now)
    return int(run_id or 0)


async def get_run(tx: AsyncConnection, run_id: int) -> Run | None:
    """The run, or None if it was pruned."""
    rows = await tx.execute(text(f"SELECT {_COLUMNS} FROM runs WHERE id = :id"), {"id": run_id})  # noqa: S608
    row = rows.mappings().first()
    return None if row is None else _run(row)


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
    row = (
        await tx.execute(
            text(
                """
                UPDATE runs SET done = done + :items, found = found + :found,
                  shrunk = shrunk OR COALESCE(total, 0) > :total,
                  total = :total, pages = GREATEST(COALESCE(pages, 1), :pages)
                WHERE id = :id RETURNING pages, (SELECT COALESCE(pages, 1) FROM runs WHERE id = :id) AS before
                """
            ),
            {"id": run.id, "items": items, "found": found, "total": total, "pages": pages},
        )
    ).one()
    fresh = [page_key(run.id, number) for number in range(row.before + 1, row.pages + 1)]
    await _hint_pages(tx, run.shop_id, run.kind, run.purpose, fresh, now=now)


async def finish_if_complete(tx: AsyncConnection, run: Run, *, now: datetime) -> bool:
    """End the run if none of its pages is left, or send it round again; returns whether it ended just now."""
    left = await tx.scalar(
        text(
            "SELECT EXISTS (SELECT FROM changes WHERE shop_id = :shop_id AND source = 'upgates'"
            " AND kind = :kind AND key LIKE :prefix)"
        ),
        {"shop_id": run.shop_id, "kind": PAGES[run.kind], "prefix": f"{run.id}:%"},
    )
    if left:
        return False
    row = (
        await tx.execute(
            text(
                """
                UPDATE runs SET
                  state = CASE WHEN shrunk AND rounds < :rounds THEN 'running' ELSE 'done' END,
                  finished_at = CASE WHEN shrunk AND rounds < :rounds THEN NULL ELSE CAST(:now AS timestamptz) END,
                  rounds = CASE WHEN shrunk THEN rounds + 1 ELSE rounds END,
                  done = CASE WHEN shrunk AND rounds < :rounds THEN 0 ELSE done END,
                  pages = CASE WHEN shrunk AND rounds < :rounds THEN NULL ELSE pages END,
                  shrunk = false
                WHERE id = :id AND state = 'running' RETURNING state
                """
            ),
            {"id": run.id, "now": now, "rounds": _MAX_ROUNDS},
        )
    ).first()
    if row is not None and row.state == RunState.RUNNING:
        await _hint_pages(tx, run.shop_id, run.kind, run.purpose, [page_key(run.id, 1)], now=now)
    return row is not None and row.state == RunState.DONE


async def pause_imports(tx: AsyncConnection, shop_id: ShopId) -> int:
    """Let the running first imports rest until `resume_imports`; returns how many. A page that is being read is
    still counted. Whoever finds a page of theirs afterwards puts it off (`readers`)."""
    runs = await _imports(tx, shop_id, RunState.RUNNING)
    await _move_pages(tx, shop_id, runs, due_at=NEVER)
    await _set_state(tx, runs, RunState.PAUSED)
    return len(runs)


async def resume_imports(tx: AsyncConnection, shop_id: ShopId, *, now: datetime) -> int:
    """Go on where the first imports were paused; returns how many were."""
    runs = await _imports(tx, shop_id, RunState.PAUSED)
    await _move_pages(tx, shop_id, runs, due_at=now)
    await _set_state(tx, runs, RunState.RUNNING)
    for run in runs:  # its last page may have been read meanwhile
        await finish_if_complete(tx, run, now=now)
    return len(runs)


async def _imports(tx: AsyncConnection, shop_id: ShopId, state: RunState) -> list[Run]:
    rows = await tx.execute(
        text(
            f"SELECT {_COLUMNS} FROM runs WHERE shop_id = :shop_id AND purpose = :purpose"  # noqa: S608
            " AND state = :state ORDER BY id"
        ),
        {"shop_id": shop_id, "purpose": RunPurpose.IMPORT, "state": state},
    )
    return [_run(row) for row in rows.mappings()]


async def _move_pages(tx: AsyncConnection, shop_id: ShopId, runs: Sequence[Run], *, due_at: datetime) -> None:
    """When the pages of *runs* are due. Locks in key order, as everybody does who writes changes."""
    await tx.execute(
        text(
            """
            WITH locked AS (
              SELECT kind, key FROM changes
              WHERE shop_id = :shop_id AND source = 'upgates' AND kind = ANY(:kinds)
                AND split_part(key, ':', 1) = ANY(:runs)
              ORDER BY kind, key FOR UPDATE
            )
            UPDATE changes c SET due_at = :due_at, attempts = 0 FROM locked l
            WHERE c.shop_id = :shop_id AND c.source = 'upgates' AND c.kind = l.kind AND c.key = l.key
            """
        ),
        {
            "shop_id": shop_id,
            "kinds": [str(kind) for kind in PAGES.values()],
            "runs": [str(run.id) for run in runs],
            "due_at": due_at,
        },
    )


async def _set_state(tx: AsyncConnection, runs: Sequence[Run], state: RunState) -> None:
    await tx.execute(
        text("UPDATE runs SET state = :state WHERE id = ANY(:ids) AND state <> 'done'"),
        {"state": state, "ids": [run.id for run in runs]},
    )


async def forget_pages(tx: AsyncConnection, keys: Sequence[str], *, now: datetime) -> None:
    """Pages of runs that will not be read and are off the list: a run that has no other page left ends without
    them, so that it can be started again."""
    for run_id in sorted({read_page_key(key)[0] for key in keys}):
        run = await get_run(tx, run_id)
        if run is not None:
            await tx.execute(text("UPDATE runs SET shrunk = false WHERE id = :id"), {"id": run_id})
            await finish_if_complete(tx, run, now=now)


async def latest_runs(engine: AsyncEngine, shop_id: ShopId, purpose: RunPurpose) -> dict[str, Run]:
    """The newest run of each kind."""
    async with engine.connect() as tx:
        rows = await tx.execute(
            text(
                f"SELECT DISTINCT ON (kind) {_COLUMNS} FROM runs"  # noqa: S608
                " WHERE shop_id = :shop_id AND purpose = :purpose ORDER BY kind, id DESC"
            ),
            {"shop_id": shop_id, "purpose": purpose},
        )
        return {row["kind"]: _run(row) for row in rows.mappings()}


async def _hint_pages(
    tx: AsyncConnection, shop_id: ShopId, kind: str, purpose: str, keys: Sequence[str], *, now: datetime
) -> None:
    await mark_changed(
        tx,
        shop_id,
        "upgates",
        Kind(PAGES[kind]),
        keys,
        origin=_ORIGIN[RunPurpose(purpose)],
        purpose=_BUDGET[RunPurpose(purpose)],
        now=now,
    )
