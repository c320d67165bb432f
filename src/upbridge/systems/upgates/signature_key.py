"""The address at which Upgates publishes the public key of its signatures."""

from datetime import timedelta

import httpx

from upbridge.core.clock import Clock
from upbridge.systems.http.errors import error_of
from upbridge.systems.http.transport import HttpAnswer, Remote

#: A key is under 1 KiB; what is much longer is none.
_MAX_BYTES = 16_384
_PAUSE = timedelta(minutes=1)


async def fetch_key(http: httpx.AsyncClient, url: str, clock: Clock, *, deadline: float) -> HttpAnswer:
    """What *url* serves, within *deadline* seconds: the body is whole. Raises `RemoteError`."""
    answer = await Remote("signature_key", http, clock, deadline).exchange(
        "GET", url, operation="GET key", limit=_MAX_BYTES
    )
    if not answer.accepted:
        raise error_of(answer, now=clock(), pause=_PAUSE)
    answer.whole_body()
    return answer
