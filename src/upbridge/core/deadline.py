"""Await work with a deadline. On time-out the work is cancelled, and the caller does not wait for its end."""

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from typing import Any, TypeVar

T = TypeVar("T")

#: Cancelled work until it has ended. The event loop keeps no reference to a task, so this set does.
_left: set[asyncio.Task[Any]] = set()
#: The shortest time between two looks at the stopwatch, in seconds.
_GRAIN = 0.02


async def with_deadline(seconds: float, work: Coroutine[Any, Any, T], *, own: bool = False) -> T:
    """Return what *work* returns, or raise what it raises. Raises `TimeoutError` after *seconds* and cancels it.

    *own*: seconds inside `pause_deadline` do not count.

    `asyncio.timeout` would wait until the cancelled work has ended. Work on a database that hangs ends late: the
    driver first sends a cancellation to the server, for seconds, and gives the connection back after that.
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
    """Pause the clock of `with_deadline(own=True)` while another system is called, with its own time-out."""
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
    """A stopwatch that stands still inside `pause_deadline`."""

    def __init__(self) -> None:
        self._time = asyncio.get_running_loop().time
        self._since = self._time()
        self._before = 0.0
        self._away = 0

    def seconds(self) -> float:
        """The seconds that count."""
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
        task.exception()  # retrieved, so that asyncio does not report it: the caller has raised `TimeoutError`
