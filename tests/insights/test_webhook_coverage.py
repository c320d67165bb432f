"""What webhooks announced, against what the safety net found."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert

from tests.support.engine import Engine, webhook_received
from upbridge.engine.runs import start_run
from upbridge.engine.scheduler import start_reconciliation
from upbridge.insights.webhook_coverage import Coverage, coverage
from upbridge.store import schema
from upbridge.store.changes import Kind
from upbridge.store.runs import RunPurpose


async def ran(machine: Engine, found: int, **more: Any) -> None:
    row = {"shop_id": machine.shop_id, "kind": "order", "purpose": "safety_net", "state": "done", "found": found}
    async with machine.db.begin() as tx:
        await tx.execute(insert(schema.runs).values({"started_at": machine.watch(), **row, **more}))


async def of(machine: Engine, days: int = 7) -> Coverage:
    return await coverage(machine.db, machine.shop_id, now=machine.watch(), days=days)


@pytest.mark.rule("R38")
async def test_it_is_the_announced_part_of_all_changes(machine: Engine) -> None:
    await webhook_received(machine, 990)
    await webhook_received(machine, 7, "products.create")
    await ran(machine, 2)
    await ran(machine, 1, kind="product")

    assert await of(machine) == Coverage(days=7, announced=997, found=3)
    assert (await of(machine)).share == 0.997


async def test_only_these_days_this_shop_and_orders_and_products_count(machine: Engine) -> None:
    other = await machine.make_shop()
    await webhook_received(machine, 5, "Languages.update")
    await webhook_received(machine, 5, source="uphance", event="any")
    await webhook_received(machine, 5, shop_id=other)
    await ran(machine, 5, shop_id=other)
    await ran(machine, 5, purpose="import")
    await webhook_received(machine, 5, received_at=machine.watch() - timedelta(days=2))

    assert await of(machine, days=1) == Coverage(days=1, announced=0, found=0)
    assert (await of(machine, days=1)).share is None
    assert (await of(machine, days=40)).days == 7


@pytest.mark.rule("R38")
@pytest.mark.parametrize("purpose", ["sweep", "completeness", "import"])
async def test_every_run_that_finds_what_no_webhook_announced_lowers_the_share(
    machine: Engine, purpose: str
) -> None:
    await webhook_received(machine, 445)
    await ran(machine, 400, purpose="import")  # the first import: nothing was to be announced yet
    await ran(machine, 11, purpose=purpose)

    assert await of(machine) == Coverage(days=7, announced=445, found=11)


async def test_an_import_that_is_read_again_counts_what_was_not_known_and_nothing_else(machine: Engine) -> None:
    machine.upgates.order("A-1", "A-2")
    await imported(machine)
    await machine.run("DELETE FROM links WHERE shop_id = :shop_id")  # a system to which all is news
    machine.upgates.order("B-1")

    await imported(machine)

    assert await machine.value("SELECT found FROM runs ORDER BY id DESC") == 1


async def imported(machine: Engine) -> None:
    async with machine.db.begin() as tx:
        since = machine.watch() - timedelta(days=30)
        await start_run(tx, machine.shop_id, "order", RunPurpose.IMPORT, since=since, now=machine.watch())
    await machine.drain()


@pytest.mark.rule("R38")
async def test_what_the_net_finds_alone_is_counted_and_repaired_and_what_was_announced_is_not(
    machine: Engine,
) -> None:
    machine.upgates.sell(1, 2)
    for number in (1, 2):
        await machine.mark(Kind.PRODUCT, str(number))
    await machine.drain()
    moment = machine.watch() + timedelta(minutes=1)
    machine.upgates.sell(1, 2, last_update_time=moment.isoformat(), stock=99)
    machine.watch.move(hours=1)
    await machine.mark(Kind.PRODUCT, "1", due_at=machine.watch() + timedelta(hours=1))

    async with machine.db.begin() as tx:
        await start_reconciliation(tx, machine.shop_id, now=machine.watch())
    await machine.drain()

    assert (await of(machine)).found == 1
    assert [body["stock"] for body in machine.target.bodies()[-2:]] == [99, 99]
