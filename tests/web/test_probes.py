"""What strangers and staff try on every service, and what it brings here: nothing."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.support.pages import Enter
from tests.support.raw_http import answer_204, web_server
from tests.support.shops import MakeShop
from tests.support.web_application import Site
from upbridge.domain.shop_id import ShopId
from upbridge.web.context import Pages


@pytest.mark.parametrize(
    "path", ["/docs", "/redoc", "/openapi.json", "/.env", "/ui/static/..%2f..%2fetc%2fpasswd"]
)
async def test_nothing_is_served_that_was_not_meant(site: Site, path: str) -> None:
    assert (await site.client.get(path)).status_code == 404


@pytest.mark.parametrize(
    "typed", ["<script>alert(1)</script>", "{{7*7}}", "{0.__class__}", '"onmouseover="x', "a\r\nX-Evil: 1"]
)
async def test_what_is_typed_is_shown_as_it_was_typed_and_does_nothing(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, typed: str
) -> None:
    home = await enter(ShopId(await make_shop()))

    shown = await browser.get(f"{home}find", params={"q": typed})
    led = await browser.post(f"{home}find/again", data={"key": "1", "q": typed})

    assert shown.status_code == 200
    for inert in ("<script>alert", ">49<", "<class", '"onmouseover'):
        assert inert not in shown.text
    assert "x-evil" not in {**shown.headers, **led.headers}
    assert str(led.headers["location"]).startswith(home)


async def test_who_only_asks_for_the_head_does_not_use_up_a_ticket(
    browser: httpx.AsyncClient, make_shop: MakeShop, pages: Pages
) -> None:
    ticket = await pages.ticket_address(ShopId(await make_shop()), "en")

    assert (await browser.head(ticket)).status_code in {404, 405}
    assert (await browser.get(ticket)).status_code == 303


_INSIDE = b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
_HEAD = b"POST / HTTP/1.1\r\nHost: x\r\n"


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(
            _HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + _INSIDE,
            id="two ways to say how long",
        ),
        pytest.param(
            _HEAD + b"Content-Length: 0\r\nContent-Length: %d\r\n\r\n" % len(_INSIDE) + _INSIDE, id="two lengths"
        ),
        pytest.param(_HEAD + b"Content-Length: 0, 40\r\n\r\n" + _INSIDE, id="a list of lengths"),
        pytest.param(_HEAD + b"Content-Length: +0\r\n\r\n" + _INSIDE, id="a length with a sign"),
        pytest.param(_HEAD + b"Content-Length : 0\r\n\r\n" + _INSIDE, id="a blank before the colon"),
        pytest.param(
            _HEAD + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n" + _INSIDE,
            id="chunks that are not last",
        ),
        pytest.param(
            _HEAD + b"Transfer-Encoding: chunked\r\n\r\n10000000000000000\r\n\r\n" + _INSIDE,
            id="a chunk beyond all numbers",
        ),
        pytest.param(
            _HEAD + b"Transfer-Encoding: chunked\r\n\r\n0x0\r\n\r\n" + _INSIDE, id="a chunk in another spelling"
        ),
    ],
)
async def test_a_request_whose_end_is_in_doubt_smuggles_no_other_in(sent: bytes) -> None:
    paths: list[str] = []

    async def app(scope: Any, receive: Callable[[], Any], send: Callable[[Any], Any]) -> None:
        paths.append(scope["path"])
        await answer_204(scope, receive, send)

    async with web_server(app) as server:
        client = await server.connect()
        await client.send(sent)
        status = await client.answer()

        assert status in {400, 0}, "a proxy in front may have read it otherwise"
        assert "/smuggled" not in paths
        assert await server.genuine() == 204
