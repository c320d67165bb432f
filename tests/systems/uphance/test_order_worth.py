"""Money properties: what is sent is worth what the shop charged, by a calculation that shares no code."""

from collections.abc import Iterator
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.orders import make_charge, make_line, make_order, make_voucher
from tests.support.shop_settings import make_settings
from tests.support.uphance import sku, uphance_connection
from upbridge.domain.delivery import Issue
from upbridge.domain.order import LineType, Money, Order, OrderLine
from upbridge.systems.uphance.matching import SkuBook
from upbridge.systems.uphance.order_mapping import SalesOrder, map_order

CENT = Decimal("0.01")
BOOK = SkuBook([sku(number, f"C{number}") for number in range(40)])
LEVELS = (Decimal(21), Decimal(12), Decimal(0))
PRICES = st.integers(0, 500_000).map(lambda hellers: Decimal(hellers) / 100)


class Till:
    """Adds up what is owed while an order is drawn, on both sides of VAT and per level."""

    def __init__(self) -> None:
        self.owed = {True: Decimal(0), False: Decimal(0)}
        self.by_level: dict[Decimal, Decimal] = {}
        self.lines: list[OrderLine] = []

    def ring(self, *lines: OrderLine) -> None:
        for one in lines:
            self.lines.append(one)
            self.owe(one.total)
            self.by_level[one.total.vat] = self.by_level.get(one.total.vat, Decimal(0)) + one.total.with_vat

    def owe(self, money: Money, sign: int = 1) -> None:
        self.owed[True] += sign * money.with_vat
        self.owed[False] += sign * money.without_vat


def draw_goods(draw: st.DrawFn, till: Till, code: str) -> None:
    vat = draw(st.sampled_from(LEVELS))
    one = make_line(code, draw(PRICES), draw(st.integers(1, 13)), vat=vat)
    till.ring(one)
    if one.total.with_vat and draw(st.booleans()):
        off = Decimal(draw(st.integers(1, int(one.total.with_vat * 100)))) / 100
        till.ring(make_line(None, -off, type=LineType.DISCOUNT, uuid=f"d-{code}", parent_uuid=one.uuid, vat=vat))


def draw_set(draw: st.DrawFn, till: Till, codes: Iterator[str]) -> None:
    """A set whose money is on one of its two sides."""
    carries, vat = draw(st.booleans()), draw(st.sampled_from(LEVELS))
    till.ring(make_line("SET", draw(PRICES) if carries else 0, type=LineType.SET, uuid="set", vat=vat))
    for price in draw(st.lists(PRICES, min_size=1, max_size=3)):
        worth, pieces = 0 if carries else price, draw(st.integers(1, 3))
        till.ring(make_line(next(codes), worth, pieces, type=LineType.SET_PART, parent_uuid="set", vat=vat))


@st.composite
def orders(draw: st.DrawFn) -> tuple[Order, dict[bool, Decimal]]:
    """An order that adds up, and what it comes to (True: with VAT), summed as it is built."""
    till, codes = Till(), (f"C{number}" for number in range(40))
    for _ in range(draw(st.integers(1, 4))):
        draw_goods(draw, till, next(codes))
    if draw(st.booleans()):
        draw_set(draw, till, codes)
    if draw(st.booleans()):
        till.ring(make_line(next(codes), 0, type=LineType.GIFT, parent_uuid=till.lines[0].uuid))
    discounts = [
        make_voucher((worth * draw(st.integers(0, 100)) / 100).quantize(CENT, ROUND_HALF_UP), vat)
        for vat, worth in till.by_level.items()
        if worth > 0 and draw(st.booleans())
    ]
    for discount in discounts:
        till.owe(discount.amount, -1)
    extras: dict[str, Any] = {}
    for name, low in (("shipping", 0), ("payment", -3000)):
        if draw(st.booleans()):
            extras[name] = make_charge(
                Decimal(draw(st.integers(low, 20_000))) / 100, draw(st.sampled_from(LEVELS))
            )
            till.owe(extras[name].amount)
    before = till.owed[True]
    total = before.quantize(Decimal(1), ROUND_HALF_UP)
    totals = {"total": total, "total_before_round": before, "rounding": total - before}
    return make_order(*till.lines, discounts=discounts, **totals, **extras), till.owed


@settings(max_examples=400, deadline=None)
@given(orders(), st.booleans())
def test_what_is_sent_is_worth_what_the_shop_charged_to_the_last_heller(
    made: tuple[Order, dict[bool, Decimal]], with_tax: bool
) -> None:
    one, owed = made

    result = map_order(
        one, BOOK.match_sold, make_settings({"uphance.prices_with_tax": with_tax}), uphance_connection()
    )

    if isinstance(result, Issue):  # only where the discounts are larger than all the rest
        assert result.key == "order.totals_differ"
        assert owed[with_tax] < 0
        return
    assert isinstance(result, SalesOrder)
    assert sum(row.unit_price * row.quantity for row in result.lines) + result.shipping_cost == owed[with_tax]
    assert result.shipping_cost >= 0
    assert all(row.unit_price >= 0 and row.unit_price == row.unit_price.quantize(CENT) for row in result.lines)


@settings(max_examples=200, deadline=None)
@given(orders())
def test_every_piece_is_sent_and_no_line_has_more_than_two_prices(made: tuple[Order, Any]) -> None:
    result = map_order(made[0], BOOK.match_sold, make_settings(), uphance_connection())

    if not isinstance(result, SalesOrder):
        return
    goods = [one for one in made[0].lines if one.type not in (LineType.SET, LineType.DISCOUNT)]
    for one in goods:
        rows = [row for row in result.lines if f"C{row.sku_id}" == one.code]
        assert sum(row.quantity for row in rows) == one.quantity
        assert len(rows) <= 2
        assert max(row.unit_price for row in rows) - min(row.unit_price for row in rows) <= CENT


@settings(max_examples=200, deadline=None)
@given(orders(), st.integers(6, 100_000), st.sampled_from((1, -1)))
def test_an_order_whose_total_is_off_is_never_sent(made: tuple[Order, Any], off: int, sign: int) -> None:
    one = made[0]
    wrong = one.total_before_round + sign * Decimal(off) / 100

    result = map_order(
        one.model_copy(update={"total_before_round": wrong, "total": wrong, "rounding": Decimal(0)}),
        BOOK.match_sold,
        make_settings(),
        uphance_connection(),
    )

    assert isinstance(result, Issue)
    assert result.key == "order.totals_differ"
