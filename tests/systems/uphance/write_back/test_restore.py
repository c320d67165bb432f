"""A backup is put back at the end of a day, with the programs of Postgres: nothing doubles, nothing stays lost."""

import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import create_async_engine

from tests.support.backup import dump, restored
from tests.systems.uphance.write_back.town import UPHANCE, Town
from upbridge.engine.catch_up import LastBeat
from upbridge.engine.scheduler import run_once
from upbridge.rate_limits.ledger import Ledger
from upbridge.store.database import sqlalchemy_url
from upbridge.store.links import forget_keys
from upbridge.store.runs import catch_up
from upbridge.systems.uphance.target import UphanceTarget


@asynccontextmanager
async def put_back(town: Town, postgres: str, backup: Path) -> AsyncIterator[Town]:
    """The same world, with services on a database with what is in *backup*. No announcement is repeated."""
    town.silence.said.clear()
    with restored(postgres, backup) as address:
        engine = create_async_engine(sqlalchemy_url(address))
        service = replace(
            town.service,
            engine=engine,
            ledger=Ledger(engine, town.watch),
            targets={"uphance": UphanceTarget(town.service.http, UPHANCE, engine, town.watch)},
            last_beat=LastBeat(),
        )
        yield replace(town, service=service)
        await engine.dispose()


async def start(town: Town) -> None:
    """What the services do by themselves when they are started, until nothing is left."""
    await run_once(town.service)
    await town.work()
    await town.poll()
    await run_once(town.service)
    await town.work()


def doubled(town: Town) -> list[str]:
    """References that more than one order or customer in Uphance has."""
    rows = [f"order {one['purchase_order_ref']}" for one in town.organisation.orders.values()]
    rows += [f"customer {one['reference']}" for one in town.organisation.customers.values() if one["reference"]]
    return [what for what, times in Counter(rows).items() if times > 1 and "None" not in what]


@pytest.fixture
def backup_of(postgres: str, database_url: str, tmp_path: Path) -> Callable[[], Path]:
    """Makes a backup of the town's database."""
    del postgres
    return lambda: dump(database_url, tmp_path / "backup.fc")


@pytest.mark.situation("restored")
async def test_the_mornings_backup_put_back_in_the_evening_doubles_nothing_and_repeats_nothing(
    town: Town, postgres: str, backup_of: Callable[[], Path]
) -> None:
    await town.set(shipments__notify="true", stock__write="true")
    code = (await town.tracked())[0]
    morning = [await town.order(code) for _ in range(4)]
    await town.poll()
    await run_once(town.service)
    backup = backup_of()

    town.watch.move(hours=3)
    day = [await town.order(code) for _ in range(9)]
    for number in (morning[0], day[0], day[1]):
        town.ship(town.ticket(number))
    town.confirm(day[2])
    await town.poll()
    await town.deliver_webhooks()
    await town.work()
    known = len(
        await town.rows("SELECT FROM links WHERE shop_id = :shop_id AND target = 'uphance' AND kind = 'order'")
    )
    before = {
        "orders": len(town.organisation.orders),
        "customers": len(town.organisation.customers),
        "histories": {number: town.history(number) for number in (*morning, *day)},
        "statuses": {number: town.origin.orders[number]["status_id"] for number in (*morning, *day)},
        "stock": town.shown(code),
    }
    town.watch.move(hours=5)
    town.asked()

    async with put_back(town, postgres, backup) as after:
        await start(after)

        links = await after.rows(
            "SELECT FROM links WHERE shop_id = :shop_id AND target = 'uphance' AND kind = 'order'"
        )
        assert len(links) == known
        assert await after.problems() == {}

    assert town.asked("PUT /orders", "POST /orders", "POST /sales_orders", "POST /customers") == []
    assert doubled(town) == []
    assert before == {
        "orders": len(town.organisation.orders),
        "customers": len(town.organisation.customers),
        "histories": {number: town.history(number) for number in (*morning, *day)},
        "statuses": {number: town.origin.orders[number]["status_id"] for number in (*morning, *day)},
        "stock": town.shown(code),
    }


async def test_a_look_at_the_shipments_recognises_orders_without_a_push(town: Town) -> None:
    """Else an order that was sent would count as one that waits, and its pieces twice."""
    number = await town.order((await town.tracked())[0])
    async with town.service.engine.begin() as tx:
        await forget_keys(tx, town.shop_id, "uphance", "order", [number])
        await catch_up(tx, town.shop_id, ["uphance"], 0, now=town.watch())
    town.asked()

    await town.poll()

    [row] = await town.rows("SELECT state FROM links WHERE shop_id = :shop_id AND key = :key", key=number)
    assert row.state == "delivered"
    assert town.asked("POST /sales_orders") == []
    await town.poll()
    assert "GET /sales_orders" not in town.asked()


async def test_an_order_that_the_shop_deleted_after_the_backup_is_for_staff(
    town: Town, postgres: str, backup_of: Callable[[], Path]
) -> None:
    code = (await town.tracked())[0]
    await run_once(town.service)
    backup = backup_of()
    town.watch.move(hours=1)
    number = await town.order(code)
    del town.origin.orders[number]

    async with put_back(town, postgres, backup) as after:
        await after.order(code)  # the push recognises, too
        await start(after)
        for _ in range(3):
            town.watch.move(minutes=10)
            await after.work()

        found = await after.service.problems.open(after.shop_id)
        assert [one.entity for one in found if one.key == "order.cancel_in_uphance"] == [number]


@pytest.mark.parametrize("seed", range(4))
async def test_a_backup_of_any_moment_put_back_at_any_later_one_doubles_nothing(
    town: Town, postgres: str, backup_of: Callable[[], Path], seed: int
) -> None:
    chance = random.Random(seed)
    code = (await town.tracked())[0]
    numbers: list[str] = []

    async def sell() -> None:
        numbers.append(await town.order(code, chance.randint(1, 3)))

    async def ship() -> None:
        waiting = [one for one in numbers if town.sale(one)["fulfillment_status"] != "shipped"]
        if waiting:
            town.ship(town.ticket(chance.choice(waiting)))

    async def look() -> None:
        await town.poll()

    async def staff() -> None:
        sale = {**next(iter(town.organisation.orders.values()))} if town.organisation.orders else None
        if sale is not None:
            sale |= {"id": town.world.uphance.next_id(), "purchase_order_ref": "PO of staff"}
            town.organisation.orders[sale["id"]] = sale

    deeds: list[Callable[[], Awaitable[None]]] = [sell, sell, sell, ship, look, staff]
    moment = chance.randrange(2, 10)
    backup = None
    for step in range(14):
        town.watch.move(minutes=chance.randint(1, 40))
        await chance.choice(deeds)()
        if step == moment:
            await run_once(town.service)
            backup = backup_of()
    await town.poll()
    histories = {number: town.history(number) for number in numbers}
    town.watch.move(minutes=chance.randint(11, 600))
    assert backup is not None

    async with AsyncExitStack() as stack:
        after = await stack.enter_async_context(put_back(town, postgres, backup))
        await start(after)
        numbers.append(await after.order(code))

    assert [one for one in doubled(town) if "PO of staff" not in one] == []
    assert {number: len(notes) for number, notes in histories.items()} == {
        number: len(town.history(number)) for number in histories
    }
    references = {one["purchase_order_ref"] for one in town.organisation.orders.values()}
    assert references >= {f"UPG-demo-{number}" for number in numbers}
