"""What stands around the rules of a simulated system: the count of calls in flight, the call log, the faults."""

import asyncio
from datetime import UTC, datetime
from random import Random
from typing import Any

import pytest
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message

from upbridge_sandbox.asgi.call import Call
from upbridge_sandbox.asgi.middleware import ConnectionCut, Faulty, Recorded
from upbridge_sandbox.asgi.routing import Operation, application
from upbridge_sandbox.call_log import CallLog
from upbridge_sandbox.faults import Faults
from upbridge_sandbox.simulated import not_published


class Client:
    """Calls an application as a server does; remembers what it sent."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.sent: list[Message] = []
        self.left = asyncio.Event()

    async def __call__(self, method: str, path: str = "/things") -> int:
        """One call; the status of its answer."""
        messages: list[Message] = [{"type": "http.request", "body": b"{}"}]

        async def receive() -> Message:
            if messages:
                return messages.pop()
            await self.left.wait()
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            self.sent.append(message)

        scope = {"type": "http", "method": method, "path": path, "query_string": b"", "headers": []}
        await self.app(scope, receive, send)
        return int(self.sent[0]["status"])


class System:
    """A system of one operation, with everything around it."""

    def __init__(self, **faults: Any) -> None:
        self.call_log = CallLog(lambda: datetime.now(UTC))
        self.carried_out = 0
        self.parallel: list[int] = []
        self.slow = asyncio.Event()
        routes = [Operation("GET", "/things", self.work), Operation("POST", "/things", self.work)]
        app = application(routes, {HTTPException: not_published})
        faulty = Faulty(app, faults=Faults(**faults), rng=Random(1), sleep=self.sleep)
        self.recorded = Recorded(faulty, system="upp", call_log=self.call_log, caller=lambda _call: "one")

    async def work(self, call: Call) -> dict[str, bool]:
        self.carried_out += 1
        self.parallel.append(call.in_flight)
        return {"done": True}

    async def sleep(self, _seconds: float) -> None:
        await self.slow.wait()

    @property
    def statuses(self) -> list[tuple[str, int]]:
        return [(call.operation, call.status) for call in self.call_log.calls]


async def test_a_call_leaves_the_count_before_its_answer_leaves() -> None:
    system = System()
    client = Client(system.recorded)
    inside: list[int] = []

    class Watching(list[Message]):
        def append(self, message: Message) -> None:
            inside.append(system.recorded.in_flight["one"])
            super().append(message)

    client.sent = Watching()

    assert await client("GET") == 200
    assert inside == [0, 0]
    assert system.statuses == [("GET /things", 200)]


async def test_a_caller_that_hangs_up_is_in_flight_no_more_but_its_write_is_carried_out() -> None:
    system = System(write_latency=5.0)
    first = Client(system.recorded)
    waiting = asyncio.create_task(first("POST"))
    await asyncio.sleep(0)
    assert system.recorded.in_flight["one"] == 1

    first.left.set()
    for _turn_of_the_loop in range(10):
        await asyncio.sleep(0)
    assert system.recorded.in_flight["one"] == 0
    assert await Client(system.recorded)("GET") == 200
    system.slow.set()

    assert await waiting == 200
    assert system.parallel == [1, 1]
    assert system.recorded.in_flight["one"] == 0


async def test_an_answer_that_trickles_sends_white_space_until_its_caller_hangs_up() -> None:
    system = System(trickle=2.0)
    client = Client(system.recorded)
    waiting = asyncio.create_task(client("GET"))
    for _turn_of_the_loop in range(10):
        await asyncio.sleep(0)
    client.left.set()
    with pytest.raises(ConnectionCut):
        await waiting

    assert [message.get("body") for message in client.sent] == [None, b" "]
    assert system.carried_out == 0
    assert system.statuses == [("GET ?", 200)]
    assert system.recorded.in_flight["one"] == 0


async def test_the_same_answers_are_damaged_alike_in_any_order_of_calls() -> None:
    async def damaged(seed: int, *methods: str) -> dict[str, list[bytes]]:
        system, found = System(garble_share=0.5, garble_seed=seed), dict[str, list[bytes]]()
        for method in methods:
            client = Client(system.recorded)
            await client(method)
            found.setdefault(method, []).append(client.sent[-1]["body"])
        return found

    one = await damaged(7, *["GET"] * 9, *["POST"] * 9)

    assert await damaged(7, *["POST", "GET"] * 9) == one
    assert await damaged(8, *["POST", "GET"] * 9) != one
    assert len(set(one["GET"])) > 1


async def test_a_lost_answer_is_lost_after_the_write() -> None:
    system = System(lost_answer_next=1)
    client = Client(system.recorded)

    with pytest.raises(ConnectionCut):
        await client("POST")

    assert (system.carried_out, client.sent) == (1, [])
    assert system.statuses == [("POST /things", 0)]
    assert await client("POST") == 200


async def test_what_is_not_published_is_a_violation_and_the_root_is_free() -> None:
    system = System()

    for method, path in (("HEAD", "/things"), ("GET", "/nothing"), ("GET", "/")):
        await Client(system.recorded)(method, path)

    assert [item.rule for item in system.call_log.violations] == ["wrong-method", "unknown-endpoint"]
    assert [status for _, status in system.statuses] == [405, 404, 404]


async def test_a_call_at_which_the_sandbox_fails_leaves_the_count() -> None:
    system = System()

    async def fails(_call: Call) -> None:
        raise LookupError

    app = application([Operation("GET", "/things", fails)], {})
    recorded = Recorded(app, system="upp", call_log=system.call_log, caller=lambda _call: "one")

    with pytest.raises(RuntimeError, match="GET /things"):
        await Client(recorded)("GET")

    assert recorded.in_flight["one"] == 0
