"""Mapping the catalogue again never takes much of it off sale without a person."""

from typing import Any

import pytest

from tests.support.engine import Engine
from tests.support.facts import MakeEngine, Upp, facts_changed, held, pricelists, sold, two_lists
from upbridge.engine.catalogue_guard import too_many

pytestmark = pytest.mark.situation("facts.guard")


@pytest.fixture
async def shop(make_engine: MakeEngine) -> Engine:
    """Twenty products with a retail price are at Upp.ai."""
    upp = Upp("upp")
    machine = await make_engine(targets={"upp": upp}, reconciled_at=None)
    machine.target = upp
    machine.upgates.rare["/pricelists"] = pricelists("Výchozí", "VIP", default="Výchozí")
    await facts_changed(machine)
    await with_vip_price(machine, 0)
    return machine


async def with_vip_price(machine: Engine, number: int) -> None:
    """So many of the products have a VIP price."""
    for product in range(1, 21):
        machine.upgates.sell(product, prices=[two_lists(100, 90 if product <= number else None)])
    await sold(machine, *range(1, 21))


async def vip_is_default(machine: Engine) -> None:
    machine.upgates.rare["/pricelists"] = pricelists("Výchozí", "VIP", default="VIP")
    await facts_changed(machine)


async def scheduled(machine: Engine) -> None:
    await machine.service.scheduler.run_once()
    await machine.drain()


def prices(machine: Engine) -> dict[tuple[Any, bool], int]:
    """How many products have this price and are on sale, or not."""
    found: dict[tuple[Any, bool], int] = {}
    for one in held(machine).values():
        place = (one.get("price"), one["active"])
        found[place] = found.get(place, 0) + 1
    return found


async def test_few_products_go_off_sale_when_all_are_mapped(shop: Engine) -> None:
    await with_vip_price(shop, 18)

    await vip_is_default(shop)
    assert prices(shop) == {(90, True): 18, (100, True): 2}
    await scheduled(shop)

    assert prices(shop) == {(90, True): 18, (None, False): 2}
    assert {one.key for one in await shop.problems()} == {"product.no_price"}


async def test_many_wait_for_a_person_who_lets_them_go(shop: Engine) -> None:
    await with_vip_price(shop, 8)
    await vip_is_default(shop)
    await scheduled(shop)
    assert prices(shop) == {(90, True): 8, (100, True): 12}
    [guard] = [one for one in await shop.problems() if one.key == "catalogue.guard"]
    assert guard.params == {"off": 12, "on_sale": 20, "percent": 30}

    await shop.service.problem_actions.retry(guard.id)
    await shop.drain()

    assert prices(shop) == {(90, True): 8, (None, False): 12}
    assert {one.key for one in await shop.problems()} == {"product.no_price"}


async def test_a_person_who_does_not_want_it_keeps_them_on_sale(shop: Engine) -> None:
    await vip_is_default(shop)
    await scheduled(shop)
    [guard] = [one for one in await shop.problems() if one.key == "catalogue.guard"]

    await shop.service.problem_actions.dismiss(guard.id)
    await scheduled(shop)

    assert prices(shop) == {(100, True): 20}


async def test_the_problem_closes_when_the_products_have_their_price(shop: Engine) -> None:
    await vip_is_default(shop)
    await scheduled(shop)

    await with_vip_price(shop, 20)

    assert prices(shop) == {(90, True): 20}
    assert await shop.problems() == []


async def test_a_setting_that_would_switch_off_the_catalogue_is_held_the_same_way(shop: Engine) -> None:
    await shop.service.settings_editor.change(await shop.shop(), {"upp.pricelist": "VIP"})
    await shop.drain()
    await scheduled(shop)

    assert prices(shop) == {(100, True): 20}
    assert "catalogue.guard" in {one.key for one in await shop.problems()}


@pytest.mark.parametrize(("percent", "with_price", "asked"), [("50", 12, False), ("5", 18, True)])
async def test_the_shops_own_rule_says_how_many(
    shop: Engine, percent: str, with_price: int, *, asked: bool
) -> None:
    await shop.service.settings_editor.change(await shop.shop(), {"upp.guard_percent": percent})
    await with_vip_price(shop, with_price)
    await vip_is_default(shop)
    await scheduled(shop)

    assert ("catalogue.guard" in {one.key for one in await shop.problems()}) is asked
    assert prices(shop).get((None, False), 0) == (0 if asked else 20 - with_price)


async def test_a_merchant_who_takes_one_price_away_means_it(shop: Engine) -> None:
    await with_vip_price(shop, 20)
    await vip_is_default(shop)
    await scheduled(shop)

    shop.upgates.sell(1, prices=[two_lists(100, None)])
    await sold(shop, 1)

    assert prices(shop) == {(90, True): 19, (None, False): 1}


@pytest.mark.parametrize(
    ("off", "on_sale", "held"),
    [(0, 0, False), (1, 1, False), (2, 2, True), (8, 9, False), (30, 100, False), (31, 100, True)],
)
def test_how_many_are_too_many(off: int, on_sale: int, *, held: bool) -> None:
    assert too_many(off, on_sale) is held
