"""A guard's question: what it holds is shown before it goes, and exactly that goes."""

import html
import json
import re

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.support.pages import EN, Enter, said_by
from tests.support.rows import document_row, insert_rows, problem_row, variant_row
from tests.support.shops import MakeShop
from upbridge.core.encryption import Cipher
from upbridge.domain.history import What
from upbridge.domain.shop_id import ShopId
from upbridge.store import history
from upbridge.web.proposals import LISTED
from upbridge.worker_container import WorkerContainer

HELD = 60
GUARD, NUMBER = "stock.guard", 4711


@pytest.fixture
async def shop(make_shop: MakeShop, engine: AsyncEngine, cipher: Cipher) -> ShopId:
    """A run would set 60 numbers to zero."""
    shop_id = await make_shop()
    about = {"kind": "stock", "target": "upgates"}
    tally = {"changed": HELD, "matched": HELD, "zeroed": HELD, "percent": 30}
    await insert_rows(engine, problem_row(shop_id, GUARD, key=GUARD, id=NUMBER, params=tally, **about))
    for place in range(HELD):
        number = 1000 + place
        body = json.dumps({"code": f"C{number}", "written": 0}).encode()
        parked = {"state": "parked", "reason": GUARD, "hash": f"{number}".encode()}
        row = document_row(
            shop_id, about["target"], f"v-{number}", kind="stock", body=cipher.encrypt(body), **parked
        )
        await insert_rows(engine, row, variant_row(shop_id, number, code=f"C{number}", stock=7))
    return shop_id


async def seen(browser: httpx.AsyncClient, address: str) -> str:
    answer = await browser.get(address)
    assert answer.status_code == 200
    return html.unescape(answer.text)


async def states(engine: AsyncEngine, shop_id: ShopId) -> set[str]:
    async with engine.connect() as tx:
        return set(await tx.scalars(text("SELECT state FROM documents WHERE shop_id = :id"), {"id": shop_id}))


def hidden(page: str, action: str) -> dict[str, str]:
    """The fields of the form with that *action*."""
    form = page.partition(f'{action}"')[2].partition("</form>")[0]
    return dict(re.findall(r'name="(\w+)" value="([^"]*)"', form))


async def test_what_a_guard_holds_is_shown_asked_for_twice_and_then_sent(
    browser: httpx.AsyncClient, shop: ShopId, enter: Enter, engine: AsyncEngine, service: WorkerContainer
) -> None:
    home = await enter(shop)
    assert f"decision?id={NUMBER}" in await seen(browser, f"{home}problems")

    page = await seen(browser, f"{home}decision?id={NUMBER}")
    file = (await browser.get(f"{home}decision.csv?id={NUMBER}")).text
    asked = re.search(r"decision\?id=4711&seen=\w+", page)
    assert asked
    sure = await seen(browser, f"{home}{asked[0]}")
    answer = await browser.post(f"{home}decision/yes", data=hidden(sure, "decision/yes"))

    assert page.count('<td class="number">7</td><td class="number"><strong>0</strong>') == LISTED
    assert file.count('"7";"0"') == HELD
    yes = EN.get("ui.approve.stock.guard", count=HELD, zeroed=HELD)
    assert f">{yes}…<" in page
    assert "decision/yes" not in page
    assert EN.get("ui.sure.stock.guard", count=HELD, zeroed=HELD) in sure
    assert f">{yes}<" in sure
    assert EN.get("ui.said.approved", count=HELD) in await seen(browser, answer.headers["location"])
    assert await states(engine, shop) == {"waiting"}
    assert await service.problems.open(shop) == []
    async with engine.connect() as tx:
        (told,) = await history.latest(tx, shop, limit=1)
    assert (told.what, told.subject, told.details["count"]) == (What.APPROVED, GUARD, HELD)


async def test_numbers_that_move_after_they_were_shown_are_shown_again_and_not_written(
    browser: httpx.AsyncClient, shop: ShopId, enter: Enter, engine: AsyncEngine
) -> None:
    home = await enter(shop)
    asked = re.search(r"decision\?id=\d+&seen=\w+", await seen(browser, f"{home}decision?id={NUMBER}"))
    assert asked
    fields = hidden(await seen(browser, f"{home}{asked[0]}"), "decision/yes")
    async with engine.begin() as tx:
        await tx.execute(text("UPDATE documents SET hash = 'other' WHERE key = 'v-1003'"))

    answer = await browser.post(f"{home}decision/yes", data=fields)
    late = await browser.get(f"{home}{asked[0]}")

    assert EN.get("ui.said.moved") in await seen(browser, answer.headers["location"])
    assert said_by(late) == said_by(answer)
    assert await states(engine, shop) == {"parked"}


async def test_changes_that_no_key_opens_are_said_to_be_so_and_can_only_be_declined(
    browser: httpx.AsyncClient, shop: ShopId, enter: Enter, engine: AsyncEngine
) -> None:
    home = await enter(shop)
    async with engine.begin() as tx:
        await tx.execute(text("UPDATE documents SET body = 'lost' WHERE key = 'v-1003'"))

    page = await seen(browser, f"{home}decision?id={NUMBER}")
    file = (await browser.get(f"{home}decision.csv?id={NUMBER}")).text
    await browser.post(f"{home}decision/no", data={"id": str(NUMBER)})

    assert EN.get("ui.decision.sealed") in page
    assert "&seen=" not in page
    assert file.count('"7";"0"') == HELD - 1
    assert await states(engine, shop) == set()


async def test_what_is_not_wanted_is_not_sent_and_a_late_answer_is_said_to_be_late(
    browser: httpx.AsyncClient, shop: ShopId, enter: Enter, engine: AsyncEngine
) -> None:
    home = await enter(shop)

    answer = await browser.post(f"{home}decision/no", data={"id": str(NUMBER)})
    late = await browser.post(f"{home}decision/yes", data={"id": str(NUMBER)})

    assert EN.get("ui.said.declined", count=HELD) in await seen(browser, answer.headers["location"])
    assert EN.get("ui.said.decided") in await seen(browser, late.headers["location"])
    assert await states(engine, shop) == set()


async def test_a_guard_is_not_answered_among_other_problems(
    browser: httpx.AsyncClient, shop: ShopId, enter: Enter, engine: AsyncEngine
) -> None:
    home = await enter(shop)

    for action in ("retry", "by-hand"):
        await browser.post(f"{home}problems/{action}", data={"id": str(NUMBER)})
        await browser.post(f"{home}problems/{action}", data={"key": GUARD, "target": "upgates", "kind": "stock"})

    assert await states(engine, shop) == {"parked"}


async def test_products_that_would_go_off_sale_are_named(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, engine: AsyncEngine, cipher: Cipher
) -> None:
    shop_id, guard = await make_shop(), "catalogue.guard"
    about = {"kind": "product", "target": "upp"}
    tally = {"off": 1, "on_sale": 2, "percent": 30}
    parked = {"state": "parked", "reason": guard, "body": cipher.encrypt(b"{}")}
    await insert_rows(
        engine,
        problem_row(shop_id, guard, key=guard, id=NUMBER, params=tally, **about),
        document_row(shop_id, "upp", "v-7", kind="product", **parked),
        variant_row(shop_id, 7, code="C7", title="Ribbon"),
    )

    page = await seen(browser, f"{await enter(shop_id)}decision?id={NUMBER}")

    assert "Ribbon" in page
    assert EN.get("ui.decision.off_sale") in page
