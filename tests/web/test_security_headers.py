"""What pages say about themselves."""

import httpx
import pytest

from tests.support.pages import Enter
from tests.support.shops import MakeShop
from upbridge.web.security_headers import page_headers

HEADERS = page_headers(["https://*.upgates.com"])


def test_nothing_inline_and_no_other_origin_may_be_loaded() -> None:
    policy = page_headers(["https://*.upgates.com"])["Content-Security-Policy"]

    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors https://*.upgates.com" in policy


def test_without_a_setting_nobody_may_frame() -> None:
    assert "frame-ancestors 'none'" in page_headers([])["Content-Security-Policy"]


@pytest.mark.rule("R20")
def test_no_header_forbids_framing_outright() -> None:
    assert "X-Frame-Options" not in page_headers(["https://*.upgates.com"])


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "TRACE", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("place", ["", "rules", "products.csv", "nowhere"])
async def test_a_refused_method_says_about_itself_what_a_page_says(
    browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, method: str, place: str
) -> None:
    answer = await browser.request(method, f"{await enter(await make_shop())}{place}")

    assert 400 <= answer.status_code < 500
    assert answer.headers["content-type"].startswith("text/html")
    assert dict(answer.headers) | {name.lower(): value for name, value in HEADERS.items()} == dict(answer.headers)
