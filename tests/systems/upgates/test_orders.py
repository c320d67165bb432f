from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.upgates import captured, raw_line, raw_order
from upbridge.domain.order import LineType, Money
from upbridge.domain.totals import OrderTotals
from upbridge.domain.unread import Unread
from upbridge.systems.upgates.errors import Unreadable
from upbridge.systems.upgates.fields import parse_list
from upbridge.systems.upgates.orders import parse_order

NEW_FIELDS = ("price_per_unit_with_vat", "price_per_unit_without_vat", "price_with_vat", "price_without_vat")


def old_line(**overrides: Any) -> dict[str, Any]:
    """A line from before April 2025: no explicit amounts, no type."""
    line = raw_line(**overrides)
    return {name: value for name, value in line.items() if name not in (*NEW_FIELDS, "type")}


def money(with_vat: str, without_vat: str, vat: int = 21) -> Money:
    return Money(with_vat=Decimal(with_vat), without_vat=Decimal(without_vat), vat=Decimal(vat))


class TestOrder:
    def test_its_own_words_and_numbers(self) -> None:
        order = parse_order(raw_order(status_id="1", paid_date="2026-11-20", variable_symbol=123))

        assert (order.key, order.order_id, order.currency, order.status_id) == ("OBJ-1", 11, "CZK", 1)
        assert order.created_at == datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
        assert (order.paid_on, order.variable_symbol) == ("2026-11-20", "123")

    @pytest.mark.parametrize("field", ["order_number", "currency_id", "creation_time", "order_total"])
    def test_some_fields_are_required(self, field: str) -> None:
        with pytest.raises(Unreadable, match=f"{field} is missing"):
            parse_order(raw_order(**{field: None}))

    @pytest.mark.parametrize("field", ["paid_date", "last_update_time"])
    @pytest.mark.parametrize(
        "zero",
        [
            "0000-00-00T00:00:00+01:00",
            "-0001-11-30T00:00:00+00:57",
            {"date": "-0001-11-30 00:00:00.000000", "timezone_type": 3, "timezone": "Europe/Prague"},
        ],
    )
    def test_a_zero_date_is_as_null(self, field: str, zero: Any) -> None:
        assert parse_order(raw_order(**{field: zero})) == parse_order(raw_order(**{field: None}))

    def test_everything_else_may_be_null(self) -> None:
        required = ("order_number", "currency_id", "creation_time", "order_total")
        raw = {name: value if name in required else None for name, value in raw_order().items()}

        order = parse_order(raw)

        assert (order.origin, order.in_statistics, order.shopper, order.lines) == ("frontend", True, None, ())

    def test_a_complaint_holds_no_personal_data(self) -> None:
        customer = {**raw_order()["customer"], "customer_id": "jana@example.cz"}

        with pytest.raises(Unreadable) as complaint:
            parse_order(raw_order(status_id="jana@example.cz"))
        noted = parse_order(raw_order(customer=customer)).unread

        assert str(complaint.value) == "OBJ-1: status_id is not a whole number"
        assert noted == (Unread(part="shopper", place="customer.customer_id"),)

    @pytest.mark.parametrize("written", ["cash\u2013register", "cash-register", "Cash_Register"])
    def test_the_cash_register_in_every_spelling(self, written: str) -> None:
        assert parse_order(raw_order(origin=written)).origin == "cash-register"

    def test_an_order_may_be_left_out_of_statistics(self) -> None:
        assert not parse_order(raw_order(statistics_yn=0)).in_statistics

    def test_rounding_is_total_less_total_before_with_either_sign_of_the_rest(self) -> None:
        order = parse_order(raw_order(order_total=331, order_total_before_round=331.2, order_total_rest=0.2))

        assert (order.total_before_round, order.rounding) == (Decimal("331.2"), Decimal("-0.2"))

    def test_without_a_total_before_rounding_there_was_none(self) -> None:
        order = parse_order(raw_order(order_total_before_round=None, order_total_rest=None))

        assert (order.total_before_round, order.rounding) == (Decimal(331), Decimal(0))

    def test_php_may_write_an_empty_object_as_an_array(self) -> None:
        order = parse_order(raw_order(discount_voucher=[], shipment=[], customer=[]))

        assert (order.discounts, order.shipping, order.shopper) == ((), None, None)


class TestLines:
    def test_explicit_amounts_are_taken_as_they_are(self) -> None:
        (line,) = parse_order(raw_order()).lines

        assert line.type is LineType.PRODUCT
        assert (line.unit, line.total) == (money("121", "100"), money("242", "200"))

    def test_prices_with_vat_are_split_by_the_rate(self) -> None:
        (line,) = parse_order(raw_order(products=[old_line(price_per_unit=68, price=204, quantity=3)])).lines

        assert (line.unit, line.total) == (money("68", "56.1983"), money("204", "168.60"))

    def test_prices_without_vat_are_raised_by_the_rate(self) -> None:
        raw = raw_order(prices_with_vat_yn=0, products=[old_line(price_per_unit=100, price=200)])
        (line,) = parse_order(raw).lines

        assert (line.unit, line.total) == (money("121.0000", "100"), money("242.00", "200"))

    def test_a_total_that_is_absent_comes_from_the_unit(self) -> None:
        (line,) = parse_order(raw_order(products=[old_line(price=None, price_per_unit=121)])).lines

        assert line.total == money("242.00", "200.00")

    def test_a_unit_that_is_absent_comes_from_the_total(self) -> None:
        (line,) = parse_order(raw_order(products=[old_line(price=100, price_per_unit=None, quantity=3)])).lines

        assert line.unit == money("33.3333", "27.5467")

    @pytest.mark.parametrize("kind", ["gift", "discount", "set_part"])
    def test_what_may_be_free_is_free_without_a_price(self, kind: str) -> None:
        (line,) = parse_order(raw_order(products=[{"type": kind, "quantity": 1, "title": "x"}])).lines

        assert line.total.with_vat == 0

    def test_a_product_without_a_price_cannot_be_read(self) -> None:
        with pytest.raises(Unreadable, match=r"products\[0\].price is missing"):
            parse_order(raw_order(products=[{"type": "product", "quantity": 1}]))

    def test_a_quantity_is_required(self) -> None:
        with pytest.raises(Unreadable, match=r"products\[1\].quantity is missing"):
            parse_order(raw_order(products=[raw_line(), raw_line(quantity=None)]))

    @pytest.mark.parametrize("written", ["subscription", ["x"], True])
    def test_an_unknown_type_is_noted(self, written: Any) -> None:
        order = parse_order(raw_order(products=[raw_line(type=written, code="MONTAZ")]))

        assert order.lines[0].type is LineType.UNKNOWN
        assert order.unread == (Unread(part="line.type", place="products[0].type (MONTAZ)"),)

    def test_a_configuration_is_one_line_of_text(self) -> None:
        chosen = [
            {"name": "Věnování", "values": [{"value": "Janě"}]},
            {"name": "Balení", "values": [{"value": "krabice"}, {"value": "mašle", "price": 5}]},
            {"name": "Prázdné", "values": []},
        ]
        (line,) = parse_order(raw_order(products=[raw_line(configurations=chosen)])).lines

        assert line.configuration == "Věnování: Janě; Balení: krabice, mašle"

    @given(
        stored=st.decimals("0.01", "99999", places=2),
        vat=st.sampled_from([0, 5, 10, 12, 15, 19, 20, 21, 23, 25]),
        with_vat=st.booleans(),
    )
    def test_what_is_computed_agrees_with_the_rate_to_half_a_cent(
        self, stored: Decimal, vat: int, with_vat: bool
    ) -> None:
        raw = raw_order(prices_with_vat_yn=with_vat, products=[old_line(price=stored, vat=vat, quantity=1)])
        total = parse_order(raw).lines[0].total

        assert (total.with_vat if with_vat else total.without_vat) == stored
        assert abs(total.without_vat * (100 + vat) / 100 - total.with_vat) <= Decimal("0.005") * (100 + vat) / 100


class TestDiscountsAndCharges:
    @pytest.mark.parametrize("sign", [1, -1])
    def test_a_discount_is_positive_with_either_sign(self, sign: int) -> None:
        voucher = {
            "code": "SLEVA",
            "discounts": [
                {"price": sign * 10, "price_with_vat": sign * 12.1, "price_without_vat": sign * 10, "vat": 21},
                {"price": 0, "price_with_vat": 0, "price_without_vat": 0, "vat": 12},
            ],
        }
        (discount,) = parse_order(raw_order(discount_voucher=voucher)).discounts

        assert (discount.kind, discount.code, discount.amount) == ("voucher", "SLEVA", money("12.1", "10"))

    def test_all_three_kinds_are_read(self) -> None:
        each = {"discounts": [{"price": 121, "vat": 21}]}
        order = parse_order(raw_order(discount_voucher=each, quantity_discount=each, loyalty_points=each))

        assert [discount.kind for discount in order.discounts] == ["voucher", "quantity", "loyalty"]
        assert order.discounts[0].amount == money("121", "100.00")

    def test_shipping_of_2024_is_computed(self) -> None:
        shipping = parse_order(raw_order(shipment={"name": "WEDO", "price": 89, "vat": 21})).shipping

        assert shipping is not None
        assert shipping.amount == money("89", "73.55")

    def test_a_pick_up_point_is_kept(self) -> None:
        shipment = {
            "name": "Z",
            "price": 0,
            "affiliate_id": 77,
            "affiliate_name": "Box",
            "packeta_carrier_id": 106,
        }
        shipping = parse_order(raw_order(shipment=shipment)).shipping

        assert shipping is not None
        assert (shipping.branch_id, shipping.branch_name, shipping.carrier_id) == ("77", "Box", "106")

    def test_a_charge_of_nothing_but_nulls_is_none(self) -> None:
        assert parse_order(raw_order(payment={"id": None, "name": None, "price": None})).payment is None


class TestShopper:
    def test_a_company_counts_only_if_it_is_said_to_be_one(self) -> None:
        person = parse_order(raw_order()).shopper
        firm = parse_order(raw_order(customer={**raw_order()["customer"], "company_yn": "1"})).shopper

        assert person is not None
        assert firm is not None
        assert (person.company, person.name) == (None, "Jana Nová")
        assert (firm.company, firm.billing.company) == ("Zbytek s.r.o.", "Zbytek s.r.o.")

    def test_a_delivery_address_counts_only_if_it_is_said_to_be_one(self) -> None:
        customer = {**raw_order()["customer"], "city_postal": "Brno", "country_id_postal": "sk"}
        same = parse_order(raw_order(customer=customer)).shopper
        other = parse_order(raw_order(customer={**customer, "postal_yn": 1})).shopper

        assert same is not None
        assert same.shipping is None
        assert other is not None
        assert other.shipping is not None
        assert (other.shipping.city, other.shipping.country) == ("Brno", "SK")

    @pytest.mark.situation("address.empty")
    @pytest.mark.parametrize("nothing", [None, "", "  ", False])
    def test_an_empty_delivery_address_is_the_billing_address(self, nothing: Any) -> None:
        empty = dict.fromkeys(
            (f"{name}_postal" for name in ("street", "city", "zip", "surname", "company")), nothing
        )
        customer = {**raw_order()["customer"], **empty, "postal_yn": True, "country_id_postal": "cz"}

        shopper = parse_order(raw_order(customer=customer)).shopper

        assert shopper is not None
        assert shopper.shipping is None

    @pytest.mark.parametrize("field", ["street_postal", "city_postal", "zip_postal"])
    def test_a_delivery_address_that_says_any_place_is_kept(self, field: str) -> None:
        shopper = parse_order(raw_order(customer={"email": "a@b.cz", "postal_yn": True, field: "1"})).shopper

        assert shopper is not None
        assert shopper.shipping is not None

    def test_countries_are_upper_case(self) -> None:
        shopper = parse_order(raw_order()).shopper

        assert shopper is not None
        assert shopper.billing.country == "CZ"

    def test_an_order_without_a_shopper_has_none(self) -> None:
        assert parse_order(raw_order(customer={"email": None, "postal_yn": False})).shopper is None


def test_every_recorded_order_can_be_read_and_adds_up() -> None:
    good, bad = parse_list(captured("orders-2024-02.json")["orders"], parse_order)

    assert bad == []
    assert [order.order_number for order in good] == ["9000011", "9000021", "9000031"]
    for order in good:
        assert OrderTotals.of(order).charged(with_vat=True) == order.total
    assert good[0].shopper is not None
    assert good[0].shopper.billing.country == "CZ"


NONSENSE = ["nonsense"]


class TestWhatSomeTargetCanDoWithout:
    @pytest.mark.parametrize(
        ("field", "part"),
        [
            ("order_id", "ids"),
            ("language_id", "language"),
            ("paid_date", "paid_on"),
            ("last_update_time", "updated_at"),
            ("statistics_yn", "statistics"),
            ("internal_note", "notes"),
        ],
    )
    def test_a_field_of_the_order_is_as_if_it_were_null(self, field: str, part: str) -> None:
        order = parse_order(raw_order(**{field: NONSENSE}))

        assert order.unread == (Unread(part=part, place=field),)
        assert order.model_copy(update={"unread": ()}) == parse_order(raw_order(**{field: None}))

    @pytest.mark.parametrize(
        ("field", "part"),
        [
            ("recycling_fee", "line.recycling_fee"),
            ("title", "line.title"),
            ("ean", "line.ean"),
            ("product_id", "line.id"),
            ("vat", "line.vat"),
            ("price_per_unit_with_vat", "line.unit"),
        ],
    )
    def test_a_field_of_a_line_too(self, field: str, part: str) -> None:
        order = parse_order(raw_order(products=[raw_line(), raw_line(code="B2", **{field: NONSENSE})]))

        assert order.unread == (Unread(part=part, place=f"products[1].{field} (B2)"),)

    def test_what_the_shopper_chose(self) -> None:
        order = parse_order(raw_order(products=[raw_line(configurations=NONSENSE)]))

        assert [one.part for one in order.unread] == ["line.configuration"]

    def test_the_customer_as_a_whole(self) -> None:
        order = parse_order(raw_order(customer="Jana"))

        assert (order.shopper, [one.part for one in order.unread]) == (None, ["shopper"])

    def test_nulls_of_a_list_do_not_move_the_place(self) -> None:
        order = parse_order(
            raw_order(products={"3": None, "5": raw_line(), "7": raw_line(recycling_fee=NONSENSE)})
        )

        assert [one.place for one in order.unread] == ["products[1].recycling_fee (GAR-41-RED-M)"]
        assert len(order.lines) == 2

    @pytest.mark.parametrize("field", ["price", "price_per_unit"])
    def test_an_amount_that_is_stated_otherwise_is_not_missed(self, field: str) -> None:
        raw = raw_order(products=[raw_line(**{field: NONSENSE})])

        assert parse_order(raw).lines == parse_order(raw_order(products=[raw_line(**{field: None})])).lines

    @pytest.mark.parametrize(
        "raw",
        [
            raw_order(status_id=NONSENSE),
            raw_order(origin=NONSENSE),
            raw_order(order_total=NONSENSE),
            raw_order(order_total_before_round=NONSENSE),
            raw_order(order_total_before_round=None, order_total_rest=NONSENSE),
            raw_order(prices_with_vat_yn=NONSENSE, products=[old_line()]),
            raw_order(products=NONSENSE),
            raw_order(products=[raw_line(quantity=NONSENSE)]),
            raw_order(products=[raw_line(price_with_vat=NONSENSE)]),
            raw_order(products=[old_line(price=NONSENSE)]),
            raw_order(products=[old_line(vat=NONSENSE)]),
            raw_order(products=[raw_line(code=None, product_id=NONSENSE)]),
        ],
    )
    def test_what_decides_what_is_sold_for_how_much_stops_the_order(self, raw: dict[str, Any]) -> None:
        with pytest.raises(Unreadable):
            parse_order(raw)
