"""The target: what it wants, and the outcome of sending, row by row of the table of situations."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.support.clock import NOON, MovableClock
from tests.support.fake_uphance import BASE, FakeLinks, FakeMemory, FakeUphance, target_in_memory
from tests.support.orders import EVA, OFFICE, make_line, make_order
from tests.support.shops import MakeShop
from tests.support.uphance import mapping_context
from upbridge.core.errors import Unreachable
from upbridge.domain.delivery import Delivered, DesiredDocument, Document, Dropped, Link, Outcome, Parked, Retry
from upbridge.domain.order import Order
from upbridge.domain.shop_id import ShopId
from upbridge.store import schema
from upbridge.systems.base import MappingContext
from upbridge.systems.uphance.errors import WrongOrganisation
from upbridge.systems.uphance.target import UphanceSender, UphanceTarget

#: What it costs to find an order again: the client says once whom it speaks for, then lists what is newer.
LOOK = ["POST /organisations/set_current_org", "GET /sales_orders"]


class World:
    """A shop, its Uphance, and an engine as small as can be."""

    def __init__(self, engine: AsyncEngine, shop_id: ShopId) -> None:
        self.clock = MovableClock(NOON)
        self.uphance = FakeUphance(self.clock)
        self.links = FakeLinks()
        self.shop_id = shop_id
        self.vault = self.uphance.vault()
        self.target = UphanceTarget.stored(self.uphance.http(), BASE, engine, self.clock, sleep=self.uphance.sleep)
        self.settings: dict[str, Any] = {}

    @property
    def context(self) -> MappingContext:
        return mapping_context(self.settings, shop_id=self.shop_id)

    def document(self, draft: DesiredDocument, attempts: int = 0) -> Document:
        link = self.links.rows.get((draft.kind, draft.key))
        return Document(draft.kind, draft.key, draft.parent, 1, draft.body, draft.hash, attempts, link)

    def draft(self, one: Order) -> DesiredDocument:
        [draft] = self.target.desired_documents(one, self.context)
        assert isinstance(draft, DesiredDocument)
        return draft

    async def deliver(self, *orders: Order, attempts: int = 0) -> list[Outcome]:
        return await self.push(*(self.document(self.draft(one), attempts) for one in orders))

    def sender(self) -> UphanceSender:
        return self.target.sender(self.context.connection, self.vault, self.links)

    async def push(self, *documents: Document, by: UphanceSender | None = None) -> list[Outcome]:
        """Push and settle as the engine does, in a slice of its own if none is under way."""
        outcomes: list[Outcome] = []
        async for settled in (by or self.sender()).push(documents, self.context):
            for document, outcome in settled:
                outcomes.append(outcome)
                if isinstance(outcome, Delivered):
                    link = Link(document.kind, document.key, document.parent, outcome.remote_id)
                    kept = replace(
                        link,
                        hash=document.hash,
                        sent=outcome.keep,
                        remote_status=outcome.remote_status,
                        metadata=outcome.metadata,
                    )
                    self.links.rows[document.kind, document.key] = kept
                elif isinstance(outcome, Parked) and outcome.found is not None:
                    self.links.rows[document.kind, document.key] = outcome.found
        return outcomes

    async def deliver_one(self, one: Order, attempts: int = 0) -> Outcome:
        [outcome] = await self.deliver(one, attempts=attempts)
        return outcome

    async def lose_sight_of(self, one: Order) -> None:
        """Send *one*; it is made, its answer is lost, and it cannot be looked for at once."""
        self.uphance.after = lose("/sales_orders")
        self.uphance.before = lambda request: (
            httpx.ConnectError("down")
            if "since_id" in request.url.params and self.uphance.made("POST /sales_orders")
            else None
        )
        with pytest.raises(Unreachable):
            await self.deliver_one(one)
        self.uphance.before = lambda _: None

    def held(self, outcome: Outcome) -> tuple[str, Mapping[str, Any]]:
        assert isinstance(outcome, Parked), outcome
        return outcome.issue.key, outcome.issue.params


@pytest.fixture
async def world(engine: AsyncEngine, make_shop: MakeShop) -> World:
    shop_id = await make_shop()
    async with engine.begin() as tx:
        for number in range(1, 4):
            values = {"sku_id": number, "product_id": 100, "variation_id": 200, "season_id": 9}
            await tx.execute(insert(schema.skus).values(shop_id=shop_id, sku_number=f"A{number}", **values))
    return World(engine, shop_id)


def lose(path: str, times: int = 1) -> Any:
    """Lose the answers to the next *times* POSTs to *path*."""
    left = [None] * times

    def hook(request: httpx.Request) -> Exception | None:
        if request.method == "POST" and request.url.path == path and left:
            left.pop()
            return httpx.ReadTimeout("lost")
        return None

    return hook


class TestWants:
    def wanted(self, one: Order, shop_settings: dict[str, Any] | None = None) -> bool:
        target = target_in_memory(FakeUphance(MovableClock(NOON)), FakeMemory())
        [draft] = target.desired_documents(one, mapping_context(shop_settings))
        assert isinstance(draft, DesiredDocument)
        return not draft.only_if_known

    @pytest.mark.rule("R43")
    @pytest.mark.parametrize(
        ("status", "sent"), [(1, True), (2, True), (3, False), (4, False), (5, False), (None, False)]
    )
    def test_received_and_paid_orders_are_sent(self, status: int | None, sent: bool) -> None:
        assert self.wanted(make_order(status_id=status)) is sent

    def test_chosen_statuses_replace_those_but_a_cancelled_one_never_creates(self) -> None:
        shop_settings = {"uphance.order_statuses": [4, 3]}

        assert self.wanted(make_order(status_id=4), shop_settings)
        assert not self.wanted(make_order(status_id=1), shop_settings)
        assert not self.wanted(make_order(status_id=3), shop_settings)

    @pytest.mark.situation("old")
    def test_orders_from_before_the_connection_are_not_sent(self) -> None:
        assert not self.wanted(make_order(created_at=datetime(2026, 10, 31, tzinfo=UTC)))

    @pytest.mark.situation("old")
    def test_the_first_day_can_be_chosen(self) -> None:
        shop_settings = {"uphance.orders_from": "2026-11-24T12:00:00+00:00"}

        assert not self.wanted(make_order(), shop_settings)
        assert self.wanted(make_order(created_at=NOON + timedelta(hours=1)), shop_settings)

    @pytest.mark.situation("origin")
    def test_origins_can_be_left_out(self) -> None:
        assert self.wanted(make_order(origin="cash-register"))
        assert not self.wanted(make_order(origin="cash-register"), {"uphance.origins": ["frontend"]})

    def test_sending_can_be_switched_off(self) -> None:
        assert not self.wanted(make_order(), {"uphance.send_orders": False})


class TestSending:
    async def test_customer_and_order_are_created_in_this_order(self, world: World) -> None:
        outcome = await world.deliver_one(make_order(make_line("A1", 121, 2)))

        assert outcome == Delivered(
            remote_id="1001",
            keep=outcome.keep if isinstance(outcome, Delivered) else None,
            remote_status="draft",
            metadata={"order_number": "S1001"},
        )
        [made] = world.uphance.orders
        assert (made["company_id"], made["purchase_order_ref"]) == (1000, "UPG-shop-26000001")
        assert world.uphance.customers[0]["reference"] == "UPG-shop-77"

    async def test_state_and_mark_are_saved_before_the_post(self, world: World) -> None:
        seen: list[Any] = []
        world.uphance.before = lambda request: (
            seen.append(dict(world.links.rows))
            if request.method == "POST" and "sales" in request.url.path
            else None
        )
        world.uphance.orders = [{"id": 17}]

        await world.deliver_one(make_order())

        link = seen[0]["order", "26000001"]
        assert (link.state, link.attempt.newer_than, link.hash) == ("sending", 17, None)

    async def test_a_shopper_is_created_once_for_several_orders(self, world: World) -> None:
        await world.deliver(make_order(), make_order(order_number="2"), make_order(order_number="3"))

        assert len(world.uphance.customers) == 1
        assert len(world.uphance.orders) == 3

    @pytest.mark.situation("address.other")
    async def test_an_order_to_another_address_than_the_customers_carries_its_own(self, world: World) -> None:
        moved = EVA.model_copy(update={"shipping": OFFICE})

        await world.deliver(
            make_order(), make_order(order_number="2", shopper=moved), make_order(order_number="3")
        )

        told = ["Krátká 2" in row["shipping_instructions"] for row in world.uphance.orders]
        assert told == [False, True, False]

    @pytest.mark.situation("address.other")
    async def test_in_the_collective_mode_no_customer_is_made_and_the_order_says_who(self, world: World) -> None:
        world.settings["uphance.customer_mode"] = "collective:4711"

        await world.deliver_one(make_order())

        [made] = world.uphance.orders
        assert world.uphance.customers == []
        assert made["company_id"] == 4711
        assert "Dlouhá 1" in made["shipping_instructions"]

    @pytest.mark.situation("currency", "customer", "sku.unknown")
    async def test_what_waits_for_a_person_costs_no_call(self, world: World) -> None:
        outcomes = await world.deliver(
            make_order(make_line("NO", product_id=None)),
            make_order(shopper=None, order_number="2"),
            make_order(currency="USD", order_number="3"),
        )

        assert [world.held(outcome)[0] for outcome in outcomes] == [
            "order.unknown_sku",
            "order.no_customer",
            "order.no_channel",
        ]
        assert world.uphance.calls == []

    @pytest.mark.situation("refused")
    async def test_a_refused_order_is_parked_with_their_words_until_released(self, world: World) -> None:
        answers = [httpx.Response(422, json={"error": {"message": "season is closed"}})]
        world.uphance.before = lambda request: (
            answers.pop() if answers and request.url.path == "/sales_orders" and request.method == "POST" else None
        )

        key, params = world.held(await world.deliver_one(make_order()))
        again = await world.deliver_one(make_order())

        assert key == "order.refused"
        assert "season is closed" in params["message"]
        assert isinstance(again, Delivered)
        assert len(world.uphance.orders) == 1

    @pytest.mark.situation("organisation")
    async def test_another_organisation_is_never_written_to(self, world: World) -> None:
        world.uphance.orders = [{"id": 1, "organisation_id": 6}]

        with pytest.raises(WrongOrganisation):
            await world.deliver_one(make_order())

        assert world.uphance.made("POST /sales_orders") == 0

    @pytest.mark.situation("cancel.before")
    async def test_an_order_cancelled_before_it_was_sent_is_dropped(self, world: World) -> None:
        assert isinstance(await world.deliver_one(make_order(status_id=3)), Dropped)
        assert world.uphance.calls == LOOK  # a restored database may have forgotten that it was sent

    @pytest.mark.situation("off")
    async def test_what_the_rules_do_not_send_any_more_is_dropped(self, world: World) -> None:
        document = world.document(world.draft(make_order()))
        world.settings["uphance.send_orders"] = False

        assert isinstance((await world.push(document))[0], Dropped)
        assert world.uphance.calls == LOOK

    async def test_an_order_that_comes_while_others_are_sent_costs_the_call_that_makes_it(
        self, world: World
    ) -> None:
        sender = world.sender()
        await world.push(world.document(world.draft(make_order(order_number="1"))), by=sender)
        before = len(world.uphance.calls)

        await world.push(world.document(world.draft(make_order(order_number="2"))), by=sender)

        assert world.uphance.calls[before:] == ["POST /sales_orders"]

    async def test_a_customer_that_was_made_is_noted_with_the_attempt_at_its_order(self, world: World) -> None:
        await world.deliver(make_order(order_number="1"), make_order(order_number="2"))

        assert world.links.saves == [
            [("customer", "sending")],
            [("customer", "delivered"), ("order", "sending")],
            [("order", "sending")],
        ]

    async def test_a_customer_is_known_although_its_order_is_refused(self, world: World) -> None:
        world.uphance.before = lambda request: (
            httpx.Response(422, json={"error": "no"})
            if request.url.path == "/sales_orders" and request.method == "POST"
            else None
        )

        await world.deliver_one(make_order())

        assert world.links.history[-1] == ("order", "unsent")
        assert [link.state for (kind, _), link in world.links.rows.items() if kind == "customer"] == ["delivered"]


class TestTax:
    @pytest.mark.situation("tax")
    async def test_an_order_that_costs_otherwise_in_uphance_is_delivered_with_a_remark(self, world: World) -> None:
        world.uphance.grand_total = "110.5"

        outcome = await world.deliver_one(make_order(make_line("A1", 100, 1)))

        assert isinstance(outcome, Delivered)
        assert outcome.remark is not None
        assert (outcome.remark.key, outcome.remark.params["theirs"]) == ("order.taxed_otherwise", "110.50")

    async def test_one_that_was_found_after_a_lost_answer_is_compared_too(self, world: World) -> None:
        world.uphance.grand_total, world.uphance.after = "110.5", lose("/sales_orders")

        outcome = await world.deliver_one(make_order(make_line("A1", 100, 1)))

        assert isinstance(outcome, Delivered)
        assert outcome.remark is not None

    async def test_one_that_is_found_by_a_later_attempt_is_compared_too(self, world: World) -> None:
        world.uphance.grand_total = "110.5"
        await world.lose_sight_of(make_order(make_line("A1", 100, 1)))
        before = len(world.uphance.calls)

        outcome = await world.deliver_one(make_order(make_line("A1", 100, 1)))

        assert isinstance(outcome, Delivered)
        assert outcome.remark is not None
        assert outcome.remark.params["theirs"] == "110.50"
        assert world.uphance.calls[before:] == LOOK

    @pytest.mark.situation("tax")
    @pytest.mark.parametrize(
        "now", [make_order(make_line("A1", "110.5", 1)), make_order(status_id=3)], ids=["edited", "cancelled"]
    )
    async def test_one_that_has_changed_meanwhile_is_compared_as_it_was_sent(
        self, world: World, now: Order
    ) -> None:
        world.uphance.grand_total = "110.5"
        await world.lose_sight_of(make_order(make_line("A1", 100, 1)))
        before = len(world.uphance.calls)

        outcome = await world.deliver_one(now)

        assert isinstance(outcome, Parked)
        assert outcome.remark is not None
        assert (outcome.remark.params["ours"], outcome.remark.params["theirs"]) == ("100.00", "110.50")
        assert world.uphance.calls[before:] == LOOK

    async def test_one_that_is_gone_from_the_shop_meanwhile_too(self, world: World) -> None:
        world.uphance.grand_total = "110.5"
        await world.lose_sight_of(make_order(make_line("A1", 100, 1)))
        gone = world.target.tombstone("order", b'{"number": "26000001"}')
        assert gone is not None

        [outcome] = await world.push(world.document(DesiredDocument("order", "26000001", "26000001", gone)))

        assert isinstance(outcome, Parked)
        assert (outcome.issue.key, outcome.remark and outcome.remark.key) == (
            "order.cancel_in_uphance",
            "order.taxed_otherwise",
        )

    async def test_what_was_remarked_once_is_not_remarked_at_the_next_change(self, world: World) -> None:
        world.uphance.grand_total = "110.5"
        await world.lose_sight_of(make_order(make_line("A1", 100, 1)))
        await world.deliver_one(make_order(make_line("A1", 100, 2)))

        outcome = await world.deliver_one(make_order(make_line("A1", 100, 3)))

        assert isinstance(outcome, Parked)
        assert (outcome.found, outcome.remark) == (None, None)

    @pytest.mark.parametrize("theirs", ["100.0", None])
    async def test_without_a_difference_or_a_total_there_is_none(self, world: World, theirs: str | None) -> None:
        world.uphance.grand_total = theirs

        outcome = await world.deliver_one(make_order(make_line("A1", 100, 1)))

        assert isinstance(outcome, Delivered)
        assert outcome.remark is None


class TestAfterSending:
    @pytest.mark.situation("edit.draft")
    async def test_a_change_is_a_task_with_the_differences_and_no_call(self, world: World) -> None:
        await world.deliver_one(make_order(make_line("A1", 10, 1)))
        before = len(world.uphance.calls)

        key, params = world.held(await world.deliver_one(make_order(make_line("A1", 10, 2))))

        assert key == "order.changed_after_sending"
        assert params == {
            "number": "26000001",
            "uphance_order": "S1001",
            "differences": "A1: 1x 10 → 2x 20; total: 10 → 20",
            "currency": "CZK",
        }
        assert len(world.uphance.calls) == before

    async def test_what_they_have_already_is_no_change_and_costs_no_call(self, world: World) -> None:
        await world.deliver_one(make_order())
        before, calls = dict(world.links.rows), len(world.uphance.calls)

        assert isinstance(await world.deliver_one(make_order()), Delivered)
        assert world.links.rows == before
        assert len(world.uphance.calls) == calls

    @pytest.mark.situation("cancel.after")
    async def test_a_cancelled_order_is_to_be_cancelled_by_staff(self, world: World) -> None:
        await world.deliver_one(make_order())

        assert world.held(await world.deliver_one(make_order(status_id=3)))[0] == "order.cancel_in_uphance"

    @pytest.mark.situation("delete.after")
    async def test_an_order_that_is_gone_from_the_shop_too(self, world: World) -> None:
        outcome = await world.deliver_one(make_order())
        assert isinstance(outcome, Delivered)
        assert outcome.keep is not None
        body = world.target.tombstone("order", outcome.keep)
        assert body is not None

        [held] = await world.push(world.document(DesiredDocument("order", "26000001", "26000001", body)))

        assert world.held(held)[0] == "order.cancel_in_uphance"


class TestDoubt:
    async def test_a_lost_answer_is_looked_up_at_once(self, world: World) -> None:
        world.uphance.after = lose("/sales_orders")

        outcome = await world.deliver_one(make_order())

        assert isinstance(outcome, Delivered)
        assert world.uphance.made("POST /sales_orders") == 1

    @pytest.mark.situation("lost")
    async def test_a_crash_after_the_post_is_looked_up_at_the_next_start(self, world: World) -> None:
        await world.lose_sight_of(make_order())

        outcome = await world.deliver_one(make_order())

        assert isinstance(outcome, Delivered)
        assert world.uphance.made("POST /sales_orders") == 1

    async def test_an_ignored_filter_does_no_harm(self, world: World) -> None:
        world.uphance.honours_since_id, world.uphance.page = False, 2
        world.uphance.orders = [{"id": number, "purchase_order_ref": "PO"} for number in range(1, 8)]
        world.uphance.after = lose("/sales_orders")

        outcome = await world.deliver_one(make_order())

        assert isinstance(outcome, Delivered)
        assert outcome.remote_id == str(world.uphance.orders[-1]["id"])

    async def test_what_is_not_there_is_sent_once_more_when_it_cannot_be_on_its_way(self, world: World) -> None:
        world.uphance.before = lose("/sales_orders")

        first = await world.deliver_one(make_order())
        too_early = await world.deliver_one(make_order())
        world.clock.move(minutes=3)
        later = await world.deliver_one(make_order())

        for outcome in (first, too_early):
            assert isinstance(outcome, Retry)
            assert outcome.until == NOON + timedelta(minutes=3)
        assert isinstance(later, Delivered)
        assert world.uphance.made("POST /sales_orders") == 2
        assert len(world.uphance.orders) == 1

    async def test_their_own_failure_is_no_doubt_and_after_several_a_person_looks(self, world: World) -> None:
        world.uphance.before = lambda request: (
            httpx.Response(500, json={"error": "payment term"})
            if request.method == "POST" and request.url.path == "/sales_orders"
            else None
        )

        first = await world.deliver_one(make_order())
        last = await world.deliver_one(make_order(), attempts=5)

        assert isinstance(first, Retry)
        assert world.held(last)[0] == "order.refused"
        assert world.links.rows["order", "26000001"].state == "unsent"

    @pytest.mark.situation("edit.doubt")
    async def test_a_change_between_two_attempts_is_a_change_after_sending(self, world: World) -> None:
        await world.lose_sight_of(make_order(make_line("A1", 10)))

        key, params = world.held(await world.deliver_one(make_order(make_line("A1", 10, 2))))

        assert key == "order.changed_after_sending"
        assert params["differences"].startswith("A1: 1x 10 → 2x 20")
        assert world.links.rows["order", "26000001"].remote_id == "1001"
        assert len(world.uphance.orders) == 1

    @pytest.mark.situation("cancel.doubt")
    async def test_an_order_cancelled_while_in_doubt_is_looked_up_first(self, world: World) -> None:
        await world.lose_sight_of(make_order())

        assert world.held(await world.deliver_one(make_order(status_id=3)))[0] == "order.cancel_in_uphance"

    async def test_a_customer_whose_answer_was_lost_is_found_by_reference(self, world: World) -> None:
        world.uphance.after = lose("/customers")

        outcome = await world.deliver_one(make_order())

        assert isinstance(outcome, Delivered)
        assert len(world.uphance.customers) == 1

    async def test_one_order_in_doubt_does_not_hold_up_the_others(self, world: World) -> None:
        world.uphance.before = lose("/sales_orders")

        first, second = await world.deliver(make_order(), make_order(order_number="2"))

        assert isinstance(first, Retry)
        assert isinstance(second, Delivered)


async def test_an_order_that_the_shop_changed_while_others_were_sent_is_not_made_as_it_was(world: World) -> None:
    first, second = make_order(order_number="1"), make_order(order_number="2")
    world.links.unwanted = {"2"}

    outcomes = await world.deliver(first, second)

    assert len(outcomes) == 1
    assert world.uphance.made("POST /sales_orders") == 1


async def test_nothing_of_a_shopper_is_kept_in_links(world: World) -> None:
    world.uphance.after = lose("/sales_orders")

    await world.deliver_one(make_order())

    kept = json.dumps([str(link) for link in world.links.rows.values()])
    assert [word for word in ("Eva", "Dlouh", "example.com", "6000") if word in kept.replace("26000001", "")] == []
