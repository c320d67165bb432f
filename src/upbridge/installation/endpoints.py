"""POST /addon/install, /open, /uninstall, /version: read the body, call the service, shape the answer (R1).

The container has the `InstallationService`. Statuses and bodies:
docs/vendors/upgates.md#the-signed-calls.
"""

import functools
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from upbridge.core.bounded_json import loads
from upbridge.core.bounds import SIGNED_CALL
from upbridge.core.errors import BadRequest, NotReady, Refused, TooLarge
from upbridge.core.request_bodies import request_body
from upbridge.installation.service import InstallationAnswer, InstallationService

_NO_STORE = {"Cache-Control": "no-store"}


router = APIRouter()


class _Container(Protocol):
    @property
    def installation(self) -> InstallationService: ...


async def install(request: Request) -> Response:
    """A client activates the add-on, or does so again."""
    return _answer(await _service(request).install(await _body(request)))


async def open_pages(request: Request) -> Response:
    """A client opens the add-on in the admin."""
    url = await _service(request).open(await _body(request))
    return JSONResponse({"url": url, "type": "iframe"}, headers=_NO_STORE)


async def uninstall(request: Request) -> Response:
    """A client has deactivated the add-on."""
    return _answer(await _service(request).uninstall(await _body(request)))


async def version(request: Request) -> Response:
    """A client moves to another version of the add-on."""
    return _answer(await _service(request).version(await _body(request)))


def _guarded(handle: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    """*handle*, with expected errors as a status and `{"error", "detail"}`."""

    @functools.wraps(handle)
    async def guarded(request: Request) -> Response:
        try:
            return await handle(request)
        except (Refused, NotReady) as error:
            return JSONResponse(
                {"error": error.code, "detail": str(error)}, status_code=error.status, headers=_NO_STORE
            )

    return guarded


# Starlette's own routes: any caller reaches them, and FastAPI's search for what to inject and to validate was half
# of what a bad signature cost.
for _path, _handle in (
    ("/addon/install", install),
    ("/addon/open", open_pages),
    ("/addon/uninstall", uninstall),
    ("/addon/version", version),
):
    router.add_route(_path, _guarded(_handle), methods=["POST"])


def _service(request: Request) -> InstallationService:
    container: _Container = request.app.state.container
    return container.installation


def _answer(answer: InstallationAnswer) -> JSONResponse:
    return JSONResponse({"error": answer.error, "message": answer.message}, headers=_NO_STORE)


async def _body(request: Request) -> Mapping[str, Any]:
    """The body as a JSON object. Raises `TooLarge` beyond its bytes and `BadRequest` for anything else."""
    body = await request_body(request, SIGNED_CALL)
    try:
        value = loads(body, SIGNED_CALL, constants=False)
    except TooLarge as error:
        raise BadRequest(str(error)) from None
    if not isinstance(value, dict):
        raise BadRequest("the body is not a JSON object")
    return value
