"""A span for each request: its method and route, never its address.

An address may carry a ticket, a session or the secret of a webhook.
"""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from upbridge.core.telemetry.tracing import traced

_FAILED = 500


class TracedRequests:
    """The application *app*, with a span around each request; there only where traces are switched on."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = _FAILED

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = int(message["status"])
            await send(message)

        with traced("request") as span:
            try:
                await self._app(scope, receive, sending)
            finally:
                route = _route(scope)
                span.update_name(f"{scope['method']} {route}")
                span.set_attribute("http.route", route)
                span.set_attribute("http.response.status_code", status)


def _route(scope: Scope) -> str:
    """The route as it is declared, with the names of its variables; where there is none, its function."""
    path = getattr(scope.get("route"), "path", None)
    if isinstance(path, str):
        return path
    return str(getattr(scope.get("endpoint"), "__name__", "no route"))
