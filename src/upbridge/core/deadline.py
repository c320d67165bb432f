"""Await with a deadline. At the deadline the awaited work is cancelled and left behind.

`asyncio.timeout` waits until the cancelled work has ended. The work of a database that hangs ends late: the driver
first tells the server, for seconds, and gives the connection back after that.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager, nullcontext
from contextvars import ContextVar, copy_context
from typing import Any, Protocol, TypeVar

T = TypeVar("T")

#: Work that was left behind, until it has ended: the loop itself holds no task.
_left: set[asyncio.Task[Any]] = set()


class Timer(Protocol):
    """One call that will be made."""

    def cancel(self) -> None:
        """Do not make it."""


class Timers(Protocol):
    """What measures a deadline: an event loop is one."""

    def time(self) -> float:
        """Seconds since some moment."""

    def call_later(self, delay: float, callback: Callable[[], object], /) -> Timer:
        """Call *callback* in *delay* seconds."""


#: What measures the deadlines that begin in this context; None: the running event loop.
TIMERS: ContextVar[Timers | None] = ContextVar("timers", default=None)


async def with_deadline(seconds: float, work: Coroutine[Any, Any, T], *, own: bool = False) -> T:
    """Return what *work* returns, or raise what it raises; raise `TimeoutError` after *seconds*.

    *own*: only seconds of our own count, not those spent in `pause_deadline`.
    """
    expired = asyncio.get_running_loop().create_future()
    countdown = _Countdown(seconds, lambda: None if expired.done() else expired.set_result(None))
    context = copy_context()
    context.run(_countdown.set, countdown if own else None)
    task = asyncio.create_task(work, context=context)
    _left.add(task)
    task.add_done_callback(_ended)
    try:
        await asyncio.wait([task, expired], return_when=asyncio.FIRST_COMPLETED)
    except asyncio.CancelledError:
        task.cancel()
        raise
    finally:
        countdown.stop()
    if task.done():
        return task.result()
    task.cancel()
    raise TimeoutError


async def left_behind_ends(*, within: float) -> None:
    """Wait until all work of this event loop that was left behind has ended and let go of what it held, at most
    *within* seconds: it was cancelled, but the driver of a database that hangs may wait for longer."""
    loop = asyncio.get_running_loop()
    ours = [task for task in _left if task.get_loop() is loop]
    if ours:
        await asyncio.wait(ours, timeout=within)


def pause_deadline() -> AbstractContextManager[None]:
    """Stop the clock while another system, or work that ends by itself, is awaited: both have own time-outs."""
    countdown = _countdown.get()
    return _NOTHING_COUNTS if countdown is None else _paused(countdown)


_NOTHING_COUNTS = nullcontext()


@contextmanager
def _paused(countdown: "_Countdown") -> Iterator[None]:
    countdown.pause()
    try:
        yield
    finally:
        countdown.resume()


@asynccontextmanager
async def time_limit(seconds: float) -> AsyncIterator[None]:
    """`asyncio.timeout`, measured by `TIMERS`."""
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(None) as limit:
        timer = (TIMERS.get() or loop).call_later(seconds, lambda: limit.reschedule(loop.time()))
        try:
            yield
        finally:
            timer.cancel()


class _Countdown:
    """Counts *seconds* down, except while anything pauses it, and calls *expire* at the end."""

    def __init__(self, seconds: float, expire: Callable[[], object]) -> None:
        self._timers = TIMERS.get() or asyncio.get_running_loop()
        self._left = seconds
        self._expire = expire
        self._pauses = 0
        self._stopped = False
        self._start()

    def pause(self) -> None:
        if not self._pauses:
            self._timer.cancel()
            self._left -= self._timers.time() - self._since
        self._pauses += 1

    def resume(self) -> None:
        self._pauses -= 1
        if not self._pauses and not self._stopped:
            self._start()

    def stop(self) -> None:
        self._stopped = True
        self._timer.cancel()

    def _start(self) -> None:
        self._since = self._timers.time()
        self._timer = self._timers.call_later(max(self._left, 0), self._expire)


_countdown: ContextVar[_Countdown | None] = ContextVar("countdown", default=None)


def _ended(task: asyncio.Task[Any]) -> None:
    _left.discard(task)
    if not task.cancelled():
        task.exception()  # looked at: the caller has had its `TimeoutError`
