"""`--wait`: show the progress of a shop's work until everything is delivered or parked."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from sqlalchemy.ext.asyncio import AsyncEngine

from upbridge.cli.common import err
from upbridge.core.errors import Conflict
from upbridge.domain.shop import Shop, ShopState
from upbridge.engine.puller import MAX_ATTEMPTS
from upbridge.store import job_library
from upbridge.store.change_queries import count_waiting
from upbridge.store.document_queries import count_open
from upbridge.store.runs import RunPurpose, RunState, latest_runs
from upbridge.store.shops import Shops

PLURAL = {"product": "products", "order": "orders"}
_POLL_SECONDS = 0.5
_NO_WORKER = "no worker is running, so nothing will happen: start one with `upbridge worker`"


async def waiting(engine: AsyncEngine, shop: Shop, *, tries: int | None = None) -> int:
    """Changes that wait to be read and documents that wait to be delivered.

    Not what waits for a person: parked documents, and pages of an import that was paused. *tries*: no changes that
    have failed as often.
    """
    async with engine.connect() as tx:
        return await count_waiting(tx, shop.id, tries=tries) + await count_open(tx, shop.id)


async def wait_for(
    engine: AsyncEngine,
    shops: Shops,
    shop: Shop,
    purpose: RunPurpose,
    verb: str,
    *,
    look: Callable[[], Awaitable[None]] | None = None,
) -> None:
    """Return when the runs of *purpose* have ended and nothing of *shop* waits any more but what the shop cannot
    give, which a problem names by then. *look* is called from time to time, and when all is done.

    Says on standard error when no worker runs. Raises `Conflict` where the shop is stopped or a run is paused.
    """
    with Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=err,
        disable=not err.is_terminal,
    ) as progress:
        bars: dict[str, TaskID] = {}

        def show(name: str, words: str, done: int, total: int | None) -> None:
            if name not in bars:
                bars[name] = progress.add_task(words, total=None)
            progress.update(bars[name], total=total, completed=done)

        quiet_since: float | None = None
        told = False
        while True:
            await _go_on(shops, shop)
            if not told and not await _works(engine):
                told = True
                err.print(_NO_WORKER)
            runs = await latest_runs(engine, shop.id, purpose)
            for kind, run in runs.items():
                show(kind, f"{verb} {PLURAL[kind]}", run.done, run.total)
                if run.state is RunState.PAUSED:
                    raise Conflict(
                        f"the import of {shop.key} was paused: `upbridge shops import {shop.key}` goes on"
                    )
            left = await waiting(engine, shop, tries=MAX_ATTEMPTS)
            if look is not None:
                await look()
            show("waiting", "still waiting", left, None)
            # Between a change and its documents there is no gap, but a run that ends may start another one.
            if left == 0 and all(run.state is RunState.DONE for run in runs.values()):
                quiet_since = quiet_since or time.monotonic()
                if time.monotonic() - quiet_since >= _POLL_SECONDS:
                    return
            else:
                quiet_since = None
            await asyncio.sleep(_POLL_SECONDS)


async def _go_on(shops: Shops, shop: Shop) -> None:
    state = (await shops.get(shop.id)).state
    if state is not ShopState.ACTIVE:
        raise Conflict(f"{shop.key} is {state}: nothing is read until it is active again")


async def _works(engine: AsyncEngine) -> bool:
    """Whether a worker has been heard of lately, by the database's own time: it wrote the heartbeat."""
    async with engine.connect() as tx:
        return bool(await tx.scalar(job_library.count_workers(1)))
