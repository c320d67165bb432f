"""What pages say about themselves, and how their paths are logged."""

import pytest

from upbridge.pages.headers import masked_path, page_headers


def test_nothing_inline_and_no_other_origin_may_be_loaded() -> None:
    policy = page_headers(["https://*.upgates.com"])["Content-Security-Policy"]

    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors https://*.upgates.com" in policy


def test_without_a_setting_nobody_may_frame() -> None:
    assert "frame-ancestors 'none'" in page_headers([])["Content-Security-Policy"]


def test_no_header_forbids_framing_outright() -> None:
    assert "X-Frame-Options" not in page_headers(["https://*.upgates.com"])


@pytest.mark.parametrize(
    ("path", "logged"),
    [
        ("/ui/open/abc", "/ui/open/…"),
        ("/ui/s/abc/", "/ui/s/…/"),
        ("/ui/s/abc/progress", "/ui/s/…/progress"),
        ("/ui/s/abc", "/ui/s/…"),
        ("/ui/static/pages.css", "/ui/static/pages.css"),
        ("/addon/open", "/addon/open"),
    ],
)
def test_a_logged_path_holds_no_ticket_and_no_session(path: str, logged: str) -> None:
    assert masked_path(path) == logged
