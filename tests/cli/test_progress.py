"""`--wait`: it ends when nothing waits, and says so where nothing will ever happen."""

import httpx
import pytest

from tests.support.engine import Engine
from upbridge.cli.progress import wait_for, waiting
from upbridge.core.errors import Conflict
from upbridge.domain.shop import ShopState
from upbridge.engine.puller import MAX_ATTEMPTS
from upbridge.engine.runs import pause_imports, resume_imports, start_run
from upbridge.store.changes import Kind
from upbridge.store.runs import RunPurpose


async def wait(machine: Engine, purpose: RunPurpose = RunPurpose.SAFETY_NET) -> None:
    await wait_for(machine.db, machine.service.shops, await machine.shop(), purpose, "comparing")


async def paused_import(machine: Engine) -> None:
    async with machine.db.begin() as tx:
        await start_run(tx, machine.shop_id, "order", RunPurpose.IMPORT, since=None, now=machine.watch())
        assert await pause_imports(tx, machine.shop_id) == 1


async def test_it_ends_when_nothing_waits_and_says_that_no_worker_runs(
    machine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    await wait(machine)

    assert capsys.readouterr().err.count("upbridge worker") == 1


async def test_a_living_worker_is_not_missed(machine: Engine, capsys: pytest.CaptureFixture[str]) -> None:
    await machine.run("INSERT INTO procrastinate_workers DEFAULT VALUES")

    await wait(machine)

    assert capsys.readouterr().err == ""


async def test_what_a_person_has_paused_is_not_waited_for(machine: Engine) -> None:
    await paused_import(machine)

    await wait(machine)
    with pytest.raises(Conflict, match=r"paused: `upbridge shops import "):
        await wait(machine, RunPurpose.IMPORT)

    assert await waiting(machine.db, await machine.shop()) == 0
    async with machine.db.begin() as tx:
        await resume_imports(tx, machine.shop_id, now=machine.watch())
    assert await waiting(machine.db, await machine.shop()) == 1


async def test_a_stopped_shop_is_not_waited_for(machine: Engine) -> None:
    await machine.mark(Kind.ORDER, "A-1")
    shops = machine.service.shops
    await shops.move(machine.shop_id, to=ShopState.SUSPENDED, among=[ShopState.ACTIVE], now=machine.watch())

    with pytest.raises(Conflict, match="suspended"):
        await wait(machine)


async def test_what_the_shop_cannot_give_is_not_waited_for_once_a_problem_names_it(machine: Engine) -> None:
    machine.upgates.judges.append(
        lambda request: httpx.Response(500) if request.url.path.endswith("/orders") else None
    )
    await machine.mark(Kind.ORDER, "BAD")
    while not await machine.problems():
        assert await waiting(machine.db, await machine.shop(), tries=MAX_ATTEMPTS) == 1
        await machine.pull()
        machine.watch.move(seconds=15)

    await wait(machine)

    assert [one.entity for one in await machine.problems()] == ["BAD"]
    assert await waiting(machine.db, await machine.shop()) == 1
