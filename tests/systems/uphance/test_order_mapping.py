"""From an order of the shop to a sales order: every rule of the mapping, and every reason to wait."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from tests.support.order_situations import Situation, each_situation
from tests.support.orders import EVA, OFFICE, make_charge, make_line, make_order
from tests.support.shop_settings import make_settings
from tests.support.uphance import BOOK, FACTS, sku, uphance_connection
from upbridge.domain.delivery import Issue
from upbridge.domain.order import LineType, Order
from upbridge.domain.unread import Unread
from upbridge.systems.uphance.matching import SkuBook
from upbridge.systems.uphance.order_mapping import NotYet, SalesOrder, map_order

GROSS = {"uphance.prices_with_tax": True}


def mapped(
    one: Order, shop_settings: Mapping[str, Any] | None = None, *, book: SkuBook = BOOK, **facts: Any
) -> SalesOrder | Issue | NotYet:
    return map_order(one, book.match_sold, make_settings(shop_settings or {}), uphance_connection(**facts))


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


@each_situation
def test_what_uphance_is_sent_in_every_situation(situation: Situation) -> None:
    result = mapped(situation.order)

    if situation.held is not None:
        assert isinstance(result, Issue)
        assert result.key == situation.held
        return
    assert isinstance(result, SalesOrder)
    sent = [(f"A{row.sku_id}", row.quantity, row.unit_price) for row in result.lines]
    assert sent == [(code, pieces, Decimal(price)) for code, pieces, price in situation.delivered]
    assert result.shipping_cost == Decimal(situation.shipping)
    assert result.total == Decimal(situation.net)


class TestLines:
    def test_prices_are_sent_with_vat_where_the_channel_wants_them(self) -> None:
        assert lines_of(sold(make_order(make_line("A1", 121)), GROSS)) == [(1, "121.00", 1)]

    def test_a_total_that_its_pieces_do_not_divide_is_split_into_two_lines(self) -> None:
        assert lines_of(sold(make_order(make_line("A1", total=100, quantity=3)), GROSS)) == [
            (1, "33.33", 2),
            (1, "33.34", 1),
        ]

    @pytest.mark.situation("line.gift")
    def test_a_gift_goes_for_nothing(self) -> None:
        gift = make_line("A2", 0, type=LineType.GIFT, parent_uuid="line-A1")

        assert lines_of(sold(make_order(make_line("A1", 121), gift))) == [(1, "100.00", 1), (2, "0.00", 1)]

    @pytest.mark.situation("line.twice")
    def test_the_same_goods_in_two_lines_stay_two_lines(self) -> None:
        one = make_order(make_line("A1", 121, uuid="x"), make_line("A1", 242, uuid="y"))

        assert lines_of(sold(one)) == [(1, "100.00", 1), (1, "200.00", 1)]


class TestSets:
    def parts(self, *prices: int) -> list[Any]:
        return [
            make_line(f"A{place}", price, type=LineType.SET_PART, parent_uuid="set")
            for place, price in enumerate(prices, start=1)
        ]

    @pytest.mark.situation("line.set")
    def test_the_price_of_a_set_goes_over_its_parts_in_proportion_to_theirs(self) -> None:
        head = make_line("SET", 300, type=LineType.SET, uuid="set")

        one = make_order(head, *self.parts(300, 100), total=Decimal(300), total_before_round=Decimal(300))

        assert lines_of(sold(one, GROSS)) == [(1, "225.00", 1), (2, "75.00", 1)]

    def test_the_sku_of_the_set_itself_is_not_needed(self) -> None:
        head = make_line("NOBODY KNOWS", 300, type=LineType.SET, uuid="set")

        assert sold(make_order(head, *self.parts(0, 0)), GROSS).total == 300


class TestParityGate:
    @pytest.mark.situation("totals")
    def test_an_order_whose_parts_do_not_make_its_total_is_held_with_the_arithmetic(self) -> None:
        held = issue_of(
            make_order(
                make_line("A1", 121), shipping=make_charge(89), total=Decimal(247), total_before_round=Decimal(247)
            )
        )

        assert held.key == "order.totals_differ"
        assert held.params["lines"] == "121.00"
        assert held.params["shipping"] == "89.00"
        assert held.params["sum"] == "210.00"
        assert held.params["expected"] == "247.00"
        assert held.params["difference"] == "-37.00"

    @pytest.mark.parametrize("sign", [1, -1])
    def test_rounding_is_checked_apart_and_noted(self, sign: int) -> None:
        one = make_order(make_line("A1", "120.60"), total=Decimal(121), rounding=sign * Decimal("0.40"))

        assert f"Rounding: {'-' if sign < 0 else ''}0.40" in sold(one).internal_notes

    def test_a_rounding_that_does_not_explain_the_total_holds_the_order(self) -> None:
        one = make_order(make_line("A1", "120.60"), total=Decimal(121), rounding=Decimal("0.10"))

        assert issue_of(one).key == "order.totals_differ"

    def test_an_order_without_goods_is_held(self) -> None:
        only_discount = make_line(None, 0, type=LineType.DISCOUNT, uuid="d")

        assert issue_of(make_order(only_discount)).key == "order.no_goods"


class TestMatching:
    @pytest.mark.situation("product.match")
    def test_a_code_matches_without_blanks_and_case(self) -> None:
        assert sold(make_order(make_line(" a1 "))).lines[0].sku_id == 1

    @pytest.mark.situation("product.match")
    def test_an_ean_matches_where_no_code_does_and_leading_zeros_count(self) -> None:
        book = SkuBook([sku(1, "X", ean="0012345678905"), sku(2, "Y", ean="12345678905")])

        assert sold(make_order(make_line("A1", ean="0012345678905")), book=book).lines[0].sku_id == 1

    def test_the_code_goes_before_the_ean(self) -> None:
        book = SkuBook([sku(1, "A1", ean="1"), sku(2, "B", ean="2")])

        assert sold(make_order(make_line("A1", ean="2")), book=book).lines[0].sku_id == 1

    @pytest.mark.situation("sku.unknown")
    def test_an_unknown_sku_holds_the_whole_order_and_names_all_of_them(self) -> None:
        held = issue_of(make_order(make_line("A1"), make_line("NO1"), make_line(None, ean="123")))

        assert (held.key, held.params) == ("order.unknown_sku", {"codes": "NO1, 123"})

    @pytest.mark.situation("sku.ambiguous")
    def test_a_doubled_ean_is_ambiguous(self) -> None:
        book = SkuBook([sku(1, "X", ean="1"), sku(2, "Y", ean="1")])

        held = issue_of(make_order(make_line("NO", ean="1")), book=book)

        assert (held.key, held.params) == ("order.ambiguous_sku", {"codes": "NO"})

    @pytest.mark.situation("sku.ambiguous")
    def test_a_doubled_code_is_ambiguous(self) -> None:
        book = SkuBook([sku(1, "A1"), sku(2, " a1", ean="5")])

        assert issue_of(make_order(make_line("A1", ean="5")), book=book).key == "order.ambiguous_sku"

    @pytest.mark.situation("sku.inherited")
    def test_an_ean_that_the_variant_inherits_from_its_product_never_matches(self) -> None:
        book = SkuBook([sku(1, "X", ean="1")], {"v-50": ("Z", None), "v-51": ("Z", "2")})

        for variant in (50, 51):
            held = issue_of(make_order(make_line("NO", ean="1", variant_id=variant)), book=book)
            assert held.key == "order.unknown_sku"

    def test_the_variants_own_ean_matches(self) -> None:
        book = SkuBook([sku(1, "X", ean="1")], {"v-50": ("Z", "1")})

        assert sold(make_order(make_line("NO", ean="1", variant_id=50)), book=book).lines[0].sku_id == 1

    def test_whether_an_ean_is_the_variants_own_is_waited_for(self) -> None:
        book = SkuBook([sku(1, "X", ean="1")])

        assert isinstance(mapped(make_order(make_line("NO", ean="1", variant_id=50)), book=book), NotYet)

    @pytest.mark.situation("sku.renamed")
    def test_what_the_variant_is_called_by_now_goes_before_what_it_was_called_when_it_was_sold(self) -> None:
        book = SkuBook([sku(1, "OLD-1"), sku(2, "new-1")], {"v-50": ("NEW-1 ", None)})

        assert sold(make_order(make_line("OLD-1", variant_id=50)), book=book).lines[0].sku_id == 2

    @pytest.mark.situation("sku.renamed")
    def test_what_is_not_renamed_in_uphance_is_found_by_its_former_code(self) -> None:
        book = SkuBook([sku(1, "OLD-1")], {"v-50": ("NEW-1", None)})

        assert sold(make_order(make_line("OLD-1", variant_id=50)), book=book).lines[0].sku_id == 1

    @pytest.mark.situation("sku.handed_on")
    def test_a_former_code_that_other_goods_have_by_now_is_not_theirs(self) -> None:
        """Else the warehouse packs the other goods."""
        book = SkuBook([sku(1, "OLD-1")], {"v-50": ("NEW-1", None)}, bearers={"old-1": frozenset({"v-60"})})

        held = issue_of(make_order(make_line("OLD-1", variant_id=50)), book=book)

        assert (held.key, held.params) == ("order.unknown_sku", {"codes": "NEW-1"})
        assert sold(make_order(make_line("OLD-1", variant_id=60)), book=book).lines[0].sku_id == 1

    @pytest.mark.situation("sku.not_read")
    def test_goods_of_a_product_that_was_never_read_are_waited_for_and_named(self) -> None:
        held = mapped(make_order(make_line("NO", variant_id=50, product_id=7)), book=SkuBook([], {}))

        assert isinstance(held, NotYet)
        assert held.products == (7,)

    def test_no_order_waits_for_goods_without_a_product(self) -> None:
        held = issue_of(make_order(make_line("NO", product_id=None)), book=SkuBook([], {}))

        assert held.key == "order.unknown_sku"

    @pytest.mark.situation("line.manual")
    def test_a_line_typed_in_by_hand_holds_the_order(self) -> None:
        held = issue_of(make_order(make_line("A1"), make_line(None, product_id=None, title="Úprava délky")))

        assert (held.key, held.params) == ("order.manual_line", {"lines": "Úprava délky"})

    @pytest.mark.parametrize("name", ["úprava délky", "USTRIH"])
    @pytest.mark.situation("line.manual")
    def test_a_line_that_is_named_a_service_goes_with_shipping(self, name: str) -> None:
        service = make_line("USTRIH" if name == "USTRIH" else None, 121, product_id=None, title="Úprava délky")

        held = issue_of(make_order(make_line("A1", 121), service, shipping=make_charge(121)))
        sent = sold(
            make_order(make_line("A1", 121), service, shipping=make_charge(121)), {"uphance.services": [name]}
        )

        assert held.key in ("order.manual_line", "order.unknown_sku")
        assert lines_of(sent) == [(1, "100.00", 1)]
        assert sent.shipping_cost == Decimal("200.00")
        assert "Services: " in sent.internal_notes

    def test_a_service_below_zero_takes_off_the_goods(self) -> None:
        rebate = make_line(None, -121, product_id=None, title="Sleva")

        sent = sold(make_order(make_line("A1", 363), rebate), {"uphance.services": ["sleva"]})

        assert lines_of(sent) == [(1, "200.00", 1)]

    @pytest.mark.situation("no_goods")
    def test_services_alone_are_no_order_for_a_warehouse(self) -> None:
        held = issue_of(
            make_order(make_line(None, 121, product_id=None, title="Servis")), {"uphance.services": ["Servis"]}
        )

        assert (held.key, held.params) == ("order.no_goods", {"lines": "Servis"})

    @pytest.mark.parametrize("quantity", ["0.5", "0", "-1", "1.001"])
    @pytest.mark.situation("line.quantity")
    def test_a_quantity_that_is_not_whole_and_positive_holds_the_order(self, quantity: str) -> None:
        held = issue_of(make_order(make_line("A1", 100, quantity)))

        assert (held.key, held.params["lines"]) == ("order.quantity", f"A1: {quantity}")

    def test_a_whole_quantity_may_be_written_with_decimals(self) -> None:
        assert lines_of(sold(make_order(make_line("A1", 121, "2.000")))) == [(1, "100.00", 2)]


class TestChannelAndSeason:
    def test_where_uphance_lists_no_channels_the_chosen_number_counts(self) -> None:
        blind = {**FACTS, "channels": []}

        assert issue_of(make_order(), facts=blind).key == "order.no_channel"
        result = mapped(make_order(), {"uphance.channels": {"cs/CZK": 77}}, facts=blind)
        assert isinstance(result, SalesOrder)
        assert result.channel_id == 77

    def test_the_only_channel_of_the_currency_is_taken(self) -> None:
        assert sold(make_order(currency="EUR", language="sk")).channel_id == 4

    def test_the_chosen_channel_is_taken_where_several_fit(self) -> None:
        facts = {**FACTS, "channels": [*FACTS["channels"], {"id": 8, "name": "Shop", "currency": "CZK"}]}

        result = mapped(make_order(), {"uphance.channels": {"cs/CZK": 8}}, facts=facts)

        assert isinstance(result, SalesOrder)
        assert result.channel_id == 8
        assert issue_of(make_order(), facts=facts).key == "order.no_channel"

    @pytest.mark.situation("currency")
    def test_a_channel_of_another_currency_is_never_taken(self) -> None:
        assert issue_of(make_order(), {"uphance.channels": {"cs/CZK": 4}}).key == "order.no_channel"

    @pytest.mark.situation("currency")
    def test_a_currency_without_channel_holds_the_order(self) -> None:
        held = issue_of(make_order(currency="USD", language="en"))

        assert (held.key, held.params) == ("order.no_channel", {"currency": "USD", "language": "en"})

    @pytest.mark.situation("seasons")
    def test_the_season_is_the_chosen_one_else_that_of_the_first_goods(self) -> None:
        assert sold(make_order(), {"uphance.season": 42}).season_id == 42
        assert sold(make_order()).season_id == 9

    @pytest.mark.situation("season")
    def test_without_any_season_the_order_is_held(self) -> None:
        assert issue_of(make_order(), book=SkuBook([sku(1, "A1", season_id=None)])).key == "order.no_season"


class TestWords:
    def test_the_reference_carries_the_shop_and_the_number(self) -> None:
        assert sold(make_order()).purchase_order_ref == "UPG-shop-26000001"

    def test_the_ship_date_is_the_day_in_prague(self) -> None:
        late = datetime(2026, 11, 24, 23, 30, tzinfo=UTC)

        assert sold(make_order(created_at=late)).start_ship_date == date(2026, 11, 25)

    def test_notes_hold_what_the_shopper_wrote_and_how_goods_are_made(self) -> None:
        shopper = EVA.model_copy(update={"note": "  Prosím rychle. "})

        one = make_order(make_line("A1", configuration="Jméno: Eva"), shopper=shopper)

        assert sold(one).notes == "Prosím rychle.\nA1: Jméno: Eva"

    def test_internal_notes_hold_what_staff_look_up(self) -> None:
        one = make_order(
            admin_url="https://shop.admin/1",
            variable_symbol="26000001",
            external_order_number="X-1",
            paid_on="2026-11-24",
            internal_note="Pozor",
        )

        assert sold(one).internal_notes.splitlines() == [
            "Upgates order: 26000001 https://shop.admin/1",
            "Upgates UUID: order-uuid",
            "Variable symbol: 26000001",
            "External number: X-1",
            "Paid: 2026-11-24",
            "Note: Pozor",
        ]

    def test_shipping_instructions_name_the_pick_up_point(self) -> None:
        shipping = make_charge(89, branch_id="1234", branch_name="Praha, Lidická", carrier_id="106")

        assert (
            sold(make_order(shipping=shipping)).shipping_instructions == "PPL / 1234, Praha, Lidická (carrier 106)"
        )

    def test_a_rule_says_what_ways_to_deliver_and_to_pay_are_called(self) -> None:
        order = make_order(shipping=make_charge(89, id=4), payment=make_charge(0, id=2))
        rules = {"uphance.carriers": {"4": "DPD classic"}, "uphance.payment_terms": {"2": "COD", "3": "PIA"}}

        named, other = sold(order, rules), sold(order.model_copy(update={"payment": None}), rules)

        assert (named.shipping_instructions, named.payment_term) == ("DPD classic", "COD")
        assert other.payment_term is None

    def test_an_address_of_its_own_goes_into_the_shipping_instructions(self) -> None:
        shopper = EVA.model_copy(update={"shipping": OFFICE})

        text = sold(make_order(shopper=shopper)).delivered_to(shopper).shipping_instructions

        assert text == "Eva Nováková, Dílna s.r.o., Krátká 2, 11000 Brno, CZ, +420600000000, Eva@Example.com"

    def test_warehouse_and_payment_term_are_the_chosen_ones(self) -> None:
        result = sold(make_order(), {"uphance.warehouse": "Main", "uphance.payment_term": "PIA"})

        assert (result.warehouse, result.payment_term) == ("Main", "PIA")


class TestUnread:
    @pytest.mark.situation("field.unread")
    @pytest.mark.parametrize(
        "part", ["shopper", "language", "shipping", "line.type", "line.vat", "line.configuration"]
    )
    def test_what_uphance_needs_holds_the_order_and_is_named(self, part: str) -> None:
        order = make_order(unread=(Unread(part=part, place="products[1].type (MONTAZ)"),))

        assert issue_of(order) == Issue("order.unreadable_field", {"fields": "products[1].type (MONTAZ)"})

    @pytest.mark.parametrize(
        "part", ["statistics", "line.unit", "line.recycling_fee", "paid_on", "notes", "line.id"]
    )
    def test_what_uphance_does_not_need_changes_nothing(self, part: str) -> None:
        order = make_order()

        assert mapped(order.model_copy(update={"unread": (Unread(part=part, place="x"),)})) == mapped(order)
