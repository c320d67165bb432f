"""A watch over the event loop of a process: how late it comes to what is due, and descriptors that ran out.

While one piece of Python runs, everything else of the process waits, webhooks of other shops among it.
"""

import asyncio
import errno
import time
from collections.abc import Awaitable, Callable
from typing import Any

import structlog

from upbridge.core.telemetry.metrics import LOOP_LAG

log = structlog.get_logger(__name__)

#: Seconds between two looks.
EVERY = 0.25
#: A lag of so many seconds is logged, and descriptors that ran out, but not again within the minute.
TOLD_FROM = 0.5
_TOLD_AGAIN = 60.0
_OUT_OF = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


async def watch_loop(
    *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep, seconds: Callable[[], float] = time.perf_counter
) -> None:
    """Measure the lag of the running loop, until cancelled."""
    told_at = float("-inf")
    asyncio.get_running_loop().set_exception_handler(_handler(seconds))
    while True:
        due = seconds() + EVERY
        await sleep(EVERY)
        now = seconds()
        lag = max(0.0, now - due)
        LOOP_LAG.observe(lag)
        if lag >= TOLD_FROM and now - told_at >= _TOLD_AGAIN:
            told_at = now
            log.warning("loop_held", seconds=round(lag, 3))


def _handler(seconds: Callable[[], float]) -> Callable[[asyncio.AbstractEventLoop, dict[str, Any]], None]:
    """What the loop calls for errors that no task awaits. Where descriptors have run out it would report each
    connection that it cannot accept, thousands a second."""
    told_at = float("-inf")

    def handle(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        nonlocal told_at
        error = context.get("exception")
        if not isinstance(error, OSError) or error.errno not in _OUT_OF:
            loop.default_exception_handler(context)
        elif (now := seconds()) - told_at >= _TOLD_AGAIN:
            told_at = now
            log.error("descriptors_exhausted", error=type(error).__name__, number=error.errno)

    return handle
