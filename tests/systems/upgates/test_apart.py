"""An order or a number on which the shop stumbles is written last and alone; nothing else waits for it."""

import json
from dataclasses import replace

import httpx
import pytest

from tests.systems.upgates.shop import Fault, Setup, number_for, shipment_of
from upbridge.core.errors import Unreachable
from upbridge.domain.delivery import Delivered, Document, Retry


def stumbling(*names: str) -> Fault:
    """Each call that names one of these things fails."""

    def fault(request: httpx.Request) -> httpx.Response | None:
        asked = request.url.params.get("order_numbers", "").split(";")
        body = json.loads(request.content) if request.content else {}
        told = [
            row.get("order_number") or row.get("code")
            for rows in body.values()
            if isinstance(rows, list)
            for row in rows
        ]
        return httpx.Response(500) if set(names) & {*asked, *told} else None

    return fault


def again(*documents: Document, attempts: int = 1) -> list[Document]:
    return [replace(one, attempts=attempts) for one in documents]


@pytest.fixture
def setup() -> Setup:
    setup = Setup()
    setup.shop.status = 200
    for number in ("1", "2", "3"):
        setup.order(number)
    setup.shop.before = stumbling("2", "B")
    return setup


@pytest.mark.situation("back.stumbles")
async def test_what_stands_beside_it_goes_with_the_next_try(setup: Setup) -> None:
    documents = [shipment_of("1"), shipment_of("2"), number_for("A"), number_for("B")]

    first = await setup.send(*documents)
    second = await setup.send(*again(*documents))

    assert {type(one) for one in first.values()} == {Retry}
    assert {key for key, one in second.items() if isinstance(one, Delivered)} == {"1", "v-A"}
    assert {key for key, one in second.items() if isinstance(one, Retry)} == {"2", "v-B"}


@pytest.mark.situation("back.stumbles")
async def test_what_comes_later_is_not_sent_with_it(setup: Setup) -> None:
    outcomes = await setup.send(
        *again(shipment_of("2"), number_for("B"), attempts=5), shipment_of("3"), number_for("C")
    )

    assert {key for key, one in outcomes.items() if isinstance(one, Delivered)} == {"3", "v-C"}
    assert {key for key, one in outcomes.items() if isinstance(one, Retry)} == {"2", "v-B"}


async def test_a_shop_that_does_not_answer_keeps_all_of_it_waiting(setup: Setup) -> None:
    setup.shop.status = 503

    with pytest.raises(Unreachable, match="500"):
        await setup.send(*again(shipment_of("2")), shipment_of("3"))

    assert setup.shop.orders["3"]["status_id"] == 4
