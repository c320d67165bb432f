"""Python imports this before anything else in a process whose PYTHONPATH names this folder: from then on the
process writes down what holds its event loop, into the file that ATTACK_HELD names.

The process runs on asyncio's own loop: uvloop's callbacks cannot be watched, and it is the faster of the two.

It is the processor's time of the loop's thread that counts, not the wall's: a machine that others use too changes
nothing. Where a callback takes long, a second thread looks at what it does.
"""

import asyncio
import gc
import os
import sys
import threading
import time
import traceback
from pathlib import Path

#: Seconds of one callback that are worth a line, and seconds between two looks.
FROM, EVERY = 0.02, 0.01

_lines = Path(os.environ["ATTACK_HELD"]).open("a", buffering=1)  # noqa: SIM115 - as long as the process
_run = asyncio.Handle._run
_main, _never = threading.main_thread().ident, threading.Event()


class _Now:
    """The callback that runs now: when it began (None: none runs), what it was seen to do, and how long Python
    looked for garbage meanwhile."""

    since: float | None = None
    seen = ""
    collecting = 0.0
    collected = 0.0


def _collector(phase: str, _info: dict[str, int]) -> None:
    if phase == "start":
        _Now.collecting = time.thread_time()
    else:
        _Now.collected += time.thread_time() - _Now.collecting


def _first(handle: asyncio.Handle) -> None:
    """Say that it is watched, so that silence is not taken for calm."""
    _lines.write("0.0 the first callback\n")
    setattr(asyncio.Handle, "_run", _watched)  # noqa: B010 - a method is not assigned to
    _watched(handle)


def _watched(handle: asyncio.Handle) -> None:
    _Now.since, _Now.seen, _Now.collected, began = time.monotonic(), "", 0.0, time.thread_time()
    _run(handle)
    took, _Now.since = time.thread_time() - began, None
    if took >= FROM:
        garbage = f"garbage {_Now.collected * 1000:.0f} ms, " if _Now.collected else ""
        _lines.write(f"{took * 1000:.1f} {garbage}{_Now.seen or repr(handle)}\n")


def _look() -> None:
    while True:
        _never.wait(EVERY)
        since = _Now.since
        if since is None or time.monotonic() - since < FROM or _Now.seen:
            continue
        frame = sys._current_frames().get(_main or 0)
        if frame is not None:
            stack = traceback.extract_stack(frame)[-6:]
            _Now.seen = " < ".join(f"{Path(one.filename).name}:{one.lineno} {one.name}" for one in reversed(stack))


sys.modules["uvloop"] = None  # type: ignore[assignment]
setattr(asyncio.Handle, "_run", _first)  # noqa: B010 - a method is not assigned to
gc.callbacks.append(_collector)
threading.Thread(target=_look, name="watch", daemon=True).start()
