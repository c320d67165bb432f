"""The next page of a first import is asked for while one is stored, and nothing else follows from that."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import psycopg
import pytest

from tests.support.engine import Engine
from upbridge.engine.runs import start_run
from upbridge.store.changes import Kind
from upbridge.store.runs import RunPurpose, RunState, latest_runs
from upbridge.store.sku_matching import lock_matching

DEADLINE = 20.0
"""Seconds after which a test fails that would wait for ever."""


@pytest.fixture
async def importing(machine: Engine) -> Engine:
    """A first import of four pages has begun."""
    machine.upgates.sell(*range(1, 331))
    async with machine.db.begin() as tx:
        await start_run(tx, machine.shop_id, "product", RunPurpose.IMPORT, since=None, now=machine.watch())
    return machine


@asynccontextmanager
async def page_being_stored(machine: Engine) -> AsyncIterator[asyncio.Task[bool]]:
    """The first page is read and cannot be stored inside the block, when the second one was asked for."""
    asked = asyncio.Event()

    def judge(request: httpx.Request) -> None:
        if request.url.path.endswith("/products") and request.url.params["page"] == "2":
            asked.set()

    machine.upgates.judges.append(judge)
    async with machine.db.begin() as tx:
        await lock_matching(tx, machine.shop_id)
        work = asyncio.create_task(machine.pull())
        async with asyncio.timeout(DEADLINE):
            await asked.wait()
        yield work
    machine.upgates.judges.remove(judge)


def pages(machine: Engine) -> list[str]:
    return [call["page"] for call in machine.upgates.asked("/products") if "product_ids" not in call]


async def state_of(machine: Engine) -> tuple[Any, int]:
    run = (await latest_runs(machine.db, machine.shop_id, RunPurpose.IMPORT))["product"]
    return run.state, run.done


async def test_the_next_page_is_asked_for_while_one_is_stored_and_each_once(importing: Engine) -> None:
    async with page_being_stored(importing) as work:
        assert await state_of(importing) == (RunState.RUNNING, 0)
    async with asyncio.timeout(DEADLINE):
        await work
    await importing.drain()

    assert await state_of(importing) == (RunState.DONE, 330)
    assert len(pages(importing)) == 4
    assert set(importing.target.times().values()) == {1}
    assert len(importing.target.times()) == 330


async def test_a_product_that_was_read_again_meanwhile_stays_as_it_was_read_last(importing: Engine) -> None:
    async with page_being_stored(importing) as work:
        importing.upgates.sell(150, code="NEW")
        await importing.mark(Kind.PRODUCT, "150")
    async with asyncio.timeout(DEADLINE):
        await work
    await importing.drain()

    codes = await importing.rows("SELECT code FROM variants WHERE shop_id = :shop_id AND product_id = 150")
    assert codes == [{"code": "NEW"}]
    assert set(importing.target.times().values()) == {1}


async def test_a_run_that_is_paused_while_its_page_is_read_is_not_read_on(importing: Engine) -> None:
    address = importing.db.url.set(drivername="postgresql").render_as_string(hide_password=False)

    def judge(request: httpx.Request) -> None:
        if request.url.path.endswith("/products"):
            with psycopg.connect(address) as person:  # on its own, before the page is answered
                person.execute("UPDATE runs SET state = 'paused'")

    importing.upgates.judges.append(judge)

    assert not await importing.pull()

    assert await state_of(importing) == (RunState.PAUSED, 100)
    assert pages(importing) == ["1"]


async def test_a_slice_ends_with_the_page_that_it_has_asked_for(importing: Engine) -> None:
    assert await importing.pull(monotonic=iter((0.0, 0.0, 20.0)).__next__)

    assert await state_of(importing) == (RunState.RUNNING, 198)
    assert len(pages(importing)) == 2


async def test_what_stands_in_the_way_of_a_page_is_met_when_its_turn_comes(importing: Engine) -> None:
    def judge(request: httpx.Request) -> httpx.Response | None:
        ahead = request.url.path.endswith("/products") and request.url.params["page"] == "2"
        return httpx.Response(503) if ahead else None

    importing.upgates.judges.append(judge)

    assert not await importing.pull()

    assert await state_of(importing) == (RunState.RUNNING, 100)
    assert pages(importing) == ["1", "2"]
    assert await importing.lane("pull:upgates") is not None
    [page] = await importing.changes()
    assert page["attempts"] == 1
