"""What a rule would have to name, and is new in the shop, is reported before an order has it."""

from typing import Any

import pytest

from tests.support.engine import Engine
from tests.support.facts import MakeEngine, facts_changed


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


@pytest.mark.situation("facts.status_new")
async def test_a_new_status_is_reported_where_the_shop_chose_the_ones_that_send(shop: Engine) -> None:
    await shop.service.settings_editor.change(await shop.shop(), {"uphance.order_statuses": "1"})
    shop.upgates.rare["/order-statuses"] = listed(_1="Received", _2="Sent", _3="Custom", _4="Canceled")

    await facts_changed(shop)
    assert await told(shop) == [("uphance", "status.not_chosen", {"status": 3, "name": "Stav 3"})]
    await facts_changed(shop)
    assert len(await told(shop)) == 1

    await shop.service.settings_editor.change(await shop.shop(), {"uphance.order_statuses": "1,3"})
    assert await told(shop) == []


@pytest.mark.situation("facts.status_new")
async def test_who_says_that_it_does_not_send_is_not_told_again(shop: Engine) -> None:
    await shop.service.settings_editor.change(await shop.shop(), {"uphance.order_statuses": "1"})
    shop.upgates.rare["/order-statuses"] = listed(_1="Received", _2="Sent", _3="Custom")
    await facts_changed(shop)
    [problem] = await shop.problems()

    await shop.service.problem_actions.dismiss(problem.id)
    await facts_changed(shop)

    assert await told(shop) == []


@pytest.mark.situation("facts.status_new")
async def test_where_the_type_decides_nothing_is_reported(shop: Engine) -> None:
    shop.upgates.rare["/order-statuses"] = listed(_1="Received", _2="Sent", _3="Received", _4="Custom")

    await facts_changed(shop)

    assert await told(shop) == []


@pytest.mark.situation("facts.status_new")
async def test_a_second_status_of_shipped_orders_is_reported_before_one_is_shipped(shop: Engine) -> None:
    shop.upgates.rare["/order-statuses"] = listed(_1="Received", _2="Sent", _3="Sent")

    await facts_changed(shop)
    assert await told(shop) == [("uphance", "status.several_shipped", {"status": 3, "name": "Stav 3"})]

    await shop.service.settings_editor.change(await shop.shop(), {"shipments.status": "3"})
    assert await told(shop) == []


LISTS = [
    ("/shipments", "uphance.carriers", "carrier.no_row"),
    ("/payments", "uphance.payment_terms", "payment.no_row"),
]


def offered(path: str, *numbers: int) -> dict[str, Any]:
    """What shoppers may choose, named in Czech."""
    rows = [
        {"id": str(number), "active_yn": True, "descriptions": [{"language_id": "cs", "name": f"Volba {number}"}]}
        for number in numbers
    ]
    return {path.removeprefix("/"): rows, "number_of_pages": 1}


async def offers(machine: Engine, path: str, *numbers: int) -> None:
    machine.upgates.rare["/status"] = {"services": [{"service": path.removeprefix("/"), "privilege": "readonly"}]}
    machine.upgates.rare[path] = offered(path, *numbers)
    await facts_changed(machine)


@pytest.mark.situation("facts.choice_new")
@pytest.mark.parametrize(("path", "rule", "key"), LISTS)
async def test_a_new_way_without_a_row_is_reported_until_it_has_one(
    shop: Engine, path: str, rule: str, key: str
) -> None:
    await shop.service.settings_editor.change(await shop.shop(), {rule: "1:one"})
    await offers(shop, path, 1, 2)
    assert await told(shop) == []

    await offers(shop, path, 1, 2, 3)
    assert await told(shop) == [("uphance", key, {"number": 3, "name": "Volba 3"})]

    await shop.service.settings_editor.change(await shop.shop(), {rule: "1:one,3:three"})
    assert await told(shop) == []


@pytest.mark.situation("facts.choice_new")
@pytest.mark.parametrize(("path", "rule", "key"), LISTS)
async def test_the_problem_closes_when_the_shop_offers_it_no_more(
    shop: Engine, path: str, rule: str, key: str
) -> None:
    await shop.service.settings_editor.change(await shop.shop(), {rule: "1:one"})
    await offers(shop, path, 1)
    await offers(shop, path, 1, 3)
    assert [key for _, key, _ in await told(shop)] == [key]

    await offers(shop, path, 1)

    assert await told(shop) == []


@pytest.mark.situation("facts.choice_new")
async def test_another_rule_leaves_it_open(shop: Engine) -> None:
    await shop.service.settings_editor.change(await shop.shop(), {"uphance.carriers": "1:one"})
    await offers(shop, "/shipments", 1)
    await offers(shop, "/shipments", 1, 3)

    await shop.service.settings_editor.change(await shop.shop(), {"uphance.payment_terms": "1:one"})

    assert [key for _, key, _ in await told(shop)] == ["carrier.no_row"]


@pytest.mark.situation("facts.choice_new")
async def test_without_a_rule_nothing_is_asked(shop: Engine) -> None:
    await offers(shop, "/shipments", 1)

    await offers(shop, "/shipments", 1, 2)

    assert await told(shop) == []
