"""One call to another system: sent once, read to its end within a deadline, counted once.

    exchange ─► request ─► answer ─► HttpAnswer     its outcome says what to do next (`classify`)
                   │          └────► HttpAnswer     with `body_error`: the body did not come whole
                   └───────────────► NotSent, Unreachable

Every call of this program goes through `Remote.exchange`. It follows no redirect, keeps no cookie, and neither
logs nor repeats a body, a credential or an address.
"""

import asyncio
import time
import zlib
from collections.abc import Iterator, Mapping
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, field
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, cast

import httpx

from upbridge import HOMEPAGE
from upbridge.core.bodies import inflated, read_at_most
from upbridge.core.bounds import ANSWER, Bounds
from upbridge.core.clock import Clock
from upbridge.core.deadline import pause_deadline
from upbridge.core.errors import NotSent, Unreachable
from upbridge.core.telemetry.metrics import REMOTE_CALLS, REMOTE_SECONDS
from upbridge.core.telemetry.tracing import traced
from upbridge.systems.http.classify import Action, HttpOutcome, classify
from upbridge.systems.http.exact_json import decode
from upbridge.systems.http.pools import SYSTEM, PoolPerSystem

_TIMEOUT = httpx.Timeout(60.0, connect=10.0).as_dict()
_USER_AGENT = f"Upbridge (+{HOMEPAGE})"
_PLAIN = frozenset({"", "identity"})
_NOTHING = httpx.ByteStream(b"")
_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """An answer, and what it means."""

    operation: str
    outcome: HttpOutcome
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    body_error: str = ""
    """Why the body is not whole; empty if it is."""
    bounds: Bounds = ANSWER

    @property
    def accepted(self) -> bool:
        """Whether the system took the request. What it says of single items stands in the body."""
        return self.outcome.action is Action.ACCEPT

    @property
    def unusable(self) -> bool:
        """Whether the system took the request and only its answer is lost."""
        return bool(self.body_error) and self.outcome.action in (Action.ACCEPT, Action.MOVED)

    def whole_body(self) -> bytes:
        """The body. Raises `Unreachable` if it is not whole."""
        if self.body_error:
            raise Unreachable(f"{self.operation}: {self.body_error}")
        return self.body

    def json(self) -> Any:
        """The body as JSON with exact numbers. Raises `Unreachable` if it is not whole or not JSON."""
        body = self.whole_body()
        try:
            return decode(body, self.bounds)
        except ValueError as error:
            raise Unreachable(f"{self.operation}: the answer is not JSON") from error


@dataclass(frozen=True, slots=True)
class Remote:
    """Another system, called by HTTP. *system* is its name in the metrics; its answers are held to *bounds*."""

    system: str
    http: httpx.AsyncClient
    clock: Clock
    bounds: Bounds = ANSWER

    async def exchange(
        self,
        method: str,
        url: str,
        *,
        operation: str,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str | int] | None = None,
        content: bytes | None = None,
        form: Mapping[str, str] | None = None,
        limit: int | None = None,
        truncate: bool = False,
    ) -> HttpAnswer:
        """Send one request and read its answer. No status is an error here.

        *operation* names the call in metrics and errors, without ids and secrets: `GET /orders/{id}`. A body
        beyond *limit* bytes (by default, and at most, those of the bounds) is dropped (`HttpAnswer.body_error`);
        with *truncate* its beginning is kept.

        Raises `NotSent` if no connection could be made, and `Unreachable` if no answer came: then it is not known
        whether the system did what was asked.
        """
        try:
            request = (
                httpx.Request(  # not build_request(): it adds cookies that another shop on the same server set
                    method,
                    url,
                    params=dict(params) if params else None,
                    headers={
                        "Accept": "application/json",
                        "Accept-Encoding": "gzip",
                        "User-Agent": _USER_AGENT,
                        **({} if content is None else {"Content-Type": "application/json"}),
                        **(headers or {}),
                    },
                    content=content,
                    data=None if form is None else dict(form),
                    extensions={"timeout": _TIMEOUT, SYSTEM: self.system},
                )
            )
        except httpx.InvalidURL as error:
            raise NotSent(f"{operation}: InvalidURL") from error
        most = self.bounds.bytes if limit is None else min(limit, self.bounds.bytes)
        with self._counted(operation) as call, pause_deadline():
            try:
                async with asyncio.timeout(self.bounds.seconds):
                    answer = await self._answer(request, operation, limit=most, truncate=truncate)
            except _NEVER_SENT as error:
                call.outcome = Action.NOT_SENT
                raise NotSent(f"{operation}: {type(error).__name__}") from error
            except TimeoutError as error:
                call.outcome = Action.TIMEOUT
                raise Unreachable(f"{operation}: no answer within {self.bounds.seconds:g} s") from error
            except httpx.HTTPError as error:
                timeout = isinstance(error, httpx.TimeoutException)
                call.outcome = Action.TIMEOUT if timeout else Action.NO_ANSWER
                raise Unreachable(f"{operation}: {type(error).__name__}") from error
            call.outcome = Action.CUT if answer.unusable else answer.outcome.action
        return answer

    async def _answer(self, request: httpx.Request, operation: str, *, limit: int, truncate: bool) -> HttpAnswer:
        response = await self.http.send(request, stream=True, auth=None, follow_redirects=False)
        body, body_error = b"", ""
        # httpx would undo any number of encodings, one upon the other, and in one piece.
        sent = cast("httpx.AsyncByteStream", response.stream)
        encoding = response.headers.get("content-encoding", "identity").strip().lower()
        async with aclosing(response):
            try:
                if encoding in _PLAIN:
                    body, complete = await read_at_most(sent, limit)
                elif encoding == "gzip":
                    async with aclosing(inflated(sent)) as pieces:
                        body, complete = await read_at_most(pieces, limit)
                else:
                    body_error, complete = "the answer is encoded in a way that was not asked for", True
                if not complete and not truncate:
                    body, body_error = b"", "the answer is too large"
            except (httpx.HTTPError, zlib.error) as error:
                body_error = f"cut: {type(error).__name__}"
        response.stream = _NOTHING  # else both hold each other, and what was sent, until the collector looks
        outcome = classify(response.status_code, response.headers, now=self.clock())
        return HttpAnswer(operation, outcome, response.headers, body, body_error, self.bounds)

    @contextmanager
    def _counted(self, operation: str) -> Iterator["_Call"]:
        call, started = _Call(), time.perf_counter()
        with traced(operation, calls=True, system=self.system) as span:
            try:
                yield call
            finally:
                span.set_attribute("upbridge.outcome", call.outcome.value)
                self._count(operation, call, started)

    def _count(self, operation: str, call: "_Call", started: float) -> None:
        REMOTE_CALLS.labels(self.system, operation, call.outcome.value).inc()
        REMOTE_SECONDS.labels(self.system, operation).observe(time.perf_counter() - started)


@dataclass(slots=True)
class _Call:
    outcome: Action = Action.ABANDONED


def http_client() -> httpx.AsyncClient:
    """The connections for all calls of a process, some for each system: no redirects, no cookies kept, no proxy of
    the environment."""
    return httpx.AsyncClient(
        transport=PoolPerSystem(),
        follow_redirects=False,
        cookies=CookieJar(policy=DefaultCookiePolicy(allowed_domains=())),
    )
