"""What the watch over the event loop counts and tells."""

import asyncio
import errno

from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from upbridge.core.telemetry.loop_watch import EVERY, watch_loop


class Time:
    """A clock that goes on while its loop sleeps, as late as the test says."""

    def __init__(self, *lags: float) -> None:
        self.now = 0.0
        self.lags = list(lags)

    async def sleep(self, seconds: float) -> None:
        """Sleep, too long by the next lag; with no lag left the watch has ended."""
        if not self.lags:
            raise asyncio.CancelledError
        self.now += seconds + self.lags.pop(0)

    def seconds(self) -> float:
        """Now."""
        return self.now


def counted(bucket: str) -> float:
    return REGISTRY.get_sample_value("upbridge_loop_lag_seconds_bucket", {"le": bucket}) or 0.0


async def watched(time: Time) -> None:
    await asyncio.gather(watch_loop(sleep=time.sleep, seconds=time.seconds), return_exceptions=True)


async def test_each_look_is_counted_with_its_lag() -> None:
    before = counted("0.05"), counted("1.0")

    await watched(Time(0.0, 0.03, 0.7))

    assert (counted("0.05") - before[0], counted("1.0") - before[1]) == (2, 3)


async def test_a_loop_that_was_held_is_logged_once_a_minute() -> None:
    with capture_logs() as logs:
        await watched(Time(0.4, 0.9, 0.9, 60 - EVERY, 0.6))

    assert [(one["event"], one["seconds"]) for one in logs] == [("loop_held", 0.9), ("loop_held", 59.75)]


async def test_descriptors_that_ran_out_are_logged_once_a_minute() -> None:
    time, loop = Time(0.0), asyncio.get_running_loop()
    await watched(time)

    with capture_logs() as logs:
        for _ in range(1_000):
            loop.call_exception_handler(
                {"message": "accept", "exception": OSError(errno.EMFILE, "Too many open files")}
            )
        time.now += 60
        loop.call_exception_handler({"message": "accept", "exception": OSError(errno.ENFILE, "Too many")})

    assert [one["event"] for one in logs] == ["descriptors_exhausted"] * 2
