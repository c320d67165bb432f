"""The address at which the platform publishes the public key of its signatures."""

from dataclasses import replace
from datetime import timedelta
from http import HTTPStatus

import httpx

from upbridge.core.bounds import KEY
from upbridge.core.clock import Clock
from upbridge.systems.http.errors import error_of
from upbridge.systems.http.transport import HttpAnswer, Remote

_PAUSE = timedelta(minutes=1)


async def fetch_key(http: httpx.AsyncClient, url: str, clock: Clock, *, deadline: float) -> HttpAnswer:
    """What *url* serves, within *deadline* seconds: the body is whole. Raises `RemoteError`."""
    answer = await fetch_changed_key(http, url, clock, known=None, deadline=deadline)
    assert answer is not None, "there is nothing that it could be the same as"
    return answer


async def fetch_changed_key(
    http: httpx.AsyncClient, url: str, clock: Clock, *, known: str | None, deadline: float
) -> HttpAnswer | None:
    """The same, or None if it is what the `ETag` *known* names. Raises `RemoteError`."""
    headers = {} if known is None else {"If-None-Match": known}
    remote = Remote("signature_key", http, clock, replace(KEY, seconds=deadline))
    answer = await remote.exchange("GET", url, operation="GET key", headers=headers)
    if known is not None and answer.outcome.status == HTTPStatus.NOT_MODIFIED:
        return None
    if not answer.accepted:
        raise error_of(answer, now=clock(), pause=_PAUSE)
    answer.whole_body()
    return answer
