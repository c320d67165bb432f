"""A third system is a folder: it is fed, dies and is refused like the others, and nothing else changes."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.conformance.stage import Stage, staged
from tests.conformance.third_system.fake import KEY, FakeLedger
from tests.conformance.third_system.ledger.system import LEDGER
from tests.conformance.virtual import Killed
from upbridge.core.encryption import Cipher
from upbridge.operations.connections import connect
from upbridge.systems.base import Systems
from upbridge.systems.registry import SYSTEMS

WITH_LEDGER = Systems(platform=SYSTEMS.platform, connected=(*SYSTEMS.connected, LEDGER))


@pytest.fixture
def book() -> FakeLedger:
    return FakeLedger()


@pytest.fixture
async def stage(engine: AsyncEngine, cipher: Cipher, book: FakeLedger) -> AsyncIterator[Stage]:
    further = {"ledger.test": book.app}
    async with staged(engine, cipher, systems=WITH_LEDGER, further=further) as made:
        yield made


async def ready(stage: Stage) -> None:
    typed = {"ledger_account": "demo", "ledger_key": KEY}
    await connect(stage.service, await stage.shop(), "ledger", typed)
    await stage.settle()


async def test_a_day_arrives_and_after_it_nothing_is_written(stage: Stage, book: FakeLedger) -> None:
    await ready(stage)
    assert any(kind == "products" for kind, _ in book.held)

    number = str(stage.edits.create_order(stage.origin)["order_number"])
    await stage.settle()
    assert ("orders", number) in book.held
    before = book.writes
    stage.hours.move(hours=25)
    await stage.settle()

    assert book.writes == before


async def test_one_thing_that_is_refused_stops_no_other_and_goes_when_it_is_let(
    stage: Stage, book: FakeLedger
) -> None:
    await ready(stage)
    number = str(stage.edits.create_order(stage.origin)["order_number"])
    book.refused = {number}
    another = str(stage.edits.create_order(stage.origin)["order_number"])
    await stage.settle()

    assert ("orders", another) in book.held
    assert (await stage.told()).about({number}, "ledger")
    book.refused = set()
    await stage.retry_everything()
    await stage.settle()

    assert ("orders", number) in book.held


@pytest.mark.parametrize("instants", [5, 20, 40])
async def test_a_process_that_dies_leaves_the_work_to_the_next_one(
    stage: Stage, book: FakeLedger, instants: int
) -> None:
    await ready(stage)
    stage.start()
    number = str(stage.edits.create_order(stage.origin)["order_number"])
    stage.reaper.kill_after(instants)
    try:
        await stage.settle()
    except Killed:
        stage.start()
        await stage.settle()

    assert ("orders", number) in book.held


async def test_without_credentials_everything_waits_and_with_new_ones_it_goes(
    stage: Stage, book: FakeLedger
) -> None:
    await ready(stage)
    book.key = "another"
    number = str(stage.edits.create_order(stage.origin)["order_number"])
    await stage.deliver()
    await stage.work()
    assert ("orders", number) not in book.held

    book.key = KEY
    await ready(stage)

    assert ("orders", number) in book.held
