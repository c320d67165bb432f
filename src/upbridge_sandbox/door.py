"""The front of every simulated system: reads the request, makes faults happen, counts, answers.

The rules themselves are inside, one `Routes` per system. A call leaves the count of calls in flight before its
answer leaves, so that a client that waits for its answer is never accused of being parallel.
"""

import asyncio
import json
import re
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias
from urllib.parse import parse_qsl, unquote

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from upbridge_sandbox.faults import Faults
from upbridge_sandbox.ledger import Ledger
from upbridge_sandbox.rng import RandomStreams

Json: TypeAlias = dict[str, Any]


@dataclass(slots=True)
class Call:
    """One incoming request, read whole."""

    method: str
    path: str
    query: list[tuple[str, str]]
    headers: dict[str, str]
    body: bytes
    client: str
    operation: str = ""
    params: dict[str, str] = field(default_factory=dict)
    shop: str = ""
    items: int = 0
    in_flight: int = 1
    left: bool = False
    """Its caller has hung up."""

    @property
    def line(self) -> str:
        """The request line without query values, which may be secret or personal."""
        names = "&".join(dict.fromkeys(name for name, _ in self.query))
        return f"{self.method} {self.path}" + (f"?{names}" if names else "")

    def last(self, name: str) -> str | None:
        """The last value of a query parameter, as PHP reads it."""
        return next((value for key, value in reversed(self.query) if key == name), None)

    def json(self) -> Any:
        """The body as strict JSON: NaN and Infinity are not JSON. Raises ValueError."""

        def refuse(constant: str) -> Any:
            raise ValueError(f"{constant} is not JSON")

        return json.loads(self.body, parse_constant=refuse)

    def form(self) -> dict[str, str]:
        """The body as a form."""
        return dict(parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True))


FIRST_REDIRECT = 300
WRONG_METHOD = 405
_FOR_EVER = 3600.0
Handler: TypeAlias = Callable[[Call], Awaitable[Response]]


def answer(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A JSON answer, written as Upgates writes it: no NaN, text as it is."""
    body = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    return Response(body, status, headers, "application/json")


class Routes:
    """Method and path to handler; knows 404 from 405."""

    def __init__(self) -> None:
        self._routes: list[tuple[str, re.Pattern[str], str, Handler]] = []

    def add(self, method: str, template: str, handler: Handler) -> None:
        """Serve *method* on *template*, where `{name}` is one path segment."""
        pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", template)
        self._routes.append((method, re.compile(pattern + "/?$"), f"{method} {template}", handler))

    def find(self, call: Call, path: str) -> Handler | int:
        """The handler of a call, or the status that says why there is none."""
        seen = False
        for method, pattern, operation, handler in self._routes:
            match = pattern.match(path)
            if match is None:
                continue
            seen = True
            if method == call.method:
                call.operation = operation
                call.params = {key: unquote(value) for key, value in match.groupdict().items()}
                return handler
        return WRONG_METHOD if seen else 404


def published_only(system: str, routes: Routes, ledger: Ledger) -> Handler:
    """A handler for *routes* that notes every call of something else. The root is free: no rule of a vendor
    forbids to look whether a server is there."""

    async def handle(call: Call) -> Response:
        found = routes.find(call, call.path)
        if not isinstance(found, int):
            return await found(call)
        if call.path != "/":
            ledger.violation(system, "wrong-method" if found == WRONG_METHOD else "unknown-endpoint", call.line)
        return answer({"error": "not found"}, found)

    return handle


def too_many(_call: Call, seconds: int) -> Response:
    """429 as most servers give it."""
    return answer({"error": "too many requests"}, 429, {"Retry-After": str(seconds)})


class Door:
    """An ASGI application around the rules of one system."""

    def __init__(
        self,
        system: str,
        handle: Handler,
        *,
        ledger: Ledger,
        faults: Faults,
        rng: RandomStreams,
        caller: Callable[[Call], str],
        busy: Callable[[Call, int], Response] | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.system = system
        self.handle = handle
        self.ledger = ledger
        self.faults = faults
        self.rng = rng
        self.caller = caller
        self.busy = busy
        self.sleep = sleep
        self.in_flight: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or fail in the way that was asked for."""
        if scope["type"] != "http":
            return
        call = await _read(scope, receive)
        started = time.perf_counter()
        caller = self.caller(call)
        self.in_flight[caller] += 1
        call.in_flight = self.in_flight[caller]
        try:
            response = await self._respond(call, caller, receive)
        finally:
            if not call.left:
                self.in_flight[caller] -= 1
        status = 0 if response is None else response.status_code
        self.ledger.call(
            self.system,
            call.operation or f"{call.method} ?",
            status,
            seconds=time.perf_counter() - started,
            shop=call.shop,
            items=call.items,
        )
        if response is None:
            await _cut(send)
        else:
            await response(scope, receive, send)

    async def _respond(self, call: Call, caller: str, receive: Receive) -> Response | None:
        """The answer, or None where the connection is to be cut."""
        faults, rng = self.faults, self.rng.of(f"faults-{self.system}")
        slow = faults.latency + (faults.write_latency if _writes(call) else 0)
        if slow:
            await self._linger(slow, call, caller, receive)
        if faults.strikes("hang", call.path, rng):
            await self._linger(_FOR_EVER, call, caller, receive)
            return None
        if faults.strikes("cut", call.path, rng):
            return None
        if faults.strikes("error", call.path, rng):
            return answer({"error": "Internal Server Error"}, faults.error_status)
        if self.busy is not None and faults.strikes("busy", call.path, rng):
            return self.busy(call, faults.retry_after)
        try:
            response = await self.handle(call)
        except Exception as error:
            raise RuntimeError(f"the sandbox failed at {call.line}") from error
        if (
            _writes(call)
            and response.status_code < FIRST_REDIRECT
            and faults.strikes("lost_answer", call.path, rng)
        ):
            return None
        return response

    async def _linger(self, seconds: float, call: Call, caller: str, receive: Receive) -> None:
        """Be slow. A caller that hangs up meanwhile is in flight no more; what it asked for is still done."""
        slow = asyncio.ensure_future(self.sleep(seconds))
        hung_up = asyncio.ensure_future(receive())
        try:
            await asyncio.wait({slow, hung_up}, return_when=asyncio.FIRST_COMPLETED)
            if not slow.done():
                call.left = True
                self.in_flight[caller] -= 1
            await slow
        finally:
            hung_up.cancel()
            slow.cancel()


def _writes(call: Call) -> bool:
    """Whether a call changes what is held; a login does not."""
    return call.method != "GET" and "/oauth/" not in call.path and "/organisations/" not in call.path


async def _read(scope: Scope, receive: Receive) -> Call:
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body") or message["type"] == "http.disconnect":
            break
    client = scope.get("client") or ("?", 0)
    return Call(
        method=scope["method"],
        path=scope["path"],
        query=parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True),
        headers={key.decode().lower(): value.decode("latin-1") for key, value in scope["headers"]},
        body=bytes(body),
        client=str(client[0]),
    )


async def _cut(send: Send) -> None:
    """Drop the TCP connection without a byte of answer."""
    cycle = getattr(send, "__self__", None)
    transport = getattr(cycle, "transport", None)
    if transport is None:
        raise ConnectionAbortedError("the sandbox cuts this connection")
    transport.abort()
    # The server learns of it in the next turn of the loop; without that it would try to send a 500.
    while not getattr(cycle, "disconnected", True):  # noqa: ASYNC110 - the server has no event for it
        await asyncio.sleep(0)
