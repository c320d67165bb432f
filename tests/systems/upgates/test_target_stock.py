"""Numbers of the stock on their way to the shop."""

import pytest

from tests.support.upgates import raw_order
from tests.systems.upgates.shop import Setup, answered, codes, lost, number_for, shipment_of
from upbridge.core.errors import Throttled, Unreachable
from upbridge.domain.delivery import Delivered, Dropped, Parked
from upbridge.domain.shop_profile import ShopProfile
from upbridge.systems.upgates.orders import parse_order
from upbridge.systems.upgates.target import UpgatesTarget


async def test_a_hundred_numbers_are_one_call() -> None:
    setup = Setup()

    outcomes = await setup.send(*(number_for(f"C{place}", place) for place in range(150)))

    assert setup.calls() == ["PUT /products"] * 2
    assert [len(body["variants"]) for body in setup.upgates.bodies()] == [100, 50]
    assert setup.shop.stock == {f"C{place}": place for place in range(150)}
    assert all(isinstance(outcome, Delivered) for outcome in outcomes.values())


async def test_products_without_variants_are_written_as_products() -> None:
    setup = Setup()

    await setup.send(number_for("A"), number_for("B", key="p-2", level="product"))

    assert setup.upgates.bodies() == [
        {"products": [{"code": "B", "stock": 3}], "variants": [{"code": "A", "stock": 3}]}
    ]


async def test_what_was_written_can_be_explained() -> None:
    outcomes = await Setup().send(number_for("A"))

    assert outcomes["v-A"] == Delivered(
        metadata={"written": 3, "uphance": 5, "open": 2, "safety": 0, "at": "2026-11-24T11:00:00+00:00"}
    )


async def test_a_refused_number_waits_and_the_rest_goes() -> None:
    setup = Setup()
    setup.shop.refuse = {"B"}

    outcomes = await setup.send(number_for("A"), number_for("B"), number_for("C"))

    parked = outcomes["v-B"]
    assert isinstance(parked, Parked)
    assert parked.issue.key == "stock.refused"
    assert parked.issue.params == {"code": "B", "said": "code: no"}
    assert setup.shop.stock == {"A": 3, "C": 3}


async def test_a_number_that_the_answer_does_not_mention_is_not_confirmed() -> None:
    setup = Setup()
    setup.shop.silent = True

    outcome = (await setup.send(number_for("A")))["v-A"]

    assert isinstance(outcome, Delivered)
    assert outcome.confirmed is False


@pytest.mark.parametrize("status", [400, 422])
async def test_a_call_that_is_refused_as_a_whole_is_halved_until_the_bad_one_is_alone(status: int) -> None:
    setup = Setup()
    setup.shop.before = answered(status, "PUT", "/products", when=lambda body: "C37" in codes(body))

    outcomes = await setup.send(*(number_for(f"C{place}") for place in range(100)))

    assert [key for key, outcome in outcomes.items() if isinstance(outcome, Parked)] == ["v-C37"]
    assert len(setup.shop.stock) == 99


@pytest.mark.rule("R53")
async def test_a_shop_that_takes_fewer_at_once_gets_them_in_halves() -> None:
    setup = Setup()
    setup.shop.before = answered(413, "PUT", "/products", when=lambda body: len(list(codes(body))) > 30)

    outcomes = await setup.send(*(number_for(f"C{place}") for place in range(100)))

    assert all(isinstance(outcome, Delivered) for outcome in outcomes.values())
    assert [len(body["variants"]) for body in setup.upgates.bodies()] == [100, 50, 25, 25, 25, 25]


async def test_a_single_number_that_is_too_much_is_refused() -> None:
    setup = Setup()
    setup.shop.before = answered(413, "PUT", "/products")

    assert isinstance((await setup.send(number_for("A")))["v-A"], Parked)


async def test_an_answer_that_makes_no_sense_stops_the_lane() -> None:
    setup = Setup()
    setup.shop.before = answered(404, "PUT", "/products")

    with pytest.raises(Unreachable):
        await setup.send(number_for("A"))


async def test_a_lost_answer_is_repeated_with_the_same_number() -> None:
    setup = Setup()
    setup.shop.after = lost("PUT", "/products")
    with pytest.raises(Unreachable):
        await setup.send(number_for("A"))

    await setup.send(number_for("A"))

    assert setup.shop.stock == {"A": 3}


async def test_nothing_is_written_where_the_shop_does_not_want_it() -> None:
    setup = Setup(settings={})

    assert isinstance((await setup.send(number_for("A")))["v-A"], Dropped)
    assert setup.calls() == []


@pytest.mark.parametrize("right", ["deny", "readonly"])
async def test_nothing_is_tried_without_the_right(right: str) -> None:
    setup = Setup(facts=ShopProfile(rights={"products": right}))

    outcome = (await setup.send(number_for("A")))["v-A"]

    assert isinstance(outcome, Parked)
    assert outcome.issue.key == "stock.no_right"
    assert setup.calls() == []


async def test_shipments_go_first() -> None:
    setup = Setup()
    setup.order("1")

    await setup.send(number_for("A"), shipment_of("1"))

    assert setup.calls() == ["GET /orders", "PUT /orders", "POST /orders/1/history", "PUT /products"]


async def test_what_has_no_budget_is_not_tried() -> None:
    setup = Setup()
    setup.upgates.ledger.refusal = Throttled("no calls left", until=setup.now)

    with pytest.raises(Throttled):
        await setup.send(number_for("A"))
    assert setup.calls() == []


def test_the_shop_itself_wants_nothing_and_takes_nothing_back() -> None:
    setup = Setup()
    context, target = setup.context(), UpgatesTarget(setup.upgates.client, lambda: setup.now)

    assert list(target.desired_documents(parse_order(raw_order()), context)) == []
    assert target.tombstone("stock", b"{}") is None
