"""What a burst costs: calls against the least that the API allows, a hundred things in each."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest

from tests.support.engine import MakeEngine
from upbridge.engine.runs import start_run
from upbridge.store.changes import Kind, Origin
from upbridge.store.database import Database
from upbridge.store.runs import RunPurpose
from upbridge.webhooks.inbox import Inbox, inbox_engine
from upbridge.webhooks.parsing import ChangedKeys

PRODUCTS = 1_500
MARKS = 10_000


def announced(total: int, different: int, size: int) -> Iterator[list[str]]:
    """*total* marks of *different* products, in deliveries of *size*."""
    keys = [str(number * 7919 % different + 1) for number in range(total)]
    for start in range(0, total, size):
        yield keys[start : start + size]


@pytest.mark.rule("R53")
@pytest.mark.parametrize(
    ("different", "size"),
    [
        pytest.param(PRODUCTS, 500, id="a bulk edit in large deliveries"),
        pytest.param(PRODUCTS, 25, id="a busy morning in small ones"),
        pytest.param(3, 25, id="three products again and again"),
    ],
)
async def test_ten_thousand_marks_cost_at_most_a_tenth_more_than_the_bound(
    make_engine: MakeEngine, database: Database, different: int, size: int
) -> None:
    machine = await make_engine()
    machine.upgates.sell(*range(1, different + 1))
    pool = inbox_engine(database.conninfo)
    inbox = Inbox(pool, machine.watch, announce=lambda *_: None)

    async def deliver(keys: list[str]) -> None:
        changed = ChangedKeys({Kind.PRODUCT: keys}, records=len(keys))
        await inbox.store(machine.shop_id, source="upgates", event="Products.update", changed=changed)

    for number, keys in enumerate(announced(MARKS, different, size)):
        await deliver(keys)
        if number == 0:
            await machine.pull()  # the first after a quiet time goes at once
    machine.watch.move(seconds=10)
    while await machine.pull():
        pass
    await pool.dispose()

    least = -(-different // 100)
    assert least <= len(machine.upgates.asked("/products")) <= least * 1.1 + 1
    assert await machine.changes() == []
    assert len(await machine.documents()) == different


@pytest.fixture
async def order_edited(make_engine: MakeEngine, database: Database) -> AsyncIterator[tuple[Any, Any]]:
    """A shop with one order, and the function that edits it: the shop's webhook is stored."""
    machine = await make_engine()
    machine.upgates.order("A-1")
    pool = inbox_engine(database.conninfo)
    inbox = Inbox(pool, machine.watch, announce=lambda *_: None)

    async def edit() -> None:
        changed = ChangedKeys({Kind.ORDER: ["A-1"]}, records=1)
        await inbox.store(machine.shop_id, source="upgates", event="Orders.update", changed=changed)

    yield machine, edit
    await pool.dispose()


@pytest.mark.rule("R40", "R53")
async def test_an_order_with_three_quick_edits_is_read_at_once_and_once_more(
    order_edited: tuple[Any, Callable[[], Awaitable[None]]],
) -> None:
    machine, edit = order_edited
    await edit()
    await machine.pull()
    assert len(machine.upgates.asked("/orders")) == 1, "nobody waits for the gathering time"

    for _ in range(2):
        machine.watch.move(seconds=2)
        await edit()
        await machine.pull()
    assert len(machine.upgates.asked("/orders")) == 1

    machine.watch.move(seconds=6)
    await machine.pull()

    assert len(machine.upgates.asked("/orders")) == 2
    assert await machine.changes() == []


@pytest.mark.rule("R53")
async def test_where_calls_run_short_the_first_is_gathered_too(
    order_edited: tuple[Any, Callable[[], Awaitable[None]]],
) -> None:
    machine, edit = order_edited
    machine.watch.now = machine.watch.now.replace(minute=0, second=0, microsecond=0)
    await machine.service.ledger.set_tariff(machine.shop_id, "gold")
    await machine.run("UPDATE budgets SET calls_unconfirmed = 7 WHERE shop_id = :shop_id")
    await edit()
    await machine.pull()
    assert machine.upgates.asked("/orders") == []

    machine.watch.move(seconds=4)
    await edit()
    machine.watch.move(seconds=6)
    await machine.pull()

    assert len(machine.upgates.asked("/orders")) == 1
    assert await machine.changes() == []


@pytest.mark.rule("R53")
async def test_a_burst_is_gathered_from_its_first_delivery_on(make_engine: MakeEngine) -> None:
    machine = await make_engine()
    keys = [str(number) for number in range(1, 12)]
    machine.upgates.sell(*range(1, 12))
    await machine.mark(Kind.PRODUCT, *keys, now=machine.watch())

    await machine.pull()
    assert machine.upgates.asked("/products") == []

    machine.watch.move(seconds=10)
    await machine.pull()
    assert len(machine.upgates.asked("/products")) == 1


@pytest.mark.rule("R53")
async def test_a_delivery_that_is_stored_while_the_gathering_begins_does_not_end_it(
    make_engine: MakeEngine,
) -> None:
    machine = await make_engine()
    keys = [str(number) for number in range(1, 12)]
    machine.upgates.sell(*range(1, 12))
    begun = machine.watch()
    await machine.mark(Kind.PRODUCT, *keys, now=begun)
    await machine.pull()
    machine.watch.move(seconds=1)
    await machine.mark(Kind.PRODUCT, *keys, now=machine.watch(), due_at=machine.watch())  # web saw no gathering

    await machine.pull()

    assert machine.upgates.asked("/products") == []
    machine.watch.now = begun + timedelta(seconds=10)
    await machine.pull()
    assert len(machine.upgates.asked("/products")) == 1
    assert await machine.changes() == []


@pytest.mark.rule("R53")
async def test_the_rest_of_a_burst_waits_for_what_comes_next_instead_of_a_call_of_its_own(
    make_engine: MakeEngine,
) -> None:
    machine = await make_engine()
    machine.upgates.sell(*range(1, 151))
    await machine.mark(Kind.PRODUCT, *(str(number) for number in range(26, 121)), now=machine.watch())
    machine.watch.move(seconds=11)  # that was gathered; the worker comes a moment later
    await machine.mark(Kind.PRODUCT, *(str(number) for number in range(1, 26)), now=machine.watch())

    await machine.pull()
    assert [len(asked["product_ids"].split(";")) for asked in machine.upgates.asked("/products")] == [100]
    left = await machine.changes()
    assert len(left) == 20
    assert {row["due_at"] for row in left} == {machine.watch() + timedelta(seconds=10)}
    assert {row["attempts"] for row in left} == {0}

    machine.watch.move(seconds=2)
    await machine.mark(Kind.PRODUCT, *(str(number) for number in range(121, 151)), due_at=left[0]["due_at"])
    await machine.pull()
    assert len(machine.upgates.asked("/products")) == 1, "the gathering goes on"

    machine.watch.move(seconds=8)
    await machine.pull()
    assert len(machine.upgates.asked("/products")) == 2
    assert await machine.changes() == []


@pytest.mark.rule("R53")
@pytest.mark.parametrize(
    ("origin", "age"),
    [
        pytest.param(Origin.WEBHOOK, 10, id="it has waited for a gathering already"),
        pytest.param(Origin.SETTINGS, 0, id="a person asked for it"),
        pytest.param(Origin.SCHEDULE, 0, id="a worker asked for it"),
    ],
)
async def test_what_has_waited_or_was_not_announced_is_not_left_to_the_next_gathering(
    make_engine: MakeEngine, origin: Origin, age: int
) -> None:
    machine = await make_engine()
    machine.upgates.sell(*range(1, 111))
    await machine.mark(Kind.PRODUCT, *(str(number) for number in range(1, 101)), now=machine.watch())
    machine.watch.move(seconds=11)
    since = machine.watch() - timedelta(seconds=age)
    await machine.mark(Kind.PRODUCT, *(str(number) for number in range(101, 111)), origin=origin, now=since)

    await machine.pull()

    assert len(machine.upgates.asked("/products")) == 2
    assert await machine.changes() == []


@pytest.mark.rule("R53")
async def test_what_a_person_asks_for_takes_along_what_is_gathered(make_engine: MakeEngine) -> None:
    machine = await make_engine()
    machine.upgates.order("A-1", "A-2", "A-3")
    await machine.mark(Kind.ORDER, "A-1")
    await machine.pull()
    await machine.mark(Kind.ORDER, "A-2", now=machine.watch())  # web saw no gathering
    await machine.mark(Kind.ORDER, "A-3", origin=Origin.SETTINGS)

    await machine.pull()

    assert len(machine.upgates.asked("/orders")) == 2
    assert await machine.changes() == []


@pytest.mark.rule("R53")
async def test_what_a_person_asks_for_is_not_gathered(make_engine: MakeEngine) -> None:
    machine = await make_engine()
    machine.upgates.order("A-1", "A-2")
    await machine.mark(Kind.ORDER, "A-1")
    await machine.pull()

    await machine.mark(Kind.ORDER, "A-2", origin=Origin.SETTINGS)
    await machine.pull()

    assert len(machine.upgates.asked("/orders")) == 2


@pytest.mark.rule("R40", "R53")
async def test_marks_that_come_while_others_are_read_are_read_once_more_and_together(
    make_engine: MakeEngine,
) -> None:
    machine = await make_engine()
    machine.upgates.sell(*range(1, 301))
    keys = [str(number) for number in range(1, 301)]
    await machine.mark(Kind.PRODUCT, *keys)
    again: list[asyncio.Task[Any]] = []

    def meanwhile(_request: httpx.Request) -> None:
        if not again:
            again.append(asyncio.ensure_future(machine.mark(Kind.PRODUCT, *keys)))

    machine.upgates.judges.append(meanwhile)
    while await machine.pull():
        await asyncio.gather(*again)
    machine.watch.move(seconds=10)
    await machine.pull()

    assert len(machine.upgates.asked("/products")) <= 6
    assert await machine.changes() == []


@pytest.mark.rule("R40", "R53")
async def test_what_is_announced_again_while_it_is_read_waits_for_the_gathering_like_all_else(
    order_edited: tuple[Any, Callable[[], Awaitable[None]]],
) -> None:
    machine, edit = order_edited
    again: list[asyncio.Task[Any]] = []

    def meanwhile(_request: httpx.Request) -> None:
        if not again:
            again.append(asyncio.ensure_future(edit()))

    machine.upgates.judges.append(meanwhile)
    await edit()
    await machine.pull()
    await asyncio.gather(*again)
    await machine.pull()
    assert len(machine.upgates.asked("/orders")) == 1

    machine.watch.move(seconds=10)
    await machine.pull()

    assert len(machine.upgates.asked("/orders")) == 2
    assert await machine.changes() == []


@pytest.mark.rule("R53")
async def test_what_a_person_asks_for_while_it_is_read_is_read_again_at_once(
    order_edited: tuple[Any, Callable[[], Awaitable[None]]],
) -> None:
    machine, edit = order_edited
    again: list[asyncio.Task[Any]] = []

    def meanwhile(_request: httpx.Request) -> None:
        if not again:
            again.append(asyncio.ensure_future(machine.mark(Kind.ORDER, "A-1", origin=Origin.SETTINGS)))

    machine.upgates.judges.append(meanwhile)
    await edit()
    await machine.pull()
    await asyncio.gather(*again)

    await machine.pull()

    assert len(machine.upgates.asked("/orders")) == 2
    assert await machine.changes() == []


async def test_a_shop_ahead_of_its_hour_gathers_marks_longer_and_still_imports(make_engine: MakeEngine) -> None:
    machine = await make_engine()
    machine.watch.now = machine.watch.now.replace(minute=1, second=0, microsecond=0)
    machine.upgates.sell(1, 2)
    machine.upgates.order("A-1", "A-2")
    await machine.service.ledger.set_tariff(machine.shop_id, "gold")
    await machine.run("UPDATE budgets SET calls_unconfirmed = 30 WHERE shop_id = :shop_id")
    await machine.mark(Kind.ORDER, "A-1")
    async with machine.db.begin() as tx:
        await start_run(tx, machine.shop_id, "product", RunPurpose.IMPORT, since=None, now=machine.watch())

    await machine.pull()

    assert machine.upgates.asked("/orders") == []
    assert len(machine.upgates.asked("/products")) == 1
    [waiting] = await machine.changes()
    assert waiting["attempts"] == 0
    assert machine.watch() < waiting["due_at"] < machine.watch() + timedelta(minutes=59)

    await machine.mark(Kind.ORDER, "A-2", due_at=waiting["due_at"])
    machine.watch.now = waiting["due_at"] + timedelta(minutes=2)  # the import spent a call meanwhile
    await machine.pull()

    assert machine.upgates.asked("/orders", order_numbers="A-1;A-2")
    assert await machine.changes() == []


async def test_a_shop_with_plenty_is_read_at_once(make_engine: MakeEngine) -> None:
    machine = await make_engine()
    machine.upgates.order("A-1")
    await machine.service.ledger.set_tariff(machine.shop_id, "bronze")
    await machine.mark(Kind.ORDER, "A-1")

    await machine.pull()

    assert await machine.changes() == []


async def test_a_product_that_is_deleted_with_its_variants_is_asked_for_once(make_engine: MakeEngine) -> None:
    machine = await make_engine()
    variants = [{"variant_id": 5, "code": "V-5"}, {"variant_id": 6, "code": "V-6"}]
    machine.upgates.sell(1, variants=variants)
    await machine.mark(Kind.PRODUCT, "1")
    await machine.drain()
    machine.upgates.products.clear()
    before = len(machine.upgates.asked("/products"))

    await machine.mark(Kind.PRODUCT, "1", origin=Origin.DELETION)
    await machine.mark(Kind.VARIANT, "5", "6", origin=Origin.DELETION)
    machine.watch.move(seconds=10)
    for _ in range(3):
        await machine.drain()
        machine.watch.move(seconds=11)

    assert machine.target.bodies()[2:] == [{"id": "v-5", "gone": True}, {"id": "v-6", "gone": True}]
    assert len(machine.upgates.asked("/products")) - before == 1
