"""One HTTP exchange with Uphance: the JSON of the answer, or an error of our tree; and the count of it."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from http import HTTPStatus
from typing import Any, NoReturn

import httpx

from upbridge.core.canonical_json import canonical
from upbridge.core.clock import Clock
from upbridge.core.errors import LoginRefused, Rejected, RemoteError, Throttled, Unreachable
from upbridge.core.telemetry.metrics import REMOTE_CALLS, REMOTE_SECONDS
from upbridge.systems.http.classify import Action, Verdict, judge
from upbridge.systems.uphance.schemas import words

_TIMEOUT = httpx.Timeout(45.0, connect=10.0)
#: Wait this long where "too many requests" comes without a time.
_PAUSE = timedelta(seconds=60)
#: As much of a refusal's words as is kept.
_KEEP = 500
_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


class NotSent(Unreachable):
    """The other system could not be reached at all: nothing happened there."""


class Failed(Unreachable):
    """The other system itself failed, and has ended with it."""


class TokenRefused(LoginRefused):
    """Uphance refused the token."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """One HTTP exchange: the answer's JSON, or an error of our tree."""

    http: httpx.AsyncClient
    base_url: str
    clock: Clock

    async def call(
        self,
        method: str,
        path: str,
        *,
        token: str | None = None,
        query: Mapping[str, str | int] | None = None,
        body: Any = None,
    ) -> Any:
        operation = f"{method} /{path.split('/')[1]}"
        started = time.perf_counter()
        outcome = "ok"
        try:
            return await self._exchange(method, path, token=token, query=query, body=body)
        except RemoteError as error:
            outcome = error.code
            raise
        finally:
            REMOTE_CALLS.labels("uphance", operation, outcome).inc()
            REMOTE_SECONDS.labels("uphance", operation).observe(time.perf_counter() - started)

    async def _exchange(
        self, method: str, path: str, *, token: str | None, query: Mapping[str, str | int] | None, body: Any
    ) -> Any:
        headers = {"Accept": "application/json"}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        if body is not None:
            headers["Content-Type"] = "application/json"
        try:
            response = await self.http.request(
                method,
                self.base_url.rstrip("/") + path,
                params=query or None,
                content=None if body is None else canonical(body),
                headers=headers,
                timeout=_TIMEOUT,
                follow_redirects=False,
            )
        except _NEVER_SENT as error:
            raise NotSent(f"{method} {path}: {type(error).__name__}") from error
        except httpx.RequestError as error:
            raise Unreachable(f"{method} {path}: {type(error).__name__}") from error
        verdict = judge(response.status_code, response.headers, now=self.clock())
        if verdict.action is not Action.ACCEPT:
            self._raise(method, path, verdict, response)
        if not response.content:
            return None
        try:
            return json.loads(response.content, parse_float=Decimal)
        except ValueError:
            raise Unreachable(f"{method} {path}: the answer is not JSON") from None

    def _raise(self, method: str, path: str, verdict: Verdict, response: httpx.Response) -> NoReturn:
        text = f"{method} {path}: {verdict.reason} ({response.status_code})"
        # What a login answers is never repeated: it may echo the password.
        said = "" if path.startswith("/oauth/") else _said(response)
        match verdict.action:
            case Action.LOGIN if response.status_code == HTTPStatus.UNAUTHORIZED:
                raise TokenRefused(text)
            case Action.LOGIN:
                raise LoginRefused(text)
            case Action.WAIT:
                raise Throttled(text, until=verdict.until or self.clock() + _PAUSE)
            case Action.RETRY if response.status_code == HTTPStatus.INTERNAL_SERVER_ERROR:
                # Their application's own answer, which it gives for invalid input too ("error code 500" in the
                # articles on payment terms); 502 to 504 come from what stands before it and say nothing.
                raise Failed(f"{text} {said}".strip())
            case Action.RETRY:
                raise Unreachable(f"{text} {said}".strip())
            case _:
                raise Rejected(f"{text} {said}".strip(), status=response.status_code)


def _said(response: httpx.Response) -> str:
    """The server's words, cut: `message`, `error`, `error.message`, `error.reason` (a guess: errors are not
    documented). Anything else in the body is left alone: it may echo a customer."""
    try:
        payload = json.loads(response.content)
    except ValueError:
        return ""
    if not isinstance(payload, dict):
        return ""
    error = payload.get("error")
    inner = error if isinstance(error, dict) else {}
    candidates = (payload.get("message"), error, inner.get("message"), inner.get("reason"))
    return next((text[:_KEEP] for text in map(words, candidates) if text), "")
