"""What pages say about themselves."""

import pytest

from upbridge.pages.headers import page_headers


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
