"""Waiting no longer than one may, whatever becomes of what was waited for."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

#: Work that nobody waits for any more, until it has ended: the loop itself holds no task.
_left: set[asyncio.Task[Any]] = set()


async def within(seconds: float, work: Coroutine[Any, Any, T]) -> T:
    """What *work* returns or raises; `TimeoutError` after *seconds*, and then it is cancelled and left behind.

    `asyncio.timeout` waits until the cancelled work has ended. That of a database which hangs ends late: the
    driver first tells the server, for seconds, and the connection is given back after that.
    """
    task = asyncio.create_task(work)
    _left.add(task)
    task.add_done_callback(_ended)
    try:
        done, _late = await asyncio.wait([task], timeout=seconds)
    except asyncio.CancelledError:
        task.cancel()
        raise
    if done:
        return task.result()
    task.cancel()
    raise TimeoutError


def _ended(task: asyncio.Task[Any]) -> None:
    _left.discard(task)
    if not task.cancelled():
        task.exception()  # looked at: whoever waited has been told already
