"""Faults that users of other connectors reported, tried on ours: inputs that were made up, with what is right.

The folder of inputs is no part of the repository; where it is not beside the checkout, the tests are skipped.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, timedelta
from email.utils import format_datetime
from typing import Any

from tests.support.clock import NOON
from tests.support.deliveries import read_upgates
from tests.support.shop_settings import make_settings
from tests.support.uphance import BOOK, uphance_connection
from tests.support.upp import make_front
from tests.support.vendor_files import reported_fault
from upbridge.domain.delivery import DesiredDocument, Issue, Unmappable
from upbridge.domain.totals import OrderTotals
from upbridge.store.changes import Kind
from upbridge.systems.http.classify import retry_after
from upbridge.systems.upgates.fields import parse_list
from upbridge.systems.upgates.orders import parse_order
from upbridge.systems.upgates.products import parse_product
from upbridge.systems.upgates.shop_profile import parse_order_statuses
from upbridge.systems.uphance.order_mapping import SalesOrder, map_order
from upbridge.systems.uphance.product_mapping import NewProduct, map_product
from upbridge.systems.upp.mapping import order_documents, product_documents

UPP = make_front()
UPHANCE = replace(UPP, connection=uphance_connection())
SHOP: Mapping[str, Any] = {"uphance.prices_with_tax": True}


def sent(document: DesiredDocument | Unmappable) -> Any:
    assert isinstance(document, DesiredDocument), document
    return json.loads(document.body)


def test_a_zero_date() -> None:
    case = reported_fault("01")
    order = parse_order(case["input"]["orders"][0])

    [document] = order_documents(order, UPP)

    assert order.paid_on is None
    assert sent(document).items() >= case["expected"]["upp"].items()


def test_a_list_with_gaps() -> None:
    [body] = reported_fault("09")["input"].values()

    changed = read_upgates("Orders.update", json.dumps(body).encode())

    assert changed.keys == {Kind.ORDER: ["A1", "A2"]}


def test_blanks_around_a_code() -> None:
    case = reported_fault("11")["input"]
    [product] = product_documents(parse_product(case["product"]), UPP)
    line = parse_order({**reported_fault("01")["input"]["orders"][0], "products": [case["order_line"]]})
    [order] = order_documents(line, UPP)

    assert sent(product)["sku"] == sent(order)["items"][0]["sku"] == "AB-1"


def test_dates_of_a_pause() -> None:
    moments = [one["Retry-After"] for one in reported_fault("15")["input"]]
    an_hour_ago = format_datetime((NOON - timedelta(hours=1)).astimezone(UTC), usegmt=True)

    named = [retry_after(an_hour_ago if moment.startswith("<") else moment, now=NOON) for moment in moments]

    assert named == [NOON + timedelta(days=1), NOON, None]


def test_an_order_that_a_bank_cancelled() -> None:
    case = reported_fault("19")["input"]
    facts = UPP.facts.model_copy(update=parse_order_statuses(case["order_statuses"]))
    [order] = [parse_order(one) for one in case["orders"]]

    assert list(order_documents(order, replace(UPP, facts=facts))) == []


def test_the_address_of_an_image() -> None:
    case = reported_fault("16")
    [product] = product_documents(parse_product(case["input"]["product"]), UPP)

    assert sent(product)["imageUrl"] == case["expected"]


def test_an_empty_delivery_address() -> None:
    shopper = parse_order(reported_fault("17")["input"]["order"]).shopper

    assert shopper is not None
    assert shopper.shipping is None


def test_a_number_that_no_table_takes() -> None:
    good, bad = parse_list(reported_fault("21")["input"]["orders"], parse_order)

    assert [order.order_number for order in good] == ["OK1"]
    assert [one.key for one in bad] == ["XY"]


def test_a_code_that_changed_after_the_sale() -> None:
    case = reported_fault("12")
    variants = parse_product(case["input"]["product"]).variants
    [order] = order_documents(
        parse_order(case["input"]["order"]),
        replace(UPP, variant_names={one.id: (one.code, one.ean) for one in variants}),
    )

    assert sent(order)["items"][0]["sku"] == case["expected"]["upp product sku"]


def test_lines_finer_than_a_cent() -> None:
    [raw] = reported_fault("23")["input"]["orders"]
    order = parse_order(raw)

    assert OrderTotals.of(order).adds_up
    assert OrderTotals.of(order).charged(with_vat=True) == order.total
    result = map_order(order, BOOK.match_sold, make_settings(SHOP), uphance_connection())
    assert isinstance(result, SalesOrder), result
    assert result.total == order.total


def test_styles_and_scripts() -> None:
    product = parse_product(reported_fault("25")["input"]["product"])

    made = map_product(product, product.variants, UPHANCE)

    assert isinstance(made, NewProduct)
    assert made.description == "Ahoj"


def test_a_new_type_of_line() -> None:
    order = parse_order(reported_fault("26")["input"]["orders"][0])

    [document] = order_documents(order, UPP)
    held = map_order(order, BOOK.match_sold, make_settings(SHOP), uphance_connection())

    assert sent(document)["grossOrderAmount"] == 242
    assert held == Issue("order.unreadable_field", {"fields": "products[1].type (MONTAZ)"})
