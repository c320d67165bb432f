"""A new status that a rule would have to name is reported before an order is in it."""

from typing import Any

import pytest

from tests.support.engine import Engine
from tests.support.facts import MakeEngine, facts_changed
from upbridge.operations.change_settings import change_settings
from upbridge.operations.resolve_problem import dismiss

pytestmark = pytest.mark.situation("facts.status_new")


def listed(**types: str) -> dict[str, Any]:
    """Statuses named in Czech."""
    return {
        "order_statuses": [
            {"id": int(key[1:]), "type": kind, "descriptions": [{"language_id": "cs", "name": f"Stav {key[1:]}"}]}
            for key, kind in types.items()
        ]
    }


@pytest.fixture
async def shop(make_engine: MakeEngine) -> Engine:
    """Connected to Uphance, with one status of received and one of shipped orders."""
    machine = await make_engine(connected=False)
    await machine.connect("uphance")
    machine.upgates.rare["/order-statuses"] = listed(_1="Received", _2="Sent")
    await facts_changed(machine)
    return machine


async def told(machine: Engine) -> list[tuple[str, str, Any]]:
    return [(one.target, one.key, one.params) for one in await machine.problems()]


async def test_a_new_status_is_told_where_the_shop_chose_the_ones_that_send(shop: Engine) -> None:
    await change_settings(shop.service, await shop.shop(), {"uphance.order_statuses": "1"})
    shop.upgates.rare["/order-statuses"] = listed(_1="Received", _2="Sent", _3="Custom", _4="Canceled")

    await facts_changed(shop)
    assert await told(shop) == [("uphance", "status.not_chosen", {"status": 3, "name": "Stav 3"})]
    await facts_changed(shop)
    assert len(await told(shop)) == 1

    await change_settings(shop.service, await shop.shop(), {"uphance.order_statuses": "1,3"})
    assert await told(shop) == []


async def test_who_says_that_it_does_not_send_is_not_told_again(shop: Engine) -> None:
    await change_settings(shop.service, await shop.shop(), {"uphance.order_statuses": "1"})
    shop.upgates.rare["/order-statuses"] = listed(_1="Received", _2="Sent", _3="Custom")
    await facts_changed(shop)
    [problem] = await shop.problems()

    await dismiss(shop.service, problem.id)
    await facts_changed(shop)

    assert await told(shop) == []


async def test_where_the_type_decides_nothing_is_told(shop: Engine) -> None:
    shop.upgates.rare["/order-statuses"] = listed(_1="Received", _2="Sent", _3="Received", _4="Custom")

    await facts_changed(shop)

    assert await told(shop) == []


async def test_a_second_status_of_shipped_orders_is_told_before_one_is_shipped(shop: Engine) -> None:
    shop.upgates.rare["/order-statuses"] = listed(_1="Received", _2="Sent", _3="Sent")

    await facts_changed(shop)
    assert await told(shop) == [("uphance", "status.several_shipped", {"status": 3, "name": "Stav 3"})]

    await change_settings(shop.service, await shop.shop(), {"shipments.status": "3"})
    assert await told(shop) == []
