"""The operations of an API: method and path to a handler that takes a `Call` and returns JSON or a response."""

import inspect
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeAlias

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from upbridge_sandbox.asgi.call import Call

Handler: TypeAlias = Callable[[Call], Any]
"""Answers a call: at once, or with something to wait for."""
ErrorHandler: TypeAlias = Callable[[Call, Any], Response]


class Refused(Exception):
    """The system does not carry out the call; *response* says so to its caller."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status_code)
        self.response = response


class Operation(Route):
    """One operation: exactly its method, its path with or without a slash at the end.

    The call is named after it as *prefix* and *path* say, which is how the call log counts.
    """

    def __init__(self, method: str, path: str, handler: Handler, *, prefix: str = "") -> None:
        async def endpoint(request: Request) -> Response:
            call = call_of(request)
            call.operation = f"{method} {prefix}{path}"
            answer = handler(call)
            return as_response(await answer if inspect.isawaitable(answer) else answer)

        super().__init__(path, endpoint)
        self.methods = {method}
        self.path_regex = re.compile(f"{self.path_regex.pattern.removesuffix('$')}/?$")


def call_of(request: Request) -> Call:
    """The call that a request of Starlette's own belongs to; `Recorded` made it."""
    call: Call = request.scope["call"]
    return call


def as_response(answer: Any) -> Response:
    """*answer* itself if it is a response, else 200 with it as JSON, an empty object for None."""
    return answer if isinstance(answer, Response) else JSONResponse({} if answer is None else answer)


def application(routes: Sequence[BaseRoute], errors: Mapping[type[Exception], ErrorHandler]) -> Starlette:
    """*routes*, with the answer to each kind of error. `Refused` needs no entry: it carries its answer."""

    def adapted(handler: ErrorHandler) -> Callable[[Request, Exception], Awaitable[Response]]:
        async def handle(request: Request, error: Exception) -> Response:
            return handler(call_of(request), error)

        return handle

    handlers: dict[type[Exception], ErrorHandler] = {Refused: lambda _call, error: error.response, **errors}
    app = Starlette(routes=routes, exception_handlers={kind: adapted(one) for kind, one in handlers.items()})
    app.router.redirect_slashes = False
    return app
