"""The shop's own count against ours: what differs is looked at twice, read, and shown until it is resolved."""

from datetime import datetime, timedelta

import httpx
import pytest

from tests.support.engine import Engine
from tests.support.rows import insert_rows, order_row
from tests.support.simulated import answering
from upbridge.engine.completeness import Counted
from upbridge.engine.scheduler import start_reconciliation
from upbridge.insights.flow_states import see
from upbridge.store.changes import Kind, Origin


async def counts(machine: Engine) -> dict[str, Counted]:
    async with machine.db.connect() as tx:
        return dict((await see(tx, machine.service.systems, machine.shop_id)).counted)


async def uncounted(machine: Engine) -> set[str]:
    async with machine.db.connect() as tx:
        return set((await see(tx, machine.service.systems, machine.shop_id)).uncounted)


async def known(machine: Engine, *numbers: str, days: int = 2) -> None:
    """Orders that the shop has and that we have read; they were not changed since."""
    made = machine.watch() - timedelta(days=days)
    for number in numbers:
        machine.upgates.order(number, creation_time=made.isoformat(), last_update_time=made.isoformat())
        await insert_rows(machine.db, order_row(machine.shop_id, number, ordered_at=made, read_at=made))


async def lost(machine: Engine, *numbers: str) -> None:
    """Orders that the shop has and of which nothing told us: no webhook, no recent change."""
    made = machine.watch() - timedelta(days=2)
    for number in numbers:
        machine.upgates.order(number, creation_time=made.isoformat(), last_update_time=made.isoformat())


async def settle(machine: Engine) -> None:
    """Work until nothing is due for a while."""
    for _ in range(6):
        await machine.drain()
        machine.watch.move(seconds=11)


async def long_connected(machine: Engine) -> None:
    await machine.run("UPDATE connections SET connected_at = :at", at=machine.watch() - timedelta(days=60))
    await machine.run("UPDATE shops SET reconciled_at = :at", at=machine.watch() - timedelta(hours=20))


async def test_a_shop_whose_number_is_ours_is_asked_once_and_nothing_is_read(machine: Engine) -> None:
    await long_connected(machine)
    await known(machine, "A-1", "A-2")

    await machine.mark(Kind.ORDER_COUNT, "count")
    await settle(machine)

    [counted] = [(await counts(machine))["order"]]
    assert (counted.shop_says, counted.known, counted.missing, counted.days) == (2, 2, 0, 30)
    assert machine.upgates.paths().count("/orders") == 1


@pytest.mark.situation("count.differs")
async def test_what_the_shop_has_and_we_do_not_know_is_read_and_then_the_counts_agree(machine: Engine) -> None:
    await long_connected(machine)
    await known(machine, "A-1")
    await lost(machine, "B-1", "B-2")

    async with machine.db.begin() as tx:
        await start_reconciliation(tx, machine.shop_id, now=machine.watch())
    await settle(machine)

    counted = (await counts(machine))["order"]
    assert (counted.shop_says, counted.known) == (3, 3)
    assert {"B-1", "B-2"} <= (await machine.links()).keys()


async def test_a_difference_is_kept_as_soon_as_it_is_sure_and_until_it_is_resolved(machine: Engine) -> None:
    await long_connected(machine)
    await known(machine, "A-1")
    await lost(machine, "B-1", "B-2")
    await machine.mark(Kind.ORDER_COUNT, "count")

    await machine.pull()
    assert "order" not in await counts(machine)
    machine.watch.move(seconds=11)
    await machine.pull()

    counted = (await counts(machine))["order"]
    assert (counted.shop_says, counted.known, counted.missing) == (3, 1, 2)


async def test_an_order_that_came_between_the_two_counts_raises_no_alarm(machine: Engine) -> None:
    await long_connected(machine)
    await known(machine, "A-1")
    machine.upgates.order("B-1", creation_time=(machine.watch() - timedelta(seconds=1)).isoformat())
    await machine.mark(Kind.ORDER_COUNT, "count")

    await machine.pull()
    await machine.mark(Kind.ORDER, "B-1")  # its webhook
    await settle(machine)

    counted = (await counts(machine))["order"]
    assert counted.missing == 0
    assert await machine.value("SELECT count(*) FROM runs WHERE purpose = 'completeness'") == 0


async def test_orders_that_are_older_than_what_was_ever_to_be_read_are_not_missed(machine: Engine) -> None:
    await machine.run("UPDATE connections SET connected_at = :at", at=machine.watch() - timedelta(days=1))

    await machine.mark(Kind.ORDER_COUNT, "count")
    await settle(machine)

    [asked] = [request.url.params for request in machine.upgates.requests if request.url.path.endswith("/orders")]
    reach = machine.watch() - datetime.fromisoformat(asked["creation_time_from"])
    assert timedelta(hours=23, minutes=55) < reach < timedelta(hours=24, minutes=5)
    assert (await counts(machine))["order"].days == 1


@pytest.mark.situation("count.gone")
async def test_an_order_that_we_know_and_the_shop_has_no_more_is_asked_for(machine: Engine) -> None:
    await long_connected(machine)
    await known(machine, "A-1", "A-2")
    del machine.upgates.orders["A-2"]

    await machine.mark(Kind.ORDER_COUNT, "count")
    await settle(machine)
    for _ in range(3):  # one look is not believed
        machine.watch.move(minutes=6)
        await settle(machine)

    counted = (await counts(machine))["order"]
    assert (counted.shop_says, counted.known, counted.astray) == (1, 1, 0)


@pytest.mark.situation("count.unanswered")
async def test_a_count_that_the_shop_does_not_answer_is_seen_until_it_does(machine: Engine) -> None:
    await long_connected(machine)
    await known(machine, "A-1")
    await machine.mark(Kind.ORDER_COUNT, "count")
    await settle(machine)

    machine.upgates.judges.append(answering(500, "/orders"))
    await machine.mark(Kind.ORDER_COUNT, "count")
    for _ in range(4):
        await settle(machine)
        machine.watch.move(minutes=6)
    assert await uncounted(machine) == {"order"}

    machine.upgates.judges.clear()
    machine.watch.move(hours=1)
    await machine.mark(Kind.ORDER_COUNT, "count")
    await settle(machine)
    assert await uncounted(machine) == set()


@pytest.mark.situation("count.differs")
async def test_products_that_are_announced_and_not_read_yet_have_no_list_read(machine: Engine) -> None:
    """A bulk deletion just before a count: the list of a large shop would cost a thousand calls."""
    machine.upgates.sell(1, 2, 3)
    await machine.mark(Kind.PRODUCT, "1", "2", "3")
    await machine.drain()
    for number in (2, 3):
        del machine.upgates.products[number]
    gathered = machine.watch() + timedelta(seconds=8)
    await machine.mark(Kind.PRODUCT, "2", "3", origin=Origin.DELETION, due_at=gathered)
    machine.upgates.requests.clear()

    await machine.mark(Kind.COUNT, "count")
    await settle(machine)

    counted = (await counts(machine))["product"]
    assert (counted.shop_says, counted.known) == (1, 1)
    lists = [call for call in machine.upgates.asked("/products") if "product_ids" not in call]
    assert len(lists) == 1, "the count, behind what was announced"


async def test_an_order_that_the_same_net_finds_deleted_costs_no_second_count(machine: Engine) -> None:
    await long_connected(machine)
    await known(machine, "A-1", "A-2")
    gone = machine.upgates.orders.pop("A-2")  # its webhook was lost, and the list of deleted ones has it

    def listed(request: httpx.Request) -> httpx.Response | None:
        if request.url.params.get("deleted_yn") != "true":
            return None
        body = {"orders": [{**gone, "deleted_yn": True}], "number_of_pages": 1, "number_of_items": 1}
        return httpx.Response(200, json=body)

    machine.upgates.judges.append(listed)
    async with machine.db.begin() as tx:
        await start_reconciliation(tx, machine.shop_id, now=machine.watch())
    await settle(machine)

    counted = (await counts(machine))["order"]
    assert (counted.shop_says, counted.known) == (1, 1)
    assert len([one for one in machine.upgates.asked("/orders") if "creation_time_to" in one]) == 1


async def test_a_count_comes_behind_what_was_announced_and_waits_for_nothing_without_end(machine: Engine) -> None:
    await long_connected(machine)
    await known(machine, "A-1")
    await machine.mark(Kind.ORDER_COUNT, "count")
    for _ in range(8):
        await machine.mark(Kind.ORDER, "A-1", due_at=machine.watch() + timedelta(seconds=9))
        await machine.pull()
        machine.watch.move(seconds=10)

    assert (await counts(machine))["order"].missing == 0
