"""The copy of Uphance's SKUs: whole or not at all, and found again by code and EAN."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import Row, insert, select
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.support.clock import NOON, MovableClock
from tests.support.fake_uphance import FakeUphance
from tests.support.orders import make_line
from tests.support.rows import insert_rows, variant_row
from tests.support.shops import MakeShop
from tests.support.uphance import refresh_skus, sku
from upbridge.core.errors import Rejected, Unreachable
from upbridge.domain.shop_id import ShopId
from upbridge.domain.sku import Sku, code_key
from upbridge.store import schema
from upbridge.store.skus import replace_skus
from upbridge.systems.uphance.careful_read import read_carefully
from upbridge.systems.uphance.matching import Miss, Renamed
from upbridge.systems.uphance.reads import (
    NamesInOrders,
    connect_facts,
    existing_orders,
    names_in_new_orders,
    pick_tickets,
)
from upbridge.systems.uphance.sku_copy import SkuCopy


def product(number: int, *skus: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": number,
        "name": f"Thing {number}",
        "season_id": 9,
        "variations": [{"id": number + 1, "color": "Red", "skus": list(skus)}],
    }


def row(number: int, code: str | None = None, ean: str | None = None, stock: int = 1) -> dict[str, Any]:
    return {"id": number, "size": "S", "sku_number": code, "ean": ean, "in_stock": stock}


async def copy_of(engine: AsyncEngine, shop_id: ShopId) -> Sequence[Row[Any]]:
    async with engine.connect() as tx:
        query = select(schema.skus).where(schema.skus.c.shop_id == shop_id).order_by(schema.skus.c.sku_id)
        return (await tx.execute(query)).all()


@pytest.fixture
def uphance() -> FakeUphance:
    uphance = FakeUphance(MovableClock(NOON), page=2)
    uphance.products = [product(10 * number, row(number, f"A{number}", f"00{number}")) for number in range(1, 6)]
    return uphance


@pytest.fixture
def sku_copy(engine: AsyncEngine) -> SkuCopy:
    return SkuCopy(engine)


async def test_all_pages_become_the_copy(uphance: FakeUphance, make_shop: MakeShop, engine: AsyncEngine) -> None:
    shop = await make_shop()

    assert await refresh_skus(engine, shop, uphance.client())
    assert [row.sku_id for row in await copy_of(engine, shop)] == [1, 2, 3, 4, 5]


async def test_the_same_again_changes_nothing_and_stock_alone_has_nothing_matched_anew(
    uphance: FakeUphance, make_shop: MakeShop, engine: AsyncEngine
) -> None:
    shop = await make_shop()
    await refresh_skus(engine, shop, uphance.client())
    first = await copy_of(engine, shop)

    same = await refresh_skus(engine, shop, uphance.client())
    assert await copy_of(engine, shop) == first
    uphance.products[0]["variations"][0]["skus"][0]["in_stock"] = 7
    stock = await refresh_skus(engine, shop, uphance.client())
    uphance.products[0]["variations"][0]["skus"][0]["ean"] = "77"
    ean = await refresh_skus(engine, shop, uphance.client())

    assert (same, stock, ean) == (False, False, True)
    levels = await copy_of(engine, shop)
    assert (levels[0].in_stock, levels[0].ean) == (7, "77")


async def test_what_is_gone_in_uphance_goes_here_and_other_shops_keep_theirs(
    uphance: FakeUphance, make_shop: MakeShop, engine: AsyncEngine
) -> None:
    shop, other = await make_shop(), await make_shop()
    for one in (shop, other):
        await refresh_skus(engine, one, uphance.client())
    del uphance.products[1:]

    assert await refresh_skus(engine, shop, uphance.client())
    assert [row.sku_id for row in await copy_of(engine, shop)] == [1]
    assert len(await copy_of(engine, other)) == 5


async def test_a_catalogue_of_thousands_is_compared_as_a_small_one_is(
    make_shop: MakeShop, engine: AsyncEngine
) -> None:
    shop, found = await make_shop(), [sku(number, f"A{number}") for number in range(1, 2_502)]

    async def changed() -> bool:
        async with engine.begin() as tx:
            return await replace_skus(tx, shop, found)

    told = [await changed(), await changed()]
    found[0] = replace(found[0], in_stock=7)
    told.append(await changed())
    del found[1]
    told.append(await changed())

    assert told == [True, False, False, True]
    kept = await copy_of(engine, shop)
    assert (len(kept), kept[0].in_stock) == (2_500, 7)


async def test_a_read_that_breaks_off_changes_nothing(
    uphance: FakeUphance, make_shop: MakeShop, engine: AsyncEngine
) -> None:
    shop = await make_shop()
    await refresh_skus(engine, shop, uphance.client())
    del uphance.products[1:3]
    uphance.before = lambda request: httpx.ReadTimeout("slow") if "since_id" in request.url.params else None

    with pytest.raises(Unreachable):
        await refresh_skus(engine, shop, uphance.client())

    assert len(await copy_of(engine, shop)) == 5


@pytest.mark.situation("list.shrinks")
async def test_a_page_that_is_gone_because_the_list_shrank_between_two_pages_loses_nothing(
    uphance: FakeUphance, make_shop: MakeShop, engine: AsyncEngine
) -> None:
    shop = await make_shop()
    await refresh_skus(engine, shop, uphance.client())
    uphance.page = 2
    asked: list[int] = []

    def shrink(request: httpx.Request) -> httpx.Response | None:
        since = int(request.url.params.get("since_id", 0))
        if request.url.path != "/products":
            return None
        asked.append(since)
        if len(asked) == 2:  # after the first page, all that stood behind it is deleted
            del uphance.products[2:]
        there = [one for one in uphance.products if one["id"] > since]
        return None if there else httpx.Response(404, json={})

    uphance.before = shrink

    with pytest.raises((Unreachable, Rejected)):
        await refresh_skus(engine, shop, uphance.client())
    assert len(await copy_of(engine, shop)) == 5
    await refresh_skus(engine, shop, uphance.client())

    assert len(await copy_of(engine, shop)) == 2


@pytest.mark.parametrize("broken", [{30}, {10}, {50}, {20, 30}, {10, 50}, {33}])
async def test_one_product_that_cannot_be_read_is_named_and_costs_no_neighbour(
    uphance: FakeUphance, broken: set[int]
) -> None:
    uphance.products += [product(number, row(number)) for number in broken if number not in range(10, 60, 10)]
    uphance.products.sort(key=lambda one: int(one["id"]))

    def spoil(request: httpx.Request) -> httpx.Response | None:
        if request.url.path.startswith("/products/"):
            number = int(request.url.path.rpartition("/")[2])
            there = next((one for one in uphance.products if one["id"] == number), None)
            if number in broken or there is None:
                return httpx.Response(500 if number in broken else 404, json={})
            return httpx.Response(200, json={"product": there})
        since = int(request.url.params.get("since_id", 0))
        shown = [one["id"] for one in uphance.products if one["id"] > since][: uphance.page]
        return httpx.Response(500) if request.url.path == "/products" and broken & {*shown} else None

    uphance.before = spoil

    read = await read_carefully(uphance.client(), [10, 20, 30, 40, 50])

    assert set(read.missed) == broken
    assert {one["id"] for one in read.rows} == {10, 20, 30, 40, 50} - broken


async def test_an_uphance_that_is_down_is_no_broken_product(uphance: FakeUphance) -> None:
    uphance.before = lambda request: httpx.Response(500) if request.url.path.startswith("/products") else None

    with pytest.raises(Unreachable):
        await read_carefully(uphance.client(), [10, 20])


async def test_a_batch_of_lines_is_looked_up_at_once(
    uphance: FakeUphance, sku_copy: SkuCopy, make_shop: MakeShop, engine: AsyncEngine
) -> None:
    shop = await make_shop()
    uphance.products.append(product(900, row(90, "ČEPICE", "0123"), row(91, "x", "0123"), row(92, "a5")))
    await refresh_skus(engine, shop, uphance.client())
    owned = {"v-50": "004", "v-51": None}
    async with engine.begin() as tx:
        for key, ean in owned.items():
            flags = {"stock_own": False, "active": True, "listed": True}
            values = {"shop_id": shop, "key": key, "ean": ean, "product_id": 1, **flags}
            await tx.execute(insert(schema.variants).values(values))
    lines = {
        "by code": make_line(" a1 "),
        "by code beyond ASCII": make_line("ČEPICE"),
        "by ean": make_line("NO", ean="002"),
        "by the variant's own ean": make_line(None, ean="004", variant_id=50),
        "by an inherited ean": make_line(None, ean="004", variant_id=51),
        "by an ean of a variant not read": make_line(None, ean="004", variant_id=52),
        "doubled ean": make_line(None, ean="0123"),
        "doubled code": make_line("A5"),
        "ean without its zeros": make_line(None, ean="2"),
        "nothing": make_line(None),
    }

    book = await sku_copy.book(shop, lines.values())

    found = {name: book.match(one) for name, one in lines.items()}
    assert {name: match.sku_id if isinstance(match, Sku) else match for name, match in found.items()} == {
        "by code": 1,
        "by code beyond ASCII": 90,
        "by ean": 2,
        "by the variant's own ean": 4,
        "by an inherited ean": Miss.UNKNOWN,
        "by an ean of a variant not read": Miss.NOT_READ,
        "doubled ean": Miss.AMBIGUOUS,
        "doubled code": Miss.AMBIGUOUS,
        "ean without its zeros": Miss.UNKNOWN,
        "nothing": Miss.UNKNOWN,
    }


async def test_what_was_sold_under_a_code_that_other_goods_have_by_now_is_not_those(
    uphance: FakeUphance, sku_copy: SkuCopy, make_shop: MakeShop, engine: AsyncEngine
) -> None:
    shop = await make_shop()
    await refresh_skus(engine, shop, uphance.client())
    names = {53: "NEW", 54: "a2 ", 55: "NEWER"}
    rows = [variant_row(shop, number, code=code, code_key=code_key(code)) for number, code in names.items()]
    await insert_rows(engine, *rows)
    lines = {
        "handed on": make_line("A2", variant_id=53),
        "handed on to": make_line("A2", variant_id=54),
        "renamed": make_line("A3", variant_id=55),
    }

    book = await sku_copy.book(shop, lines.values())

    found = {name: book.match_sold(one) for name, one in lines.items()}
    assert {name: match.sku_id if isinstance(match, Sku) else match for name, match in found.items()} == {
        "handed on": Renamed("NEW"),
        "handed on to": 2,
        "renamed": 3,
    }


async def test_the_facts_of_a_connection_are_what_settings_are_chosen_from(uphance: FakeUphance) -> None:
    assert await connect_facts(uphance.client(), organisation=5) == {
        "organisation": {"id": 5, "name": "Hemline Ltd"},
        "channels": [{"id": 3, "name": "Web CZ", "currency": "CZK"}],
        "seasons": [{"id": 9, "name": "AW26"}],
    }


async def test_our_own_orders_are_recognised_by_their_reference(uphance: FakeUphance) -> None:
    references = ["UPG-shop-1", None, "UPG-other-1", "PO 7", "UPG-shop-2", "UPG-shop-1", "UPG-shop-"]
    uphance.orders = [{"id": place, "purchase_order_ref": text} for place, text in enumerate(references, start=1)]

    found = await existing_orders(uphance.client(), "shop")

    assert {number: remote.id for number, remote in found.items()} == {"1": 1, "2": 5}


async def test_pick_tickets_are_read_from_an_id_on(uphance: FakeUphance) -> None:
    uphance.tickets = [{"id": number, "sale_id": 1} for number in range(1, 6)]

    found = [ticket.id async for page in pick_tickets(uphance.client(), since_id=3) for ticket in page]

    assert found == [4, 5]


async def test_names_of_warehouses_and_payment_terms_are_learnt_from_orders(uphance: FakeUphance) -> None:
    uphance.orders += [
        {"id": 1, "warehouse_name": "Main", "payment_term_name": "PIA"},
        {"id": 2, "warehouse_name": "Main", "payment_term_name": None},
    ]
    seen = NamesInOrders()
    await existing_orders(uphance.client(), "shop", names=seen)
    uphance.orders.append({"id": 3, "warehouse_name": "Brno", "payment_term_name": "Net 7"})

    later = await names_in_new_orders(uphance.client(), seen.facts())
    uphance.before = lambda _: httpx.Response(500)
    nothing = await names_in_new_orders(uphance.client(), later)

    assert [one["id"] for one in seen.facts()["warehouses"]] == ["Main"]
    assert [one["id"] for one in later["warehouses"]] == ["Brno", "Main"]
    assert [one["name"] for one in later["payment_terms"]] == ["Net 7", "PIA"]
    assert nothing == later


async def test_a_product_that_was_read_since_the_orders_were_matched_is_not_asked_for_again(
    sku_copy: SkuCopy, make_shop: MakeShop, engine: AsyncEngine
) -> None:
    shop = await make_shop()
    before = NOON - timedelta(hours=1)
    await insert_rows(engine, variant_row(shop, 1, read_at=before), variant_row(shop, 2, read_at=NOON))

    await sku_copy.ask_for(shop, [1, 2, 3], now=NOON)

    async with engine.connect() as tx:
        waiting = await tx.scalars(select(schema.changes.c.key).where(schema.changes.c.shop_id == shop))
        assert sorted(waiting) == ["1", "3"]
