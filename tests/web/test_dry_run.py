"""What changes much at once is computed first: numbers, first changes, a file; and done only as it was shown."""

import html
import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.support.clock import NOON
from tests.support.pages import EN, Enter, said_by
from tests.support.rows import connection_row, insert_rows, order_row, problem_row, sku_row, variant_row
from tests.support.shops import MakeShop
from upbridge.domain.shop_id import ShopId
from upbridge.systems.uphance.system import UPHANCE
from upbridge.worker_container import WorkerContainer

FACTS: dict[str, Any] = {
    "currencies": {"cs": "CZK"},
    "status_types": {"1": "Received", "5": "Sent", "9": "Custom"},
    "status_names": {"1": {"en": "New"}, "5": {"en": "Gone"}, "9": {"en": "Packed"}},
}
PRODUCTS = {
    "uphance.create_products": "true",
    "uphance.color_parameter": "Barva",
    "uphance.size_parameter": "Velikost",
}


@pytest.fixture
def service(service: WorkerContainer) -> WorkerContainer:
    """With the target that a shop of the test is connected to."""
    assert UPHANCE.target is not None
    return replace(service, targets={UPHANCE.name: UPHANCE.target(service.tools)})


@pytest.fixture
async def shop(make_shop: MakeShop, engine: AsyncEngine) -> ShopId:
    """Twenty of its variants are SKUs of which Uphance has none left; two products are none; five orders."""
    shop_id = await make_shop(facts=FACTS)
    await insert_rows(engine, connection_row(shop_id, "uphance", connected_at=NOON - timedelta(days=90)))
    for number in range(100, 120):
        numbers = dict.fromkeys(("in_stock", "available", "available_from_stock"), 0)
        await insert_rows(engine, sku_row(shop_id, number, sku_number=f"C{number}", **numbers))
        found = {"match": "code", "sku_id": number}
        await insert_rows(engine, variant_row(shop_id, number, code=f"C{number}", stock=7, **found))
    for number in (200, 201):
        await insert_rows(engine, variant_row(shop_id, number, code=f"C{number}", match="unmatched"))
    for number, status in enumerate((1, 1, 1, 9, 9)):
        outline = {"currency": "CZK", "total": "1", "origin": "frontend", "status_id": status}
        made = NOON - timedelta(days=number + 1)
        await insert_rows(engine, order_row(shop_id, f"O{number}", ordered_at=made, outline=outline))
    return shop_id


async def saved(engine: AsyncEngine, shop_id: ShopId) -> dict[str, Any]:
    async with engine.connect() as tx:
        return dict(await tx.scalar(text("SELECT settings FROM shops WHERE id = :id"), {"id": shop_id}) or {})


async def waiting(engine: AsyncEngine) -> dict[str, str]:
    async with engine.connect() as tx:
        return {row.key: row.state for row in await tx.execute(text("SELECT key, state FROM documents"))}


def form_of(page: str) -> dict[str, str]:
    form = page.partition('/rules">')[2].partition("</form>")[0]
    return dict(re.findall(r'name="([\w.]+)" value="([^"]*)"', form))


async def ask(browser: httpx.AsyncClient, home: str, **typed: str) -> str:
    answer = await browser.post(f"{home}rules", data={name.replace("__", "."): one for name, one in typed.items()})
    assert answer.status_code == 200
    return html.unescape(answer.text)


async def test_switching_stock_on_shows_its_numbers_first_and_then_writes_exactly_those(
    browser: httpx.AsyncClient, shop: ShopId, enter: Enter, engine: AsyncEngine, service: WorkerContainer
) -> None:
    home = await enter(shop)

    page = await ask(browser, home, stock__write="true", stock__safety="1")
    file = (await browser.get(f"{home}rules/changes.csv?stock.write=true&stock.safety=1")).text
    assert (await saved(engine, shop), await waiting(engine)) == ({}, {})
    answer = await browser.post(f"{home}rules", data=form_of(page))

    assert EN.get("ui.dry_run.stock", count=20, zeroed=20, matched=20) in page
    assert 'id="dry-run" tabindex="-1" autofocus' in page
    assert f">{EN.get('ui.dry_run.yes.stock', count=20, zeroed=20)}<" in page
    assert page.count('<td class="number">7</td><td class="number"><strong>0</strong>') == 20
    assert file.count('"7";"0"') == 20
    assert answer.headers["location"].endswith("said=rules_saved&n=2")
    assert await saved(engine, shop) == {"stock.write": True, "stock.safety": 1}
    assert await waiting(engine) == {f"v-{number}": "waiting" for number in range(100, 120)}
    assert await service.problems.open(shop) == [], "the guard asks for nothing that was agreed to"


async def test_a_shop_with_several_warehouses_sees_the_numbers_before_it_agrees(
    browser: httpx.AsyncClient, shop: ShopId, enter: Enter, engine: AsyncEngine
) -> None:
    about = {"kind": "stock", "target": "upgates", "params": {"number": 2, "names": "A, B"}}
    await insert_rows(engine, problem_row(shop, "stock.several", key="stock.several", id=4711, **about))
    async with engine.begin() as tx:
        await tx.execute(text("""UPDATE shops SET settings = '{"stock.write": true}'"""))
    home = await enter(shop)

    listed = (await browser.get(f"{home}problems")).text
    page = html.unescape((await browser.get(f"{home}question?id=4711")).text)
    file = (await browser.get(f"{home}question.csv?id=4711")).text
    late = await browser.get(f"{home}question?id=4712")

    assert "question?id=4711" in listed
    assert 'name="only" value="4711"' not in listed, "no single click"
    assert EN.get("ui.dry_run.stock", count=20, zeroed=20, matched=20) in page
    assert f">{EN.get('ui.approve.stock.several', count=20, zeroed=20)}<" in page
    assert page.count('<td class="number">7</td><td class="number"><strong>0</strong>') == 20
    assert file.count('"7";"0"') == 20
    assert said_by(late) == f"{home}problems?said=decided"


async def test_numbers_that_move_before_they_are_agreed_to_are_shown_again(
    browser: httpx.AsyncClient, shop: ShopId, enter: Enter, engine: AsyncEngine
) -> None:
    home = await enter(shop)
    form = form_of(await ask(browser, home, stock__write="true"))
    async with engine.begin() as tx:
        await tx.execute(text("UPDATE skus SET available_from_stock = 7 WHERE sku_id = 100"))

    again = html.unescape((await browser.post(f"{home}rules", data=form)).text)

    assert EN.get("ui.said.moved") in again
    assert EN.get("ui.dry_run.stock", count=19, zeroed=19, matched=20) in again
    assert (await saved(engine, shop), await waiting(engine)) == ({}, {})


async def test_orders_that_begin_or_stop_to_be_sent_and_products_to_be_created_are_counted(
    browser: httpx.AsyncClient, shop: ShopId, enter: Enter, engine: AsyncEngine
) -> None:
    home = await enter(shop)

    orders = await ask(browser, home, uphance__order_statuses="9")
    products = (await browser.post(f"{home}rules", data=PRODUCTS)).text
    file = (await browser.get(f"{home}rules/changes.csv?uphance.order_statuses=9&only=orders_stop")).text
    await browser.post(f"{home}rules", data=form_of(orders))

    assert EN.get("ui.dry_run.orders_begin", count=2, system="Uphance") in orders
    assert EN.get("ui.dry_run.orders_stop", count=3, system="Uphance") in orders
    assert EN.get("ui.dry_run.create_products", count=2, variants=2) in html.unescape(products)
    sent, not_sent = (EN.get(f"ui.decision.{side}") for side in ("sent", "not_sent"))
    assert orders.count(f'<td class="number">{not_sent}</td><td class="number"><strong>{sent}</strong>') == 2
    assert orders.count(f'<td class="number">{sent}</td><td class="number"><strong>{not_sent}</strong>') == 3
    assert orders.count("order?number=") == 5
    assert file.count(f'"{sent}";"{not_sent}"') == 3
    assert products.count(f"<strong>{EN.get('ui.decision.made')}</strong>") == 2
    assert await saved(engine, shop) == {"uphance.order_statuses": [9]}
