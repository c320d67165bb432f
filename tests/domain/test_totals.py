"""What an order comes to, and how that is divided: the same money for every target, to the last haléř."""

import random
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.order_situations import Situation, each_situation
from tests.support.orders import make_charge, make_line, make_money, make_order, make_voucher
from upbridge.domain.allocation import AllocatedOrder, delivered_goods, sold_items
from upbridge.domain.money import CENT
from upbridge.domain.order import LineType, Order, OrderLine
from upbridge.domain.totals import Carrier, OrderTotals, Reading


@each_situation
def test_the_net_of_every_situation(situation: Situation) -> None:
    totals = OrderTotals.of(situation.order)

    assert totals.adds_up is situation.adds_up
    assert totals.net(vat_payer=True) == Decimal(situation.net)
    assert totals.net(vat_payer=False) == situation.order.total


@each_situation
def test_what_was_sold_in_every_situation(situation: Situation) -> None:
    items = sold_items(OrderTotals.of(situation.order))

    sold = [(line.code, line.quantity, price) for line, price in items if line.code is not None]
    assert sold == [(code, Decimal(pieces), Decimal(price)) for code, pieces, price in situation.sold]


class TestReading:
    def reading(self, total: int, *lines: OrderLine) -> Reading:
        return OrderTotals.of(make_order(*lines, total_before_round=Decimal(total))).reading

    def family(self, price: int, *parts: int) -> list[OrderLine]:
        return [
            make_line("SET", price, type=LineType.SET, uuid="set"),
            *(make_line("A1", part, type=LineType.SET_PART, parent_uuid="set") for part in parts),
        ]

    @pytest.mark.parametrize(
        ("total", "carrier"), [(300, Carrier.SET), (400, Carrier.PARTS), (700, Carrier.BOTH)], ids=str
    )
    def test_the_total_says_who_carries_the_money_of_a_set(self, total: int, carrier: Carrier) -> None:
        assert self.reading(total, *self.family(300, 250, 150)).carrier is carrier

    def test_of_readings_that_fit_equally_the_simplest_counts(self) -> None:
        gift = make_line("A2", 50, type=LineType.GIFT)

        assert self.reading(300, *self.family(300, 250, 50), gift) == Reading(False, Carrier.SET)

    def test_where_none_adds_up_the_simplest_counts(self) -> None:
        assert self.reading(1000, *self.family(300, 250, 150)) == Reading(False, Carrier.SET)

    @pytest.mark.parametrize(("total", "charged"), [(121, False), (171, True)])
    def test_the_total_says_whether_a_gift_was_charged(self, total: int, charged: bool) -> None:
        gift = make_line("A2", 50, type=LineType.GIFT)

        assert self.reading(total, make_line("A1", 121), gift).gifts_charged is charged

    def test_a_side_of_a_set_without_a_price_leaves_nothing_to_choose(self) -> None:
        order = make_order(*self.family(0, 100), *self.family(100))

        assert OrderTotals.of(order).adds_up


class TestSums:
    @pytest.mark.parametrize(("off", "fits"), [("0.05", True), ("-0.05", True), ("0.06", False), ("-0.06", False)])
    def test_five_hundredths_are_the_limit(self, off: str, fits: bool) -> None:
        order = make_order(make_line("A1", 121), total_before_round=Decimal(121) + Decimal(off))

        assert OrderTotals.of(order).adds_up is fits

    @pytest.mark.parametrize("sign", [1, -1])
    def test_the_size_of_the_rounding_has_to_explain_the_total(self, sign: int) -> None:
        order = make_order(make_line("A1", "120.60"), total=Decimal(121), rounding=sign * Decimal("0.40"))

        assert OrderTotals.of(order).rounding_adds_up
        assert not OrderTotals.of(order.model_copy(update={"rounding": Decimal("0.10")})).rounding_adds_up

    def test_an_order_that_does_not_add_up_has_an_estimated_net(self) -> None:
        order = make_order(make_line("A1", 1000), total_before_round=Decimal(1100))

        totals = OrderTotals.of(order)

        assert totals.difference == -100
        assert totals.net(vat_payer=True) == Decimal("909.10")  # 1100 x 826.45 / 1000

    def test_the_net_of_an_order_of_nothing_is_its_total(self) -> None:
        order = make_order(make_line("A1", 0), total_before_round=Decimal(5))

        assert OrderTotals.of(order).net(vat_payer=True) == 5

    def test_the_arithmetic_is_a_sum_that_can_be_followed(self) -> None:
        order = make_order(
            make_line("A1", 121),
            shipping=make_charge(89),
            discounts=[make_voucher(10)],
            total_before_round=Decimal(247),
        )

        assert OrderTotals.of(order).arithmetic(sent=Decimal(1)) == {
            "lines": "121.00",
            "shipping": "89.00",
            "payment": "0.00",
            "discounts": "10.00",
            "sum": "200.00",
            "expected": "247.00",
            "difference": "-47.00",
            "rounding": "0.00",
            "total": "247.00",
            "sent": "1.00",
            "currency": "CZK",
        }


# --- properties ---------------------------------------------------------------------------------------------

PRICES = st.integers(0, 5_000_000).map(lambda number: Decimal(number) / 1000)
LEVELS = st.sampled_from([Decimal(21), Decimal(12), Decimal(0)])


def _goods(draw: st.DrawFn, number: int) -> Iterator[OrderLine]:
    vat, quantity = draw(LEVELS), draw(st.integers(1, 9))
    kind = draw(st.sampled_from(["product", "product", "product", "gift", "set", "discounted"]))
    uuid = f"u{number}"
    if kind == "set":
        yield make_line(f"C{number}", draw(PRICES), type=LineType.SET, uuid=uuid, vat=vat)
        for part in range(draw(st.integers(1, 3))):
            price = draw(st.sampled_from([Decimal(0), draw(PRICES)]))
            yield make_line(
                f"C{number}-{part}",
                price,
                type=LineType.SET_PART,
                uuid=f"{uuid}-{part}",
                parent_uuid=uuid,
                vat=vat,
            )
        return
    fine = make_money(draw(PRICES), vat, without_vat=draw(PRICES))
    type_ = LineType.GIFT if kind == "gift" else LineType.PRODUCT
    yield make_line(f"C{number}", 1, quantity, type=type_, uuid=uuid, vat=vat, total=fine)
    if kind == "discounted":
        yield make_line(None, draw(PRICES), type=LineType.DISCOUNT, uuid=None, parent_uuid=uuid, vat=vat)


@st.composite
def orders(draw: st.DrawFn) -> Order:
    """Any order, in amounts of a tenth of a haléř; few of them add up."""
    lines = [line for number in range(draw(st.integers(1, 5))) for line in _goods(draw, number)]
    extras: dict[str, Any] = {}
    for name in ("shipping", "payment"):
        if draw(st.booleans()):
            extras[name] = make_charge(draw(PRICES) - draw(st.sampled_from([0, 100])), draw(LEVELS))
    discounts = [make_voucher(draw(PRICES), draw(LEVELS)) for _ in range(draw(st.integers(0, 3)))]
    total = draw(st.none() | PRICES)
    return make_order(
        *lines, discounts=discounts, **({} if total is None else {"total_before_round": total}), **extras
    )


def delivery(order: Order, *, with_vat: bool) -> AllocatedOrder:
    return delivered_goods(OrderTotals.of(order), with_vat=with_vat, services=["c0", "Thing C3", "C1-0"])


@settings(max_examples=400, deadline=None)
@given(orders(), st.booleans())
def test_goods_and_charges_are_together_exactly_what_was_charged(order: Order, with_vat: bool) -> None:
    found = delivery(order, with_vat=with_vat)

    together = sum((one.value for one in found.goods), found.charges) - found.left_over
    assert together == found.charged == OrderTotals.of(order).charged(with_vat=with_vat)


@settings(max_examples=200, deadline=None)
@given(orders(), st.booleans())
def test_no_goods_are_below_zero_and_each_is_priced_to_the_last_hundredth(order: Order, with_vat: bool) -> None:
    found = delivery(order, with_vat=with_vat)

    assert found.charges >= 0
    assert found.left_over >= 0
    assert found.below_zero == 0  # no line of these orders is
    for one in found.goods:
        assert sum(price * pieces for price, pieces in one.prices) == one.value
        assert sum(pieces for _, pieces in one.prices) == one.line.quantity


@settings(max_examples=200, deadline=None)
@given(orders(), st.booleans(), st.randoms(use_true_random=False))
def test_the_order_of_the_lines_decides_nothing_but_who_gets_a_last_hundredth(
    order: Order, with_vat: bool, chance: random.Random
) -> None:
    lines = list(order.lines)
    chance.shuffle(lines)
    shuffled = order.model_copy(update={"lines": tuple(lines)})

    one, other = OrderTotals.of(order), OrderTotals.of(shuffled)
    before, after = delivery(order, with_vat=with_vat), delivery(shuffled, with_vat=with_vat)

    assert (one.reading, one.charged(with_vat=with_vat)) == (other.reading, other.charged(with_vat=with_vat))
    assert one.arithmetic() == other.arithmetic()
    # Each rounding of a division can fall on another line: a few hundredths in all, never more.
    steps = CENT * (2 * len(lines) + len(order.discounts))
    assert abs(before.charges - after.charges) <= steps
    assert abs(before.left_over - after.left_over) <= steps
    values = {one.line.code: one.value for one in after.goods}
    assert all(abs(one.value - values[one.line.code]) <= steps for one in before.goods)
