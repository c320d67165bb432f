"""Every known order, page by page, with its box in each system and the reason."""

from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncEngine

from tests.support.clock import NOON
from tests.support.rows import change_row, document_row, insert_rows, link_row, order_row, problem_row
from tests.support.shops import MakeShop
from upbridge.insights.order_list import PAGE, Box, ListedOrder, OrderPlace, listed_orders, matches


async def test_each_order_has_one_box_in_each_system_and_the_reason(
    engine: AsyncEngine, make_shop: MakeShop
) -> None:
    shop_id = await make_shop()
    await insert_rows(
        engine,
        *(order_row(shop_id, f"O-{place}", ordered_at=NOON - timedelta(hours=place)) for place in range(8)),
        link_row(shop_id, "upp", "O-0"),
        link_row(shop_id, "upp", "O-7", state="by_hand"),
        document_row(shop_id, "upp", "O-1"),
        document_row(shop_id, "upp", "O-2", state="parked", reason="order.no_goods"),
        problem_row(shop_id, "O-3", target="upp", key="order.no_channel"),
        problem_row(shop_id, "O-4", target="upgates", key="read.refused"),
        change_row(shop_id, "order", "O-5"),
        document_row(shop_id, "upp", "O-6", state="unwanted"),
    )

    found = [one async for one in listed_orders(engine, shop_id, platform="upgates", systems=["upp"], since=None)]

    assert [(one.number, *((place.box, place.reason) for place in one.places)) for one in found] == [
        ("O-0", (Box.DELIVERED, None)),
        ("O-1", (Box.WAITING, "sending")),
        ("O-2", (Box.PARKED, "order.no_goods")),
        ("O-3", (Box.PARKED, "order.no_channel")),
        ("O-4", (Box.PARKED, "read.refused")),
        ("O-5", (Box.WAITING, "reading")),
        ("O-6", (Box.HELD, "rules")),
        ("O-7", (Box.BY_HAND, None)),
    ]


async def test_an_order_that_was_announced_and_never_read_is_listed_as_waiting(
    engine: AsyncEngine, make_shop: MakeShop
) -> None:
    shop_id = await make_shop()
    await insert_rows(
        engine,
        order_row(shop_id, "known"),
        change_row(shop_id, "order", "known"),
        *(change_row(shop_id, "order", f"new-{number:05}", marked_at=NOON) for number in range(PAGE + 2)),
        change_row(shop_id, "order", "old", marked_at=NOON - timedelta(days=2)),
        change_row(shop_id, "order", "deleted", origin="deletion", marked_at=NOON),
        change_row(shop_id, "product", "7", marked_at=NOON),
        problem_row(shop_id, "new-00001", target="upgates", key="read.refused"),
    )

    listed = listed_orders(engine, shop_id, platform="upgates", systems=["upp"], since=NOON - timedelta(days=1))
    found = [one async for one in listed]

    assert [one.number for one in found] == [*(f"new-{number:05}" for number in range(PAGE + 2)), "known"]
    assert found[0] == ListedOrder("new-00000", None, (OrderPlace("upp", Box.WAITING, "reading"),))
    assert found[1].places == (OrderPlace("upp", Box.PARKED, "read.refused"),)


async def test_no_order_is_left_out_between_two_pages(engine: AsyncEngine, make_shop: MakeShop) -> None:
    shop_id = await make_shop()
    rows = [order_row(shop_id, f"{number:05}", ordered_at=NOON) for number in range(2 * PAGE + 1)]
    await insert_rows(engine, *rows, order_row(shop_id, "old", ordered_at=NOON - timedelta(days=2)))

    listed = listed_orders(engine, shop_id, platform="upgates", systems=[], since=NOON - timedelta(days=1))
    numbers = [one.number async for one in listed]

    assert numbers == [f"{number:05}" for number in reversed(range(2 * PAGE + 1))]


def test_the_list_can_be_of_one_box_and_one_reason() -> None:
    order = ListedOrder(
        "O-1",
        NOON,
        (OrderPlace("upp", Box.DELIVERED, None), OrderPlace("uphance", Box.PARKED, "order.no_channel")),
    )

    assert matches(order, boxes=[], reasons=[])
    assert matches(order, boxes=["parked"], reasons=["order.no_channel"])
    assert not matches(order, boxes=["delivered"], reasons=["order.no_channel"])
    assert not matches(order, boxes=["held"], reasons=[])
