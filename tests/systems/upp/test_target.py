"""Batches, halves and outcomes, against an Upp that refuses what the test says."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, cast

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.fake_upp import Reply, Upp
from tests.support.upp import MemoryVault, drafts, make_document, make_front, make_order, make_product
from upbridge.core.canonical_json import canonical
from upbridge.core.errors import LoginRefused, Throttled, Unreachable
from upbridge.domain.delivery import Delivered, Document, Dropped, Outcome, Parked, Retry
from upbridge.systems.base import Target
from upbridge.systems.links import Links
from upbridge.systems.upp.target import UppTarget

FRONT = make_front()
NO_LINKS = cast("Links", None)  # Upp's calls are idempotent: nothing is looked up


def documents(kind: str, count: int) -> list[Document]:
    name = {"product": "externalProductId", "order": "externalOrderId"}[kind]
    return [
        Document(kind, f"{kind}-{number}", "1", number, canonical({name: f"{kind}-{number}"}), b"hash", 0, None)
        for number in range(count)
    ]


def ids(request: httpx.Request) -> list[str]:
    body = json.loads(request.content)
    items = body["products"] if isinstance(body, dict) else body
    return [item.get("externalProductId") or item["externalOrderId"] for item in items]


class PickyUpp(Upp):
    """An Upp that answers each call as *judge* says of the ids in it."""

    def __init__(self, judge: Callable[[list[str]], Reply]) -> None:
        super().__init__(*[lambda request: judge(ids(request))] * 10_000)

    @property
    def sizes(self) -> list[int]:
        return [len(ids(request)) for request in self.calls]


def refusing(*bad: str, most: int = 10**9) -> PickyUpp:
    def judge(batch: list[str]) -> Reply:
        if len(batch) > most:
            return httpx.Response(413)
        return httpx.Response(422, text="bad item") if set(bad) & set(batch) else httpx.Response(202)

    return PickyUpp(judge)


async def push(
    upp: Upp, waiting: Sequence[Document], **shop_settings: Any
) -> tuple[dict[str, Outcome], list[list[tuple[Document, Outcome]]]]:
    """The outcome of each key, and the outcomes as they came."""
    context = make_front(**shop_settings)
    async with upp.client() as client:
        target: Target = UppTarget(client)
        steps = [
            step
            async for step in target.sender(context.connection, MemoryVault(), NO_LINKS).push(waiting, context)
        ]
    flat = [pair for step in steps for pair in step]
    assert len({document.key for document, _ in flat}) == len(flat), "an outcome came twice"
    return {document.key: outcome for document, outcome in flat}, steps


async def test_products_go_before_orders_in_batches_of_a_thousand() -> None:
    upp = refusing()

    outcomes, steps = await push(upp, documents("order", 5) + documents("product", 2300))

    assert [(request.url.path, len(ids(request))) for request in upp.calls] == [
        ("/ingest/bulk", 1000),
        ("/ingest/bulk", 1000),
        ("/ingest/bulk", 300),
        ("/orders/bulk", 5),
    ]
    assert [len(step) for step in steps] == [1000, 1000, 300, 5]
    assert len(outcomes) == 2305


async def test_a_product_keeps_its_copy_and_an_order_keeps_none() -> None:
    context = make_front(prefix="shop-2-")
    async with refusing().client() as client:
        target = UppTarget(client)
        waiting = [
            make_document(draft)
            for entity in (make_product(), make_order())
            for draft in drafts(target.desired_documents(entity, context))
        ]
        steps = [
            step
            async for step in target.sender(context.connection, MemoryVault(), NO_LINKS).push(waiting, context)
        ]

    assert [outcome for step in steps for _, outcome in step] == [
        Delivered(remote_id="shop-2-v-4711", keep=waiting[0].body),
        Delivered(remote_id="shop-2-26000123"),
    ]


async def test_nothing_to_send_is_no_call() -> None:
    upp = refusing()

    assert await push(upp, []) == ({}, [])
    assert not upp.requests


async def test_the_one_bad_item_is_found_and_parked_with_their_words_and_the_rest_goes() -> None:
    upp = refusing("product-617")

    outcomes, _ = await push(upp, documents("product", 1000))

    parked = {key: outcome for key, outcome in outcomes.items() if not isinstance(outcome, Delivered)}
    assert list(parked) == ["product-617"]
    (outcome,) = parked.values()
    assert isinstance(outcome, Parked)
    assert (outcome.issue.key, outcome.issue.params) == ("upp.rejected", {"said": "bad item"})
    assert len(outcomes) == 1000
    assert len(upp.calls) <= 2 * 10 + 1


async def test_too_large_a_batch_teaches_the_size_of_the_next_ones() -> None:
    upp = refusing(most=250)

    outcomes, _ = await push(upp, documents("product", 2000))

    assert upp.sizes == [1000, 500, *[250] * 8]
    assert all(isinstance(outcome, Delivered) for outcome in outcomes.values())


async def test_an_item_too_large_by_itself_is_parked() -> None:
    outcomes, _ = await push(refusing(most=0), documents("product", 1))

    assert isinstance(outcomes["product-0"], Parked)


async def test_where_everything_is_refused_the_rest_waits_instead_of_being_tried_one_by_one() -> None:
    upp = refusing(*(f"product-{number}" for number in range(1000)))

    outcomes, _ = await push(upp, documents("product", 1000))

    kinds = [type(outcome) for outcome in outcomes.values()]
    assert (kinds.count(Parked), kinds.count(Retry)) == (10, 990)
    assert len(upp.calls) < 40


async def test_refused_products_do_not_keep_the_orders_back() -> None:
    upp = refusing(*(f"product-{number}" for number in range(50)))

    outcomes, _ = await push(upp, documents("product", 50) + documents("order", 2))

    assert isinstance(outcomes["order-0"], Delivered)
    assert isinstance(outcomes["order-1"], Delivered)


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        pytest.param(httpx.Response(401), LoginRefused, id="the login is refused"),
        pytest.param(httpx.Response(429), Throttled, id="too many requests"),
        pytest.param(httpx.Response(503), Unreachable, id="Upp.ai fails"),
        pytest.param(httpx.ReadTimeout("slow"), Unreachable, id="no answer"),
    ],
)
async def test_what_concerns_the_connection_is_raised_after_the_outcomes_so_far(
    reply: Reply, error: type[Exception]
) -> None:
    upp = PickyUpp(lambda batch: reply if "product-1000" in batch else httpx.Response(202))
    settled: list[str] = []

    async with upp.client() as client:
        outcomes = aiter(
            UppTarget(client)
            .sender(FRONT.connection, MemoryVault(), NO_LINKS)
            .push(documents("product", 2500), FRONT)
        )
        settled += [document.key for document, _ in await anext(outcomes)]
        with pytest.raises(error):
            await anext(outcomes)

    assert settled == [f"product-{number}" for number in range(1000)]


class TestAServerThatStumbles:
    """Answers 500: it may be ill, or choke on one item."""

    @staticmethod
    def choking(*bad: str) -> PickyUpp:
        return PickyUpp(lambda batch: httpx.Response(500 if set(bad) & set(batch) else 202))

    @pytest.mark.parametrize("place", [0, 617, 999])
    async def test_one_item_that_it_chokes_on_comes_again_and_the_rest_goes(self, place: int) -> None:
        bad = f"product-{place}"

        outcomes, _ = await push(self.choking(bad), documents("product", 1000) + documents("order", 3))

        assert isinstance(outcomes[bad], Retry)
        assert len(outcomes) == 1003
        assert sum(isinstance(outcome, Delivered) for outcome in outcomes.values()) == 1002

    async def test_orders_do_not_wait_for_a_product_that_it_chokes_on(self) -> None:
        outcomes, _ = await push(self.choking("product-0"), documents("product", 1) + documents("order", 1))

        assert [type(outcomes[key]) for key in ("order-0", "product-0")] == [Delivered, Retry]

    @pytest.mark.parametrize("count", [1, 2, 1000])
    async def test_while_it_only_stumbles_the_connection_waits_and_no_item_is_blamed(self, count: int) -> None:
        waiting = documents("order", count)
        upp = self.choking(*(document.key for document in waiting))

        with pytest.raises(Unreachable):
            await push(upp, waiting)

        assert len(upp.calls) <= 13

    async def test_one_stumble_costs_one_halving(self) -> None:
        upp = Upp(httpx.Response(500))

        outcomes, _ = await push(upp, documents("product", 10))

        assert all(isinstance(outcome, Delivered) for outcome in outcomes.values())
        assert len(upp.calls) == 3


async def test_switched_off_everything_is_dropped_without_a_call() -> None:
    upp = refusing()

    outcomes, _ = await push(upp, documents("product", 2) + documents("order", 1), upp_send=False)

    assert [type(outcome) for outcome in outcomes.values()] == [Dropped] * 3
    assert not upp.requests


async def test_a_kind_that_upp_does_not_take_is_a_mistake_of_ours() -> None:
    (document,) = documents("order", 1)

    with pytest.raises(ValueError, match="takes no customer"):
        await push(refusing(), [replace(document, kind="customer")])


@settings(max_examples=40, deadline=None)
@given(count=st.integers(1, 60), bad=st.sets(st.integers(0, 59), max_size=8), most=st.integers(1, 60))
async def test_of_any_refusal_every_item_has_one_right_outcome(count: int, bad: set[int], most: int) -> None:
    upp = refusing(*(f"order-{number}" for number in bad), most=most)

    outcomes, _ = await push(upp, documents("order", count))

    assert {key for key, outcome in outcomes.items() if isinstance(outcome, Parked)} == {
        f"order-{number}" for number in bad if number < count
    }
    assert {key for key, outcome in outcomes.items() if isinstance(outcome, Delivered)} == {
        f"order-{number}" for number in range(count) if number not in bad
    }
