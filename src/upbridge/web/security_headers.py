"""What every page says about itself: who may frame it, what it may load, and that none of it is stored."""

from collections.abc import Mapping, Sequence

from starlette.responses import Response


def page_headers(frame_ancestors: Sequence[str]) -> dict[str, str]:
    """The headers of a page: no inline script or style, no other origin, no cache, no referrer.

    There is no `X-Frame-Options`: it cannot name the admin's host, and `frame-ancestors` says it better (R20).
    """
    policy = {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self'",
        "connect-src": "'self'",
        "form-action": "'self'",
        "base-uri": "'none'",
        "frame-ancestors": " ".join(frame_ancestors) or "'none'",
    }
    return {
        "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
        "X-Robots-Tag": "noindex",
    }


def protect(response: Response, headers: Mapping[str, str]) -> Response:
    """*response* with *headers*, except what it says itself."""
    for name, value in headers.items():
        response.headers.setdefault(name, value)
    return response
