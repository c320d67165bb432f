"""The orders that a person looks for: the same that the boxes count, found by number, reason and day."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.support.clock import NOON
from tests.support.rows import change_row, document_row, insert_rows, link_row, order_row, problem_row
from tests.support.shops import MakeShop
from upbridge.domain.shop_id import ShopId
from upbridge.insights.order_boxes import order_boxes
from upbridge.insights.order_list import Box
from upbridge.insights.order_search import MOST_COUNTED, FoundOrders, OrderSearch, find_orders

SYSTEMS = ("upp", "uphance")


async def look(engine: AsyncEngine, shop_id: ShopId, *, offset: int = 0, **wanted: Any) -> FoundOrders:
    async with engine.connect() as tx:
        return await find_orders(
            tx, shop_id, OrderSearch(**wanted), platform="upgates", systems=SYSTEMS, offset=offset, limit=50
        )


async def numbers(engine: AsyncEngine, shop_id: ShopId, **wanted: Any) -> list[str]:
    return [one.number for one in (await look(engine, shop_id, **wanted)).orders]


@pytest.fixture
async def shop_id(engine: AsyncEngine, make_shop: MakeShop) -> ShopId:
    """A shop with an order in each box of Uphance, and two that were announced and not read yet."""
    shop_id, other = await make_shop(), await make_shop()
    made = {name: NOON - timedelta(hours=place) for place, name in enumerate("ABCDEFGHI")}
    await insert_rows(
        engine,
        *(order_row(shop_id, f"26-{name}", ordered_at=at) for name, at in made.items() if name not in "FG"),
        order_row(shop_id, "26-F", ordered_at=made["F"], kept_back={"uphance": "too_old"}),
        order_row(shop_id, "26-G", ordered_at=made["G"], kept_back={"uphance": "not_chosen"}),
        order_row(other, "26-X", ordered_at=NOON),
        link_row(shop_id, "uphance", "26-A", remote_id="77", metadata={"order_number": "8000266"}),
        *(link_row(shop_id, "upp", f"26-{name}") for name in "ABCDEFGHI"),
        link_row(shop_id, "uphance", "26-I", state="by_hand"),
        link_row(other, "uphance", "26-X", remote_id="78", metadata={"order_number": "8000266"}),
        document_row(shop_id, "uphance", "26-B"),
        document_row(shop_id, "uphance", "26-C", state="parked", reason="order.no_goods"),
        problem_row(shop_id, "26-D", target="uphance", key="order.no_channel"),
        change_row(shop_id, "order", "26-E"),
        change_row(shop_id, "order", "27-NEW"),
        problem_row(shop_id, "27-BROKEN", target="upgates", key="order.unreadable", stage="read"),
        document_row(other, "uphance", "26-A", state="parked", reason="order.no_goods"),
    )
    return shop_id


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        (Box.DELIVERED, ["26-A"]),
        (Box.BY_HAND, ["26-I"]),
        (Box.WAITING, ["27-NEW", "26-B", "26-E"]),
        (Box.PARKED, ["27-BROKEN", "26-C", "26-D"]),
        (Box.HELD, ["26-F", "26-G", "26-H"]),
    ],
)
async def test_a_box_opens_the_very_orders_that_it_counts_the_newest_first(
    engine: AsyncEngine, shop_id: ShopId, box: Box, expected: list[str]
) -> None:
    found = await look(engine, shop_id, system="uphance", box=box)

    assert [one.number for one in found.orders] == expected
    assert (found.count, found.more) == (len(expected), False)
    places = [next(place for place in one.places if place.system == "uphance") for one in found.orders]
    assert {place.box for place in places} == {box}
    async with engine.connect() as tx:
        _, boxes = await order_boxes(
            tx, shop_id, platform="upgates", systems=SYSTEMS, since=NOON - timedelta(days=30)
        )
    [counted] = [one for one in boxes if one.system == "uphance"]
    assert getattr(counted, box) == len(expected)


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("too_old", ["26-F"]),
        ("not_chosen", ["26-G"]),
        ("rules", ["26-H"]),
        ("order.no_goods", ["26-C"]),
        ("order.no_channel", ["26-D"]),
        ("order.unreadable", ["27-BROKEN"]),
        ("reading", ["27-NEW", "26-E"]),
        ("sending", ["26-B"]),
        ("nothing like it", []),
    ],
)
async def test_a_reason_finds_its_orders_and_says_itself(
    engine: AsyncEngine, shop_id: ShopId, reason: str, expected: list[str]
) -> None:
    found = await look(engine, shop_id, reason=reason)

    assert [one.number for one in found.orders] == expected
    assert all(reason in {place.reason for place in one.places} for one in found.orders)


async def test_an_order_is_found_by_the_beginning_of_its_number_and_by_what_a_system_calls_it(
    engine: AsyncEngine, shop_id: ShopId
) -> None:
    assert await numbers(engine, shop_id, words="27-") == ["27-NEW", "27-BROKEN"]
    assert await numbers(engine, shop_id, words="77") == ["26-A"]
    assert await numbers(engine, shop_id, words="8000266") == ["26-A"]
    assert await numbers(engine, shop_id, words="26_") == []


async def test_days_bound_what_was_read_and_leave_what_has_no_day_yet(
    engine: AsyncEngine, shop_id: ShopId
) -> None:
    hour = timedelta(hours=1)

    assert await numbers(engine, shop_id, since=NOON - 2 * hour, until=NOON) == [
        "27-NEW",
        "27-BROKEN",
        "26-B",
        "26-C",
    ]


async def test_pages_follow_each_other_without_a_gap_beyond_what_is_counted(
    engine: AsyncEngine, make_shop: MakeShop
) -> None:
    shop_id = await make_shop()
    many = [f"{number:05}" for number in range(MOST_COUNTED + 100)]
    await insert_rows(engine, *(order_row(shop_id, number) for number in many))

    pages = [await look(engine, shop_id, offset=offset) for offset in range(0, len(many), 50)]

    assert [one.number for page in pages for one in page.orders] == many[::-1]
    assert {(page.count, page.more) for page in pages} == {(MOST_COUNTED, True)}
