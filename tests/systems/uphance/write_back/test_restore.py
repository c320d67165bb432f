"""A backup is put back at the end of a day, with the programs of Postgres: nothing doubles, nothing stays lost."""

import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy.ext.asyncio import create_async_engine

from tests.support.backup import dump, restored
from tests.systems.uphance.write_back.connected_shop import UPHANCE, ConnectedShop
from upbridge.engine.catch_up import LastBeat
from upbridge.rate_limits.ledger import Ledger
from upbridge.store.database import sqlalchemy_url
from upbridge.store.links import forget_keys
from upbridge.store.runs import catch_up
from upbridge.systems.uphance.target import UphanceTarget


@asynccontextmanager
async def put_back(connected: ConnectedShop, postgres: str, backup: Path) -> AsyncIterator[ConnectedShop]:
    """The same world, with services on a database with what is in *backup*. No announcement is repeated."""
    connected.silence.said.clear()
    with restored(postgres, backup) as address:
        engine = create_async_engine(sqlalchemy_url(address))
        service = replace(
            connected.service,
            engine=engine,
            ledger=Ledger(engine, connected.watch),
            targets={"uphance": UphanceTarget.stored(connected.service.http, UPHANCE, engine, connected.watch)},
            last_beat=LastBeat(),
        )
        yield replace(connected, service=service)
        await engine.dispose()


async def start(connected: ConnectedShop) -> None:
    """What the services do by themselves when they are started, until nothing is left."""
    await connected.service.scheduler.run_once()
    await connected.work()
    await connected.poll()
    await connected.service.scheduler.run_once()
    await connected.work()


def doubled(connected: ConnectedShop) -> list[str]:
    """References that more than one order or customer in Uphance has."""
    rows = [f"order {one['purchase_order_ref']}" for one in connected.organisation.orders.values()]
    rows += [
        f"customer {one['reference']}" for one in connected.organisation.customers.values() if one["reference"]
    ]
    return [what for what, times in Counter(rows).items() if times > 1 and "None" not in what]


@pytest.fixture
def backup_of(postgres: str, database_url: str, tmp_path: Path) -> Callable[[], Path]:
    """Makes a backup of the shop's database."""
    del postgres
    return lambda: dump(database_url, tmp_path / "backup.fc")


@pytest.mark.situation("restored")
async def test_the_mornings_backup_put_back_in_the_evening_doubles_nothing_and_repeats_nothing(
    connected: ConnectedShop, postgres: str, backup_of: Callable[[], Path]
) -> None:
    await connected.set(shipments__notify="true", stock__write="true")
    code = (await connected.tracked())[0]
    morning = [await connected.order(code) for _ in range(4)]
    await connected.poll()
    await connected.service.scheduler.run_once()
    backup = backup_of()

    connected.watch.move(hours=3)
    day = [await connected.order(code) for _ in range(9)]
    for number in (morning[0], day[0], day[1]):
        connected.ship(connected.ticket(number))
    connected.confirm(day[2])
    await connected.poll()
    await connected.deliver_webhooks()
    await connected.work()
    known = len(
        await connected.rows(
            "SELECT FROM links WHERE shop_id = :shop_id AND target = 'uphance' AND kind = 'order'"
        )
    )
    before = {
        "orders": len(connected.organisation.orders),
        "customers": len(connected.organisation.customers),
        "histories": {number: connected.history(number) for number in (*morning, *day)},
        "statuses": {number: connected.origin.orders[number]["status_id"] for number in (*morning, *day)},
        "stock": connected.shown(code),
    }
    connected.watch.move(hours=5)
    connected.asked()

    async with put_back(connected, postgres, backup) as after:
        await start(after)

        links = await after.rows(
            "SELECT FROM links WHERE shop_id = :shop_id AND target = 'uphance' AND kind = 'order'"
        )
        assert len(links) == known
        assert await after.problems() == {}

    assert connected.asked("PUT /orders", "POST /orders", "POST /sales_orders", "POST /customers") == []
    assert doubled(connected) == []
    assert before == {
        "orders": len(connected.organisation.orders),
        "customers": len(connected.organisation.customers),
        "histories": {number: connected.history(number) for number in (*morning, *day)},
        "statuses": {number: connected.origin.orders[number]["status_id"] for number in (*morning, *day)},
        "stock": connected.shown(code),
    }


async def test_a_look_at_the_shipments_recognises_orders_without_a_push(connected: ConnectedShop) -> None:
    """Else an order that was sent would count as one that waits, and its pieces twice."""
    number = await connected.order((await connected.tracked())[0])
    async with connected.service.engine.begin() as tx:
        await forget_keys(tx, connected.shop_id, "uphance", "order", [number])
        await catch_up(tx, connected.shop_id, ["uphance"], 0, now=connected.watch())
    connected.asked()

    await connected.poll()

    [row] = await connected.rows("SELECT state FROM links WHERE shop_id = :shop_id AND key = :key", key=number)
    assert row.state == "delivered"
    assert connected.asked("POST /sales_orders") == []
    await connected.poll()
    assert "GET /sales_orders" not in connected.asked()


async def test_an_order_that_the_shop_deleted_after_the_backup_is_for_staff(
    connected: ConnectedShop, postgres: str, backup_of: Callable[[], Path]
) -> None:
    code = (await connected.tracked())[0]
    await connected.service.scheduler.run_once()
    backup = backup_of()
    connected.watch.move(hours=1)
    number = await connected.order(code)
    del connected.origin.orders[number]

    async with put_back(connected, postgres, backup) as after:
        await after.order(code)  # the push recognises, too
        await start(after)
        for _ in range(3):
            connected.watch.move(minutes=10)
            await after.work()

        found = await after.service.problems.open(after.shop_id)
        assert [one.entity for one in found if one.key == "order.cancel_in_uphance"] == [number]


@pytest.mark.situation("restored.number")
@pytest.mark.parametrize("first", ["new", "former"])
async def test_an_order_that_was_sent_and_got_another_number_after_the_backup_is_not_sent_again(
    connected: ConnectedShop, postgres: str, backup_of: Callable[[], Path], first: str
) -> None:
    code = (await connected.tracked())[0]
    await connected.service.scheduler.run_once()
    backup = backup_of()
    connected.watch.move(hours=1)
    number = await connected.order(code)
    connected.edits.renumber_order(connected.origin, connected.origin.orders[number], "R-1")
    connected.watch.move(hours=1)

    async with put_back(connected, postgres, backup) as after:
        if first == "former":
            await after.poll()  # it recognises what is there before the shop's orders are read
        await start(after)
        connected.watch.move(hours=25)
        await start(after)

        assert [one["purchase_order_ref"] for one in connected.organisation.orders.values()] == [
            f"UPG-demo-{number}"
        ]
        found = {one.key: one for one in await after.service.problems.open(after.shop_id)}
        assert found.keys() == {"order.renumbered"}
        assert found["order.renumbered"].params == {"number": "R-1", "former": number}
        connected.ship(connected.ticket(number))
        await after.poll()
    assert connected.origin.orders["R-1"]["tracking_code"] == "CZ1"


@pytest.mark.situation("restored.number")
async def test_another_order_that_got_the_number_of_a_sent_one_after_the_backup_is_not_taken_for_it(
    connected: ConnectedShop, postgres: str, backup_of: Callable[[], Path]
) -> None:
    """Both have the same goods, so these do not tell them apart."""
    code = (await connected.tracked())[0]
    await connected.service.scheduler.run_once()
    backup = backup_of()
    connected.watch.move(hours=1)
    number = await connected.order(code)
    connected.origin.orders[number]["uuid"] = str(uuid4())  # deleted for good, and placed again
    connected.watch.move(hours=1)

    async with put_back(connected, postgres, backup) as after:
        await start(after)
        connected.watch.move(hours=25)
        await start(after)

        found = {one.key for one in await after.service.problems.open(after.shop_id)}
        assert "order.number_reused" in found
        assert len(connected.organisation.orders) == 1


@pytest.mark.parametrize("seed", range(4))
async def test_a_backup_of_any_moment_put_back_at_any_later_one_doubles_nothing(
    connected: ConnectedShop, postgres: str, backup_of: Callable[[], Path], seed: int
) -> None:
    chance = random.Random(seed)
    code = (await connected.tracked())[0]
    numbers: list[str] = []

    async def sell() -> None:
        numbers.append(await connected.order(code, chance.randint(1, 3)))

    async def ship() -> None:
        waiting = [one for one in numbers if connected.sale(one)["fulfillment_status"] != "shipped"]
        if waiting:
            connected.ship(connected.ticket(chance.choice(waiting)))

    async def look() -> None:
        await connected.poll()

    async def staff() -> None:
        sale = {**next(iter(connected.organisation.orders.values()))} if connected.organisation.orders else None
        if sale is not None:
            sale |= {"id": connected.world.uphance.next_id(), "purchase_order_ref": "PO of staff"}
            connected.organisation.orders[sale["id"]] = sale

    deeds: list[Callable[[], Awaitable[None]]] = [sell, sell, sell, ship, look, staff]
    moment = chance.randrange(2, 10)
    backup = None
    for step in range(14):
        connected.watch.move(minutes=chance.randint(1, 40))
        await chance.choice(deeds)()
        if step == moment:
            await connected.service.scheduler.run_once()
            backup = backup_of()
    await connected.poll()
    histories = {number: connected.history(number) for number in numbers}
    connected.watch.move(minutes=chance.randint(11, 600))
    assert backup is not None

    async with AsyncExitStack() as stack:
        after = await stack.enter_async_context(put_back(connected, postgres, backup))
        await start(after)
        numbers.append(await after.order(code))

    assert [one for one in doubled(connected) if "PO of staff" not in one] == []
    assert {number: len(notes) for number, notes in histories.items()} == {
        number: len(connected.history(number)) for number in histories
    }
    references = {one["purchase_order_ref"] for one in connected.organisation.orders.values()}
    assert references >= {f"UPG-demo-{number}" for number in numbers}
