"""Count and time every call to another system at the transport, so that no call is missed.

The deadline of a page (`core/deadline.py`) pauses during these calls.
"""

import re
import time
from collections.abc import Callable

import httpx

from upbridge.core.deadline import pause_deadline
from upbridge.core.telemetry.metrics import REMOTE_CALLS, REMOTE_SECONDS

_NUMBER = re.compile(r"\d")
_LONGEST = 4


class Measured(httpx.AsyncBaseTransport):
    """A transport that measures another one. *system_of* names the system at a host and port."""

    def __init__(self, inner: httpx.AsyncBaseTransport, system_of: Callable[[httpx.URL], str]) -> None:
        self._inner = inner
        self._system_of = system_of

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Pass the request on; the seconds are those until the answer begins."""
        system, operation = self._system_of(request.url), operation_of(request.method, request.url.path)
        started = time.perf_counter()
        outcome = "failed"
        try:
            with pause_deadline():
                response = await self._inner.handle_async_request(request)
            outcome = str(response.status_code)
        except httpx.TimeoutException:
            outcome = "timeout"
            raise
        finally:
            REMOTE_SECONDS.labels(system=system, operation=operation).observe(time.perf_counter() - started)
            REMOTE_CALLS.labels(system=system, operation=operation, outcome=outcome).inc()
        return response

    async def aclose(self) -> None:
        """Close the transport behind."""
        await self._inner.aclose()


def operation_of(method: str, path: str) -> str:
    """A call's name with ids left out, so that the number of names stays small: `GET /orders/{id}/history`."""
    parts = [part for part in path.removeprefix("/api/v2").split("/") if part][:_LONGEST]
    return f"{method} /" + "/".join("{id}" if _NUMBER.search(part) else part for part in parts)
