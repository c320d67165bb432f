"""Calls that a simulated system makes by itself, in the background, until the sandbox ends."""

import asyncio
import time
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

import httpx


@dataclass(frozen=True, slots=True)
class Answered:
    """How a call of the add-on ended, and after how many seconds."""

    seconds: float
    response: httpx.Response | None = None
    error: str = ""
    """Why there is no answer."""
    timed_out: bool = False

    @property
    def status(self) -> int:
        """0 where there is no answer."""
        return 0 if self.response is None else self.response.status_code


class BackgroundCalls:
    """A client, and the tasks that use it. An add-on under development has no certificate, so none is checked."""

    def __init__(self, limits: httpx.Limits = httpx.Limits()) -> None:  # noqa: B008 - it is frozen
        # No time-out of the client's: the published ones are total and stand at the calls.
        self.client = httpx.AsyncClient(verify=False, trust_env=False, timeout=None, limits=limits)  # noqa: S113, S501
        self.tasks: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Begin *work* now, and go on at once."""
        task = asyncio.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def post(self, url: str, *, within: float, **request: Any) -> Answered:
        """One call whose whole answer is waited for *within* so many seconds."""
        started, response, error, timed_out = time.perf_counter(), None, "", False
        try:
            async with asyncio.timeout(within):
                response = await self.client.post(url, **request)
        except (TimeoutError, httpx.TimeoutException):
            timed_out = True
        except httpx.HTTPError as failure:
            error = type(failure).__name__
        return Answered(round(time.perf_counter() - started, 4), response, error, timed_out)

    async def close(self) -> None:
        """Stop what is on its way."""
        for task in list(self.tasks):
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await self.client.aclose()
