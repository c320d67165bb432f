"""What the mapping depends on changes in the shop: everything that depended on it is mapped again."""

import json
from dataclasses import replace
from typing import Any

import httpx
import pytest

from tests.support.engine import Engine
from tests.support.facts import MakeEngine, Upp, facts_changed, held, pricelists, sold, statuses, two_lists
from tests.support.upgates import raw_prices
from tests.support.upp import make_front, make_order, make_price, make_product, make_variant
from tests.support.vendor_files import reported_fault
from upbridge.domain.purpose import Purpose
from upbridge.domain.shop_profile import ShopProfile
from upbridge.store.changes import Kind
from upbridge.store.runs import first_import_under_way
from upbridge.systems.upp import mapping
from upbridge.systems.upp.system import UPP


@pytest.fixture
async def shop(make_engine: MakeEngine) -> Engine:
    """A shop that is connected to Upp.ai and has two price lists, the first one being the default."""
    upp = Upp("upp")
    machine = await make_engine(targets={"upp": upp})
    machine.target = upp
    machine.upgates.rare["/pricelists"] = pricelists("Výchozí", "VIP", default="Výchozí")
    await machine.mark(Kind.FACTS, "facts")
    await machine.drain()
    return machine


@pytest.mark.situation("facts.pricelist")
async def test_another_default_price_list_has_every_product_sent_with_its_price_there(shop: Engine) -> None:
    case = reported_fault("06")
    shop.upgates.products[41] = json.loads(json.dumps(case["product"], default=float))
    shop.upgates.rare["/pricelists"] = case["pricelists_before"]
    await sold(shop, 41)
    assert held(shop)["p-41"]["price"] == 121

    shop.upgates.rare["/pricelists"] = case["pricelists_after"]
    await facts_changed(shop)

    assert held(shop)["p-41"]["price"] == 99, case["expected"]


@pytest.mark.situation("facts.language")
async def test_another_default_language_leaves_no_mix_of_currencies(shop: Engine) -> None:
    euros = raw_prices(language="sk", currency="EUR", pricelist={"price_with_vat": 5, "price_without_vat": 4})
    shop.upgates.sell(1, 2, prices=[raw_prices(), euros])
    await sold(shop, 1, 2)

    shop.upgates.rare["/languages"] = {
        "languages": [
            {"language_id": "cs", "default_yn": False, "active_yn": True, "currency_id": "CZK"},
            {"language_id": "sk", "default_yn": True, "active_yn": True, "currency_id": "EUR"},
        ]
    }
    await facts_changed(shop)

    assert {one["priceCurrency"] for one in held(shop).values()} == {"EUR"}


async def test_what_no_mapping_depended_on_costs_no_reading(shop: Engine) -> None:
    shop.upgates.sell(1)
    await sold(shop, 1)
    shop.upgates.requests.clear()
    shop.upgates.rare["/order-statuses"] = statuses(_1="Received", _2="Sent")
    shop.upgates.rare["/pricelists"] = pricelists("Výchozí", "VIP", "Akce", default="Výchozí")

    await facts_changed(shop)

    assert shop.upgates.asked("/products") == shop.upgates.asked("/orders") == []


async def test_mapping_again_is_an_import_in_the_budget_and_on_the_start_page(shop: Engine) -> None:
    shop.upgates.rare["/pricelists"] = pricelists("Výchozí", "VIP", default="VIP")
    await shop.mark(Kind.FACTS, "facts")

    await shop.pull(monotonic=iter((0.0, 0.0, 20.0)).__next__)

    [page] = await shop.changes()
    assert (page["kind"], page["priority"]) == ("products.page", Purpose.IMPORT)
    assert await shop.rows("SELECT kind, purpose, state FROM runs WHERE shop_id = :shop_id") == [
        {"kind": "product", "purpose": "import", "state": "running"}
    ]


@pytest.mark.situation("facts.again")
async def test_a_second_change_while_it_is_mapped_again_starts_over(shop: Engine) -> None:
    shop.upgates.page_size = 1
    shop.upgates.sell(1, 2, 3, prices=[two_lists(100, 90)])
    await sold(shop, 1, 2, 3)
    shop.upgates.rare["/pricelists"] = pricelists("Výchozí", "VIP", default="VIP")
    await shop.mark(Kind.FACTS, "facts")
    await shop.pull(monotonic=iter((0.0, 0.0, 0.0, 20.0)).__next__)  # the facts, and page 1

    shop.upgates.rare["/pricelists"] = pricelists("Výchozí", "VIP", default="Výchozí")
    await facts_changed(shop)

    assert {one["price"] for one in held(shop).values()} == {100}


@pytest.mark.situation("facts.again")
async def test_a_change_during_the_first_import_leaves_it_the_first(shop: Engine) -> None:
    """Stock is written when all orders were read once, and not before."""
    async with shop.db.begin() as tx:
        rows = await shop.service.connected.target_connections(await shop.shop())
        await shop.service.imports.start(tx, await shop.shop(), rows, kinds=("order",))
    shop.upgates.rare["/order-statuses"] = statuses(_1="Canceled")
    await shop.mark(Kind.FACTS, "facts")

    await shop.pull(monotonic=iter((0.0, 0.0, 20.0)).__next__)

    async with shop.db.connect() as tx:
        assert await first_import_under_way(tx, shop.shop_id)
    await shop.drain()
    async with shop.db.connect() as tx:
        assert not await first_import_under_way(tx, shop.shop_id)


@pytest.mark.situation("facts.pricelist")
async def test_products_that_left_the_shop_are_mapped_again_too(shop: Engine) -> None:
    """Upp.ai still has them, inactive: their old price would be the only one of another list."""
    shop.upgates.sell(1, 2, prices=[two_lists(100, 90)])
    await sold(shop, 1, 2)
    shop.upgates.sell(2, prices=[two_lists(100, 90)], active_yn=False)
    await sold(shop, 2)

    shop.upgates.rare["/pricelists"] = pricelists("Výchozí", "VIP", default="VIP")
    await facts_changed(shop)

    assert {key: (one["price"], one["active"]) for key, one in held(shop).items()} == {
        "p-1": (90, True),
        "p-2": (90, False),
    }


@pytest.mark.situation("facts.switch")
@pytest.mark.parametrize("config", [{"prices_with_vat_yn": False}, {"limit_orders": "1"}])
async def test_a_switch_of_the_shop_that_products_leave_to_it_is_carried_out(
    shop: Engine, config: dict[str, Any]
) -> None:
    listed = {"price_with_vat": None, "price_without_vat": None}
    shop.upgates.sell(1, prices=[raw_prices(pricelist=listed)])
    await sold(shop, 1)
    before = held(shop)["p-1"]

    shop.upgates.rare["/config"] = {"config": {"vat_payer_yn": True, "prices_with_vat_yn": True, **config}}
    await facts_changed(shop)

    assert held(shop)["p-1"] != before


@pytest.mark.situation("facts.status_type")
async def test_a_status_that_becomes_another_type_has_its_orders_looked_at_again(shop: Engine) -> None:
    """A status that cancelled does so no more: the order that was left out is sent."""
    shop.upgates.rare["/order-statuses"] = statuses(_1="Received", _2="Canceled")
    await facts_changed(shop)
    shop.upgates.order("A-1", status_id=2, creation_time=shop.watch().isoformat())
    await shop.mark(Kind.ORDER, "A-1")
    await shop.drain()
    assert "A-1" not in held(shop)

    shop.upgates.rare["/order-statuses"] = statuses(_1="Received", _2="Accepted")
    await facts_changed(shop)

    assert "A-1" in held(shop)


@pytest.mark.situation("facts.status_gone")
async def test_a_status_that_is_taken_off_the_list_keeps_its_meaning(shop: Engine) -> None:
    shop.upgates.rare["/order-statuses"] = statuses(_1="Received", _2="Canceled")
    await facts_changed(shop)
    shop.upgates.rare["/order-statuses"] = statuses(_1="Received")
    await facts_changed(shop)
    shop.upgates.order("A-1", status_id=2)
    shop.upgates.requests.clear()

    await shop.mark(Kind.ORDER, "A-1")
    await shop.drain()

    assert shop.target.received == []
    assert shop.upgates.asked("/order-statuses") == []


@pytest.mark.situation("facts.again")
async def test_a_product_that_was_asked_for_before_the_facts_changed_is_planned_by_the_new_ones(
    shop: Engine,
) -> None:
    """It is on its way from the shop while another worker's transaction stores the new facts."""
    shop.upgates.sell(1, prices=[two_lists(100, 90)])
    meanwhile = iter([pricelists("Výchozí", "VIP", default="VIP")])

    async def slow(request: httpx.Request) -> httpx.Response:
        answer = shop.upgates(request)
        if request.url.path.endswith("/products") and (lists := next(meanwhile, None)) is not None:
            shop.upgates.rare["/pricelists"] = lists
            facts = ShopProfile.model_validate((await shop.shop()).facts)
            changed = facts.model_copy(update={"default_pricelist": "VIP"})
            async with shop.db.begin() as tx:
                rows = await shop.service.connected.target_connections(await shop.shop())
                await shop.service.facts.renew(tx, shop.shop_id, changed, rows, now=shop.watch())
        return answer

    shop.upgates.others["shop.admin.s1.upgates.com"] = slow

    await sold(shop, 1)

    assert [one["price"] for one in shop.target.bodies()] == [90]


def test_a_fact_that_moves_a_document_is_part_of_the_basis() -> None:
    """What the mapping reads and the basis lacks would never be carried out."""
    context = make_front()
    changes: dict[str, Any] = {
        "default_language": "sk",
        "currencies": {"cs": "EUR"},
        "pricelists": ("Výchozí",),
        "default_pricelist": "VIP",
        "status_types": {1: "Canceled"},
        "past_status_types": {1: "Canceled"},
        "vat_payer": False,
        "prices_with_vat": False,
        "limit_orders": "1",
    }
    unread = {
        "company",
        "company_number",
        "country",
        "email",
        "rights",
        "status_names",
        "languages",
        "pricelist_ids",
        "carriers",
        "payments",
        "parameters",
        "unread",
    }
    assert changes.keys() | unread == ShopProfile.model_fields.keys()
    goods = make_product(make_variant(prices=(make_price(currency=None), make_price(pricelist="VIP"))))

    for system, wanted in ((UPP, mapping.product_documents), (UPP, mapping.order_documents)):
        entity: Any = goods if wanted is mapping.product_documents else make_order(status_id=1)
        for name, value in changes.items():
            moved = replace(context, facts=context.facts.model_copy(update={name: value}))
            if list(wanted(entity, context)) != list(wanted(entity, moved)):
                assert system.mapping_basis(context).facts != system.mapping_basis(moved).facts, name
