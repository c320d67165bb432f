"""The whole thing at work, on one machine: `upbridge demo` proves it, `upbridge play` lets a person try it.

Separate processes (the simulated systems, web, worker, embedded Postgres), real HTTP, real signatures. What
arrives is compared with its origin by rules written a second time here, from the vendors' pages: nothing of
this package imports the add-on's own code, so that each can prove the other wrong.
"""

from upbridge_sandbox.demo.interactive import run_play
from upbridge_sandbox.demo.scenario import run_demo

__all__ = ["run_demo", "run_play"]
