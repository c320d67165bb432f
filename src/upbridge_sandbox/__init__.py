"""The simulated systems: Upgates with its administration, Upp.ai, Uphance and the signature key; and the demo.

As strict as the published rules; everything that they forbid is kept in a list of violations. The package imports
nothing of the product, so that each can prove the other wrong. docs/sandbox.md is the manual.
"""

from upbridge_sandbox.seed.plan import Plan
from upbridge_sandbox.server import Options, run_sandbox
from upbridge_sandbox.state import Addresses
from upbridge_sandbox.testing import Sandbox, running_sandbox, sandbox_thread

__all__ = ["Addresses", "Options", "Plan", "Sandbox", "run_sandbox", "running_sandbox", "sandbox_thread"]
