"""After a database was put back to an earlier state nothing is created again: what is there is recognised."""

import copy
import random
from collections import Counter
from collections.abc import Sequence
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.clock import NOON, MovableClock
from tests.support.fake_uphance import BASE, FakeLinks, FakeMemory, FakeUphance
from tests.support.orders import EVA, make_line, make_order
from tests.support.uphance import BOOK, mapping_context
from upbridge.core.errors import Unreachable
from upbridge.domain.delivery import ADOPTED, Delivered, DesiredDocument, Document, Link, Outcome, Parked
from upbridge.domain.order import Order, OrderLine
from upbridge.domain.shop_id import ShopId
from upbridge.systems.uphance.adoption import rows_above
from upbridge.systems.uphance.matching import SkuBook
from upbridge.systems.uphance.sorts import CUSTOMERS, ORDERS
from upbridge.systems.uphance.target import UphanceTarget


class FixedCatalogue:
    """A catalogue that is in memory."""

    async def book(self, shop_id: ShopId, lines: list[OrderLine]) -> SkuBook:
        return BOOK


class World:
    """A shop whose database can be put back."""

    def __init__(self, *, key: str = "shop", uphance: FakeUphance | None = None, **fake: Any) -> None:
        self.key = key
        self.clock = MovableClock(NOON) if uphance is None else uphance.clock
        self.uphance = uphance or FakeUphance(self.clock, **fake)
        self.links = FakeLinks()
        self.memory = FakeMemory((key,))
        self.vault = self.uphance.vault()

    async def deliver(self, *orders: Order) -> dict[str, Outcome]:
        """Push as one slice does, with a client that knows nothing yet, and settle as the engine does."""
        target = UphanceTarget(self.uphance.http(), BASE, None, self.clock, sleep=self.uphance.sleep)  # type: ignore[arg-type]
        target._catalogue = FixedCatalogue()  # type: ignore[assignment]
        target._memory = lambda _: self.memory
        context = mapping_context(shop_key=self.key)
        documents = [self.document(draft) for one in orders for draft in target.desired_documents(one, context)]
        outcomes: dict[str, Outcome] = {}
        async for settled in target.push(documents, context, self.vault, self.links):
            for document, outcome in settled:
                outcomes[document.key] = outcome
                if isinstance(outcome, Delivered):
                    self.links.rows["order", document.key] = Link(
                        "order",
                        document.key,
                        document.key,
                        outcome.remote_id,
                        hash=document.hash,
                        sent=outcome.keep,
                        remote_status=outcome.remote_status,
                    )
        return outcomes

    def document(self, draft: Any) -> Document:
        assert isinstance(draft, DesiredDocument)
        link = self.links.rows.get((draft.kind, draft.key))
        return Document(draft.kind, draft.key, draft.parent, 1, draft.body, draft.hash, 0, link)

    def backup(self) -> FakeLinks:
        return copy.deepcopy(self.links)

    def doubled(self) -> list[str]:
        rows = [f"order {row['purchase_order_ref']}" for row in self.uphance.orders if row["purchase_order_ref"]]
        rows += [f"customer {row['reference']}" for row in self.uphance.customers]
        return [what for what, times in Counter(rows).items() if times > 1]


def orders_of(numbers: range) -> list[Order]:
    return [
        make_order(order_number=str(number), shopper=EVA.model_copy(update={"customer_id": number % 7}))
        for number in numbers
    ]


@pytest.mark.situation("restored")
async def test_orders_and_customers_that_a_restored_database_has_forgotten_are_recognised() -> None:
    world = World()
    await world.deliver(*orders_of(range(3)))
    backup = world.backup()
    await world.deliver(*orders_of(range(3, 20)))
    world.links = backup

    outcomes = await world.deliver(*orders_of(range(20)))

    assert world.doubled() == []
    assert {type(outcome) for outcome in outcomes.values()} == {Delivered}
    assert len(world.uphance.orders) == 20
    assert len(world.uphance.customers) == 7


async def test_with_nothing_forgotten_a_slice_costs_one_look_for_each_sort() -> None:
    world = World()
    await world.deliver(*orders_of(range(3)))
    world.uphance.calls.clear()

    await world.deliver(*orders_of(range(10, 20)))

    assert world.uphance.made("GET /sales_orders") == 1
    assert world.uphance.made("GET /customers") == 1
    assert world.uphance.made("POST /sales_orders") == 10


async def test_what_was_forgotten_and_is_not_in_this_slice_is_linked_and_its_order_read_again() -> None:
    world = World()
    backup = world.backup()
    await world.deliver(*orders_of(range(5)))
    world.links = backup

    await world.deliver(*orders_of(range(4, 5)))
    assert sorted(world.memory.again) == ["0", "1", "2", "3", "4"]
    assert {link.hash for link in world.links.rows.values() if link.kind == "order"} >= {ADOPTED}

    await world.deliver(*orders_of(range(4)))
    assert world.doubled() == []
    assert len(world.uphance.orders) == 5


async def test_an_order_that_was_cancelled_after_it_was_forgotten_is_for_staff() -> None:
    world = World()
    backup = world.backup()
    await world.deliver(make_order(order_number="1"))
    world.links = backup

    outcomes = await world.deliver(make_order(order_number="1", status_id=3))

    assert isinstance(outcomes["1"], Parked)
    assert outcomes["1"].issue.key == "order.cancel_in_uphance"


async def test_goods_that_changed_after_it_was_forgotten_are_for_staff() -> None:
    world = World()
    backup = world.backup()
    await world.deliver(make_order(make_line("A1", 10), order_number="1"))
    world.links = backup

    outcomes = await world.deliver(make_order(make_line("A1", 10, 2), order_number="1"))

    assert isinstance(outcomes["1"], Parked)
    assert outcomes["1"].issue.key == "order.changed_after_sending"
    assert outcomes["1"].issue.params["differences"] == "SKU 1: 1 → 2"


async def test_orders_of_staff_and_of_another_shop_are_left_alone() -> None:
    first = World()
    second = World(key="shop-2", uphance=first.uphance)
    first.memory.keys = second.memory.keys = ("shop", "shop-2")
    backups = first.backup(), second.backup()
    await first.deliver(*orders_of(range(4)))
    await second.deliver(*orders_of(range(4)))
    first.uphance.create(first.uphance.orders, {"purchase_order_ref": "PO 77"})
    first.uphance.create(first.uphance.orders, {"purchase_order_ref": None})
    first.links, second.links = backups

    for world in (first, second):
        await world.deliver(*orders_of(range(6)))

    assert first.doubled() == []
    assert {key for kind, key in first.links.rows if kind == "order"} == {"0", "1", "2", "3", "4", "5"}
    assert len(first.uphance.orders) == 14


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    honours=st.booleans(),
    share=st.sampled_from([0.0, 0.1, 0.2]),
    before=st.integers(0, 8),
)
@pytest.mark.situation("restored")
async def test_a_database_put_back_at_any_moment_of_a_run_doubles_nothing(
    seed: int, honours: bool, share: float, before: int
) -> None:
    """Every request may be lost before or after it was applied; the database is put back to any state it had."""
    luck = random.Random(seed)
    world = World(page=3, honours_since_id=honours)
    for _ in range(before):
        world.uphance.create(world.uphance.orders, {"purchase_order_ref": None, "organisation_id": 5})
    states = [world.backup()]

    def fault(_: httpx.Request) -> Exception | None:
        return httpx.ReadTimeout("lost") if luck.random() < share else None

    world.uphance.before = world.uphance.after = fault
    waiting = {one.order_number: one for one in orders_of(range(12))}
    for turn in range(300):
        if turn == 150:
            share = 0.0
        if turn in (5, 9, 14):  # the service was stopped meanwhile: no request is at work
            world.clock.move(seconds=240)
            world.links = copy.deepcopy(luck.choice(states))
            waiting = {one.order_number: one for one in orders_of(range(12))}
        chosen = luck.sample(sorted(waiting), min(len(waiting), luck.randint(1, 4)))
        try:
            outcomes = await world.deliver(*(waiting[number] for number in chosen))
        except Unreachable:
            outcomes = {}
        for number, outcome in outcomes.items():
            assert not isinstance(outcome, Parked), outcome
            if isinstance(outcome, Delivered):
                del waiting[number]
        states.append(world.backup())
        world.clock.move(seconds=60)
        if not waiting and turn > 14:
            break

    assert not waiting
    assert world.doubled() == []
    assert len([row for row in world.uphance.orders if row["purchase_order_ref"]]) == 12


class TestAbove:
    """What lies above a mark is found whole and cheaply, however the list behaves."""

    def world(self, ids: Sequence[int], **fake: Any) -> FakeUphance:
        uphance = FakeUphance(MovableClock(NOON), page=10, **fake)
        uphance.orders = [{"id": number, "organisation_id": 5} for number in ids]
        return uphance

    @pytest.mark.parametrize("honours", [True, False])
    @pytest.mark.parametrize("order", ["rising", "falling", "mixed"])
    @given(count=st.integers(0, 60), above=st.integers(0, 60))
    @settings(max_examples=10, deadline=None)
    async def test_all_of_it_comes(self, order: str, honours: bool, count: int, above: int) -> None:
        ids = list(range(1, count + 1))
        if order == "falling":
            ids.reverse()
        if order == "mixed":
            random.Random(count).shuffle(ids)
        uphance = self.world(ids, honours_since_id=honours)
        mark = max(count - above, 0)

        rows = await rows_above(uphance.client(), ORDERS, mark)

        assert sorted(rows) == list(range(mark + 1, count + 1))

    @pytest.mark.parametrize("order", [1, -1], ids=["rising", "falling"])
    async def test_where_the_filter_is_ignored_only_the_newest_pages_are_read(self, order: int) -> None:
        uphance = self.world(range(1, 501)[::order], honours_since_id=False)

        assert sorted(await rows_above(uphance.client(), ORDERS, 498)) == [499, 500]

        assert uphance.made("GET /sales_orders") <= 2

    async def test_what_moves_to_an_earlier_page_meanwhile_is_found(self) -> None:
        uphance = self.world(range(1, 31))
        pages: list[str | None] = []

        def delete_between(request: httpx.Request) -> None:
            if request.url.path == "/sales_orders":
                pages.append(request.url.params.get("page"))
                if len(pages) == 2:
                    del uphance.orders[0]

        uphance.before = delete_between

        rows = await rows_above(uphance.client(), ORDERS, 0)

        assert rows.keys() >= set(range(2, 31))

    async def test_a_list_that_ends_early_is_no_answer(self) -> None:
        uphance = self.world(range(1, 31))
        short = {"sales_orders": [{"id": 1}], "meta": {"next_page": None, "total_pages": 1, "total_count": 30}}
        uphance.before = lambda request: (
            httpx.Response(200, json=short) if request.url.path == "/sales_orders" else None
        )

        with pytest.raises(Unreachable):
            await rows_above(uphance.client(), ORDERS, 0)

    async def test_customers_are_looked_for_without_a_filter(self) -> None:
        uphance = self.world([])
        uphance.customers = [{"id": number, "reference": None} for number in range(1, 41)]

        assert sorted(await rows_above(uphance.client(), CUSTOMERS, 35)) == [36, 37, 38, 39, 40]
