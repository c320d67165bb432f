"""Ten thousand made-up orders: each goes with totals equal to the last haléř, or waits with the arithmetic.

From the API's JSON to what Uphance and Upp.ai would be told, against `till`, which shares no code with ours. To
replay some: `-k "orders_of-17-"`; a failure names the order, and its number is its seed.
"""

import json
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from random import Random

import pytest

from tests.conformance.till import Json, Till, goods, haler, right_sums
from tests.support.shop_settings import make_settings
from tests.support.uphance import sku, uphance_connection
from tests.support.upp import make_front
from upbridge.core.canonical_json import canonical
from upbridge.domain.delivery import DesiredDocument, Issue, Unmappable
from upbridge.domain.order import Order
from upbridge.systems.upgates.orders import parse_order
from upbridge.systems.uphance.matching import SkuBook
from upbridge.systems.uphance.order_mapping import SalesOrder, map_order
from upbridge.systems.upp.mapping import order_documents

ORDERS, PORTION = 10_000, 500
BOOK = SkuBook([sku(number, f"K{number}") for number in range(40)])
portions = pytest.mark.parametrize("portion", range(ORDERS // PORTION), ids=lambda number: f"orders_of-{number}-")


def rung_up(portion: int) -> Iterator[tuple[Till, Json, Order]]:
    """Orders as the API lists them, and as the client reads them."""
    for number in range(portion * PORTION, (portion + 1) * PORTION):
        till = Till(Random(number), number)
        raw = till.order()
        yield till, raw, parse_order(json.loads(canonical(raw), parse_float=Decimal))


@portions
def test_uphance_gets_what_was_charged_to_the_last_haler_or_nothing(portion: int) -> None:
    came: Counter[str] = Counter()
    for till, raw, order in rung_up(portion):
        for with_tax in (True, False):
            right = [pair[0 if with_tax else 1] for pair in right_sums(raw)]

            result = map_order(
                order, BOOK.match_sold, make_settings({"uphance.prices_with_tax": with_tax}), uphance_connection()
            )

            came[result.key if isinstance(result, Issue) else "sent"] += 1
            if isinstance(result, SalesOrder):
                assert till.fault in ("", "total"), order.order_number
                assert worth(result) in right, (order.order_number, worth(result), right)
                assert pieces(result) == goods(raw), order.order_number
                assert all(line.unit_price >= 0 and line.quantity > 0 for line in result.lines)
                assert result.shipping_cost >= 0
                continue
            assert isinstance(result, Issue)
            wanted = {"fraction": "order.quantity", "manual": "order.manual_line"}.get(till.fault)
            assert result.key == wanted or (result.key == "order.totals_differ" and wanted is None), (
                order.order_number
            )
            if wanted is None:
                assert not right or min(right) < 0, (order.order_number, right, result.params)
                arithmetic_adds_up(result, raw)
    assert came["sent"] > PORTION
    assert came["order.totals_differ"] > 0


def worth(result: SalesOrder) -> int:
    """What would be sent, in haléř."""
    return sum(haler(line.unit_price) * line.quantity for line in result.lines) + haler(result.shipping_cost)


def pieces(result: SalesOrder) -> Counter[str]:
    found: Counter[str] = Counter()
    for line in result.lines:
        found[f"K{line.sku_id}"] += line.quantity
    return found


def arithmetic_adds_up(issue: Issue, raw: Json) -> None:
    """The problem shows staff a sum that they can follow."""
    figure = {name: haler(value) for name, value in issue.params.items() if name != "currency"}
    assert figure["lines"] + figure["shipping"] + figure["payment"] - figure["discounts"] == figure["sum"]
    assert figure["sum"] - figure["expected"] == figure["difference"]
    assert (figure["expected"], figure["total"]) == (
        haler(raw["order_total_before_round"]),
        haler(raw["order_total"]),
    )


@portions
def test_upp_gets_what_was_charged_and_its_net_to_the_last_haler_or_that_it_is_estimated(portion: int) -> None:
    came: Counter[str] = Counter()
    for till, raw, order in rung_up(portion):
        before = haler(raw["order_total_before_round"])
        right = [
            net
            for gross, net in right_sums(
                raw | {"order_total_rest": raw["order_total"] - raw["order_total_before_round"]}
            )
        ]

        wanted = list(order_documents(order, make_front(vat_payer=till.vat_payer)))

        [draft] = [one for one in wanted if isinstance(one, DesiredDocument)]
        estimated = [one for one in wanted if isinstance(one, Unmappable)]
        body = json.loads(draft.body)
        assert haler(body["grossOrderAmount"]) == haler(raw["order_total"])
        assert body["currency"] == raw["currency_id"]
        net = haler(body["netOrderAmount"])
        came["estimated" if estimated else "exact"] += 1
        if not till.vat_payer:
            assert net == haler(raw["order_total"]), order.order_number
            assert not estimated
        elif estimated:
            assert not right, (order.order_number, before, right)
        else:
            assert net in right, (order.order_number, net, right)
    assert came["exact"] > PORTION / 2
    assert came["estimated"] > 0
