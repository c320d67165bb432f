"""Routes that an application answers before its layers: what has to be quick, and needs none of them."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeAlias

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, Route
from starlette.types import Receive, Scope, Send

Endpoint: TypeAlias = Callable[[Request], Awaitable[Response]]
_Handler: TypeAlias = Callable[[Request, Exception], Awaitable[Response]]


class DirectRoutes:
    """Some routes of *application*, below one address.

    They stay in its table of routes, which answers what is none of their calls: another method, an unknown path.
    Errors are answered by the application's own handlers.
    """

    def __init__(self, application: Starlette, prefix: str, routes: Sequence[BaseRoute]) -> None:
        self._application = application
        self._prefix = prefix
        self._routes = [route for route in routes if isinstance(route, Route) and route.path.startswith(prefix)]

    def endpoint(self, scope: Scope) -> Endpoint | None:
        """What answers the call of *scope*, which then knows its route's variables; None: none of these routes."""
        if scope["path"].startswith(self._prefix):
            for route in self._routes:
                match, variables = route.matches(scope)
                if match is Match.FULL:
                    scope.update(variables, app=self._application)
                    endpoint: Endpoint = route.endpoint
                    return endpoint
        return None

    async def answer(self, endpoint: Endpoint, scope: Scope, receive: Receive, send: Send) -> None:
        """Send what *endpoint* answers."""
        request = Request(scope, receive, send)
        try:
            response = await endpoint(request)
        except Exception as error:  # noqa: BLE001 - the last of the handlers takes every one
            response = await self._handler(error)(request, error)
        await response(scope, receive, send)

    def _handler(self, error: Exception) -> _Handler:
        handlers: Mapping[Any, _Handler] = self._application.exception_handlers
        return next(handlers[kind] for kind in type(error).__mro__ if kind in handlers)
