"""Python imports this before anything else in a process whose PYTHONPATH names this folder: from then on the
process writes down what holds its event loop, into the file that ATTACK_HELD names.

It is the processor's time of the loop's thread that counts, not the wall's: a machine that others use too changes
nothing.
"""

import asyncio
import os
import time
from pathlib import Path

#: Seconds of one callback that are worth a line.
FROM = 0.02

_lines = Path(os.environ["ATTACK_HELD"]).open("a", buffering=1)  # noqa: SIM115 - as long as the process
_run = asyncio.Handle._run


def _watched(handle: asyncio.Handle) -> None:
    began = time.thread_time()
    _run(handle)
    took = time.thread_time() - began
    if took >= FROM:
        _lines.write(f"{took * 1000:.1f} {handle!r}\n")


setattr(asyncio.Handle, "_run", _watched)  # noqa: B010 - a method is not assigned to
