"""What pages say about themselves."""

import httpx
import pytest

from tests.support.pages import Enter
from tests.support.shops import MakeShop
from tests.support.web_application import Site
from upbridge.web.security_headers import common_headers, page_headers

HEADERS = page_headers(["https://*.upgates.com"])


def test_nothing_inline_and_no_other_origin_may_be_loaded() -> None:
    policy = page_headers(["https://*.upgates.com"])["Content-Security-Policy"]

    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors https://*.upgates.com" in policy


def test_without_a_setting_no_page_may_frame() -> None:
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


# --- every answer -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/livez"),
        ("GET", "/readyz"),
        ("GET", "/metrics"),
        ("GET", "/nowhere"),
        ("DELETE", "/livez"),
        ("POST", "/addon/install"),
        ("POST", "/webhooks/upgates/Orders.create/x"),
        ("POST", "/webhooks/uphance/x"),
        ("GET", "/ui/s/x/"),
        ("GET", "/ui/static/nothing"),
        ("GET", "/ui"),
    ],
)
async def test_every_answer_is_protected(site: Site, method: str, path: str) -> None:
    headers = (await site.client.request(method, path)).headers

    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Permissions-Policy"].startswith("accelerometer=()")
    assert headers["Strict-Transport-Security"] == "max-age=31536000"
    assert ("Cross-Origin-Resource-Policy" in headers) is not path.startswith("/ui")
    assert len(headers.get_list("Content-Security-Policy")) == 1


async def test_a_defect_of_ours_is_protected_as_well(site: Site) -> None:
    container, site.app.state.container = site.app.state.container, None
    answer = await site.client.get("/readyz")
    site.app.state.container = container

    assert (answer.status_code, answer.headers["X-Content-Type-Options"]) == (500, "nosniff")


def test_only_a_service_that_is_reached_by_https_asks_for_it() -> None:
    assert "Strict-Transport-Security" not in common_headers(https=False)
