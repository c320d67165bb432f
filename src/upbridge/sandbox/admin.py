"""The simulated administration on port P: the control API, and pages for a person."""

from starlette.types import ASGIApp

from upbridge.sandbox.control import Control, Machinery
from upbridge.sandbox.door import Door
from upbridge.sandbox.faults import Faults


def admin_app(machinery: Machinery, control: Control) -> ASGIApp:
    """`/control/...` is JSON, everything else is pages."""
    world = machinery.world
    return Door(
        "admin",
        control.handle,
        ledger=world.ledger,
        faults=Faults(),
        dice=world.dice,
        caller=lambda call: call.client,
    )
