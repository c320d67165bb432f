"""Calls that a simulated system makes by itself, in the background, until the sandbox ends."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import httpx


class BackgroundCalls:
    """A client, and the tasks that use it. An add-on under development has no certificate, so none is checked."""

    def __init__(self, **limits: Any) -> None:
        self.client = httpx.AsyncClient(verify=False, trust_env=False, **limits)  # noqa: S501
        self.tasks: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Begin *work* now, and go on at once."""
        task = asyncio.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def close(self) -> None:
        """Stop what is on its way."""
        for task in list(self.tasks):
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await self.client.aclose()
