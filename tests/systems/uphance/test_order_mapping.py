"""From an order of the shop to a sales order: every rule of the mapping, and every reason to wait."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from tests.systems.uphance.builders import (
    BOOK,
    EVA,
    FACTS,
    OFFICE,
    charge,
    line,
    money,
    order,
    sku,
    uphance_connection,
    voucher,
)
from upbridge.domain.delivery import Issue
from upbridge.domain.order import LineType, Order
from upbridge.domain.shop_settings import ShopSettings
from upbridge.systems.uphance.matching import SkuBook
from upbridge.systems.uphance.order_mapping import NotYet, SalesOrder, map_order

GROSS = {"uphance.prices_with_tax": True}


def mapped(
    one: Order, shop_settings: Mapping[str, Any] | None = None, *, book: SkuBook = BOOK, **facts: Any
) -> SalesOrder | Issue | NotYet:
    return map_order(one, book.match, ShopSettings(shop_settings or {}), uphance_connection(**facts))


def sold(one: Order, shop_settings: Mapping[str, Any] | None = None, *, book: SkuBook = BOOK) -> SalesOrder:
    result = mapped(one, shop_settings, book=book)
    assert isinstance(result, SalesOrder), result
    return result


def issue_of(
    one: Order, shop_settings: Mapping[str, Any] | None = None, *, book: SkuBook = BOOK, **facts: Any
) -> Issue:
    result = mapped(one, shop_settings, book=book, **facts)
    assert isinstance(result, Issue), result
    return result


def lines_of(one: SalesOrder) -> list[tuple[int, str, int]]:
    return [(row.sku_id, str(row.unit_price), row.quantity) for row in one.lines]


class TestLines:
    def test_prices_are_sent_without_vat(self) -> None:
        assert lines_of(sold(order(line("A1", 121)))) == [(1, "100.00", 1)]

    def test_prices_are_sent_with_vat_where_the_channel_wants_them(self) -> None:
        assert lines_of(sold(order(line("A1", 121)), GROSS)) == [(1, "121.00", 1)]

    def test_a_total_that_its_pieces_do_not_divide_is_split_into_two_lines(self) -> None:
        assert lines_of(sold(order(line("A1", total=100, quantity=3)), GROSS)) == [
            (1, "33.33", 2),
            (1, "33.34", 1),
        ]

    def test_what_was_charged_counts_and_not_the_unit_price(self) -> None:
        charged = money(204).model_copy(update={"without_vat": Decimal("168.60")})
        one = line("A1", 68, 3).model_copy(update={"total": charged})

        assert sold(order(one)).total == Decimal("168.60")

    @pytest.mark.situation("line.gift")
    def test_a_gift_goes_for_nothing(self) -> None:
        gift = line("A2", 0, type=LineType.GIFT, parent_uuid="line-A1")

        assert lines_of(sold(order(line("A1", 121), gift))) == [(1, "100.00", 1), (2, "0.00", 1)]

    def test_a_gift_that_shows_its_worth_but_was_not_charged_goes_for_nothing(self) -> None:
        gift = line("A2", 50, type=LineType.GIFT)
        total = Decimal(121)

        one = order(line("A1", 121), gift, total=total, total_before_round=total)

        assert lines_of(sold(one)) == [(1, "100.00", 1), (2, "0.00", 1)]

    def test_a_discount_line_lowers_its_parent_and_is_no_line(self) -> None:
        off = line(None, -121, type=LineType.DISCOUNT, uuid="d", parent_uuid="line-A1")

        assert lines_of(sold(order(line("A1", 121, 3), line("A2", 121), off))) == [
            (1, "66.66", 1),
            (1, "66.67", 2),
            (2, "100.00", 1),
        ]

    def test_a_discount_line_may_be_stated_as_a_positive_amount(self) -> None:
        off = line(None, 21, type=LineType.DISCOUNT, uuid="d", parent_uuid="line-A1")

        one = order(line("A1", 121), off, total=Decimal(100), total_before_round=Decimal(100))

        assert sold(one, GROSS).total == 100

    @pytest.mark.situation("line.twice")
    def test_the_same_goods_in_two_lines_stay_two_lines(self) -> None:
        one = order(line("A1", 121, uuid="x"), line("A1", 242, uuid="y"))

        assert lines_of(sold(one)) == [(1, "100.00", 1), (1, "200.00", 1)]


class TestSets:
    def parts(self, *prices: int) -> list[Any]:
        return [
            line(f"A{place}", price, type=LineType.SET_PART, parent_uuid="set")
            for place, price in enumerate(prices, start=1)
        ]

    @pytest.mark.situation("line.set")
    def test_the_price_of_a_set_goes_over_its_parts_in_proportion_to_theirs(self) -> None:
        head = line("SET", 300, type=LineType.SET, uuid="set")

        one = order(head, *self.parts(300, 100), total=Decimal(300), total_before_round=Decimal(300))

        assert lines_of(sold(one, GROSS)) == [(1, "225.00", 1), (2, "75.00", 1)]

    def test_the_parts_of_a_set_have_equal_shares_if_they_have_no_prices(self) -> None:
        head = line("SET", 100, type=LineType.SET, uuid="set")

        assert lines_of(sold(order(head, *self.parts(0, 0, 0)), GROSS)) == [
            (1, "33.34", 1),
            (2, "33.33", 1),
            (3, "33.33", 1),
        ]

    def test_the_parts_keep_their_own_prices_if_they_carry_the_money(self) -> None:
        head = line("SET", 0, type=LineType.SET, uuid="set")

        assert lines_of(sold(order(head, *self.parts(300, 100)), GROSS)) == [(1, "300.00", 1), (2, "100.00", 1)]

    def test_if_set_and_parts_show_prices_the_total_says_which_were_charged(self) -> None:
        head = line("SET", 300, type=LineType.SET, uuid="set")

        one = order(head, *self.parts(250, 150), total=Decimal(400), total_before_round=Decimal(400))

        assert lines_of(sold(one, GROSS)) == [(1, "250.00", 1), (2, "150.00", 1)]

    def test_the_sku_of_the_set_itself_is_not_needed(self) -> None:
        head = line("NOBODY KNOWS", 300, type=LineType.SET, uuid="set")

        assert sold(order(head, *self.parts(0, 0)), GROSS).total == 300

    def test_a_discount_on_a_set_lowers_its_parts(self) -> None:
        head = line("SET", 300, type=LineType.SET, uuid="set")
        off = line(None, -100, type=LineType.DISCOUNT, uuid="d", parent_uuid="set")

        one = order(head, *self.parts(0, 0), line("A9", 50), off)

        assert lines_of(sold(one, GROSS)) == [(1, "100.00", 1), (2, "100.00", 1), (9, "50.00", 1)]


class TestDiscountsAndCharges:
    def test_a_voucher_lowers_the_goods_of_its_own_vat_level_only(self) -> None:
        one = order(line("A1", 121), line("A2", 112, vat=12), discounts=[voucher("12.10")])

        assert lines_of(sold(one)) == [(1, "90.00", 1), (2, "100.00", 1)]

    def test_a_voucher_is_spread_to_the_last_heller(self) -> None:
        one = order(line("A1", 100), line("A2", 100), line("A3", 100), discounts=[voucher(100)])

        assert sold(one, GROSS).total == 200

    def test_points_at_a_level_without_goods_lower_all_goods(self) -> None:
        one = order(line("A1", 100), shipping=charge(50), discounts=[voucher(10, 0)])

        result = sold(one, GROSS)

        assert (lines_of(result), str(result.shipping_cost)) == ([(1, "90.00", 1)], "50.00")

    def test_a_discount_larger_than_the_goods_comes_off_shipping(self) -> None:
        result = sold(order(line("A1", 100), shipping=charge(89), discounts=[voucher(120)]), GROSS)

        assert (lines_of(result), str(result.shipping_cost)) == ([(1, "0.00", 1)], "69.00")

    def test_a_discount_larger_than_everything_holds_the_order(self) -> None:
        assert issue_of(order(line("A1", 100), discounts=[voucher(120)])).key == "order.totals_differ"

    def test_shipping_and_payment_go_together_without_vat(self) -> None:
        assert sold(order(shipping=charge(121), payment=charge("36.30"))).shipping_cost == 130

    def test_free_shipping_costs_nothing(self) -> None:
        assert str(sold(order(shipping=charge(0, 0))).shipping_cost) == "0.00"

    def test_a_negative_payment_price_is_a_discount(self) -> None:
        result = sold(order(line("A1", 100), shipping=charge(50), payment=charge(-10)), GROSS)

        assert (lines_of(result), str(result.shipping_cost)) == ([(1, "90.00", 1)], "50.00")


class TestParityGate:
    @pytest.mark.situation("totals")
    def test_an_order_whose_parts_do_not_make_its_total_is_held_with_the_arithmetic(self) -> None:
        held = issue_of(
            order(line("A1", 121), shipping=charge(89), total=Decimal(247), total_before_round=Decimal(247))
        )

        assert held.key == "order.totals_differ"
        assert held.params["lines"] == "121.00"
        assert held.params["shipping"] == "89.00"
        assert held.params["sum"] == "210.00"
        assert held.params["expected"] == "247.00"
        assert held.params["difference"] == "-37.00"

    @pytest.mark.parametrize(("off", "fits"), [("0.05", True), ("-0.05", True), ("0.06", False), ("-0.06", False)])
    def test_five_hellers_are_the_limit(self, off: str, fits: bool) -> None:
        total = Decimal(121) + Decimal(off)

        result = mapped(order(line("A1", 121), total=total, total_before_round=total))

        assert isinstance(result, SalesOrder) is fits

    @pytest.mark.parametrize("sign", [1, -1])
    def test_rounding_is_checked_apart_and_noted(self, sign: int) -> None:
        one = order(line("A1", "120.60"), total=Decimal(121), rounding=sign * Decimal("0.40"))

        assert f"Rounding: {'-' if sign < 0 else ''}0.40" in sold(one).internal_notes

    def test_a_rounding_that_does_not_explain_the_total_holds_the_order(self) -> None:
        one = order(line("A1", "120.60"), total=Decimal(121), rounding=Decimal("0.10"))

        assert issue_of(one).key == "order.totals_differ"

    def test_a_line_with_a_negative_price_holds_the_order(self) -> None:
        assert issue_of(order(line("A1", 121), line("A2", -21))).key == "order.totals_differ"

    def test_an_order_without_goods_is_held(self) -> None:
        only_discount = line(None, 0, type=LineType.DISCOUNT, uuid="d")

        assert issue_of(order(only_discount)).key == "order.no_goods"


class TestMatching:
    @pytest.mark.situation("product.match")
    def test_a_code_matches_without_blanks_and_case(self) -> None:
        assert sold(order(line(" a1 "))).lines[0].sku_id == 1

    @pytest.mark.situation("product.match")
    def test_an_ean_matches_where_no_code_does_and_leading_zeros_count(self) -> None:
        book = SkuBook.of([sku(1, "X", ean="0012345678905"), sku(2, "Y", ean="12345678905")])

        assert sold(order(line("A1", ean="0012345678905")), book=book).lines[0].sku_id == 1

    def test_the_code_goes_before_the_ean(self) -> None:
        book = SkuBook.of([sku(1, "A1", ean="1"), sku(2, "B", ean="2")])

        assert sold(order(line("A1", ean="2")), book=book).lines[0].sku_id == 1

    @pytest.mark.situation("sku.unknown")
    def test_an_unknown_sku_holds_the_whole_order_and_names_all_of_them(self) -> None:
        held = issue_of(order(line("A1"), line("NO1"), line(None, ean="123")))

        assert (held.key, held.params) == ("order.unknown_sku", {"codes": "NO1, 123"})

    @pytest.mark.situation("sku.ambiguous")
    def test_a_doubled_ean_is_ambiguous(self) -> None:
        book = SkuBook.of([sku(1, "X", ean="1"), sku(2, "Y", ean="1")])

        held = issue_of(order(line("NO", ean="1")), book=book)

        assert (held.key, held.params) == ("order.ambiguous_sku", {"codes": "NO"})

    @pytest.mark.situation("sku.ambiguous")
    def test_a_doubled_code_is_ambiguous(self) -> None:
        book = SkuBook.of([sku(1, "A1"), sku(2, " a1", ean="5")])

        assert issue_of(order(line("A1", ean="5")), book=book).key == "order.ambiguous_sku"

    @pytest.mark.situation("sku.inherited")
    def test_an_ean_that_the_variant_inherits_from_its_product_never_matches(self) -> None:
        book = SkuBook.of([sku(1, "X", ean="1")], {50: None, 51: "2"})

        for variant in (50, 51):
            held = issue_of(order(line("NO", ean="1", variant_id=variant)), book=book)
            assert held.key == "order.unknown_sku"

    def test_the_variants_own_ean_matches(self) -> None:
        book = SkuBook.of([sku(1, "X", ean="1")], {50: "1"})

        assert sold(order(line("NO", ean="1", variant_id=50)), book=book).lines[0].sku_id == 1

    def test_whether_an_ean_is_the_variants_own_is_waited_for(self) -> None:
        book = SkuBook.of([sku(1, "X", ean="1")])

        assert isinstance(mapped(order(line("NO", ean="1", variant_id=50)), book=book), NotYet)

    @pytest.mark.situation("line.manual")
    def test_a_line_typed_in_by_hand_holds_the_order(self) -> None:
        held = issue_of(order(line("A1"), line(None, product_id=None, title="Úprava délky")))

        assert (held.key, held.params) == ("order.manual_line", {"lines": "Úprava délky"})

    @pytest.mark.parametrize("name", ["úprava délky", "USTRIH"])
    @pytest.mark.situation("line.manual")
    def test_a_line_that_is_named_a_service_goes_with_shipping(self, name: str) -> None:
        service = line("USTRIH" if name == "USTRIH" else None, 121, product_id=None, title="Úprava délky")

        held = issue_of(order(line("A1", 121), service, shipping=charge(121)))
        sent = sold(order(line("A1", 121), service, shipping=charge(121)), {"uphance.services": [name]})

        assert held.key in ("order.manual_line", "order.unknown_sku")
        assert lines_of(sent) == [(1, "100.00", 1)]
        assert sent.shipping_cost == Decimal("200.00")
        assert "Services: " in sent.internal_notes

    def test_a_service_below_zero_takes_off_the_goods(self) -> None:
        rebate = line(None, -121, product_id=None, title="Sleva")

        sent = sold(order(line("A1", 363), rebate), {"uphance.services": ["sleva"]})

        assert lines_of(sent) == [(1, "200.00", 1)]

    @pytest.mark.situation("no_goods")
    def test_services_alone_are_no_order_for_a_warehouse(self) -> None:
        held = issue_of(order(line(None, 121, product_id=None, title="Servis")), {"uphance.services": ["Servis"]})

        assert (held.key, held.params) == ("order.no_goods", {"lines": "Servis"})

    @pytest.mark.parametrize("quantity", ["0.5", "0", "-1", "1.001"])
    @pytest.mark.situation("line.quantity")
    def test_a_quantity_that_is_not_whole_and_positive_holds_the_order(self, quantity: str) -> None:
        held = issue_of(order(line("A1", 100, quantity)))

        assert (held.key, held.params["lines"]) == ("order.quantity", f"A1: {quantity}")

    def test_a_whole_quantity_may_be_written_with_decimals(self) -> None:
        assert lines_of(sold(order(line("A1", 121, "2.000")))) == [(1, "100.00", 2)]


class TestChannelAndSeason:
    def test_where_uphance_lists_no_channels_the_chosen_number_counts(self) -> None:
        blind = {**FACTS, "channels": []}

        assert issue_of(order(), facts=blind).key == "order.no_channel"
        result = mapped(order(), {"uphance.channels": {"cs/CZK": 77}}, facts=blind)
        assert isinstance(result, SalesOrder)
        assert result.channel_id == 77

    def test_the_only_channel_of_the_currency_is_taken(self) -> None:
        assert sold(order(currency="EUR", language="sk")).channel_id == 4

    def test_the_chosen_channel_is_taken_where_several_fit(self) -> None:
        facts = {**FACTS, "channels": [*FACTS["channels"], {"id": 8, "name": "Shop", "currency": "CZK"}]}

        result = mapped(order(), {"uphance.channels": {"cs/CZK": 8}}, facts=facts)

        assert isinstance(result, SalesOrder)
        assert result.channel_id == 8
        assert issue_of(order(), facts=facts).key == "order.no_channel"

    @pytest.mark.situation("currency")
    def test_a_channel_of_another_currency_is_never_taken(self) -> None:
        assert issue_of(order(), {"uphance.channels": {"cs/CZK": 4}}).key == "order.no_channel"

    @pytest.mark.situation("currency")
    def test_a_currency_without_channel_holds_the_order(self) -> None:
        held = issue_of(order(currency="USD", language="en"))

        assert (held.key, held.params) == ("order.no_channel", {"currency": "USD", "language": "en"})

    @pytest.mark.situation("seasons")
    def test_the_season_is_the_chosen_one_else_that_of_the_first_goods(self) -> None:
        assert sold(order(), {"uphance.season": 42}).season_id == 42
        assert sold(order()).season_id == 9

    @pytest.mark.situation("season")
    def test_without_any_season_the_order_is_held(self) -> None:
        assert issue_of(order(), book=SkuBook.of([sku(1, "A1", season_id=None)])).key == "order.no_season"


class TestWords:
    def test_the_reference_carries_the_shop_and_the_number(self) -> None:
        assert sold(order()).purchase_order_ref == "UPG-shop-26000001"

    def test_the_ship_date_is_the_day_in_prague(self) -> None:
        late = datetime(2026, 11, 24, 23, 30, tzinfo=UTC)

        assert sold(order(created_at=late)).start_ship_date == date(2026, 11, 25)

    def test_notes_hold_what_the_shopper_wrote_and_how_goods_are_made(self) -> None:
        shopper = EVA.model_copy(update={"note": "  Prosím rychle. "})

        one = order(line("A1", configuration="Jméno: Eva"), shopper=shopper)

        assert sold(one).notes == "Prosím rychle.\nA1: Jméno: Eva"

    def test_internal_notes_hold_what_staff_look_up(self) -> None:
        one = order(
            admin_url="https://shop.admin/1",
            variable_symbol="26000001",
            external_order_number="X-1",
            paid_on="2026-11-24",
            internal_note="Pozor",
        )

        assert sold(one).internal_notes.splitlines() == [
            "Upgates order: 26000001 https://shop.admin/1",
            "Variable symbol: 26000001",
            "External number: X-1",
            "Paid: 2026-11-24",
            "Note: Pozor",
        ]

    def test_shipping_instructions_name_the_pick_up_point(self) -> None:
        shipping = charge(89, branch_id="1234", branch_name="Praha, Lidická", carrier_id="106")

        assert sold(order(shipping=shipping)).shipping_instructions == "PPL / 1234, Praha, Lidická (carrier 106)"

    def test_an_address_of_its_own_goes_into_the_shipping_instructions(self) -> None:
        shopper = EVA.model_copy(update={"shipping": OFFICE})

        text = sold(order(shopper=shopper)).delivered_to(shopper).shipping_instructions

        assert text == "Eva Nováková, Dílna s.r.o., Krátká 2, 11000 Brno, CZ, +420600000000, Eva@Example.com"

    def test_warehouse_and_payment_term_are_the_chosen_ones(self) -> None:
        result = sold(order(), {"uphance.warehouse": "Main", "uphance.payment_term": "PIA"})

        assert (result.warehouse, result.payment_term) == ("Main", "PIA")
