"""Two shops never see each other: over every route that the pages have, also one that is added tomorrow."""

import re
from datetime import timedelta
from typing import Any

import httpx
import pytest
from fastapi.routing import APIRoute
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.support.clock import NOON
from tests.support.pages import EN, Enter
from tests.support.rows import (
    change_row,
    connection_row,
    delivery_row,
    document_row,
    insert_rows,
    link_row,
    order_event_row,
    order_row,
    problem_row,
    run_row,
    sku_row,
    variant_row,
)
from tests.support.shops import MakeShop
from upbridge.core.encryption import Cipher
from upbridge.domain.shop_id import ShopId
from upbridge.store import schema
from upbridge.store.changes import PageKey
from upbridge.web import routes
from upbridge.web.context import Pages

MINE, THEIRS = "MINE-7", "THEIRS-7"
_SESSION = "/ui/s/{session}"


def _routes(router: Any) -> list[tuple[str, str]]:
    """Every (method, path) of *router*, those of included routers too."""
    found = []
    for route in router.routes:
        if isinstance(route, APIRoute):
            found += [(method, route.path) for method in sorted(route.methods or ())]
        elif hasattr(route, "routes"):
            found += _routes(route)
        elif (inner := getattr(route, "original_router", None)) is not None:
            found += _routes(inner)
    return found


ROUTES = [
    (method, path if path.startswith("/ui") else f"/ui{path}")
    for method, path in _routes(routes.router)
    if "{session}" in path
]


async def furnish(engine: AsyncEngine, cipher: Cipher, shop_id: ShopId, mark: str) -> int:
    """Rows of every kind that say *mark*; returns the number of a problem."""
    for system in ("upp", "uphance"):
        channels = [{"id": 3, "name": mark, "currency": "CZK"}]
        facts = {"organisation": {"name": mark}, "channels": channels, "seasons": [{"id": 1, "name": mark}]}
        await insert_rows(engine, connection_row(shop_id, system, account="7", facts=facts))
        await insert_rows(engine, link_row(shop_id, system, mark, remote_id=mark))
        body = cipher.encrypt(f'{{"order_number": "{mark}"}}'.encode())
        await insert_rows(engine, document_row(shop_id, system, mark, state="parked", body=body))
        await insert_rows(engine, problem_row(shop_id, mark, target=system, params={"said": mark}))
        told = {"target": system, "detail": mark, "since": NOON - timedelta(seconds=5)}
        await insert_rows(engine, order_event_row(shop_id, mark, "delivered", **told))
    await insert_rows(engine, order_row(shop_id, mark))
    await insert_rows(engine, variant_row(shop_id, 1, code=mark, title=mark))
    await insert_rows(engine, sku_row(shop_id, 1, sku_number=mark, name=mark))
    await insert_rows(engine, delivery_row(shop_id, mark))
    await insert_rows(engine, run_row(shop_id, "product", total=10, done=1))
    async with engine.connect() as connected:
        run_id = await connected.scalar(select(schema.runs.c.id).where(schema.runs.c.shop_id == shop_id))
        number = await connected.scalar(select(schema.problems.c.id).where(schema.problems.c.shop_id == shop_id))
    page = change_row(shop_id, "products.page", str(PageKey(int(run_id or 0), 2)), origin="import", priority=5)
    await insert_rows(engine, page)
    return int(number or 0)


async def everything_of(engine: AsyncEngine, shop_id: ShopId) -> dict[str, list[Any]]:
    """All rows of a shop, its sessions apart."""
    rows = {}
    async with engine.connect() as connected:
        for table in schema.metadata.sorted_tables:
            column = table.c.id if table is schema.shops else table.c.get("shop_id")
            if column is not None and table is not schema.sessions:
                found = await connected.execute(select(table).where(column == shop_id))
                rows[table.name] = sorted(map(repr, found.all()))
    return rows


def test_the_walk_finds_every_page_and_every_form() -> None:
    source = {path for _, path in ROUTES}

    assert {f"{_SESSION}/{place}" for place in ("overview", "rules", "problems/retry", "import/pause")} <= source
    assert len(ROUTES) >= 20


@pytest.mark.rule("R25", "R27")
@pytest.mark.parametrize(("method", "path"), ROUTES, ids=lambda value: value.removeprefix(_SESSION) or "/")
async def test_no_route_shows_or_changes_anything_of_another_shop(  # noqa: PLR0917
    browser: httpx.AsyncClient,
    make_shop: MakeShop,
    enter: Enter,
    engine: AsyncEngine,
    cipher: Cipher,
    method: str,
    path: str,
) -> None:
    facts = {"company": MINE, "currencies": {"cs": "CZK"}}
    mine = await make_shop(key="mine", facts=facts)
    theirs = await make_shop(key="theirs", facts={**facts, "company": THEIRS})
    await furnish(engine, cipher, mine, MINE)
    problem_id = await furnish(engine, cipher, theirs, THEIRS)
    home = await enter(mine)
    before = await everything_of(engine, theirs)
    address = re.sub(r"\{system\}", "uphance", path.replace(f"{_SESSION}", home.rstrip("/")))
    # Everything that a form or a query may name is the other shop's.
    fields = {
        "id": str(problem_id),
        "q": THEIRS,
        "kind": "order",
        "key": THEIRS,
        "target": "uphance",
        "number": THEIRS,
        "show": "code",
        "address": "orders",
        "shop": str(theirs),
        "shop_id": str(theirs),
        "system": "uphance",
        "uphance.season": "1",
    }

    sent = {"data": fields} if method == "POST" else {"params": fields}
    answer = await browser.request(method, address, **sent)  # type: ignore[arg-type]

    assert answer.status_code in {200, 204, 303, 404, 410, 422}  # 410: the session was ended
    # The search says what was typed: in its box, and when it found nothing. So does the way to another language.
    typed = (f'value="{THEIRS}"', EN.get("ui.find.nothing", wanted=THEIRS))
    page = re.sub(r'name="address" value="[^"]*"', "", answer.text)
    said = page.replace(typed[0], "").replace(typed[1], "")
    assert THEIRS not in said
    assert "theirs" not in said
    assert await everything_of(engine, theirs) == before


@pytest.mark.rule("R27")
async def test_a_ticket_and_a_session_open_one_shop_and_nothing_in_each_other_s_place(
    browser: httpx.AsyncClient, make_shop: MakeShop, pages: Pages
) -> None:
    mine, theirs = await make_shop(key="mine"), await make_shop(key="theirs")
    tickets = {key: await pages.ticket_address(shop, "en") for key, shop in (("mine", mine), ("theirs", theirs))}
    homes = {key: (await browser.get(ticket)).headers["location"] for key, ticket in tickets.items()}

    for key, home in homes.items():
        assert f"<code>{key}</code>" in (await browser.get(home)).text
        session = home.removeprefix("/ui/s/").rstrip("/")
        ticket = tickets[key].rpartition("/")[2]
        assert (await browser.get(f"/ui/open/{session}")).status_code == 410
        assert (await browser.get(f"/ui/s/{ticket}/")).status_code == 410
        assert (await browser.get(tickets[key])).status_code == 410
