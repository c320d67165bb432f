"""One simulated system: its application, and around it what counts, notes and fails its calls."""

from collections.abc import Callable

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp

from upbridge_sandbox.asgi.call import Call
from upbridge_sandbox.asgi.middleware import Busy, Faulty, Recorded
from upbridge_sandbox.state import State


def simulated(
    system: str, app: ASGIApp, state: State, *, caller: Callable[[Call], str], busy: Busy | None = None
) -> ASGIApp:
    """*app* as *system*, with the faults of that name; calls with the same *caller* are counted together."""
    rng = state.rng.of(f"faults-{system}")
    faulty = Faulty(app, faults=state.faults[system], rng=rng, busy=busy, sleep=state.sleep)
    return Recorded(faulty, system=system, call_log=state.call_log, caller=caller)


def not_published(call: Call, error: HTTPException) -> Response:
    """The answer to a call that the vendor has not published; it is noted.

    The root is free: no rule of a vendor forbids to look whether a server is there.
    """
    if call.path != "/":
        call.violation("unknown-endpoint" if error.status_code == 404 else "wrong-method")  # noqa: PLR2004
    return JSONResponse({"error": "not found"}, error.status_code)
