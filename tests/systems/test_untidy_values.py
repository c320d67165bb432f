"""Values as shops and PHP write them: each target is sent what it can do with, and told of the rest by name.

Every row is a neighbour of a fault that users of other connectors reported.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.support.clock import NOON
from tests.support.shop_settings import make_settings
from tests.support.upgates import Json, raw_line, raw_order, raw_prices, raw_product, raw_variant
from tests.support.uphance import sku, uphance_connection
from tests.support.upp import make_front
from upbridge.domain.delivery import DesiredDocument, Issue, Unmappable
from upbridge.domain.order import Order
from upbridge.domain.product import Product
from upbridge.systems.http.classify import retry_after
from upbridge.systems.upgates.errors import Unreadable
from upbridge.systems.upgates.orders import parse_order
from upbridge.systems.upgates.products import parse_product
from upbridge.systems.upgates.shop_profile import (
    parse_config,
    parse_languages,
    parse_order_statuses,
    parse_owner,
    parse_pricelists,
    parse_status,
)
from upbridge.systems.uphance.customer_mapping import CustomerRecord, map_customer
from upbridge.systems.uphance.matching import SkuBook
from upbridge.systems.uphance.order_mapping import SalesOrder, map_order
from upbridge.systems.uphance.product_mapping import NewProduct, map_product
from upbridge.systems.uphance.schemas import (
    customer_body,
    number,
    product_body,
    sales_order_body,
    skus_of,
)
from upbridge.systems.uphance.shown_text import shown_text
from upbridge.systems.upp.mapping import order_documents, product_documents

UPP = make_front()
SETTINGS = make_settings({"uphance.prices_with_tax": True})
UPHANCE = replace(UPP, connection=uphance_connection(), settings=SETTINGS)
BOOK = SkuBook([sku(1, "GAR-41-RED-M"), sku(2, "B-2"), sku(3, None, ean="0"), sku(4, None, ean="859")])

ZERO: Json = {"date": "-0001-11-30 00:00:00.000000", "timezone_type": 3, "timezone": "Europe/Prague"}
SHIPMENT: Json = raw_order()["shipment"]
VOUCHER: Json = {"code": "X", "discounts": [{"price_with_vat": 10, "price_without_vat": 8.26, "vat": 21}]}


def order_of(**values: Any) -> Order:
    """An order that adds up, with other *values*."""
    return parse_order(raw_order(**{"order_total_before_round": 331, "order_total_rest": 0, **values}))


def one_line(**values: Any) -> Json:
    return {"products": [raw_line(**values)]}


def shopper(**values: Any) -> Json:
    return {"customer": {**raw_order()["customer"], **values}}


@dataclass(frozen=True)
class Reached:
    """What became of an order or a product: the bodies that are sent, and the problems by target."""

    upp: list[Any]
    upp_told: list[str]
    uphance: Any
    uphance_told: str | None


def told(issue: Issue) -> str:
    return f"{issue.key} {issue.params.get('fields', '')}".strip()


def order_reaches(order: Order) -> Reached:
    wanted = list(order_documents(order, UPP))
    sales = map_order(order, BOOK.match_sold, SETTINGS, uphance_connection())
    customer = map_customer(order, SETTINGS, uphance_connection())
    issue = next((one for one in (sales, customer) if isinstance(one, Issue)), None)
    body: Any = None
    if issue is None:
        assert isinstance(sales, SalesOrder)
        assert isinstance(customer, CustomerRecord)
        body = {
            **sales_order_body(sales, company_id=1, idempotency_key="k"),
            **customer_body(customer, channel_id=1, idempotency_key="k"),
        }
        json.dumps(body, ensure_ascii=False).encode()  # no character that cannot be sent
    return Reached(*split(wanted), body, None if issue is None else told(issue))


def product_reaches(product: Product) -> Reached:
    wanted = list(product_documents(product, UPP))
    made = map_product(product, product.variants, UPHANCE)
    body: Any = None
    if isinstance(made, NewProduct):
        body = product_body(made, idempotency_key="k")["product"]
        json.dumps(body, ensure_ascii=False).encode()
    return Reached(*split(wanted), body, told(made) if isinstance(made, Issue) else None)


def split(wanted: list[DesiredDocument | Unmappable]) -> tuple[list[Any], list[str]]:
    bodies = [json.loads(one.body) for one in wanted if isinstance(one, DesiredDocument)]
    return bodies, [told(one.issue) for one in wanted if isinstance(one, Unmappable)]


# --- orders -------------------------------------------------------------------------------------------------

SAME_ORDER: Mapping[str, Json] = {
    "a zero date of payment": {"paid_date": ZERO},
    "a payment at PHP's zero": {"paid_date": "1970-01-01T01:00:00+01:00"},
    "a payment at PHP's zero, as an object": {"paid_date": {**ZERO, "date": "1970-01-01 00:00:00.000000"}},
    "a payment on the zero of spreadsheets": {"paid_date": "1899-12-30"},
    "a payment in an unknown zone": {"paid_date": {**ZERO, "date": "2026-11-20 10:00:00", "timezone": "Mars"}},
    "a payment at the end of all days": {"paid_date": "9999-12-31T23:59:59Z"},
    "a last change at the end of all days": {"last_update_time": "9999-12-31 23:59:59"},
    "a payment in seconds": {"paid_date": 1763629200},
    "a zero date of the last change": {"last_update_time": "0000-00-00 00:00:00"},
    "a zone with blanks": {
        "creation_time": {"date": "2026-11-20 09:00:00.000000", "timezone_type": 3, "timezone": " Europe/Prague "}
    },
    "one line that is no list": {"products": raw_line()},
    "lines with gaps": {"products": {"0": None, "3": raw_line()}},
    "a shipment in a list": {"shipment": [SHIPMENT]},
    "a shipment in a list with gaps": {"shipment": {"1": SHIPMENT}},
    "a payment in a list": {"payment": [raw_order()["payment"]]},
    "a customer in a list": {"customer": [raw_order()["customer"]]},
    "an empty voucher": {"discount_voucher": []},
    "no voucher, as PHP says no": {"discount_voucher": False},
    "a rest that is none": {"order_total_rest": "x"},
    "totals as text": {"order_total": "331.00", "order_total_before_round": "3.31E+2"},
    "blanks around the number": {"order_number": " OBJ-1 "},
    "NUL in the number": {"order_number": "OBJ\0-1"},
    "a currency in small letters": {"currency_id": "czk "},
    "a language in capitals": {"language_id": " CS"},
    "a status as text": {"status_id": "1"},
    "a status with decimals": {"status_id": 1.0},
    "no type of line": one_line(type=" "),
    "a type in capitals": one_line(type="Product"),
    "a quantity as text": one_line(quantity=" 2.000 "),
    "a quantity with an exponent": one_line(quantity="2e0"),
    "a price with an exponent": one_line(price_with_vat="2.42E2", price_without_vat="2E2"),
    "a variant 0": one_line(option_set_id=0),
    "a product that is not a number": one_line(product_id="abc"),
    "a fee that is none": one_line(recycling_fee="x"),
    "an invisible character in the code": one_line(code="GAR-41-\u200bRED-M\ufeff"),
    "a reverse charge with its rate": one_line(vat="21.00"),
    "a parent 0": one_line(parent_uuid=0),
    "a customer 0": shopper(customer_id=0),
    "a customer below 0": shopper(customer_id="-1"),
    "an e-mail with NUL": shopper(email="jana\0@example.cz"),
    "no phone, as PHP says no": shopper(phone=False),
    "a delivery address of dashes": shopper(postal_yn=True, street_postal="-", city_postal="—", zip_postal="."),
    "a delivery address of zeros": shopper(postal_yn=True, street_postal="0", city_postal=0, zip_postal="000 00"),
    "a delivery address that is invisible": shopper(postal_yn="1", street_postal="\u200b", city_postal="\u00a0"),
    "a delivery address of a country alone": shopper(postal_yn=1, country_id_postal="cz"),
}


@pytest.mark.situation("untidy.same")
@pytest.mark.parametrize("situation", SAME_ORDER)
def test_an_order_is_the_same_however_it_is_written(situation: str) -> None:
    reached = order_reaches(order_of(**SAME_ORDER[situation]))

    tidy = order_reaches(order_of())
    # Blanks within a code are sent as they were written: both systems have it so.
    assert [item.pop("sku").replace("\u200b", "") for item in reached.upp[0]["items"]] == ["GAR-41-RED-M"]
    assert [item.pop("sku") for item in tidy.upp[0]["items"]] == ["GAR-41-RED-M"]
    assert reached == tidy
    assert reached.upp_told == []


UPP_GOES_ON: Mapping[str, tuple[Json, str]] = {
    "a customer that is text": ({"customer": "Jana"}, "customer"),
    "a phone that is an object": (shopper(phone={"a": 1}), "customer.phone"),
    "a company that may be one": (shopper(company_yn="maybe"), "customer.company_yn"),
    "a type of line that is a list": (one_line(type=["x"]), "products[0].type (GAR-41-RED-M)"),
    "a title that is a list": (one_line(title=["Kabát"]), "products[0].title (GAR-41-RED-M)"),
    "a rate with a sign": (one_line(vat="21 %"), "products[0].vat (GAR-41-RED-M)"),
    "a rate below 0": (one_line(vat=-1), "products[0].vat (GAR-41-RED-M)"),
    "a language that is a list": ({"language_id": ["cs"]}, "language_id"),
}


@pytest.mark.parametrize("situation", UPP_GOES_ON)
def test_what_only_uphance_needs_holds_it_there_and_is_named(situation: str) -> None:
    values, field = UPP_GOES_ON[situation]

    reached = order_reaches(order_of(**values))

    assert [one["grossOrderAmount"] for one in reached.upp] == [331]
    assert reached.uphance_told == f"order.unreadable_field {field}"


NEVER_GUESSED: Mapping[str, tuple[Json, str]] = {
    "a quantity with a decimal comma": (one_line(quantity="2,0"), "products[0].quantity"),
    "a quantity with its unit": (one_line(quantity="2 ks"), "products[0].quantity"),
    "a quantity as Python writes one": (one_line(quantity="1_0"), "products[0].quantity"),
    "a price with thousands": (one_line(price_with_vat="1 234,50"), "products[0].price_with_vat"),
    "a total with a decimal comma": ({"order_total": "331,00"}, "order_total"),
    "an endless total": ({"order_total": "1e400"}, "order_total"),
    "no date of creation": ({"creation_time": ZERO}, "creation_time"),
    "a creation at PHP's zero": ({"creation_time": "1970-01-01 00:00:00"}, "creation_time"),
    "a creation at the end of all days": ({"creation_time": "9999-12-31T23:59:59Z"}, "creation_time"),
    "no currency": ({"currency_id": "\0"}, "currency_id"),
}


@pytest.mark.situation("untidy.number")
@pytest.mark.parametrize("situation", NEVER_GUESSED)
def test_what_both_need_is_reported_by_name_and_never_guessed(situation: str) -> None:
    values, field = NEVER_GUESSED[situation]

    with pytest.raises(Unreadable, match=f"OBJ-1: {field.replace('[', '.').replace(']', '.')} "):
        order_of(**values)


@pytest.mark.situation("untidy.none")
def test_many_shoppers_without_an_account_are_not_one_customer() -> None:
    """`0`, `-` and "none" are what is typed in where there is no account and no e-mail."""
    for nobody in ("-", "není", "0", "@", "x@"):
        reached = order_reaches(order_of(**shopper(customer_id=0, email=nobody)))

        assert reached.uphance_told == "order.no_customer", nobody
        assert len(reached.upp) == 1


def test_discounts_gifts_and_lines_below_zero_come_to_what_was_charged() -> None:
    cheaper = {
        "code": None,
        "product_id": None,
        "option_set_id": None,
        "quantity": 1,
        "price_with_vat": -42,
        "price_without_vat": -34.71,
        "price_per_unit_with_vat": -42,
        "price_per_unit_without_vat": -34.71,
    }
    gift = raw_line(type="gift", code="B-2", quantity=1, price_with_vat=99, price_without_vat=81.82)
    total = {"order_total": 289, "order_total_before_round": 289}
    for products, values in (
        ([raw_line(), raw_line(type="discount", **cheaper)], total),
        ([raw_line(), gift], {}),
        ([raw_line()], {"discount_voucher": [VOUCHER], "order_total": 321, "order_total_before_round": 321}),
    ):
        order = order_of(products=products, **values)
        reached = order_reaches(order)

        assert reached.upp_told == []
        assert reached.uphance_told is None
        lines = reached.uphance["sales_order"]["line_items"]
        pieces = sum(
            Decimal(line["unit_price"]) * sum(one["quantity"] for one in line["line_quantities"]) for line in lines
        )
        assert pieces + Decimal(reached.uphance["sales_order"]["shipping_cost"]) == order.total

    goods_below_zero = raw_line(**{**cheaper, "code": "B-2", "product_id": 41})
    held = order_reaches(order_of(products=[raw_line(), goods_below_zero], **total))
    assert (len(held.upp), held.upp_told, held.uphance_told) == (1, [], "order.totals_differ")


# --- products -----------------------------------------------------------------------------------------------


def priced(**values: Any) -> Json:
    return {"prices": [raw_prices(pricelist=values)]}


def listed_once() -> Json:
    prices = raw_prices()
    return {"prices": {**prices, "pricelists": prices["pricelists"][0]}}


SAME_PRODUCT: Mapping[str, Json] = {
    "a zero date": {"last_update_time": ZERO},
    "one text that is no list": {"descriptions": raw_product()["descriptions"][0]},
    "texts by language": {"descriptions": {"cs": raw_product()["descriptions"][0]}},
    "prices with gaps": {"prices": {"2": raw_prices()}},
    "one price list that is no list": listed_once(),
    "one category that is no list": {"categories": raw_product()["categories"][0]},
    "a price list with blanks": priced(name=" Výchozí\u00a0"),
    "a price list in another form of accents": priced(name="Vy\u0301chozi\u0301"),
    "a language in capitals": {"prices": [raw_prices(language="CS ")]},
    "a currency in small letters": {"prices": [raw_prices(currency=" czk")]},
    "a price as text": priced(price_with_vat="121.0000", price_without_vat="1E2"),
    "a sale at 0": priced(price_sale=0),
    "a sale at 0, as text": priced(price_sale="0.00"),
    "a stock as text": {"stock": "4.000"},
    "a weight that is none": {"weight": "0,9 kg"},
    "a number as text": {"product_id": "41"},
    "blanks around the code": {"code": "\u00a0GAR-41\ufeff"},
    "NUL in the code": {"code": "GAR\0-41"},
    "an EAN as a number": {"ean": 8594000000415.0},
    "blanks around the address": {
        "descriptions": [{"language": "cs", "title": "Kabát", "url": " HTTPS://example.cz/p/kabat\n"}]
    },
}


@pytest.mark.situation("untidy.same")
@pytest.mark.parametrize("situation", SAME_PRODUCT)
def test_a_product_is_the_same_however_it_is_written(situation: str) -> None:
    reached = product_reaches(parse_product(raw_product(**SAME_PRODUCT[situation])))

    assert reached.upp == product_reaches(parse_product(raw_product())).upp
    assert reached.upp_told == []
    assert [one["skus"] for one in reached.uphance["variations"]] == [
        [{"size": "ONE", "sku_number": "GAR-41", "ean": "8594000000415"}]
    ]


LEFT_OUT: Mapping[str, tuple[Json, str]] = {
    "an EAN 0": ({"ean": 0}, "ean"),
    "an EAN of zeros": ({"ean": "0000000000000"}, "ean"),
    "an EAN that is a dash": ({"ean": "-"}, "ean"),
    "an address without a host": (
        {"descriptions": [{"language": "cs", "title": "Kabát", "url": "/p/kabat"}]},
        "url",
    ),
    "an address that is a program": (
        {"descriptions": [{"language": "cs", "title": "Kabát", "url": "javascript:alert(1)"}]},
        "url",
    ),
    "an image that is no address": ({"images": {"url": "kabat.jpg", "main_yn": True}}, "imageUrl"),
}


@pytest.mark.situation("untidy.none")
@pytest.mark.parametrize("situation", LEFT_OUT)
def test_what_is_none_is_left_out(situation: str) -> None:
    values, name = LEFT_OUT[situation]

    [body] = product_reaches(parse_product(raw_product(**values))).upp

    assert name not in body


KEPT: Mapping[str, tuple[Json, str]] = {
    "a price below 0": (priced(price_with_vat=-5), "prices[0].pricelists[0].price_with_vat"),
    "a price with a decimal comma": (priced(price_with_vat="121,00"), "prices[0].pricelists[0].price_with_vat"),
    "a stock with its unit": ({"stock": "4 ks"}, "stock"),
    "a stock as Python writes one": ({"stock": "1_0"}, "stock"),
}


@pytest.mark.situation("untidy.number")
@pytest.mark.parametrize("situation", KEPT)
def test_what_upp_cannot_be_told_wrong_stays_as_it_is(situation: str) -> None:
    values, field = KEPT[situation]

    reached = product_reaches(parse_product(raw_product(**values)))

    assert (reached.upp, reached.upp_told) == ([], [f"product.unreadable_field {field}"])


ODD_VARIANTS: Mapping[str, tuple[Json, str]] = {
    "a stock with its unit": ({"stock": "4 ks"}, "variants[0].stock"),
    "a price with a decimal comma": (
        priced(price_with_vat="9,90"),
        "variants[0].prices[0].pricelists[0].price_with_vat",
    ),
    "a row of prices without a language": (
        {"prices": [raw_prices(language=None)]},
        "variants[0].prices[0].language",
    ),
}


@pytest.mark.situation("untidy.number")
@pytest.mark.parametrize("situation", ODD_VARIANTS)
def test_a_variant_that_cannot_be_read_keeps_no_other_from_upp(situation: str) -> None:
    values, field = ODD_VARIANTS[situation]
    other = raw_variant(variant_id=5002, code="GAR-41-RED-L")

    reached = product_reaches(parse_product(raw_product(variants=[raw_variant(**values), other])))

    assert [body["externalProductId"] for body in reached.upp] == ["v-5002"]
    assert reached.upp_told == [f"product.unreadable_field {field}"]


def test_a_stock_of_the_product_keeps_no_variant_from_upp_that_has_its_own() -> None:
    own, inherits = raw_variant(stock=3), raw_variant(variant_id=5002, code="GAR-41-RED-L")

    reached = product_reaches(parse_product(raw_product(stock="4 ks", variants=[own, inherits])))

    assert [(body["externalProductId"], body["stock"]) for body in reached.upp] == [("v-5001", 3)]
    assert reached.upp_told == ["product.unreadable_field stock"]


@pytest.mark.parametrize(
    ("written", "inherited", "at_stock_0"),
    [(True, 0, False), (False, 1, True), (" SALE", "1", True), (None, "Sale", True), (None, "2", None)],
)
def test_whether_orders_are_limited_is_reported_however_it_is_written(
    written: Any, inherited: Any, at_stock_0: bool | None
) -> None:
    shop = parse_config({"config": {"limit_orders": inherited}})["limit_orders"]

    assert parse_product(raw_product(limit_orders=written), limit_orders=shop).backorder is at_stock_0


def test_variants_are_the_same_however_their_list_is_written() -> None:
    listed = parse_product(raw_product(variants=[raw_variant()]))

    for written in (raw_variant(), {"7": raw_variant()}, {"5001": raw_variant()}, [None, raw_variant()]):
        assert parse_product(raw_product(variants=written)) == listed


# --- the shop, its webhooks, its pauses ---------------------------------------------------------------------


def test_the_facts_of_a_shop_are_the_same_however_they_are_written() -> None:
    czech = {"language_id": "cs", "active_yn": 1, "default_yn": 1, "currency_id": "CZK"}
    tidy = parse_languages({"languages": [czech]})
    for written in (czech, {"4": czech}, [{**czech, "language_id": " CS", "currency_id": "czk"}], [czech, None]):
        assert parse_languages({"languages": written}) == tidy
    assert parse_languages({"languages": [{**czech, "active_yn": "?"}]}) == tidy
    row = {"id": 1, "name": "Výchozí", "default_yn": 1}
    assert parse_pricelists({"pricelists": {"3": {**row, "name": " Výchozí "}}}) == parse_pricelists(
        {"pricelists": [row]}
    )
    assert parse_pricelists({"pricelists": [{**row, "id": "?"}]})["default_pricelist"] == "Výchozí"
    assert parse_config({"config": [{"prices_with_vat_yn": 0}]})["prices_with_vat"] is False
    assert parse_owner({"owner": {"company": "A", "language_id": "cs"}})["company"] == "A"
    assert parse_status({"services": {"2": {"service": "orders", "privilege": "DENY "}}})["rights"] == {
        "orders": "deny"
    }


def test_one_status_that_cannot_be_read_hides_no_other() -> None:
    good = {"id": 1, "type": " Received ", "descriptions": {"language_id": "cs", "name": "Přijatá"}}

    facts = parse_order_statuses({"order_statuses": {"0": good, "2": {"id": "?", "type": "Canceled"}}})

    assert facts == {"status_types": {1: "Received"}, "status_names": {1: {"cs": "Přijatá"}}}
    with pytest.raises(Unreadable):
        parse_order_statuses({"order_statuses": [{"id": "?"}]})


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("60", 60),
        (" 60 ", 60),
        ("60.5", 60.5),
        ("60, 120", 120),
        ("0", 0),
        ("9" * 400, 86_400),
        ("-60", None),
        ("1_000", None),
        ("60s", None),
        ("٦٠", None),
        ("soon", None),
        ("Tue, 24 Nov 2026 11:01:00 GMT", 60),
        ("Tuesday, 24-Nov-26 11:01:00 GMT", 60),
        ("Tue Nov 24 11:01:00 2026", 60),
        ("Tue, 24 Nov 2026 12:01:00 +0100", 60),
        ("Tue, 32 Nov 2026 11:01:00 GMT", None),
    ],
)
def test_a_pause_is_what_was_asked_for_within_bounds(written: str, seconds: float | None) -> None:
    pause = retry_after(written, now=NOON)

    assert pause == (None if seconds is None else NOON + timedelta(seconds=seconds))


# --- Uphance ------------------------------------------------------------------------------------------------


def test_numbers_of_uphance_are_read_as_they_are_meant_or_not_at_all() -> None:
    pieces = {"54": 54, "54.0": 54, "5.4E1": 54, " 54 ": 54, "54,0": None, "1,054": None, "5_4": None, "": None}
    assert {written: number(written) for written in pieces} == pieces


def test_a_placeholder_for_an_ean_names_nothing_in_uphance_either() -> None:
    product = {"id": 5, "variations": [{"id": 2, "skus": [{"id": 1, "ean": "0"}, {"id": 2, "ean": "-"}]}]}

    assert [one.ean for one in skus_of(product)] == [None, None]
    assert order_reaches(order_of(**one_line(code=None, ean="0"))).uphance_told is not None


@pytest.mark.parametrize(
    ("html", "shown"),
    [
        ("<p>A</p><!-- <p>no</p> --><p>B</p>", "A B"),
        ("A<!-- never closed <p>B</p>", "A"),
        ("<SCRIPT type='x'>no()</SCRIPT >A", "A"),
        ("A<script>never closed", "A"),
        ("A<style>p{}", "A"),
        ("<noscript>no</noscript>A", "A"),
        ("A&nbsp;B &lt;b&gt; &amp; C", "A B <b> & C"),
        ("a < b and c > d", "a < b and c > d"),
        ("<ul><li>1</li><li>2</li></ul>", "1 2"),
        ("<p title='>'>A</p>", "A"),
        ("<p> </p>", None),
    ],
)
def test_a_description_is_what_a_reader_sees(html: str, shown: str | None) -> None:
    assert shown_text(html) == shown
