"""One module per system under `upbridge.systems`: how the suite sets it up, disturbs it, and what it must hold.

A module has `SIDE`, a `Side`. A new system is a new module here, and then the whole suite runs against it.
"""

from typing import Protocol

from tests.conformance.testbed import Testbed
from upbridge_sandbox.demo.compare import Verdict


class Side(Protocol):
    """A system as the suite sees it."""

    system: str

    async def connect(self, testbed: Testbed) -> None:
        """Connect it, or connect it again after `lock_out`."""

    def happen(self, testbed: Testbed, seed: int) -> None:
        """Let a day pass whose consequences it has to hold in the end."""

    async def verdicts(self, testbed: Testbed) -> list[Verdict]:
        """Every copy against its origin, worked out without the engine's code."""

    def refuse(self, testbed: Testbed) -> str:
        """From now on it refuses one thing that `happen` sends; returns by what a problem names it."""

    def accept(self, testbed: Testbed) -> None:
        """It refuses nothing any more."""

    def expire(self, testbed: Testbed) -> None:
        """Every token ends now, or what is like it: the next call is turned away."""

    def lock_out(self, testbed: Testbed) -> None:
        """The credentials work no more."""

    def let_in(self, testbed: Testbed) -> None:
        """They do again, or others do."""
