"""A little of what `make bench` measures with: the big shop and every page of it, the prepared catalogue."""

import json
from typing import Any

import httpx
import pytest
from bench.__main__ import measured
from bench.bigshop import BigShop, fill
from bench.pages import paths, visiting
from bench.prepared import player, prepare, sellable
from bench.report import Row as Measurement
from pydantic import SecretStr
from rich.console import Console
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.support.clock import NOON
from tests.support.shops import KEY
from upbridge.core.encryption import Cipher
from upbridge.domain.walk import ListPage, ListRow
from upbridge.domain.walk_by_place import PlaceWalk
from upbridge.settings import Settings
from upbridge_sandbox.demo.processes import Failed


@pytest.fixture
def settings(database_url: str) -> Settings:
    return Settings(
        database_url=SecretStr(database_url),
        encryption_keys=(SecretStr(KEY),),
        public_url="https://upbridge.example",
        signature_token=SecretStr("token"),
    )


def whole_pages(shop: BigShop) -> dict[str, str]:
    """Without the file, which is left after its first bytes, and the searches: what they find differs."""
    return {name: path for name, path in paths(shop).items() if not name.startswith("find") and ".csv" not in path}


async def statements(visit: Any, path: str) -> int:
    """How many statements a page costs, without what a session notes from time to time."""
    return min([int((await visit(path))[1]) for _ in range(3)])


async def test_every_page_of_the_big_shop_is_answered_and_asks_no_query_per_row(
    engine: AsyncEngine, cipher: Cipher, settings: Settings
) -> None:
    small = await fill(engine, cipher, variants=300, orders=200, now=NOON)
    large = await fill(engine, cipher, variants=900, orders=800, now=NOON)

    async with visiting(settings, small) as visit:
        few = {name: await statements(visit, path) for name, path in whole_pages(small).items()}
    async with visiting(settings, large) as visit:
        many = {name: await statements(visit, path) for name, path in whole_pages(large).items()}

    assert many == few
    assert max(few.values()) <= 28


async def test_the_big_shop_has_every_kind_of_match(engine: AsyncEngine, cipher: Cipher) -> None:
    shop = await fill(engine, cipher, variants=300, orders=200, now=NOON)

    async with engine.connect() as tx:
        rows = await tx.execute(
            text("SELECT match, count(*) AS number FROM variants WHERE shop_id = :shop GROUP BY 1"),
            {"shop": shop.id},
        )
        found = {row.match: row.number for row in rows}

    assert found.keys() == {"code", "ean", "doubled", "unmatched"}
    assert sum(found.values()) == 300


async def test_the_prepared_catalogue_is_as_large_as_asked_for_and_repeats_no_id() -> None:
    prepared = await prepare(700)

    pages = [json.loads(prepared.page(number, 100)) for number in range(1, prepared.pages() + 1)]
    products = [product for page in pages for product in page["products"]]
    variants = [variant["variant_id"] for product in products for variant in product["variants"]]
    assert 700 <= prepared.variants == sum(map(sellable, products))
    assert {page["number_of_items"] for page in pages} == {len(products)}
    assert len({product["product_id"] for product in products}) == len(products)
    assert len(set(variants)) == len(variants)


async def test_the_prepared_catalogue_answers_what_the_first_import_asks_for() -> None:
    prepared = await prepare(700)
    transport = httpx.ASGITransport(player(prepared))
    seen, walk = set[int](), PlaceWalk()

    async with httpx.AsyncClient(transport=transport, base_url="http://outside") as outside:
        while not walk.ended:
            asked = {"page": walk.ask.page, "current_page_items": walk.ask.size}
            page = (await outside.get("/api/v2/products", params=asked)).json()
            ids = [product["product_id"] for product in page["products"]]
            seen.update(ids)
            rows = [ListRow(str(one)) for one in ids]
            walk = walk.read(ListPage(rows, page["number_of_pages"], page["number_of_items"]))

    assert walk.proven
    assert walk.steps > 1
    assert len(seen) == len(prepared.products)


@pytest.mark.parametrize("error", [Failed("a worker ended"), TimeoutError("canceling statement\nand all of it")])
async def test_a_part_that_cannot_be_measured_is_a_row_that_says_why(error: Exception) -> None:
    async def part() -> tuple[list[Measurement], dict[str, Any]]:
        raise error

    [row], raw = await measured("pages", part(), Console(quiet=True))

    said = raw["failed"]
    assert (row.name, row.value, row.met) == (f"pages: {said}", "failed", False)
    assert said in {"a worker ended", "TimeoutError: canceling statement"}
