"""What answers say about themselves: who may frame them, what they may load, and that none of it is stored."""

from collections.abc import Mapping, Sequence

from fastapi import FastAPI
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import Message, Receive, Scope, Send

from upbridge.web.direct_routes import DirectRoutes

#: What no page needs.
_NO_FEATURES = ", ".join(
    f"{name}=()"
    for name in (
        *("accelerometer", "camera", "display-capture", "geolocation", "gyroscope", "magnetometer", "microphone"),
        *("midi", "payment", "publickey-credentials-get", "screen-wake-lock", "serial", "usb"),
    )
)
#: Seconds for which a browser that has seen us by https asks by nothing else.
_HSTS_SECONDS = 365 * 24 * 3600
_PAGES = "/ui"


def common_headers(*, https: bool) -> dict[str, str]:
    """The headers of every answer; *https*: that is how the service is reached.

    Only those that a page in a frame of the admin can live with: `Cross-Origin-Opener-Policy` has no effect there.
    """
    headers = {
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Permissions-Policy": _NO_FEATURES,
        "Cross-Origin-Opener-Policy": "same-origin",
    }
    if https:
        headers["Strict-Transport-Security"] = f"max-age={_HSTS_SECONDS}"
    return headers


def headers_outside_pages(common: Mapping[str, str]) -> dict[str, str]:
    """The headers of what is no page: it belongs into no other site, no frame and no cache.

    Pages say no `Cross-Origin-Resource-Policy`: where the admin puts them into a sandboxed frame they have no
    origin, and a browser would not load their own script.
    """
    return {
        **common,
        "Cross-Origin-Resource-Policy": "same-origin",
        "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
        "Cache-Control": "no-store",
    }


class ProtectedApp(FastAPI):
    """An application whose every answer has the headers, that to an error of its own among them.

    No middleware: the answer to an error is made outside of all of them, and this costs a webhook less.
    """

    _direct: DirectRoutes | None = None

    def protect_with(self, common: Mapping[str, str]) -> None:
        """Send *common* with each answer."""
        self._pages = _raw(common)
        self._others = _raw(headers_outside_pages(common))

    def answer_directly(self, prefix: str, routes: Sequence[BaseRoute]) -> None:
        """Answer those of *routes* that are below *prefix* before all layers (decision 0008)."""
        self._direct = DirectRoutes(self, prefix, routes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or the life of the process."""
        if scope["type"] != "http":
            await super().__call__(scope, receive, send)
            return
        path = scope["path"]
        page = path == _PAGES or path.startswith(_PAGES + "/")
        wanted = self._pages if page else self._others

        async def protected(message: Message) -> None:
            if message["type"] == "http.response.start":
                said = {name for name, _ in message["headers"]}
                message["headers"] = [*message["headers"], *(one for one in wanted if one[0] not in said)]
            await send(message)

        endpoint = None if self._direct is None else self._direct.endpoint(scope)
        if self._direct is None or endpoint is None:
            await super().__call__(scope, receive, protected)
        else:
            await self._direct.answer(endpoint, scope, receive, protected)


def _raw(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode("ascii"), value.encode("ascii")) for name, value in headers.items()]


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
