"""Deleted orders are looked for once a day, where the shop's API lists them; restored ones come back."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import httpx
import pytest

from tests.support.engine import Engine
from tests.support.simulated import answering
from tests.support.upgates import raw_order
from upbridge.engine import deleted_orders
from upbridge.engine.deleted_orders import DeletedListing
from upbridge.engine.scheduler import start_reconciliation
from upbridge.store.changes import Kind, Origin
from upbridge.systems.upgates.orders import parse_order


async def sold(machine: Engine, *numbers: str) -> None:
    """Orders that the target has."""
    machine.upgates.order(*numbers)
    await machine.mark(Kind.ORDER, *numbers)
    await machine.drain()


async def sold_long_ago(machine: Engine, *numbers: str) -> None:
    """Orders that the target has and that no safety net lists: nothing changed of them."""
    january = "2026-01-05T10:00:00+01:00"
    machine.upgates.order(*numbers, creation_time=january, last_update_time=january)
    await machine.mark(Kind.ORDER, *numbers, origin=Origin.IMPORT)
    await machine.drain()


async def net(machine: Engine, *, hours: float = 24) -> None:
    machine.watch.move(hours=hours)
    async with machine.db.begin() as tx:
        await start_reconciliation(tx, machine.shop_id, now=machine.watch())
    await machine.drain()


def lists(machine: Engine) -> list[Any]:
    return machine.upgates.asked("/orders", deleted_yn="true")


async def listing(machine: Engine) -> DeletedListing:
    async with machine.db.connect() as tx:
        return await deleted_orders.listing(tx, machine.shop_id)


def deleted(machine: Engine, *numbers: str, flag: str | None = None) -> None:
    """The shop deletes orders and no webhook tells; its API lists them, flagged or not."""
    gone = [machine.upgates.orders.pop(number) for number in numbers]
    rows = [one if flag is None else {**one, flag: True} for one in gone]

    def judge(request: httpx.Request) -> httpx.Response | None:
        if request.url.params.get("deleted_yn") != "true":
            return None
        return httpx.Response(200, json={"orders": rows, "number_of_pages": 1, "number_of_items": len(rows)})

    machine.upgates.judges.append(judge)


async def taken_back(machine: Engine) -> list[str]:
    """The orders that are known no more."""
    kept = await machine.rows("SELECT number FROM orders WHERE shop_id = :shop_id ORDER BY number")
    return sorted({"A", "B", "C"} - {row["number"] for row in kept})


@pytest.mark.situation("delete.silent")
@pytest.mark.parametrize("flag", [None, "deleted_yn", "deleted"])
async def test_an_order_whose_deletion_was_not_announced_is_found_in_the_list_of_deleted_ones(
    machine: Engine, flag: str | None
) -> None:
    await sold(machine, "A", "B", "C")
    deleted(machine, "B", flag=flag)

    await net(machine)

    assert await taken_back(machine) == ["B"]
    assert await listing(machine) is DeletedListing.YES
    assert await machine.changes() == []


@dataclass
class Bin:
    """The shop's deleted orders, listed as its API lists orders: by the time of their last change, in pages."""

    machine: Engine
    rows: list[dict[str, Any]] = field(default_factory=list)
    page_size: int = 2
    between: Callable[[], None] = lambda: None

    def __post_init__(self) -> None:
        self.machine.upgates.judges.append(self._answer)

    def take(self, number: str, day: int) -> None:
        """Delete an order on a day of February 2026."""
        order = self.machine.upgates.orders.pop(number, None) or raw_order(order_number=number)
        self.rows.append({**order, "last_update_time": f"2026-02-{day:02d}T10:00:00+01:00"})

    def _answer(self, request: httpx.Request) -> httpx.Response | None:
        asked = request.url.params
        if asked.get("deleted_yn") != "true":
            return None
        since = datetime.fromisoformat(asked["last_update_time_from"])
        rows = sorted(
            (row for row in self.rows if datetime.fromisoformat(row["last_update_time"]) >= since),
            key=lambda row: row["last_update_time"],
        )
        start = (int(asked.get("page", 1)) - 1) * self.page_size
        pages = -(-len(rows) // self.page_size)
        body = {
            "orders": rows[start : start + self.page_size],
            "number_of_pages": pages,
            "number_of_items": len(rows),
        }
        self.between()
        return httpx.Response(200, json=body)


@pytest.mark.situation("delete.silent")
async def test_however_many_orders_are_deleted_the_newest_is_found_too(machine: Engine) -> None:
    await sold(machine, "A", "B", "C")
    shelf = Bin(machine, page_size=1)
    for number in range(25):
        shelf.take(f"old-{number}", day=1 + number % 20)
    shelf.take("C", day=24)

    await net(machine)

    assert await taken_back(machine) == ["C"]


@pytest.mark.situation("delete.silent")
async def test_a_list_that_shrinks_while_it_is_read_hides_no_deleted_order(machine: Engine) -> None:
    """A deleted order is restored between two pages, and the others move up."""
    await sold(machine, "A", "B", "C")
    shelf = Bin(machine)
    for number, day in (("old-1", 1), ("old-2", 2), ("B", 3), ("old-3", 4), ("C", 5)):
        shelf.take(number, day)

    def restore_one() -> None:
        shelf.rows = [row for row in shelf.rows if row["order_number"] != "old-1"]

    shelf.between = restore_one
    await net(machine)

    assert await taken_back(machine) == ["B", "C"]


@pytest.mark.situation("restore.silent")
@pytest.mark.parametrize("listed", [True, False], ids=["api_lists_deleted", "api_does_not"])
async def test_an_order_that_is_restored_without_a_webhook_comes_back_within_a_day(
    machine: Engine, *, listed: bool
) -> None:
    await sold_long_ago(machine, "A", "B", "C")
    shelf = Bin(machine) if listed else None
    if shelf is None:
        machine.upgates.judges.append(answering(400, "deleted_yn"))
    gone = {number: machine.upgates.orders[number] for number in ("B", "C")}
    for number in gone:
        if shelf is not None:
            shelf.take(number, day=24)
        machine.upgates.orders.pop(number, None)
    await machine.mark(Kind.ORDER, "B", "C", origin=Origin.DELETION)
    await machine.drain()
    await net(machine)
    assert await taken_back(machine) == ["B", "C"]

    machine.upgates.orders["B"] = gone["B"]
    if shelf is not None:
        shelf.rows = [row for row in shelf.rows if row["order_number"] != "B"]
    asked = len(machine.upgates.requests)
    await net(machine)

    assert await taken_back(machine) == ["C"]
    assert len(machine.upgates.requests) - asked <= 7


async def test_the_list_is_asked_for_once_a_day_and_costs_one_call_where_nothing_is_deleted(
    machine: Engine,
) -> None:
    await sold(machine, "A")
    deleted(machine)
    for _ in range(6):
        await net(machine, hours=8)

    assert len(lists(machine)) == 2
    assert await taken_back(machine) == ["B", "C"]


async def test_what_was_found_once_is_not_asked_about_again(machine: Engine) -> None:
    await sold(machine, "A", "B")
    deleted(machine, "B")
    await net(machine)
    asked = len(machine.upgates.asked("/orders", order_numbers="B"))

    await net(machine)

    assert len(machine.upgates.asked("/orders", order_numbers="B")) == asked


async def test_a_shop_whose_api_passes_the_parameter_over_loses_nothing_and_is_asked_rarely(
    machine: Engine,
) -> None:
    await sold(machine, "A", "B", "C")
    machine.upgates.page_size = 2
    for _ in range(5):
        await net(machine)

    assert await taken_back(machine) == []
    assert len(lists(machine)) == 1
    assert await listing(machine) is DeletedListing.NO
    for _ in range(30):
        await net(machine)
    assert len(lists(machine)) == 2


async def test_a_shop_whose_api_refuses_the_parameter_is_asked_rarely_and_nothing_is_blocked(
    machine: Engine,
) -> None:
    await sold(machine, "A")
    machine.upgates.judges.append(answering(400, "deleted_yn"))
    for _ in range(3):
        await net(machine)

    assert len(lists(machine)) == 1
    assert await listing(machine) is DeletedListing.NO
    assert await machine.problems() == []


async def test_an_order_that_is_flagged_in_an_answer_counts_as_missing(machine: Engine) -> None:
    await sold(machine, "A", "B")
    machine.upgates.order("B", deleted_yn=True, last_update_time="2026-11-24T10:00:00+01:00")

    await machine.mark(Kind.ORDER, "B")
    await machine.drain()

    assert await taken_back(machine) == ["B", "C"]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({}, False),
        ({"deleted_yn": None}, False),
        ({"deleted_yn": True}, True),
        ({"deleted": 1}, True),
        ({"deleted_yn": "no such thing"}, False),
    ],
)
def test_the_flag_is_read_where_it_comes(said: dict[str, Any], *, expected: bool) -> None:
    assert parse_order(raw_order(**said)).deleted is expected


def asked_by_number(machine: Engine, number: str) -> int:
    return sum(
        number in request.url.params.get("order_numbers", "").split(";") for request in machine.upgates.requests
    )


async def open_order(machine: Engine, number: str) -> None:
    """A line of *number* is open: the target may not know it yet."""
    await machine.run(
        "INSERT INTO open_order_lines (shop_id, order_number, position, quantity, pending, ordered_at)"
        f" VALUES (:shop_id, '{number}', 0, 1, true, now())"
    )


@pytest.mark.situation("delete.silent")
async def test_open_orders_are_asked_for_by_number_only_where_no_list_of_deleted_ones_is_proved(
    machine: Engine,
) -> None:
    await sold_long_ago(machine, "A", "B", "C")
    await open_order(machine, "A")
    shelf = Bin(machine)
    await net(machine)
    assert asked_by_number(machine, "A") == 2, "an empty list of deleted orders proves nothing"

    shelf.take("B", day=24)
    await net(machine)
    await net(machine, hours=8)

    assert await listing(machine) is DeletedListing.YES
    assert asked_by_number(machine, "A") == 2
    assert len(lists(machine)) == 3


async def test_an_open_order_that_the_net_has_just_read_is_not_asked_for_again(machine: Engine) -> None:
    await sold_long_ago(machine, "A", "B")
    await open_order(machine, "A")
    await open_order(machine, "B")
    machine.upgates.judges.append(answering(400, "deleted_yn"))
    machine.upgates.order("A", last_update_time=machine.watch().isoformat())

    await net(machine)

    assert asked_by_number(machine, "A") == 1
    assert asked_by_number(machine, "B") == 2
