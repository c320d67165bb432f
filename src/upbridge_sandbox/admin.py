"""The simulated administration on port P: the control API, and pages for a person."""

from starlette.responses import Response
from starlette.types import ASGIApp

from upbridge_sandbox.control import Context, Control
from upbridge_sandbox.door import Call, Door
from upbridge_sandbox.faults import Faults
from upbridge_sandbox.pages import Pages


def admin_app(context: Context, control: Control) -> ASGIApp:
    """`/control/...` is JSON, everything else is pages. Has no faults of its own and is not counted as a
    vendor.
    """
    state, pages = context.state, Pages(context)

    async def handle(call: Call) -> Response:
        if call.path.startswith("/control/"):
            return await control.handle(call)
        return await pages.handle(call)

    return Door(
        "admin", handle, ledger=state.ledger, faults=Faults(), rng=state.rng, caller=lambda call: call.client
    )
