"""The sandbox for tests: on free ports, in a thread of its own, gone at the end of the block."""

import asyncio
import contextlib
import ssl
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import httpx

from upbridge_sandbox.seed.plan import Plan
from upbridge_sandbox.server import serve
from upbridge_sandbox.state import Addresses

START_SECONDS = 30
#: the sandbox speaks plain HTTP; without this every client would read the system's certificates first
_NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


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
        if response.status_code >= 400:  # noqa: PLR2004
            raise ControlRefused(f"{method} {path}: {response.status_code} {response.text[:300]}")
        return response.json()

    async def violations(self) -> list[dict[str, Any]]:
        """What was done against a published rule."""
        found: list[dict[str, Any]] = (await self.control("GET", "/violations"))["violations"]
        return found


@contextlib.contextmanager
def sandbox_thread(
    *,
    addon_url: str | None = None,
    signature_token: str = "test-signature-token",  # noqa: S107
    seed: int = 1,
    clock_factor: float = 100.0,
    plan: Plan | None = None,
    port: int = 0,
) -> Iterator[Sandbox]:
    """The sandbox in a thread, for synchronous tests."""
    found: list[Addresses] = []
    failure: list[BaseException] = []
    started = threading.Event()
    loop_ready: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def main() -> None:
        until = asyncio.Event()
        loop_ready.append((asyncio.get_running_loop(), until))

        def ready(addresses: Addresses) -> None:
            found.append(addresses)
            started.set()

        await serve(
            port=port,
            addon_url=addon_url,
            signature_token=signature_token,
            seed=seed,
            clock_factor=clock_factor,
            plan=plan,
            ready=ready,
            until=until,
        )

    def run() -> None:
        try:
            asyncio.run(main())
        except BaseException as error:  # noqa: BLE001  (carried over to the thread that waits)
            failure.append(error)
        finally:
            started.set()

    thread = threading.Thread(target=run, name="sandbox", daemon=True)
    thread.start()
    started.wait(START_SECONDS)
    if failure or not found:
        raise RuntimeError("the sandbox did not start") from (failure[0] if failure else None)
    try:
        yield Sandbox(found[0])
    finally:
        loop, until = loop_ready[0]
        loop.call_soon_threadsafe(until.set)
        thread.join(START_SECONDS)
        if failure:
            raise RuntimeError("the sandbox failed") from failure[0]


@contextlib.asynccontextmanager
async def running_sandbox(
    *,
    addon_url: str | None = None,
    signature_token: str = "test-signature-token",  # noqa: S107
    seed: int = 1,
    clock_factor: float = 100.0,
    plan: Plan | None = None,
    port: int = 0,
) -> AsyncIterator[Sandbox]:
    """The sandbox for asynchronous tests; it has a thread and a loop of its own, so that nobody waits
    for anybody.
    """
    manager = sandbox_thread(
        addon_url=addon_url,
        signature_token=signature_token,
        seed=seed,
        clock_factor=clock_factor,
        plan=plan,
        port=port,
    )
    box = await asyncio.to_thread(manager.__enter__)
    try:
        yield box
    finally:
        await asyncio.to_thread(manager.__exit__, None, None, None)
