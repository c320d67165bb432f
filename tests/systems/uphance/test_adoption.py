"""After a database was put back to an earlier state nothing is created again: what is there is recognised."""

import copy
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.clock import NOON, MovableClock
from tests.support.fake_uphance import FakeLinks, FakeMemory, FakeUphance, target_in_memory
from tests.support.orders import EVA, make_line, make_order
from tests.support.uphance import mapping_context
from upbridge.core.errors import Unreachable
from upbridge.domain.delivery import ADOPTED, Delivered, DesiredDocument, Document, Link, Outcome, Parked, Retry
from upbridge.domain.order import Order
from upbridge.systems.uphance.adoption import rows_above
from upbridge.systems.uphance.resource_types import CUSTOMERS, ORDERS
from upbridge.systems.uphance.unread_rows import WHOLE_READS, Sights


class World:
    """A shop whose database can be put back."""

    def __init__(self, *, key: str = "shop", uphance: FakeUphance | None = None, **fake: Any) -> None:
        self.key = key
        self.clock = MovableClock(NOON) if uphance is None else uphance.clock
        self.uphance = uphance or FakeUphance(self.clock, **fake)
        self.links = FakeLinks()
        self.memory = FakeMemory((key,))
        self.vault = self.uphance.vault()
        self.sights = Sights()

    def put_back(self, backup: FakeLinks, memory: FakeMemory, *, noticed: bool = False) -> None:
        """All workers were stopped, so no process remembers; or a worker was there and has *noticed* it."""
        self.links, self.memory = copy.deepcopy(backup), copy.deepcopy(memory)
        if noticed:
            self.links.put_back = self.clock()
        else:
            self.sights = Sights()

    def break_some(self, luck: random.Random) -> None:
        """A few rows break each answer that would show them."""
        rows = [*self.uphance.orders, *self.uphance.customers]
        self.uphance.broken = {row["id"] for row in luck.sample(rows, min(len(rows), luck.randint(0, 2)))}

    async def deliver(self, *orders: Order) -> dict[str, Outcome]:
        """Push as one slice does, with a client that knows nothing yet, and settle as the engine does."""
        target = target_in_memory(self.uphance, self.memory, self.sights)
        context = mapping_context(shop_key=self.key)
        documents = [self.document(draft) for one in orders for draft in target.desired_documents(one, context)]
        outcomes: dict[str, Outcome] = {}
        async for settled in target.sender(context.connection, self.vault, self.links).push(documents, context):
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

    async def insist(self, *orders: Order) -> dict[str, Outcome]:
        """The same, as often as it takes until a failure is looked into."""
        for _ in range(WHOLE_READS):
            try:
                return await self.deliver(*orders)
            except Unreachable:
                self.clock.move(seconds=1)
        return await self.deliver(*orders)

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


@pytest.mark.situation("restored")
async def test_a_backup_of_weeks_ago_that_is_put_back_twice_doubles_nothing() -> None:
    world = World()
    await world.deliver(*orders_of(range(3)))
    backup = world.backup()
    for number in range(3, 20):
        world.clock.move(days=2)
        await world.deliver(*orders_of(range(number, number + 1)))

    for _ in range(2):
        world.put_back(backup, world.memory)
        await world.deliver(*orders_of(range(17, 22)))
    await world.deliver(*orders_of(range(22)))

    assert world.doubled() == []
    assert len(world.uphance.orders) == 22


@pytest.mark.situation("restored.beside")
async def test_a_second_installation_of_the_same_shop_beside_the_first_doubles_nothing_in_turn() -> None:
    first = World()
    await first.deliver(*orders_of(range(3)))
    second = World(uphance=first.uphance)
    second.put_back(first.backup(), first.memory)
    luck = random.Random(1)

    for number in range(3, 20):
        for one in luck.sample([first, second], 2):
            await one.deliver(*orders_of(range(number - 2, number + 1)))

    assert first.doubled() == []
    assert len(first.uphance.orders) == 20


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


@pytest.mark.parametrize(("numbers", "asked"), [(["1", "2"], 0), (["1", "2-1"], 1)])
async def test_other_shops_are_asked_for_only_where_a_reference_may_be_theirs(
    numbers: list[str], asked: int
) -> None:
    world = World()
    await world.deliver(*(make_order(make_line("A1", 10), order_number=one) for one in numbers))
    world.memory.asked_for_keys = 0

    await world.deliver(make_order(make_line("A1", 10), order_number="9"))

    assert world.memory.asked_for_keys == asked
    assert {key for kind, key in world.links.rows if kind == "order"} == {*numbers, "9"}


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    honours=st.booleans(),
    share=st.sampled_from([0.0, 0.1, 0.2]),
    before=st.integers(0, 8),
    breaking=st.sampled_from([0.0, 0.2]),
)
@pytest.mark.situation("restored")
async def test_a_database_put_back_at_any_moment_of_a_run_doubles_nothing(
    seed: int, honours: bool, share: float, before: int, breaking: float
) -> None:
    """Every request may be lost before or after it was applied, rows break for a while. The database is put back
    to any state it had, while all are stopped or under a worker, which notices it."""
    luck = random.Random(seed)
    world = World(page=3, honours_since_id=honours)
    for _ in range(before):
        world.uphance.create(world.uphance.orders, {"purchase_order_ref": None, "organisation_id": 5})
    states = [(world.backup(), copy.deepcopy(world.memory))]

    def fault(_: httpx.Request) -> Exception | None:
        return httpx.ReadTimeout("lost") if luck.random() < share else None

    world.uphance.before = world.uphance.after = fault
    waiting = {one.order_number: one for one in orders_of(range(12))}
    for turn in range(400):
        if turn == 150:
            share = breaking = 0.0
            world.uphance.broken = set()
        if turn in (5, 9, 14):  # the service was stopped meanwhile: no request is at work
            world.clock.move(seconds=240)
            world.put_back(*luck.choice(states), noticed=luck.random() < 0.5)
            waiting = {one.order_number: one for one in orders_of(range(12))}
        if luck.random() < breaking:
            world.break_some(luck)
        chosen = luck.sample(sorted(waiting), min(len(waiting), luck.randint(1, 4)))
        try:
            outcomes = await world.deliver(*(waiting[number] for number in chosen))
        except Unreachable:
            outcomes = {}
        parked = [outcome.issue.key for outcome in outcomes.values() if isinstance(outcome, Parked)]
        assert set(parked) <= {"order.perhaps_there"}
        for number in [key for key, outcome in outcomes.items() if isinstance(outcome, Delivered)]:
            del waiting[number]
        states.append((world.backup(), copy.deepcopy(world.memory)))
        world.clock.move(seconds=60)
        if not waiting and turn > 14:
            break

    assert not waiting
    assert world.doubled() == []
    assert len([row for row in world.uphance.orders if row["purchase_order_ref"]]) == 12


def orders_placed(moment: datetime, numbers: range) -> list[Order]:
    return [one.model_copy(update={"created_at": moment}) for one in orders_of(numbers)]


@pytest.mark.situation("restored.unread")
class TestRowsThatCannotBeRead:
    """A row above our mark that Uphance cannot give holds up what may be that row, and nothing else."""

    async def test_a_row_of_another_system_holds_up_nothing(self) -> None:
        world = World()
        world.uphance.create(world.uphance.orders, {"purchase_order_ref": "of staff"})
        await world.deliver(*orders_of(range(2)))
        world.uphance.create(world.uphance.orders, {"purchase_order_ref": "of staff"})
        world.uphance.broken = {world.uphance.orders[-1]["id"]}

        first = await world.insist(*orders_of(range(2, 4)))
        world.clock.move(seconds=40)
        second = await world.deliver(*orders_of(range(2, 4)))
        await world.deliver(*orders_of(range(7, 8)))
        world.uphance.calls.clear()
        third = await world.deliver(*orders_of(range(4, 6)))

        assert {type(one) for one in first.values()} == {Retry}
        assert {type(one) for one in (*second.values(), *third.values())} == {Delivered}
        assert world.uphance.made("GET /sales_orders") == 1
        assert [str(row.gap) for row in world.memory.kept["order"]] == [str(*world.uphance.broken)]

    @pytest.mark.parametrize("which", [0, 2, 4])
    async def test_what_may_be_the_row_waits_and_is_recognised_when_it_can_be_read(self, which: int) -> None:
        world = World(page=3)
        world.uphance.create(world.uphance.orders, {"purchase_order_ref": "of staff"})
        await world.deliver(*orders_of(range(90, 91)))
        before = orders_placed(NOON, range(5))
        backup, memory = world.backup(), copy.deepcopy(world.memory)
        await world.deliver(*before)
        world.put_back(backup, memory)
        world.clock.move(seconds=60)
        broken = world.uphance.orders[which + 2]["id"]
        world.uphance.broken = {broken}
        later = orders_placed(NOON + timedelta(hours=1), range(5, 8))

        outcomes = await world.insist(*before, *later)

        held = {key: one for key, one in outcomes.items() if not isinstance(one, Delivered)}
        assert held.keys() == {str(which)}
        parked = held[str(which)]
        assert isinstance(parked, Parked)
        assert parked.issue.params == {"row": f"sales order {broken}"}

        world.uphance.broken = set()
        world.clock.move(minutes=11)
        assert {type(one) for one in (await world.deliver(*before)).values()} == {Delivered}
        assert world.doubled() == []
        assert len(world.uphance.orders) == 10

    async def test_who_says_that_it_is_none_of_ours_lets_it_be_created(self) -> None:
        world = World()
        world.uphance.create(world.uphance.orders, {"purchase_order_ref": "of staff"})
        world.uphance.broken = {world.uphance.orders[-1]["id"]}
        assert {type(one) for one in (await world.insist(*orders_of(range(1)))).values()} == {Parked}

        world.memory.kept["order"] = [replace(row, handled=True) for row in world.memory.kept["order"]]

        assert {type(one) for one in (await world.deliver(*orders_of(range(1)))).values()} == {Delivered}

    async def test_a_database_that_was_put_back_since_is_believed_no_more(self) -> None:
        world = World()
        await world.deliver(*orders_of(range(2)))
        world.uphance.create(world.uphance.orders, {"purchase_order_ref": "of staff"})
        world.uphance.broken = {world.uphance.orders[-1]["id"]}
        await world.insist(*orders_of(range(2, 3)))
        world.clock.move(seconds=40)
        world.links.put_back = world.clock()

        assert {type(one) for one in (await world.deliver(*orders_of(range(2, 3)))).values()} == {Parked}

    async def test_a_customer_on_a_page_that_cannot_be_read_is_not_made_twice(self) -> None:
        world = World(page=3)
        backup, memory = world.backup(), copy.deepcopy(world.memory)
        await world.deliver(*orders_of(range(5)))
        world.put_back(backup, memory)
        world.uphance.broken = {world.uphance.customers[-1]["id"]}

        later = [one.model_copy(update={"order_number": f"9{one.order_number}"}) for one in orders_of(range(5))]
        outcomes = await world.insist(*orders_placed(NOON + timedelta(hours=1), range(5)), *later)

        assert world.doubled() == []
        assert {key for key, one in outcomes.items() if not isinstance(one, Delivered)} == {"93", "94"}

    async def test_a_customer_of_another_system_that_cannot_be_read_holds_up_no_order(self) -> None:
        world = World(page=3)
        await world.deliver(*orders_of(range(2)))
        world.uphance.create(world.uphance.customers, {"reference": "of staff"})
        world.uphance.broken = {world.uphance.customers[-1]["id"]}

        await world.insist(*orders_of(range(2, 7)))
        world.clock.move(seconds=40)

        assert {type(one) for one in (await world.deliver(*orders_of(range(2, 7)))).values()} == {Delivered}
        assert world.doubled() == []

    async def test_an_attempt_whose_answer_was_lost_waits_alone(self) -> None:
        world = World()
        await world.deliver(*orders_of(range(2)))

        def lose(request: httpx.Request) -> Exception | None:
            if world.uphance.broken or (request.method, request.url.path) != ("POST", "/sales_orders"):
                return None
            world.uphance.broken = {world.uphance.orders[-1]["id"]}
            return httpx.ReadTimeout("lost")

        world.uphance.after = lose

        outcomes = await world.deliver(*orders_of(range(2, 4)))

        assert {key: type(one) for key, one in outcomes.items()} == {"2": Retry, "3": Delivered}
        world.clock.move(minutes=5)
        world.uphance.broken = set()
        assert {type(one) for one in (await world.deliver(*orders_of(range(2, 3)))).values()} == {Delivered}
        assert world.doubled() == []

    async def test_with_uphance_broken_as_a_whole_few_calls_are_made(self) -> None:
        world = World()
        world.uphance.before = lambda request: (
            httpx.Response(500, json={}) if request.url.path == "/sales_orders" else None
        )

        with pytest.raises(Unreachable):
            await world.deliver(*orders_of(range(1)))

        assert world.uphance.made("GET /sales_orders") <= 4


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
