"""Orders as Upp should hold them."""

import json
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.clock import NOON
from tests.support.order_situations import Situation, each_situation
from tests.support.upp import (
    drafts,
    issues_of,
    make_front,
    make_line,
    make_order,
    make_shopper,
    money,
)
from upbridge.domain.delivery import Issue, Unmappable
from upbridge.domain.order import Charge, Discount, LineType, Money, Order
from upbridge.domain.unread import Unread
from upbridge.systems.base import MappingContext
from upbridge.systems.upp.mapping import order_documents

FRONT = make_front()
SHIPPING = Charge(name="Zásilkovna", code="ZAS", amount=money("89"))
PAYMENT = Charge(name="Dobírka", code=None, amount=money("39"))
VOUCHER = Discount(kind="voucher", code="JARO", amount=money("99"))


def body_of(order: Order, context: MappingContext = FRONT) -> dict[str, Any]:
    (draft,) = drafts(order_documents(order, context))
    body: dict[str, Any] = json.loads(draft.body, parse_float=Decimal)
    return body


class TestAnExample:
    def test_an_order_is_sent_in_full(self) -> None:
        order = make_order(
            make_line(),
            make_line("12.50", "2.5", vat=12, code="C-9", variant_id=None, product_id=9, title="Látka"),
            shipping=SHIPPING,
            payment=PAYMENT,
            discounts=(VOUCHER,),
            rounding=Decimal("-0.25"),
        )

        (draft,) = order_documents(order, FRONT)

        assert not getattr(draft, "only_if_known", True)
        assert (draft.kind, draft.key, getattr(draft, "parent", "")) == ("order", "26000123", "26000123")
        assert body_of(order) == {
            "externalOrderId": "26000123",
            "orderSubmittedOn": "2026-11-20T09:15:00Z",
            "currency": "CZK",
            # 990 + 31.25 + 89 + 39 - 99, rounded down to whole crowns
            "grossOrderAmount": 1050,
            # 818.18 + 27.90 + 73.55 + 32.23 - 81.82
            "netOrderAmount": Decimal("870.04"),
            "sourceChannel": "web",
            "items": [
                {"sku": "AB-4711", "name": "Košile", "quantity": 1, "price": 990},
                {"sku": "C-9", "name": "Látka", "quantity": Decimal("2.5"), "price": Decimal("12.5")},
            ],
        }

    def test_a_whole_number_has_no_decimal_point(self) -> None:
        (draft,) = drafts(order_documents(make_order(make_line(quantity="1.00")), FRONT))

        assert b'"quantity":1,' in draft.body

    def test_a_second_shop_of_the_same_client_has_its_prefix(self) -> None:
        (draft,) = drafts(order_documents(make_order(make_line(code=None)), make_front(prefix="shop-2-")))
        body = json.loads(draft.body)

        assert (draft.key, body["externalOrderId"]) == ("26000123", "shop-2-26000123")
        assert body["items"][0]["sku"] == "shop-2-v-4711"

    def test_its_moment_is_in_utc_in_all_that_the_shop_writes(self) -> None:
        summer = datetime(2026, 7, 1, 0, 30, 15, 999, tzinfo=timezone(timedelta(hours=2)))

        assert body_of(make_order(created_at=summer))["orderSubmittedOn"] == "2026-06-30T22:30:15Z"


@each_situation
def test_what_upp_is_sent_in_every_situation(situation: Situation) -> None:
    wanted = list(order_documents(situation.order, FRONT))

    body = body_of(situation.order)
    assert [(row["sku"], row["quantity"], row["price"]) for row in body["items"]] == [
        (code, Decimal(pieces), Decimal(price)) for code, pieces, price in situation.sold
    ]
    assert body["grossOrderAmount"] == situation.order.total
    assert body["netOrderAmount"] == Decimal(situation.net)
    assert body["currency"] == situation.order.currency
    assert bool(issues_of(wanted)) is not situation.adds_up


class TestWhichOrdersGo:
    @pytest.mark.rule("R43")
    @pytest.mark.parametrize(
        ("overrides", "shop_settings"),
        [
            pytest.param({"status_id": 7}, {}, id="cancelled"),
            pytest.param({"status_id": 8}, {}, id="cancelled by Home Credit"),
            pytest.param({"in_statistics": False}, {}, id="not in the statistics"),
            pytest.param({"origin": "admin"}, {}, id="typed in by the staff"),
            pytest.param({}, {"upp_origins": ["api"]}, id="of an origin that is not chosen"),
            pytest.param({}, {"upp_send": False}, id="while sending is off"),
        ],
    )
    @pytest.mark.situation("upp.canceled")
    def test_these_do_not(self, overrides: dict[str, Any], shop_settings: dict[str, Any]) -> None:
        assert not list(order_documents(make_order(**overrides), make_front(**shop_settings)))

    def test_an_order_without_a_status_goes(self) -> None:
        assert drafts(order_documents(make_order(status_id=None), FRONT))

    @pytest.mark.parametrize(
        ("origin", "channel"), [("frontend", "web"), ("admin", "admin"), ("api", "api"), ("cash-register", "pos")]
    )
    def test_an_origin_is_a_channel(self, origin: str, channel: str) -> None:
        context = make_front(upp_origins=["frontend", "admin", "api", "cash-register"])

        assert body_of(make_order(origin=origin), context)["sourceChannel"] == channel

    @pytest.mark.parametrize(
        ("age", "shop_settings", "only_if_known"),
        [
            pytest.param(timedelta(days=30), {}, False, id="thirty days old"),
            pytest.param(timedelta(days=30, seconds=1), {}, True, id="older"),
            pytest.param(timedelta(days=31), {"upp_order_days": 60}, False, id="within what the shop chose"),
            pytest.param(timedelta(seconds=1), {"upp_order_days": 0}, True, id="the shop wants no history"),
            pytest.param(timedelta(days=-400), {"upp_order_days": 0}, False, id="after the connection"),
        ],
    )
    def test_history_older_than_the_first_import_goes_only_if_known(
        self, age: timedelta, shop_settings: dict[str, Any], only_if_known: bool
    ) -> None:
        (draft,) = drafts(order_documents(make_order(created_at=NOON - age), make_front(**shop_settings)))

        assert draft.only_if_known is only_if_known


class TestItems:
    @pytest.mark.parametrize(
        "overrides",
        [
            pytest.param({"type": LineType.SET_PART}, id="a part of a set"),
            pytest.param({"type": LineType.DISCOUNT}, id="a discount"),
            pytest.param({"quantity": Decimal(0)}, id="none of it"),
            pytest.param({"quantity": Decimal(-1)}, id="less than none"),
            pytest.param({"code": None, "product_id": None, "variant_id": None}, id="typed in by hand"),
        ],
    )
    def test_these_lines_are_no_items(self, overrides: dict[str, Any]) -> None:
        body = body_of(make_order(make_line(), make_line(**overrides)))

        assert len(body["items"]) == 1

    def test_a_line_left_out_stays_in_the_totals(self) -> None:
        manual = make_line("150", code=None, product_id=None, variant_id=None)

        body = body_of(make_order(make_line(), manual))

        assert (body["grossOrderAmount"], body["netOrderAmount"]) == (1140, Decimal("942.15"))

    @pytest.mark.parametrize(
        ("overrides", "sku"),
        [
            pytest.param({"code": None}, "v-4711", id="a variant without a code"),
            pytest.param({"code": None, "variant_id": None}, "p-12", id="a product without a code"),
        ],
    )
    def test_an_id_stands_in_for_a_missing_code(self, overrides: dict[str, Any], sku: str) -> None:
        assert body_of(make_order(make_line(**overrides)))["items"][0]["sku"] == sku

    def test_a_line_without_a_title_is_named_by_its_sku(self) -> None:
        assert body_of(make_order(make_line(title=None)))["items"][0]["name"] == "AB-4711"


class TestNet:
    def test_who_pays_no_vat_has_net_equal_to_gross(self) -> None:
        body = body_of(make_order(rounding=Decimal("0.50")), make_front(vat_payer=False))

        assert body["netOrderAmount"] == body["grossOrderAmount"] == Decimal("990.5")

    @pytest.mark.parametrize(("miss", "reported"), [("0.05", False), ("-0.05", False), ("0.06", True)])
    def test_parts_may_miss_the_total_by_five_hellers(self, miss: str, reported: bool) -> None:
        order = make_order(total_before_round=Decimal(990) - Decimal(miss))

        assert bool(issues_of(order_documents(order, FRONT))) is reported

    def test_parts_that_do_not_add_up_are_reported_and_give_the_share(self) -> None:
        order = make_order(make_line("1000"), total=Decimal(1100), total_before_round=Decimal(1100))

        wanted = list(order_documents(order, FRONT))

        (unmappable,) = issues_of(wanted)
        assert (unmappable.kind, unmappable.key) == ("order", "26000123")
        assert unmappable.issue.key == "order.net_estimated"
        assert unmappable.issue.params == {"total": "1100", "difference": "-100", "currency": "CZK"}
        assert json.loads(drafts(wanted)[0].body)["netOrderAmount"] == 909.1  # 1100 x 826.45 / 1000


_CENTS = st.integers(0, 5_000_00).map(lambda number: Decimal(number) / 100)
_RATES = st.sampled_from([0, 12, 21, 23])


@st.composite
def _orders(draw: st.DrawFn) -> Order:
    lines = [
        make_line(draw(_CENTS), str(draw(st.integers(1, 9))), vat=draw(_RATES))
        for _ in range(draw(st.integers(1, 6)))
    ]
    discounts = tuple(
        Discount(kind=kind, code=None, amount=money(draw(_CENTS) / 100, draw(_RATES)))
        for kind in draw(st.lists(st.sampled_from(["voucher", "quantity", "loyalty"]), max_size=3))
    )
    shipping = draw(st.none() | _CENTS.map(lambda price: Charge(name="PPL", code=None, amount=money(price))))
    payment = draw(st.none() | _CENTS.map(lambda price: Charge(name="Karta", code=None, amount=money(price, 0))))
    rounding = draw(st.integers(-50, 50).map(lambda number: Decimal(number) / 100))
    return make_order(*lines, discounts=discounts, shipping=shipping, payment=payment, rounding=rounding)


@given(_orders())
def test_net_and_gross_are_exact_by_an_independent_sum_in_hellers(order: Order) -> None:
    def hellers(amount: Money) -> int:
        return int(amount.without_vat * 100)

    net = sum(hellers(line.total) for line in order.lines)
    net += sum(hellers(charge.amount) for charge in (order.shipping, order.payment) if charge is not None)
    net -= sum(hellers(discount.amount) for discount in order.discounts)

    body = body_of(order)

    assert not issues_of(order_documents(order, FRONT))
    assert Decimal(body["netOrderAmount"]) * 100 == net
    assert Decimal(body["grossOrderAmount"]) == order.total
    assert list(order_documents(order, FRONT)) == list(order_documents(order, FRONT))


@given(st.lists(_CENTS, min_size=1, max_size=5), st.integers(1, 4), st.booleans())
def test_a_set_is_worth_the_same_if_head_or_parts_carry_the_money(
    prices: list[Decimal], quantity: int, parts_carry: bool
) -> None:
    zero, whole = Decimal(0), sum(prices, Decimal(0))
    head = make_line(
        zero if parts_carry else whole,
        str(quantity),
        type=LineType.SET,
        uuid="s",
        total=money(zero if parts_carry else whole * quantity),
    )
    parts = [
        make_line(type=LineType.SET_PART, parent_uuid="s", total=money(price * quantity if parts_carry else zero))
        for price in prices
    ]
    order = make_order(head, *parts)

    body = body_of(order)

    assert Decimal(body["items"][0]["price"]) == whole.quantize(Decimal("0.01"), ROUND_HALF_UP)
    assert Decimal(body["grossOrderAmount"]) == whole * quantity


@given(st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=6, max_size=12))
def test_no_personal_data_goes_to_upp(words: str) -> None:
    planted = f"osobni-{words}"
    fields = ("uuid", "external_order_number", "internal_note", "admin_url", "tracking_code", "variable_symbol")
    overrides: dict[str, Any] = dict.fromkeys(fields, planted)
    order = make_order(
        make_line(configuration=planted, uuid=planted),
        shipping=SHIPPING.model_copy(
            update=dict.fromkeys(("name", "code", "branch_id", "branch_name", "carrier_id"), planted)
        ),
        payment=PAYMENT.model_copy(update={"name": planted, "code": planted}),
        discounts=(VOUCHER.model_copy(update={"code": planted}),),
        shopper=make_shopper(planted),
        **overrides,
    )

    (draft,) = drafts(order_documents(order, FRONT))

    assert b"osobni-" not in draft.body
    assert b"77000077" not in draft.body
    assert set(json.loads(draft.body)) == {
        "currency",
        "externalOrderId",
        "grossOrderAmount",
        "items",
        "netOrderAmount",
        "orderSubmittedOn",
        "sourceChannel",
    }


class TestUnread:
    def test_a_line_of_an_unknown_type_counts_and_is_no_item(self) -> None:
        odd = make_line(type=LineType.UNKNOWN, code="MONTAZ")
        order = make_order(make_line(), odd, unread=(Unread(part="line.type", place="x"),))

        body = body_of(order)

        assert [item["sku"] for item in body["items"]] == ["AB-4711"]
        assert body["grossOrderAmount"] == 1980

    @pytest.mark.parametrize(
        "part", ["shopper", "language", "shipping", "line.vat", "line.title", "line.ean", "notes"]
    )
    def test_what_upp_does_not_need_changes_nothing(self, part: str) -> None:
        order = make_order()

        assert list(
            order_documents(order.model_copy(update={"unread": (Unread(part=part, place="x"),)}), FRONT)
        ) == list(order_documents(order, FRONT))

    @pytest.mark.parametrize(
        ("part", "source"), [("statistics", "code"), ("line.unit", "code"), ("line.ean", "ean"), ("line.id", "id")]
    )
    def test_what_upp_needs_holds_the_order_and_is_named(self, part: str, source: str) -> None:
        order = make_order(unread=(Unread(part=part, place="products[0].x (A)"),))

        [held] = order_documents(order, make_front(upp_sku_from=source))

        assert isinstance(held, Unmappable)
        assert held.issue == Issue("order.unreadable_field", {"fields": "products[0].x (A)"})


class TestWhoIsWho:
    @pytest.mark.situation("number.reused")
    def test_another_order_under_a_number_goes_and_is_reported(self) -> None:
        context = replace(FRONT, other_orders={"26000123"})

        wanted = list(order_documents(make_order(make_line()), context))

        assert len(drafts(wanted)) == 1
        assert [one.issue.key for one in issues_of(wanted)] == ["order.number_replaced"]

    @pytest.mark.situation("number.changed")
    def test_an_order_that_was_sent_under_another_number_is_no_second_sale(self) -> None:
        context = replace(FRONT, former_numbers={"26000123": "26000001"})

        wanted = list(order_documents(make_order(make_line()), context))

        assert drafts(wanted) == []
        assert [(one.issue.key, one.issue.params["former"]) for one in issues_of(wanted)] == [
            ("order.renumbered", "26000001")
        ]
