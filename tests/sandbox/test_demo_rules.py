"""The demo's comparison: silent when every copy is right, loud for each way in which one can be wrong."""

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.support.upp import drafts, make_front
from upbridge.systems.upgates.products import parse_product
from upbridge.systems.upp.mapping import product_documents
from upbridge_sandbox.demo import compare, uphance_rules, upp_rules
from upbridge_sandbox.demo.compare import Origin, Problems
from upbridge_sandbox.seed.orders import BROKEN
from upbridge_sandbox.seed.plan import Plan, open_shop
from upbridge_sandbox.state import State
from upbridge_sandbox.uphance.sales import accept_order

Json = dict[str, Any]


@pytest.fixture(scope="module")
def state() -> State:
    """A seeded outside."""
    made = State("token", None)
    open_shop(made, Plan(products=120, orders=80))
    return made


@pytest.fixture
def origin(state: State) -> Origin:
    """What the shop holds."""
    shop = state.shops["demo"]
    return copy.deepcopy(Origin(list(shop.goods.products.values()), [], shop.orders, shop.versions))


@pytest.fixture
def problems(origin: Origin, state: State) -> Problems:
    """A list that tells of everything that it should."""
    names = compare.expected_problems(origin, _catalogue(state), "demo")
    return Problems([{"entity": name, "message": ""} for name in names])


def _catalogue(state: State) -> uphance_rules.Skus:
    organisation = state.uphance.organisations[501]
    return uphance_rules.Skus(list(organisation.products.values()), organisation.channels)


def _upp_products(origin: Origin) -> dict[str, Json]:
    documents = [upp_rules.product_documents(product) for product in origin.products]
    return {key: dict(document) for row in documents for key, document in row.items() if document}


def _upp_orders(origin: Origin) -> dict[str, Json]:
    wanted = [order for order in origin.orders.values() if upp_rules.order_wanted(order)]
    return {order["order_number"]: upp_rules.order_document(order) for order in wanted}


def _kinds(verdict: compare.Verdict) -> list[str]:
    return [item.kind for item in verdict.findings]


def test_right_copies_of_products_are_passed(origin: Origin, problems: Problems) -> None:
    verdict = compare.upp_products(origin, _upp_products(origin), problems)

    assert verdict.findings == []
    assert verdict.origins == verdict.copies > 200


@pytest.mark.parametrize(
    ("with_vat", "payer"),
    [
        pytest.param(True, True, id="prices with VAT"),
        pytest.param(False, True, id="prices without VAT"),
        pytest.param(False, False, id="no payer of VAT"),
    ],
)
def test_sale_and_purchase_prices_are_judged_as_the_shop_types_them_in(
    origin: Origin, *, with_vat: bool, payer: bool
) -> None:
    """Two that share no code come to the same numbers."""
    front = make_front(vat_payer=payer)
    front = replace(front, facts=front.facts.model_copy(update={"prices_with_vat": with_vat}))
    market = upp_rules.Market(prices_with_vat=with_vat, vat_payer=payer)
    compared = 0
    for raw in origin.products:
        judged = upp_rules.product_documents(raw, market)
        for draft in drafts(product_documents(parse_product(raw, prices_with_vat=with_vat), front)):
            body, expected = json.loads(draft.body), judged[draft.key]
            if expected is None:
                continue
            for name in ("salePrice", "costOfGoods"):
                assert body.get(name) == expected.get(name), (draft.key, name)
                compared += name in expected

    assert compared > 200


@pytest.mark.parametrize(
    ("spoil", "kinds"),
    [
        pytest.param(lambda copies, key: copies.pop(key), ["lost"], id="gone"),
        pytest.param(lambda copies, key: copies[key].update(price=1), ["different"], id="price"),
        pytest.param(lambda copies, key: copies[key].update(title="x"), ["different"], id="title"),
        pytest.param(lambda copies, key: copies[key].update(stock=-1), ["different"], id="stock"),
        pytest.param(lambda copies, key: copies[key].update(active=False), ["different"], id="not active"),
        pytest.param(lambda copies, key: copies.update({"v-1": {}}), ["unwanted"], id="invented"),
    ],
)
def test_a_wrong_copy_of_a_product_is_found(
    origin: Origin, problems: Problems, spoil: Callable[[dict[str, Json], str], Any], kinds: list[str]
) -> None:
    copies = _upp_products(origin)
    spoil(copies, next(key for key in copies if copies[key].get("stock")))

    assert _kinds(compare.upp_products(origin, copies, problems)) == kinds


def test_what_is_not_for_sale_may_stand_there_only_with_nothing_in_stock(
    origin: Origin, problems: Problems
) -> None:
    copies = _upp_products(origin)
    sold = next(
        product for product in origin.products if not product["variants"] and product["code"] and product["stock"]
    )
    key = f"p-{sold['product_id']}"
    sold["active_yn"] = False

    before = compare.upp_products(origin, copies, problems)
    copies[key] = {**copies.get(key, {}), "stock": 0, "active": False}

    assert _kinds(before) == ["unwanted"]
    assert _kinds(compare.upp_products(origin, copies, problems)) == []


def test_a_product_without_a_price_must_be_told_of(origin: Origin) -> None:
    verdict = compare.upp_products(origin, _upp_products(origin), Problems([]))

    assert "silent" in _kinds(verdict)


def test_a_renumbered_order_may_stand_under_its_former_number_but_not_under_both(origin: Origin) -> None:
    copies = _upp_orders(origin)
    former = next(iter(copies))
    order = origin.orders.pop(former)
    origin.orders["R-1"] = renumbered = {**order, "order_number": "R-1"}
    origin.versions["R-1"] = [renumbered]

    assert compare.upp_orders(origin, copies).findings == []
    both = {**copies, "R-1": upp_rules.order_document(renumbered)}
    assert _kinds(compare.upp_orders(origin, both)) == ["doubled"]
    neither = {name: copy for name, copy in copies.items() if name != former}
    assert _kinds(compare.upp_orders(origin, neither)) == ["lost"]


def test_another_order_under_the_number_of_one_that_is_gone_is_the_one_that_upp_has(origin: Origin) -> None:
    copies = _upp_orders(origin)
    number, other = list(copies)[:2]
    former, new = origin.orders[number], {**origin.orders[other], "order_number": number, "uuid": "another"}
    origin.orders[number] = new
    origin.versions[number] = [former, new]

    assert _kinds(compare.upp_orders(origin, copies)) == ["different"]
    copies[number] = upp_rules.order_document(new)
    assert compare.upp_orders(origin, copies).findings == []


def test_right_copies_of_orders_are_passed_and_a_wrong_one_is_found(origin: Origin) -> None:
    copies = _upp_orders(origin)
    assert compare.upp_orders(origin, copies).findings == []

    first, second, third = list(copies)[:3]
    copies.pop(first)
    copies[second]["netOrderAmount"] += 0.01
    copies[third]["items"][0]["quantity"] += 1

    assert sorted(_kinds(compare.upp_orders(origin, copies))) == ["different", "different", "lost"]


def test_a_cancelled_order_may_be_what_it_was_once_but_not_anything(origin: Origin) -> None:
    copies = _upp_orders(origin)
    number = next(iter(copies))
    origin.orders[number]["status_id"] = upp_rules.CANCELED

    assert compare.upp_orders(origin, copies).findings == []
    copies[number]["grossOrderAmount"] = 1
    assert _kinds(compare.upp_orders(origin, copies)) == ["unwanted"]


def test_net_and_gross_come_from_the_parts_or_their_share(origin: Origin, state: State) -> None:
    broken = next(number for number, reason in state.shops["demo"].broken.items() if reason == "totals")
    for number, order in origin.orders.items():
        total, net = upp_rules.sums(order)
        document = upp_rules.order_document(order)
        assert upp_rules.adds_up(order) is (number != broken)
        if number != broken:
            assert abs(document["netOrderAmount"] - float(net)) < 0.006
        else:
            assert document["netOrderAmount"] == round(document["grossOrderAmount"] * float(net / total), 2)


def test_every_broken_order_is_parked_and_no_other(origin: Origin, state: State) -> None:
    broken = state.shops["demo"].broken
    parked = {
        number
        for number, order in origin.orders.items()
        if isinstance(uphance_rules.sales_order(order, _catalogue(state)), uphance_rules.Parked)
    }

    assert set(broken.values()) == set(BROKEN)
    assert parked == set(broken)


def _drafts(origin: Origin, state: State) -> list[Json]:
    """Drafts as a sender might make them: one line per SKU at the whole price of the order, the rest free."""
    organisation = state.uphance.organisations[501]
    organisation.customers[1] = {"id": 1, "name": "x"}
    drafts = []
    for number, order in origin.orders.items():
        wanted = uphance_rules.sales_order(order, _catalogue(state))
        if isinstance(wanted, uphance_rules.Parked) or not uphance_rules.sendable(order):
            continue
        lines, left = [], wanted.goods
        for sku, pieces in wanted.pieces.items():
            product, variation, _ = organisation.sku(sku) or ({}, {}, {})
            for quantity, price in ((1, left), (pieces - 1, 0)):
                if quantity:
                    entry = {"sku_id": sku, "quantity": quantity}
                    ids = {"product_id": product["id"], "variation_id": variation["id"]}
                    lines.append({**ids, "unit_price": str(price), "line_quantities": [entry]})
            left -= left
        body = {
            "company_id": 1,
            "channel_id": wanted.channel,
            "season_id": 300,
            "purchase_order_ref": f"UPG-demo-{number}",
            "shipping_cost": str(wanted.shipping),
            "line_items": lines,
        }
        drafts.append(accept_order(body, organisation, state.uphance))
    return drafts


def test_right_drafts_are_passed(origin: Origin, problems: Problems, state: State) -> None:
    verdict = compare.uphance_orders(origin, _drafts(origin, state), _catalogue(state), problems, "demo")

    assert verdict.findings == []
    assert verdict.parked == len(BROKEN)


@pytest.mark.parametrize(
    ("spoil", "kind"),
    [
        pytest.param(lambda drafts: drafts.pop(), "lost", id="gone"),
        pytest.param(lambda drafts: drafts.append({**drafts[-1], "id": 1}), "doubled", id="twice"),
        pytest.param(lambda drafts: drafts[-1].update(shipping_cost="1.01"), "different", id="shipping"),
        pytest.param(lambda drafts: drafts[-1].update(channel_id=1), "different", id="channel"),
        pytest.param(
            lambda drafts: drafts[-1]["line_items"][0].update(unit_price="0.01"), "different", id="a heller"
        ),
        pytest.param(
            lambda drafts: drafts.append({**drafts[-1], "purchase_order_ref": "UPG-demo-0"}),
            "unwanted",
            id="invented",
        ),
    ],
)
def test_a_wrong_draft_is_found(
    origin: Origin, state: State, spoil: Callable[[list[Json]], Any], kind: str
) -> None:
    drafts = _drafts(origin, state)
    spoil(drafts)

    broken = Problems([{"entity": number} for number in state.shops["demo"].broken])

    assert _kinds(compare.uphance_orders(origin, drafts, _catalogue(state), broken, "demo")) == [kind]


def test_a_parked_order_without_a_problem_is_found(origin: Origin, state: State) -> None:
    verdict = compare.uphance_orders(origin, _drafts(origin, state), _catalogue(state), Problems([]), "demo")

    sendable = [number for number in state.shops["demo"].broken if uphance_rules.sendable(origin.orders[number])]
    assert _kinds(verdict) == ["silent"] * len(sendable)
