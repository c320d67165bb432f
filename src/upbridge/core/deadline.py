"""Waiting no longer than one may, whatever becomes of what was waited for."""

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from typing import Any, TypeVar

T = TypeVar("T")

#: Work that nobody waits for any more, until it has ended: the loop itself holds no task.
_left: set[asyncio.Task[Any]] = set()
#: Seconds between two looks at a watch, at least.
_GRAIN = 0.02


async def with_deadline(seconds: float, work: Coroutine[Any, Any, T], *, own: bool = False) -> T:
    """What *work* returns or raises; `TimeoutError` after *seconds*, and then it is cancelled and left behind.

    *own*: only seconds of our own count, not those spent `pause_deadline`.

    `asyncio.timeout` waits until the cancelled work has ended. That of a database which hangs ends late: the
    driver first tells the server, for seconds, and the connection is given back after that.
    """
    watch, context = _Watch(), copy_context()
    context.run(_watch.set, watch if own else None)
    task = asyncio.create_task(work, context=context)
    _left.add(task)
    task.add_done_callback(_ended)
    left = seconds
    try:
        # While the watch stands still this looks again and again.
        while True:
            await asyncio.wait([task], timeout=left)
            left = seconds - watch.seconds()
            if task.done() or left <= 0:
                break
            left = max(left, _GRAIN)
    except asyncio.CancelledError:
        task.cancel()
        raise
    if task.done():
        return task.result()
    task.cancel()
    raise TimeoutError


@contextmanager
def pause_deadline() -> Iterator[None]:
    """Another system, or work that ends by itself, is waited for: both have time-outs of their own."""
    watch = _watch.get()
    if watch is None:
        yield
        return
    watch.leave()
    try:
        yield
    finally:
        watch.come_back()


class _Watch:
    """A stopwatch that stands still as long as anybody is elsewhere."""

    def __init__(self) -> None:
        self._time = asyncio.get_running_loop().time
        self._since = self._time()
        self._before = 0.0
        self._away = 0

    def seconds(self) -> float:
        """Those that count."""
        return self._before + (0.0 if self._away else self._time() - self._since)

    def leave(self) -> None:
        self._before = self.seconds()
        self._away += 1

    def come_back(self) -> None:
        self._away -= 1
        self._since = self._time()


_watch: ContextVar[_Watch | None] = ContextVar("_watch", default=None)


def _ended(task: asyncio.Task[Any]) -> None:
    _left.discard(task)
    if not task.cancelled():
        task.exception()  # looked at: whoever waited has been told already
