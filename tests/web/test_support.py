"""What support has to know: read by the merchant first, and without names, numbers and secrets."""

import html
import re
from dataclasses import replace
from datetime import timedelta

import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.support.clock import NOON
from tests.support.pages import EN, ORIGIN, Enter, browser_of, pages_app
from tests.support.rows import (
    change_row,
    connection_row,
    cursor_row,
    delivery_row,
    document_row,
    insert_rows,
    lane_row,
    order_event_row,
    order_row,
    problem_row,
    run_row,
    sku_row,
    variant_row,
)
from tests.support.shops import MakeShop
from upbridge import __version__
from upbridge.core.i18n import LANGUAGES, Texts
from upbridge.domain.shop_id import ShopId
from upbridge.engine.shop_maintenance import INACTIVE_WEBHOOKS
from upbridge.settings import Settings
from upbridge.web.context import Pages
from upbridge.web.rendering import Rendering
from upbridge.worker_container import WorkerContainer

#: What stands in a field that a shop, a system or a person fills.
PLANTED = "planted-value"


async def _furnished(make_shop: MakeShop, engine: AsyncEngine) -> ShopId:
    """A shop with something in every table that the report looks at, *PLANTED* wherever a text is free."""
    facts = {"company": PLANTED, "email": PLANTED, "rights": {"orders": "deny", "products": PLANTED, "A b": "all"}}
    shop_id = await make_shop(key="garde", facts=facts)
    told = {"account": PLANTED, "prefix": PLANTED, "secret": PLANTED.encode(), "facts": {"user": PLANTED}}
    await insert_rows(
        engine,
        connection_row(shop_id, "uphance", state="broken", reason=PLANTED, **told),
        connection_row(shop_id, "upp", **told),
        *(
            problem_row(
                shop_id, f"{PLANTED}-{number}", key="order.no_channel", params={"c": PLANTED}, message=PLANTED
            )
            for number in range(3)
        ),
        change_row(shop_id, "order", PLANTED, marked_at=NOON - timedelta(minutes=3)),
        document_row(shop_id, "upp", PLANTED, body=PLANTED.encode()),
        delivery_row(shop_id, PLANTED),
        order_row(shop_id, PLANTED),
        order_event_row(shop_id, PLANTED, "delivered", target="upp", detail=PLANTED),
        variant_row(shop_id, 1, code=PLANTED, title=PLANTED),
        sku_row(shop_id, 1, sku_number=PLANTED, name=PLANTED),
        lane_row(shop_id, "pull", "upgates", reason=PLANTED, since=NOON, until=NOON + timedelta(minutes=4)),
        cursor_row(shop_id, INACTIVE_WEBHOOKS, '["order"]', system="upgates"),
    )
    await insert_rows(
        engine, run_row(shop_id, "order", state="done", total=446, done=446, started_at=NOON, finished_at=NOON)
    )
    return shop_id


@pytest.mark.parametrize("language", LANGUAGES)
async def test_the_report_says_how_the_shop_stands_and_nothing_that_a_person_has_typed(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, engine: AsyncEngine, language: str
) -> None:
    home = await enter(await _furnished(make_shop, engine), language)
    texts = Texts(language)

    page = await browser.get(f"{home}support")
    file = await browser.get(f"{home}support.txt")

    shown = re.search(r"<textarea[^>]*>(.*?)</textarea>", page.text, re.DOTALL)
    assert shown is not None
    assert html.unescape(shown[1]) == file.text
    assert file.headers["content-type"] == "text/plain; charset=utf-8"
    assert file.headers["content-disposition"] == 'attachment; filename="upbridge-garde.txt"'
    for said in (
        f"Upbridge {__version__}",
        "garde",
        f"Uphance: {texts.get('ui.connection.broken')}",
        "[order.no_channel → ",
        "[broken]",
        "orders: deny",
        "products: ?",
        texts.get("ui.report.inactive", kind=texts.get("ui.kind.order")),
        f"{texts.number(446)} ",
        "[done]",
    ):
        assert said in file.text, said
    assert PLANTED not in file.text
    assert PLANTED not in page.text.replace(f"<span>{PLANTED}</span>", ""), (
        "but for the shop's name above all pages"
    )


async def test_who_wants_to_write_finds_the_address_and_what_to_paste(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter
) -> None:
    home = await enter(await make_shop(key="garde"))

    page = (await browser.get(f"{home}support")).text

    assert f'href="mailto:support@upbridge.example?subject=Upbridge%20{__version__}%3A%20garde"' in page
    assert EN.get("ui.report.paste") in page
    assert f'href="{home}support"' in (await browser.get(home)).text


async def test_where_no_contact_is_set_the_page_says_where_there_is_one(
    pages: Pages, service: WorkerContainer, make_shop: MakeShop
) -> None:
    bare = Settings(_env_file=None, public_url=ORIGIN)
    told = replace(pages, rendering=Rendering.of(bare, service.systems))
    shop_id = await make_shop()

    async with browser_of(pages_app(told)) as browser:
        opened = await browser.get(await told.ticket_address(shop_id, "en"))
        home = (await browser.get(opened.headers["location"])).text
        ended = (await browser.get("/ui/s/none/")).text

    for page in (home, ended):
        assert EN.get("ui.support.where") in page
        assert "mailto:" not in page
