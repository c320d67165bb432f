"""What the simulated systems do around their rules: count calls in flight, note them, and fail as asked."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from upbridge_sandbox.asgi.call import Call
from upbridge_sandbox.asgi.garbling import garbled
from upbridge_sandbox.call_log import CallLog
from upbridge_sandbox.faults import Faults

_FIRST_REDIRECT = 300
_FOR_EVER = 3600.0
_JSON = "application/json"

Busy: TypeAlias = Callable[[Call, int], Response]
"""How a system says 429: the call, and the seconds after which it may come again."""


class ConnectionCut(ConnectionAbortedError):
    """The caller gets no answer: its connection ends."""


class Recorded:
    """Reads each call whole, counts it while it is in flight, and notes its end in the call log.

    A call leaves the count before its answer leaves: a client that waits for its answer is never accused of being
    parallel. *caller* says which calls are counted together.
    """

    def __init__(self, app: ASGIApp, *, system: str, call_log: CallLog, caller: Callable[[Call], str]) -> None:
        self.app = app
        self.system = system
        self.call_log = call_log
        self.caller = caller
        self.in_flight: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one call on; raises RuntimeError with the request line where the sandbox itself fails."""
        if scope["type"] != "http":
            return
        call = scope["call"] = Call(scope, receive, system=self.system, call_log=self.call_log)
        try:
            call.content = await call.body()
        except ClientDisconnect:
            return
        started = time.perf_counter()
        call.leave = self._entered(call)

        noted = False

        def note(status: int) -> None:
            nonlocal noted
            noted = True
            call.leave()
            seconds = time.perf_counter() - started
            operation = call.operation or f"{call.method} ?"
            self.call_log.call(
                self.system, operation, status, seconds=seconds, shop=call.shop, items=call.item_count
            )

        async def send_noted(message: Message) -> None:
            if message["type"] == "http.response.start":
                note(message["status"])
            await send(message)

        try:
            await self.app(scope, receive, send_noted)
        except ConnectionCut:
            if not noted:
                note(0)
            await _cut(send)
        except Exception as error:
            raise RuntimeError(f"the sandbox failed at {call.line}") from error
        finally:
            call.leave()

    def _entered(self, call: Call) -> Callable[[], None]:
        """Count *call* in; returns what counts it out, once."""
        caller, inside = self.caller(call), True
        self.in_flight[caller] += 1
        call.in_flight = self.in_flight[caller]

        def leave() -> None:
            nonlocal inside
            self.in_flight[caller] -= inside
            inside = False

        return leave


class Faulty:
    """Makes calls slow, lost or refused as *faults* say."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        faults: Faults,
        rng: random.Random,
        busy: Busy | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.app = app
        self.faults = faults
        self.rng = rng
        self.busy = busy
        self.sleep = sleep
        self.asked: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one call on, or fail in the way that was asked for. Raises `ConnectionCut`."""
        call: Call = scope["call"]
        slow = self.faults.latency + (self.faults.write_latency if call.writes else 0)
        if slow:
            await self._linger(slow, call, receive)
        if self._strikes("hang", call):
            await self._linger(_FOR_EVER, call, receive)
            raise ConnectionCut
        if self.faults.trickle and self.faults.match in call.path:
            await self._trickle(call, receive, send)
            return
        if self._strikes("cut", call):
            raise ConnectionCut
        if self._strikes("error", call):
            answer: Response = JSONResponse({"error": "Internal Server Error"}, self.faults.error_status)
        elif self.busy is not None and self._strikes("busy", call):
            answer = self.busy(call, self.faults.retry_after)
        elif (chance := self._damage(call)) is not None:
            whole = await answer_of(self.app, scope, receive)
            answer = Response(garbled(bytes(whole.body), chance), whole.status_code, media_type=_JSON)
        else:
            answer = await self._spoiled(await answer_of(self.app, scope, receive), call, receive)
        await answer(scope, receive, send)

    async def _spoiled(self, answer: Response, call: Call, receive: Receive) -> Response:
        """*answer*, unless it is lost after a write or something in it is broken. Raises `ConnectionCut`."""
        body = bytes(answer.body)
        if call.writes:
            if answer.status_code < _FIRST_REDIRECT and self._strikes("lost_answer", call):
                raise ConnectionCut
            return answer
        how = next((one.how for one in self.faults.breakages() if one.hits(call, body)), None)
        match how:
            case None:
                return answer
            case "garbage":
                return Response(body[: len(body) // 2], media_type=_JSON)
            case "500" | "404":
                return JSONResponse({"error": "this cannot be read"}, int(how))
            case "hang":
                await self._linger(_FOR_EVER, call, receive)
        raise ConnectionCut

    async def _trickle(self, call: Call, receive: Receive, send: Send) -> None:
        """Answer with white space, a byte now and then, until the caller hangs up or answers are whole again."""
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", _JSON.encode())]})
        hung_up = asyncio.ensure_future(receive())
        try:
            while not hung_up.done() and self.faults.trickle:
                await send({"type": "http.response.body", "body": b" ", "more_body": True})
                slow = asyncio.ensure_future(self.sleep(self.faults.trickle))
                await asyncio.wait({slow, hung_up}, return_when=asyncio.FIRST_COMPLETED)
                slow.cancel()
        finally:
            hung_up.cancel()
            call.leave()
        raise ConnectionCut

    def _strikes(self, kind: str, call: Call) -> bool:
        return self.faults.strikes(kind, call.path, self.rng)

    def _damage(self, call: Call) -> random.Random | None:
        """By what chance the answer of *call* is damaged; None if it stays whole. It follows from a seed, and from
        how often the same was called since answers are damaged: calls may come in any order."""
        if not self.faults.garble_share:
            self.asked.clear()
            return None
        name = f"{call.method} {call.path}"
        self.asked[name] += 1
        chance = random.Random(f"{self.faults.garble_seed}/{name}/{self.asked[name]}")  # noqa: S311
        return chance if self.faults.strikes("garble", call.path, chance) else None

    async def _linger(self, seconds: float, call: Call, receive: Receive) -> None:
        """Be slow. A caller that hangs up meanwhile is in flight no more; what it asked for is still done."""
        slow = asyncio.ensure_future(self.sleep(seconds))
        hung_up = asyncio.ensure_future(receive())
        try:
            await asyncio.wait({slow, hung_up}, return_when=asyncio.FIRST_COMPLETED)
            if not slow.done():
                call.leave()
            await slow
        finally:
            hung_up.cancel()
            slow.cancel()


async def answer_of(app: ASGIApp, scope: Scope, receive: Receive) -> Response:
    """What *app* answers, whole, before it leaves."""
    messages: list[Message] = []

    async def keep(message: Message) -> None:
        messages.append(message)

    await app(scope, receive, keep)
    start, *parts = messages
    answer = Response(b"".join(part.get("body", b"") for part in parts), start["status"])
    answer.raw_headers = list(start["headers"])
    return answer


def too_many(_call: Call, seconds: int) -> Response:
    """429 as most servers give it."""
    return JSONResponse({"error": "too many requests"}, 429, {"Retry-After": str(seconds)})


async def _cut(send: Send) -> None:
    """Drop the TCP connection without a byte of answer. Raises `ConnectionCut` where there is none."""
    cycle = getattr(send, "__self__", None)
    transport = getattr(cycle, "transport", None)
    if transport is None:
        raise ConnectionCut("the sandbox cuts this connection")
    transport.abort()
    # The server learns of it in the next turn of the loop; without that it would try to send a 500.
    while not getattr(cycle, "disconnected", True):  # noqa: ASYNC110 - the server has no event for it
        await asyncio.sleep(0)
