"""Two ways lead from the bytes of a product to the product: they end in the same for all that a shop may send."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.junk import JUNK, places, with_junk
from tests.support.upgates import captured, raw_prices, raw_product, raw_variant
from upbridge.core.errors import Unreachable
from upbridge.domain.product import Product
from upbridge.systems.http.classify import Action, HttpOutcome
from upbridge.systems.http.exact_json import decode
from upbridge.systems.http.transport import HttpAnswer
from upbridge.systems.platform import Page
from upbridge.systems.upgates.errors import Unreadable
from upbridge.systems.upgates.product_pages import read_products
from upbridge.systems.upgates.product_wire import Untidy, tidy
from upbridge.systems.upgates.products import parse_product, read_product

PUBLISHED: dict[str, Any] = raw_product(
    images=[{"url": "https://a/1.jpg", "main_yn": True, "position": 2}],
    categories=[{"name": "Boty", "main_yn": 1}],
    prices=[raw_prices(), raw_prices(language="sk", currency="EUR")],
    stocks=[{"stock_id": 3, "code": "A", "quantity": 1.5}],
    variants=[
        raw_variant(prices=[raw_prices()]),
        raw_variant(variant_id=5002, stock=3, prices=[raw_prices()]),
        raw_variant(variant_id=5003, stock=1.5, prices=[raw_prices(price_purchase="12.50")]),
    ],
)
#: How PHP and people write what stands at some place; most of it is forgiven, and some is refused.
ODD: st.SearchStrategy[Any] = st.sampled_from(
    [
        *(None, "", " ", [], {}, False, True, 0, 1, -1, 2, "0", "1", "true", "sale", "x\0y", "\ud800", "čeština"),
        *(10**11, 10**12, 2**63, -(2**63), 2**64, 1.0, 0.1, 1e-13, 1e12, "1e11", "12 ", "1_0", "nan", "-inf", "٣"),
        *([None], [{}], {"0": {}}, {"3": None}, {"date": "2024-01-05 10:00:00.000000", "timezone": "UTC"}),
        *("0000-00-00 00:00:00", "2024-02-30", "2024-01-05T10:00:00+02:00", {"url": "https://a/2.jpg"}),
    ]
)


def careful(sent: bytes) -> Product | str:
    """What the careful way makes of the product, or why it refuses it."""
    try:
        return parse_product(decode(sent), limit_orders="1")
    except Unreadable as error:
        return str(error)


def quick(sent: bytes) -> Product | str:
    """The same of the quick way, which falls back on the other."""
    try:
        return read_product(msgspec.Raw(sent), limit_orders="1")
    except Unreadable as error:
        return str(error)


@settings(max_examples=300)
@given(st.lists(st.tuples(st.sampled_from(places(PUBLISHED)), JUNK | ODD | ODD), max_size=3))
def test_both_ways_of_reading_a_product_end_in_the_same(changes: list[tuple[tuple[Any, ...], Any]]) -> None:
    raw = PUBLISHED
    for path, junk in changes:
        try:
            raw = with_junk(raw, path, junk)
        except (KeyError, IndexError, TypeError, AttributeError):
            continue  # what was changed before is not there any more
    sent = json.dumps(raw).encode()

    assert quick(sent) == careful(sent)


@pytest.mark.parametrize("raw", [PUBLISHED, *captured("products-2024-02.json")["products"]])
def test_what_is_written_as_published_is_read_the_quick_way(raw: dict[str, Any]) -> None:
    sent = json.dumps(raw, ensure_ascii=False, default=float).encode()

    assert tidy(sent).product_id == raw["product_id"]
    assert quick(sent) == careful(sent)


def test_amounts_are_exact() -> None:
    raw = json.dumps(raw_product(stock="S")).replace('"S"', "0.1000000000000000055511151231257827")

    assert tidy(raw.encode()).stock == Decimal("0.1000000000000000055511151231257827")


@pytest.mark.parametrize("weight", ["1e999999999", "1e11", '"NaN"', '"Infinity"', "-1e-13"])
def test_an_amount_of_no_sensible_size_is_left_to_the_careful_way(weight: str) -> None:
    with pytest.raises(Untidy):
        tidy(json.dumps(raw_product(weight="W")).replace('"W"', weight).encode())


def page(body: bytes) -> Page[Product]:
    """The page that *body* answers."""
    outcome = HttpOutcome(200, Action.ACCEPT, "")
    return read_products(HttpAnswer("GET /products", outcome, {}, body), 1, read=read_product, parse=parse_product)


def test_one_product_that_cannot_be_read_stops_no_other() -> None:
    products = [raw_product(), None, 7, raw_product(product_id=42, weight="1e400"), raw_product(product_id="43")]
    found = page(json.dumps({"products": products, "number_of_pages": "3", "number_of_items": 250}).encode())

    assert [product.product_id for product in found.items] == [41, 42, 43]
    assert [bad.key for bad in found.broken] == ["?"]
    assert (found.pages, found.total) == (3, 250)


@pytest.mark.parametrize("products", [{"1": raw_product(), "3": raw_product(product_id=42)}, [], None])
def test_a_list_with_gaps_is_read_as_before(products: Any) -> None:
    body = json.dumps({"products": products, "number_of_pages": 1.0}).encode()
    if products is None:
        with pytest.raises(Unreachable, match="the answer has no products"):
            page(body)
        return

    assert [product.product_id for product in page(body).items] == ([41, 42] if products else [])


@pytest.mark.parametrize(
    "body",
    [
        b'{"products": [{"product_id": 1, "weight": NaN}]}',
        b'{"products": [{"product_id": 1e999}]}',
        b'{"products": [{"product_id": "\xff"}]}',
        b'{"products": [' + b"[" * 2000 + b"]" * 2000 + b"]}",
        b'{"products": [{"product_id": ' + b"9" * 101 + b"}]}",
        b'{"products": [{"product_id": 1}]} x',
        b'{"products": [',
    ],
)
def test_a_page_that_is_no_json_is_no_answer(body: bytes) -> None:
    with pytest.raises(Unreachable):
        page(body)


def test_a_moment_of_php_is_read() -> None:
    sent = json.dumps(raw_product(last_update_time={"date": "2024-01-05 10:00:00", "timezone": "UTC"})).encode()

    assert tidy(sent).last_update_time == datetime(2024, 1, 5, 10, tzinfo=UTC)
