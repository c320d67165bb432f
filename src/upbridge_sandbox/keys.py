"""The address that serves Upgates' public signature key (`api.signature.pub.key`)."""

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp

from upbridge_sandbox.asgi.call import Call
from upbridge_sandbox.asgi.routing import Operation, application
from upbridge_sandbox.simulated import simulated
from upbridge_sandbox.state import State

_BINARY = "application/octet-stream"
PATH = "/addons/signature/api.signature.pub.key"


def key_server(state: State) -> ASGIApp:
    """The ASGI application; its faults are those of the system `key`."""

    def not_found(call: Call, _error: HTTPException) -> Response:
        call.operation = f"GET {PATH}"
        return JSONResponse({"error": "not found"}, 404)

    app = application(
        [Operation("GET", PATH, lambda _call: Response(state.signer.public_pem, media_type=_BINARY))],
        {HTTPException: not_found},
    )
    return simulated("key", app, state, caller=lambda call: call.ip)
