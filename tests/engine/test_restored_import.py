"""A backup of the midst of a first import is put back, with the programs of Postgres."""

from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import create_async_engine

from tests.support.backup import dump, restored
from tests.support.engine import Engine
from upbridge.engine.catch_up import LastBeat
from upbridge.engine.runs import start_run
from upbridge.rate_limits.ledger import Ledger
from upbridge.store.changes import Kind
from upbridge.store.database import sqlalchemy_url
from upbridge.store.runs import RunPurpose, RunState, latest_runs


@pytest.mark.situation("restored")
async def test_an_import_goes_on_where_its_backup_stood_and_what_changed_since_is_found(
    machine: Engine, postgres: str, database_url: str, tmp_path: Path
) -> None:
    machine.upgates.sell(*range(1, 331))
    async with machine.db.begin() as tx:
        await start_run(tx, machine.shop_id, "product", RunPurpose.IMPORT, since=None, now=machine.watch())
    await machine.service.scheduler.run_once()
    await machine.pull(monotonic=iter((0.0, 0.0, 20.0)).__next__)  # page 1, and the one that was asked for ahead
    await machine.push()
    backup = dump(database_url, tmp_path / "backup.fc")

    machine.watch.move(hours=1)
    await machine.drain()
    changed = {"last_update_time": machine.watch().isoformat()}
    machine.upgates.sell(5, code="LATER-5", **changed)  # of page 1, which the backup has
    machine.upgates.sell(331, code="LATER-331", **changed)
    await machine.mark(Kind.PRODUCT, "5", "331")
    await machine.drain()
    delivered = await held(machine)

    with restored(postgres, backup) as address:
        engine = create_async_engine(sqlalchemy_url(address))
        service = replace(
            machine.service, engine=engine, ledger=Ledger(engine, machine.watch), last_beat=LastBeat()
        )
        after = replace(machine, service=service)
        await after.service.scheduler.run_once()
        for _ in range(3):
            await after.drain()
            after.watch.move(minutes=1)

        run = (await latest_runs(after.db, after.shop_id, RunPurpose.IMPORT))["product"]
        assert (run.state, run.complete) == (RunState.DONE, True)
        assert run.pages == 4  # the two of the backup were not asked for again
        assert await held(after) == delivered
        assert await after.rows("SELECT FROM variants WHERE shop_id = :shop_id OFFSET 330") == [{}]
        await engine.dispose()


async def held(machine: Engine) -> dict[str, object]:
    """The fingerprint of what the target has of each product, as we know it."""
    rows = await machine.rows("SELECT key, hash FROM links WHERE shop_id = :shop_id AND state = 'delivered'")
    return {row["key"]: bytes(row["hash"]) for row in rows}
