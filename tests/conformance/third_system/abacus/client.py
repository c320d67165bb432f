"""The calls to Abacus: `PUT /<kind>s/<key>`, with the key of the account. Repeating one is safe."""

from datetime import timedelta

import httpx

from upbridge.core.clock import Clock
from upbridge.core.errors import Rejected, Unreachable
from upbridge.systems.http.classify import about_items
from upbridge.systems.http.errors import error_of
from upbridge.systems.http.transport import Remote

#: Wait this long where "too many requests" comes without a time.
_PAUSE = timedelta(seconds=60)


class AbacusClient:
    """Speaks to Abacus for one account.

    Every method raises `LoginRefused` (the key does not work), `Throttled` (and until when), `Unreachable` (no
    usable answer: repeat later), or `Rejected` for the one thing that was sent.
    """

    def __init__(self, http: httpx.AsyncClient, base_url: str, key: str, clock: Clock) -> None:
        self._remote = Remote("abacus", http, clock)
        self._base = base_url
        self._key = key
        self._clock = clock

    async def test(self) -> None:
        """Ask who the account is."""
        await self._call("GET", "/account", operation="GET /account")

    async def write(self, kind: str, key: str, body: bytes) -> None:
        """Write one thing over what the book has of it."""
        await self._call("PUT", f"/{kind}s/{key}", operation=f"PUT /{kind}s", body=body)

    async def _call(self, method: str, path: str, *, operation: str, body: bytes | None = None) -> None:
        headers = {"Authorization": f"Bearer {self._key}"}
        answer = await self._remote.exchange(
            method, self._base + path, operation=operation, headers=headers, content=body
        )
        if answer.accepted:
            return
        error = error_of(answer, now=self._clock(), pause=_PAUSE)
        if isinstance(error, Rejected) and not about_items(error.answered):
            raise Unreachable(str(error)) from error  # it would refuse everything
        raise error
