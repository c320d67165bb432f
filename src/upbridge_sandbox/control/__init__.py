"""The control API: everything that a test or a demo wants to do to the simulated systems, as JSON.

docs/sandbox.md lists the calls. Nothing here is part of any simulated vendor.
"""

from typing import Any

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp

from upbridge_sandbox.asgi.call import Call
from upbridge_sandbox.asgi.routing import Operation, application
from upbridge_sandbox.control import shop_data, shops, simulation, targets
from upbridge_sandbox.control.context import Context, Missing
from upbridge_sandbox.marketplace import NoAddon
from upbridge_sandbox.uphance.sales import NotAcceptable

PREFIX = "/control"


def control_api(context: Context) -> ASGIApp:
    """The application below `/control`; bad input is a 4xx that says what is wrong."""
    calls = (
        *simulation.SimulationControls(context).operations(),
        *shops.ShopControls(context).operations(),
        *shop_data.ShopDataControls(context).operations(),
        *targets.TargetControls(context).operations(),
    )
    routes = [Operation(method, path, handler, prefix=PREFIX) for method, path, handler in calls]
    return application(
        routes,
        {
            HTTPException: lambda _call, error: _error("no such control call", error.status_code),
            Missing: lambda _call, error: _error(f"there is no {error}", 404),
            NoAddon: lambda _call, error: _error(str(error), 409),
            **dict.fromkeys((ValueError, KeyError, TypeError, NotAcceptable), _bad_input),
        },
    )


def _bad_input(_call: Call, error: Any) -> Response:
    return _error(f"{type(error).__name__}: {error}", 400)


def _error(text: str, status: int) -> Response:
    return JSONResponse({"error": text}, status)
