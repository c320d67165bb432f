"""The situations that an order can be in, and what each target makes of them: one table for all mappings.

Upp.ai counts what was sold, Uphance what leaves the stock; both get the same money. Amounts for Upp.ai
have VAT in them, those for Uphance have not. Everything costs 21 % VAT unless a line says otherwise: 121 is
100 without it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest

from tests.support.orders import Amount, make_charge, make_line, make_money, make_order, make_voucher
from upbridge.domain.order import LineType, Order, OrderLine

#: (code, pieces, price of a piece)
Row = tuple[str, Amount, Amount]


@dataclass(frozen=True, slots=True)
class Situation:
    """An order and what is sent for it. *sold* are the items for Upp.ai. *delivered* are the lines for Uphance and
    *shipping* what else it costs; or *held* is why the order waits instead."""

    name: str
    order: Order
    net: Amount
    sold: Sequence[Row]
    delivered: Sequence[Row] = ()
    shipping: Amount = 0
    held: str | None = None
    adds_up: bool = True


def _set(
    price: Amount, *parts: Amount, pieces: Amount = 1, of_parts: Amount = 1, vat: Amount = 21
) -> list[OrderLine]:
    """A set with its parts A1, A2, …, each side with the prices that the shop shows."""
    head = make_line("SET", price, pieces, type=LineType.SET, uuid="set", vat=vat)
    return [
        head,
        *(
            make_line(f"A{number}", part, of_parts, type=LineType.SET_PART, parent_uuid="set", vat=vat)
            for number, part in enumerate(parts, start=1)
        ),
    ]


def _gift(price: Amount) -> OrderLine:
    return make_line("A2", price, type=LineType.GIFT, parent_uuid="line-A1")


def _discount(price: Amount, parent: str | None = "line-A1") -> OrderLine:
    return make_line(None, price, type=LineType.DISCOUNT, uuid="discount", parent_uuid=parent)


def _totalling(total: Amount, *lines: OrderLine, **overrides: Any) -> Order:
    """An order where the shop says what it comes to."""
    return make_order(*lines, total_before_round=Decimal(total), **overrides)


SITUATIONS = (
    Situation("one product", make_order(make_line("A1", 121, 2)), 200, [("A1", 2, 121)], [("A1", 2, 100)]),
    Situation(
        "the same product in two lines",
        make_order(make_line("A1", 121, uuid="x"), make_line("A1", 242, uuid="y")),
        300,
        [("A1", 1, 121), ("A1", 1, 242)],
        [("A1", 1, 100), ("A1", 1, 200)],
    ),
    Situation(
        "three pieces for what three do not divide",
        make_order(make_line("A1", "33.3333", 3, total=make_money(100, without_vat=Decimal("82.64")))),
        "82.64",
        [("A1", 3, "33.3333")],
        [("A1", 1, "27.54"), ("A1", 2, "27.55")],
    ),
    Situation(
        "two rates of VAT",
        make_order(make_line("A1", 121), make_line("A2", 112, vat=12)),
        200,
        [("A1", 1, 121), ("A2", 1, 112)],
        [("A1", 1, 100), ("A2", 1, 100)],
    ),
    Situation(
        "shipping and payment",
        make_order(make_line("A1", 121), shipping=make_charge("96.80"), payment=make_charge("36.30")),
        210,
        [("A1", 1, 121)],
        [("A1", 1, 100)],
        shipping=110,
    ),
    Situation(
        "free shipping",
        make_order(make_line("A1", 121), shipping=make_charge(0, 0)),
        100,
        [("A1", 1, 121)],
        [("A1", 1, 100)],
    ),
    Situation(
        "shipping below zero is a discount",
        make_order(make_line("A1", 121), shipping=make_charge("-12.10")),
        90,
        [("A1", 1, 121)],
        [("A1", 1, 90)],
    ),
    Situation(
        "payment below zero is a discount",
        make_order(make_line("A1", 121), shipping=make_charge("60.50"), payment=make_charge("-12.10")),
        140,
        [("A1", 1, 121)],
        [("A1", 1, 90)],
        shipping=50,
    ),
    # --- gifts ---
    Situation(
        "a gift without a price",
        make_order(make_line("A1", 121), _gift(0)),
        100,
        [("A1", 1, 121), ("A2", 1, 0)],
        [("A1", 1, 100), ("A2", 1, 0)],
    ),
    Situation(
        "a gift that shows what it is worth",
        _totalling(121, make_line("A1", 121), _gift("60.50")),
        100,
        [("A1", 1, 121), ("A2", 1, 0)],
        [("A1", 1, 100), ("A2", 1, 0)],
    ),
    Situation(
        "a gift that was charged",
        _totalling("122.21", make_line("A1", 121), _gift("1.21")),
        101,
        [("A1", 1, 121), ("A2", 1, 0)],
        [("A1", 1, 100), ("A2", 1, 1)],
    ),
    # --- sets ---
    Situation(
        "a set carries the money",
        make_order(*_set(363, 0, 0)),
        300,
        [("SET", 1, 363)],
        [("A1", 1, 150), ("A2", 1, 150)],
    ),
    Situation(
        "the parts of a set carry the money",
        make_order(*_set(0, "242", "121")),
        300,
        [("SET", 1, 363)],
        [("A1", 1, 200), ("A2", 1, 100)],
    ),
    Situation(
        "two sets whose parts carry the money",
        make_order(*_set(0, 121, pieces=2, of_parts=2)),
        200,
        [("SET", 2, 121)],
        [("A1", 2, 100)],
    ),
    Situation(
        "a set is charged, its parts show what they are worth",
        _totalling(363, *_set(363, 363, 121)),
        300,
        [("SET", 1, 363)],
        [("A1", 1, 225), ("A2", 1, 75)],
    ),
    Situation(
        "the parts are charged, the set shows a price of its own",
        _totalling(484, *_set(363, 363, 121)),
        400,
        [("SET", 1, 363)],
        [("A1", 1, 300), ("A2", 1, 100)],
    ),
    Situation(
        "a set and its parts are charged",
        make_order(*_set(121, 242, 121)),
        400,
        [("SET", 1, 121)],
        [("A1", 1, "266.67"), ("A2", 1, "133.33")],
    ),
    Situation(
        "a part without its set",
        make_order(
            make_line("A1", 121), make_line("A2", 121, type=LineType.SET_PART, parent_uuid="not on the order")
        ),
        200,
        [("A1", 1, 121)],
        [("A1", 1, 100), ("A2", 1, 100)],
    ),
    Situation(
        "a discount on a set",
        make_order(*_set(363, 0, 0), make_line("A9", 121), _discount(-121, "set")),
        300,
        [("SET", 1, 363), ("A9", 1, 121)],
        [("A1", 1, 100), ("A2", 1, 100), ("A9", 1, 100)],
    ),
    # --- discounts ---
    Situation(
        "a discount on a line",
        make_order(make_line("A1", 121, 3), make_line("A2", 121), _discount(-121)),
        300,
        [("A1", 3, 121), ("A2", 1, 121)],
        [("A1", 1, "66.66"), ("A1", 2, "66.67"), ("A2", 1, 100)],
    ),
    Situation(
        "a discount that is stated as a positive amount",
        _totalling("96.80", make_line("A1", 121), _discount("24.20")),
        80,
        [("A1", 1, 121)],
        [("A1", 1, 80)],
    ),
    Situation(
        "a voucher lowers the goods of its rate",
        make_order(make_line("A1", 121), make_line("A2", 112, vat=12), discounts=[make_voucher("12.10")]),
        190,
        [("A1", 1, 121), ("A2", 1, 112)],
        [("A1", 1, 90), ("A2", 1, 100)],
    ),
    Situation(
        "loyalty points at a rate that no goods have",
        make_order(
            make_line("A1", 121), shipping=make_charge(121), discounts=[make_voucher(10, 0, kind="loyalty")]
        ),
        190,
        [("A1", 1, 121)],
        [("A1", 1, 90)],
        shipping=100,
    ),
    Situation(
        "a voucher that is spread to the last haléř",
        make_order(*(make_line(f"A{n}", 121) for n in (1, 2, 3)), discounts=[make_voucher(121)]),
        200,
        [("A1", 1, 121), ("A2", 1, 121), ("A3", 1, 121)],
        [("A1", 1, "66.66"), ("A2", 1, "66.67"), ("A3", 1, "66.67")],
    ),
    Situation(
        "a voucher for all of it",
        make_order(make_line("A1", 121), discounts=[make_voucher(121)]),
        0,
        [("A1", 1, 121)],
        [("A1", 1, 0)],
    ),
    Situation(
        "a voucher larger than the goods comes off shipping",
        make_order(make_line("A1", 121), shipping=make_charge(121), discounts=[make_voucher("181.50")]),
        50,
        [("A1", 1, 121)],
        [("A1", 1, 0)],
        shipping=50,
    ),
    Situation(
        "a voucher larger than everything",
        make_order(make_line("A1", 121), discounts=[make_voucher(242)]),
        -100,
        [("A1", 1, 121)],
        held="order.totals_differ",
    ),
    # --- rounding, rates, currencies ---
    Situation(
        "rounded to whole crowns",
        make_order(make_line("A1", "120.60"), rounding=Decimal("0.40")),
        "99.67",
        [("A1", 1, "120.60")],
        [("A1", 1, "99.67")],
    ),
    Situation(
        "amounts finer than a haléř",
        _totalling(
            "400.16",
            *(
                make_line("A1", "10.004", total=make_money("10.004", without_vat=Decimal("8.268")))
                for _ in range(40)
            ),
        ),
        "330.72",
        [("A1", 1, "10.004")] * 40,
        [*[("A1", 1, "8.27")] * 32, *[("A1", 1, "8.26")] * 8],
    ),
    Situation(
        "reverse charge",
        make_order(make_line("A1", 100, vat=0), shipping=make_charge(10, 0)),
        110,
        [("A1", 1, 100)],
        [("A1", 1, 100)],
        shipping=10,
    ),
    Situation(
        "another currency",
        make_order(make_line("A1", "12.30", vat=23), currency="EUR", language="sk"),
        10,
        [("A1", 1, "12.30")],
        [("A1", 1, 10)],
    ),
    # --- what keeps an order back from the warehouse ---
    Situation(
        "it does not add up",
        _totalling(242, make_line("A1", 121)),
        200,
        [("A1", 1, 121)],
        held="order.totals_differ",
        adds_up=False,
    ),
    Situation(
        "a line with a negative price",
        make_order(make_line("A1", 242), make_line("A2", -121)),
        100,
        [("A1", 1, 242), ("A2", 1, -121)],
        held="order.totals_differ",
    ),
    Situation(
        "half a piece",
        make_order(make_line("A1", 121, "0.5")),
        50,
        [("A1", "0.5", 121)],
        held="order.quantity",
    ),
    Situation(
        "no piece at all",
        make_order(make_line("A1", 121), make_line("A2", 121, 0)),
        100,
        [("A1", 1, 121)],
        held="order.quantity",
    ),
    Situation(
        "typed in by hand",
        make_order(make_line("A1", 121), make_line(None, 121, product_id=None)),
        200,
        [("A1", 1, 121)],
        held="order.manual_line",
    ),
)

each_situation = pytest.mark.parametrize(
    "situation", [pytest.param(one, id=one.name.replace(" ", "_")) for one in SITUATIONS]
)
