"""Reading what Uphance writes, in all the ways it was seen to; writing what we guess."""

from decimal import Decimal
from typing import Any

import pytest

from tests.support.orders import make_line, make_order
from tests.support.shop_settings import make_settings
from tests.support.uphance import BOOK, sku, uphance_connection
from upbridge.systems.uphance import schemas
from upbridge.systems.uphance.matching import SkuBook
from upbridge.systems.uphance.order_mapping import SalesOrder, map_order


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("54.0", Decimal("54.0")),
        ("45.00", 45),
        (7, 7),
        ("", None),
        (None, None),
        ("x", None),
        (True, None),
        ("NaN", None),
    ],
)
def test_numbers_are_read_however_they_are_written(written: Any, read: Any) -> None:
    assert schemas.number(written) == read


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param({"id": 1}, id="bare"),
        pytest.param({"sales_order": {"id": 1}}, id="wrapped"),
        pytest.param({"sales_orders": {"id": 1}}, id="wrapped in the plural"),
        pytest.param({"sales_orders": [{"id": 1}]}, id="a list of one"),
    ],
)
def test_a_single_object_is_found_however_it_is_wrapped(payload: Any) -> None:
    assert schemas.single(payload, "sales_order") == {"id": 1}


@pytest.mark.parametrize("payload", [None, [], {}, {"error": "no"}, {"sales_order": None}])
def test_what_is_no_object_is_none(payload: Any) -> None:
    assert schemas.single(payload, "sales_order") is None


@pytest.mark.parametrize(("written", "read"), [(9, 9), ("9", 9), ([8, 9], 9), ([], None), (None, None)])
def test_a_season_may_be_a_number_or_a_list(written: Any, read: int | None) -> None:
    assert schemas.one_season(written) == read


@pytest.mark.parametrize(
    "written",
    [
        "2026-11-24T11:00:00.000Z",
        "2026-11-24T12:00:00.000+01:00",
        "2026-11-24T06:00:00.000-05:00",
        "2026-11-24T11:00:00",
    ],
)
def test_moments_become_utc(written: str) -> None:
    found = schemas.moment(written)

    assert found is not None
    assert found.isoformat() == "2026-11-24T11:00:00+00:00"


@pytest.mark.parametrize("written", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59Z", "soon", 5])
def test_what_no_calendar_holds_is_no_moment(written: Any) -> None:
    assert schemas.moment(written) is None


@pytest.mark.parametrize("written", ["not_shipped", "Not Shipped ", "NOT-SHIPPED"])
def test_a_state_is_the_same_however_it_is_written(written: str) -> None:
    found = schemas.remote_order({"id": 3, "status": written, "fulfillment_status": written})

    assert found is not None
    assert (found.status, found.untouched) == ("not_shipped", True)


@pytest.mark.parametrize(("written", "read"), [(1001, "1001"), ("1001", "1001"), ("", None)])
def test_an_order_number_is_text(written: Any, read: str | None) -> None:
    found = schemas.remote_order({"id": "3", "order_number": written})

    assert found is not None
    assert (found.id, found.order_number) == (3, read)


def test_organisations_are_found_wherever_an_answer_carries_them() -> None:
    assert list(schemas.organisations_in({"organisation_id": 1})) == [1]
    assert list(schemas.organisations_in({"sales_order": {"organisation_id": "2"}})) == [2]
    assert list(schemas.organisations_in({"sales_orders": [{"organisation_id": 3}, {}], "meta": {}})) == [3]
    assert list(schemas.organisations_in(None)) == []


def test_a_product_is_a_tree_of_colours_and_sizes() -> None:
    product = {
        "id": 1,
        "name": "Shirt",
        "season_id": [7],
        "variations": [
            {
                "id": 2,
                "color": "Red",
                "skus": [{"id": 3, "size": "S", "sku_number": " A1 ", "ean": "", "in_stock": 4}],
            },
            {"id": 5, "color": "Blue", "skus": [{"size": "no id"}, "no object"]},
            {"id": 6, "skus": None},
        ],
    }

    [found] = schemas.skus_of(product)

    assert (found.sku_id, found.product_id, found.variation_id, found.season_id) == (3, 1, 2, 7)
    assert (found.sku_number, found.ean, found.name, found.in_stock) == ("A1", None, "Shirt / Red / S", 4)


def test_a_pick_ticket_is_shipped_only_by_that_very_word() -> None:
    row = {
        "id": 1,
        "sale_id": 2,
        "order_id": None,
        "status": "shipped",
        "tracking_number": "",
        "line_items": [{"line_quantities": [{"sku_id": 3, "quantity": 2}, {"sku_id": 4, "quantity": 0}]}],
    }

    found = schemas.pick_ticket(row)

    assert found is not None
    assert (found.order_id, found.shipped, found.tracking_number, found.pieces) == (2, True, None, ((3, 2),))
    assert not (schemas.pick_ticket({**row, "status": "packed"}) or found).shipped
    assert (schemas.pick_ticket({**row, "status": " Shipped"}) or found) == found
    assert schemas.pick_ticket({}) is None


@pytest.mark.situation("line.twice")
def test_sizes_of_one_colour_and_price_share_a_line_item_and_doubled_skus_do_not() -> None:
    book = SkuBook([sku(1, "A1"), sku(2, "A2"), sku(3, "A3", variation_id=201)])
    one = make_order(
        make_line("A1", 121), make_line("A2", 121), make_line("A3", 121), make_line("A1", 121, uuid="again")
    )
    sales_order = map_order(one, book.match_sold, make_settings(), uphance_connection())
    assert isinstance(sales_order, SalesOrder)

    body = schemas.sales_order_body(sales_order, company_id=7, idempotency_key="k")

    items = body["sales_order"]["line_items"]
    assert [[entry["sku_id"] for entry in item["line_quantities"]] for item in items] == [[1, 2], [3], [1]]
    assert {item["unit_price"] for item in items} == {"100.00"}


@pytest.mark.parametrize(("chosen", "field"), [("Main", "warehouse_name"), ("11", "warehouse_id")])
def test_a_warehouse_goes_by_name_or_by_number(chosen: str, field: str) -> None:
    shop_settings = make_settings({"uphance.warehouse": chosen})
    sales_order = map_order(make_order(), BOOK.match_sold, shop_settings, uphance_connection())
    assert isinstance(sales_order, SalesOrder)

    body = schemas.sales_order_body(sales_order, company_id=7, idempotency_key="k")

    assert str(body["sales_order"][field]) == chosen
