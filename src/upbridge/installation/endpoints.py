"""POST /addon/install, /open, /uninstall, /version: read the body, call the service, shape the answer (R1).

The container has the `InstallationService`. Statuses and bodies:
docs/vendors/upgates.md#the-signed-calls.
"""

from collections.abc import Callable, Coroutine, Mapping
from typing import Annotated, Any, Protocol

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute

from upbridge.core.bodies import request_body
from upbridge.core.bounded_json import loads
from upbridge.core.bounds import SIGNED_CALL
from upbridge.core.errors import BadRequest, NotReady, Refused, TooLarge
from upbridge.installation.service import Answer, InstallationService

_NO_STORE = {"Cache-Control": "no-store"}


class _Route(APIRoute):
    """Turns expected errors into a status and `{"error", "detail"}`."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def guarded(request: Request) -> Response:
            try:
                return await handle(request)
            except (Refused, NotReady) as error:
                return JSONResponse(
                    {"error": error.code, "detail": str(error)}, status_code=error.status, headers=_NO_STORE
                )

        return guarded


router = APIRouter(prefix="/addon", tags=["installation"], route_class=_Route)


class _Container(Protocol):
    @property
    def installation(self) -> InstallationService: ...


async def _service(request: Request) -> InstallationService:
    container: _Container = request.app.state.container
    return container.installation


Service = Annotated[InstallationService, Depends(_service)]


@router.post("/install")
async def install(request: Request, service: Service) -> JSONResponse:
    """A client activates the add-on, or does so again."""
    return _answer(await service.install(await _body(request)))


@router.post("/open")
async def open_pages(request: Request, service: Service) -> JSONResponse:
    """A client opens the add-on in the admin."""
    url = await service.open(await _body(request))
    return JSONResponse({"url": url, "type": "iframe"}, headers=_NO_STORE)


@router.post("/uninstall")
async def uninstall(request: Request, service: Service) -> JSONResponse:
    """A client has deactivated the add-on."""
    return _answer(await service.uninstall(await _body(request)))


@router.post("/version")
async def version(request: Request, service: Service) -> JSONResponse:
    """A client moves to another version of the add-on."""
    return _answer(await service.version(await _body(request)))


def _answer(answer: Answer) -> JSONResponse:
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
