"""What `shops reconcile` tells: the shop's own count against ours, and a safety net that is under way already."""

from datetime import timedelta

import pytest

from tests.support.clock import NOON
from tests.support.engine import Engine
from upbridge.cli.counts import ToldCounts, count_line, under_way_line
from upbridge.engine.completeness import Counted, keep_count
from upbridge.engine.runs import start_run
from upbridge.engine.scheduler import start_reconciliation
from upbridge.store.runs import Run, RunPurpose, RunState, latest_runs


@pytest.mark.parametrize(
    ("counted", "again", "expected"),
    [
        ((443, 435), False, "the shop has 443, we know 435: reading the missing 8"),
        ((443, 443), True, "the shop has 443, we know 443"),
        ((443, 441), True, "the shop has 443, we know 441: still different by 2, see `upbridge problems list`"),
        ((1443, 1445), False, "the shop has 1,443, we know 1,445: asking for the 2 that it lacks"),
    ],
)
def test_a_difference_is_said_with_what_is_done_about_it(
    counted: tuple[int, int], expected: str, *, again: bool
) -> None:
    found = Counted(*counted, NOON, NOON - timedelta(days=30))

    assert count_line("order", found, again=again) == f"orders of 30 days: {expected}"


async def test_each_count_that_comes_while_it_waits_is_said_once(machine: Engine) -> None:
    said: list[str] = []
    told = ToldCounts(machine.db, await machine.shop(), since=machine.watch(), say=said.append)

    async def count(shop_says: int, known: int) -> None:
        async with machine.db.begin() as tx:
            await keep_count(tx, machine.shop_id, "order", Counted(shop_says, known, machine.watch(), None))
        await told.look()
        await told.look()

    async with machine.db.begin() as tx:
        yesterday = machine.watch() - timedelta(days=1)
        await keep_count(tx, machine.shop_id, "order", Counted(400, 400, yesterday, None))
    await told.look()
    assert said == []

    await count(443, 435)
    machine.watch.move(seconds=30)
    await count(443, 443)

    assert said == [
        "orders of 30 days: the shop has 443, we know 435: reading the missing 8",
        "orders of 30 days: the shop has 443, we know 443",
    ]


async def test_a_net_that_is_under_way_is_named_with_its_beginning(machine: Engine) -> None:
    async with machine.db.begin() as tx:
        await start_run(tx, machine.shop_id, "order", RunPurpose.SAFETY_NET, since=None, now=machine.watch())
    run = (await latest_runs(machine.db, machine.shop_id, RunPurpose.SAFETY_NET))["order"]

    line = under_way_line(run)

    assert line.startswith("orders: a safety net is under way since ")
    assert f"{machine.watch().astimezone():%Y-%m-%d %H:%M}" in line


async def test_a_net_that_no_worker_goes_on_with_is_ended_and_the_next_one_begins_where_it_began(
    machine: Engine,
) -> None:
    async with machine.db.begin() as tx:
        await start_reconciliation(tx, machine.shop_id, now=machine.watch())
    [lost] = [one for one in (await nets(machine)).values() if one.kind == "order"]
    await machine.run("DELETE FROM changes WHERE kind = 'orders.page'")

    machine.watch.move(minutes=2)
    await machine.service.scheduler.run_once()

    ended = (await nets(machine))["order"]
    assert (ended.id, ended.state, ended.complete) == (lost.id, RunState.DONE, False)
    assert (await nets(machine))["product"].state is RunState.RUNNING
    async with machine.db.begin() as tx:
        await start_reconciliation(tx, machine.shop_id, now=machine.watch())
    again = (await nets(machine))["order"]
    assert (again.state, again.since) == (RunState.RUNNING, lost.since)


async def nets(machine: Engine) -> dict[str, Run]:
    return await latest_runs(machine.db, machine.shop_id, RunPurpose.SAFETY_NET)
