"""The sandbox for tests: on free ports, in a thread of its own, gone at the end of the block."""

import asyncio
import contextlib
import ssl
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

import httpx

from upbridge_sandbox.server import Options, serve
from upbridge_sandbox.state import Addresses

START_SECONDS = 30
#: the sandbox speaks plain HTTP; without this every client would read the system's certificates first
_NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
_NO_SHOP = Options(clock_factor=100)


class ControlRefused(Exception):
    """The control API did not do what was asked; the text says why."""


@dataclass(frozen=True, slots=True)
class Sandbox:
    """A running sandbox: its addresses, and its control API."""

    addresses: Addresses

    async def control(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """One call of the control API, e.g. `control("POST", "/shops", {"products": 20})`."""
        async with httpx.AsyncClient(verify=_NO_TLS, trust_env=False, timeout=60) as client:
            response = await client.request(method, f"{self.addresses.admin}/control{path}", json=body or {})
        if response.is_error:
            raise ControlRefused(f"{method} {path}: {response.status_code} {response.text[:300]}")
        return response.json()

    async def violations(self) -> list[dict[str, Any]]:
        """What was done against a published rule."""
        found: list[dict[str, Any]] = (await self.control("GET", "/violations"))["violations"]
        return found


@contextlib.contextmanager
def sandbox_thread(options: Options = _NO_SHOP) -> Iterator[Sandbox]:
    """The sandbox in a thread, for synchronous tests. Raises what keeps it from starting, or ends it early."""
    ready: Future[tuple[Addresses, asyncio.AbstractEventLoop]] = Future()
    ended: Future[None] = Future()
    until = asyncio.Event()

    async def main() -> None:
        loop = asyncio.get_running_loop()
        await serve(options, ready=lambda addresses: ready.set_result((addresses, loop)), until=until)

    def run() -> None:
        try:
            asyncio.run(main())
        except BaseException as error:  # noqa: BLE001  (carried over to the thread that waits)
            (ended if ready.done() else ready).set_exception(error)
        else:
            ended.set_result(None)

    threading.Thread(target=run, name="sandbox", daemon=True).start()
    addresses, loop = ready.result(START_SECONDS)
    try:
        yield Sandbox(addresses)
    finally:
        if not ended.done():
            loop.call_soon_threadsafe(until.set)
        ended.result(START_SECONDS)


@contextlib.asynccontextmanager
async def running_sandbox(options: Options = _NO_SHOP) -> AsyncIterator[Sandbox]:
    """The sandbox for asynchronous tests; with a thread and a loop of its own, neither waits for the other."""
    manager = sandbox_thread(options)
    box = await asyncio.to_thread(manager.__enter__)
    try:
        yield box
    finally:
        await asyncio.to_thread(manager.__exit__, None, None, None)
