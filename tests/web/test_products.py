"""The match report: by the rules of an order's lines."""

import asyncio
import csv
import html
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.support.pages import EN, Enter
from tests.support.rows import insert_rows, sku_row, variant_row
from tests.support.shops import MakeShop
from upbridge.domain.sku import Match
from upbridge.store import sku_matching, variant_queries
from upbridge.web.queries.products import PAGE, PORTION, portion_of, products_of


@dataclass
class Reader:
    """A browser that takes one portion of a download and then nothing more, until it is gone."""

    path: str
    status: int = 0
    body: bytes = b""
    full: asyncio.Event = field(default_factory=asyncio.Event)
    gone: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def scope(self) -> dict[str, Any]:
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "https",
            "path": self.path,
            "raw_path": self.path.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": [],
            "server": ("upbridge.example", 443),
            "client": ("127.0.0.1", 1),
        }

    async def receive(self) -> dict[str, Any]:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Mapping[str, Any]) -> None:
        self.status = message.get("status", self.status)
        self.body += message.get("body", b"")
        if b"Item" in self.body:
            self.full.set()
            await self.gone.wait()


async def test_code_decides_then_ean_and_what_is_doubled_is_not_guessed(
    engine: AsyncEngine, make_shop: MakeShop
) -> None:
    shop_id, other = await make_shop(), await make_shop()
    await insert_rows(engine, variant_row(shop_id, 1, code=" abc ", ean="1"))
    await insert_rows(engine, variant_row(shop_id, 2, code="nowhere", ean="2"))
    await insert_rows(engine, variant_row(shop_id, 3, code="x", ean="9"))
    await insert_rows(engine, variant_row(shop_id, 4, code="twice", ean="2"))
    await insert_rows(engine, variant_row(shop_id, 5, code="same"), variant_row(shop_id, 6, code="SAME"))
    await insert_rows(engine, variant_row(shop_id, 7))
    await insert_rows(engine, sku_row(shop_id, 1, sku_number="ABC", ean="7"), sku_row(shop_id, 2, ean="2"))
    await insert_rows(engine, sku_row(shop_id, 3, sku_number="twice"), sku_row(shop_id, 4, sku_number="Twice "))
    await insert_rows(engine, sku_row(shop_id, 5, sku_number="same"))
    await insert_rows(engine, sku_row(other, 6, sku_number="x", ean="9"))
    async with engine.begin() as tx:
        await sku_matching.rematch_all(tx, shop_id)

    view = await products_of(engine, shop_id, Match.DOUBLED, 1)

    assert view.counts == {Match.CODE: 1, Match.EAN: 1, Match.UNMATCHED: 2, Match.DOUBLED: 3}
    assert [one.code for one in view.items] == ["twice", "same", "SAME"]


async def test_a_long_list_is_paged(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, engine: AsyncEngine
) -> None:
    shop_id = await make_shop()
    await insert_rows(engine, *(variant_row(shop_id, number) for number in range(PAGE + 5)))
    home = await enter(shop_id)

    first, second, beyond = [
        (await browser.get(f"{home}products", params={"show": "unmatched", "page": page})).text
        for page in ("1", "2", "99999999")
    ]

    assert first.count("<tr><td>Item") == PAGE
    assert second.count("<tr><td>Item") == 5
    assert beyond.count("<tr><td>Item") == 5
    assert EN.get("ui.products.page", page=2, pages=2) in beyond


@pytest.mark.parametrize("page", ["0", "-1", "²", "9" * 9, "1" + "0" * 22, "1" + "0" * 5000, "%00", "1e9"])
async def test_a_page_that_there_is_not_is_answered_by_one_that_there_is(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, engine: AsyncEngine, page: str
) -> None:
    shop_id = await make_shop()
    await insert_rows(engine, variant_row(shop_id, 1))

    answer = await browser.get(f"{await enter(shop_id)}products?show=unmatched&page={page}")

    assert answer.status_code == 200
    assert "Item 1" in answer.text


async def test_the_file_holds_every_variant_and_no_formula(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, engine: AsyncEngine
) -> None:
    shop_id = await make_shop(key="moda")
    await insert_rows(engine, *(variant_row(shop_id, number) for number in range(1200)))
    await insert_rows(engine, variant_row(shop_id, 5000, title='=HYPERLINK("x");"ž'))

    answer = await browser.get(f"{await enter(shop_id)}products.csv")
    rows = list(csv.reader(answer.text.removeprefix("\ufeff").splitlines(), delimiter=";"))

    assert answer.text.startswith("\ufeff")
    assert "products-moda.csv" in answer.headers["content-disposition"]
    assert len(rows) == 1202
    assert [row[0] for row in rows if "HYPERLINK" in row[0]] == ['\'=HYPERLINK("x");"ž']


async def test_titles_stand_in_the_order_of_czech_and_slovak(engine: AsyncEngine, make_shop: MakeShop) -> None:
    shop_id = await make_shop()
    titles = [
        *("Cukr", "Čepice", "Dáma", "Deka", "Hůl", "Chino", "Městský kabát", "Modřínový svetr"),
        *("Rukavice", "Říční sandál", "Sukně", "Šaty", "Zimní bunda", "Župan"),
    ]
    rows = [variant_row(shop_id, 100 - place, title=title) for place, title in enumerate(titles)]
    await insert_rows(engine, *rows)

    portion = await portion_of(engine, shop_id, None)
    async with engine.connect() as tx:
        found = [one.title for one in await variant_queries.search(tx, shop_id, "u", most=20)]

    assert [one.title for one in portion.items] == titles
    assert found == ["Cukr", "Hůl", "Rukavice", "Sukně", "Zimní bunda", "Župan"]


async def test_portions_are_the_whole_report_in_its_order(engine: AsyncEngine, make_shop: MakeShop) -> None:
    """Names that many share, and none at all: where a portion ends among them, the next one goes on there."""
    shop_id, other = await make_shop(), await make_shop()
    chance = random.Random(7)
    rows = [
        variant_row(
            shop_id,
            number,
            key=(key := f"v-{chance.randrange(10**9)}"),
            ean=key,
            title=chance.choice([None, "Šaty", "šaty", "Zimní bunda", ""]),
            code=chance.choice([None, "", "A", "a", "Ž-1"]),
            match=chance.choice(list(Match)),
        )
        for number in range(300)
    ]
    await insert_rows(engine, *rows, variant_row(other, 1, match=Match.CODE))
    async with engine.connect() as tx:
        ordered = await tx.scalars(
            text("SELECT key FROM variants WHERE shop_id = :id ORDER BY match, title_sorted, code, key"),
            {"id": shop_id},
        )
        keys = list(ordered)

    for most in (1, 7, 300, 1000):
        read, after = [], None
        while True:
            portion = await portion_of(engine, shop_id, after, most=most)
            assert len(portion.items) <= most
            read += [one.ean for one in portion.items]
            if (after := portion.last) is None:
                break
        assert read == keys


async def test_who_reads_slowly_holds_nothing_and_who_breaks_off_leaves_nothing(
    web_app: FastAPI, make_shop: MakeShop, enter: Enter, engine: AsyncEngine
) -> None:
    shop_id = await make_shop()
    await insert_rows(engine, *(variant_row(shop_id, number) for number in range(2 * PORTION + 1)))
    home = await enter(shop_id)
    reader = Reader(f"{home}products.csv")

    download = asyncio.create_task(web_app(reader.scope, reader.receive, reader.send))
    await reader.full.wait()

    assert reader.status == 200
    assert 0 < reader.body.count(b"Item") <= PORTION
    assert engine.sync_engine.pool.checkedout() == 0  # type: ignore[attr-defined]
    async with engine.connect() as tx:
        others = await tx.scalars(
            text(
                "SELECT state FROM pg_stat_activity WHERE datname = current_database()"
                " AND pid <> pg_backend_pid() AND backend_type = 'client backend' AND state <> 'idle'"
            )
        )
        assert list(others) == []
    reader.gone.set()
    await asyncio.wait_for(download, 10)
    async with asyncio.timeout(10):
        while engine.sync_engine.pool.checkedout():  # type: ignore[attr-defined] # noqa: ASYNC110 - no event
            await asyncio.sleep(0.01)


async def test_what_changes_while_it_is_read_disturbs_nothing_else(
    engine: AsyncEngine, make_shop: MakeShop
) -> None:
    shop_id = await make_shop()
    await insert_rows(engine, *(variant_row(shop_id, number, title=f"Item {number}") for number in range(6)))
    first = await portion_of(engine, shop_id, None, most=3)
    async with engine.begin() as tx:
        await tx.execute(text("DELETE FROM variants WHERE title IN ('Item 2', 'Item 4')"))
        await tx.execute(text("UPDATE variants SET title = 'Item 9' WHERE title = 'Item 0'"))

    second = await portion_of(engine, shop_id, first.last, most=3)

    assert [one.title for one in first.items] == ["Item 0", "Item 1", "Item 2"]
    assert [one.title for one in second.items] == ["Item 3", "Item 5", "Item 9"]


async def test_goods_of_uphance_have_a_column_where_there_are_any(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, engine: AsyncEngine
) -> None:
    shop_id = await make_shop()
    await insert_rows(engine, variant_row(shop_id, 1, code="A"), variant_row(shop_id, 2, code="B"))
    await insert_rows(engine, sku_row(shop_id, 1, sku_number="A"))
    async with engine.begin() as tx:
        await sku_matching.rematch_all(tx, shop_id)
    home = await enter(shop_id)

    pages = [(await browser.get(f"{home}products?show={match}")).text for match in ("code", "unmatched")]

    column = EN.get("ui.products.sku_name", system="Uphance")
    assert [column in page for page in pages] == [True, False]
    assert "SKU 1" in pages[0]


async def test_an_empty_catalogue_says_what_will_be_here(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter
) -> None:
    page = html.unescape((await browser.get(f"{await enter(await make_shop())}products")).text)

    assert EN.get("ui.products.empty", system="Uphance") in page
