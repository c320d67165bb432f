"""One call: sent once, read within its limits, counted once with every outcome."""

import asyncio
import gc
import gzip
import math
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal

import httpx
import pytest
from prometheus_client import REGISTRY

from tests.support.clock import NOON, manual_timers
from tests.support.raw_http import web_server
from upbridge.core.bounds import ANSWER
from upbridge.core.deadline import with_deadline
from upbridge.core.errors import Unreachable
from upbridge.systems.http.classify import Action
from upbridge.systems.http.transport import HttpAnswer, Remote, http_client

URL = "https://shop.test/api/v2/orders"
Handler = Callable[[httpx.Request], httpx.Response]


def counted(**labels: str) -> float:
    """How many calls were counted with these labels."""
    return sum(
        sample.value
        for family in REGISTRY.collect()
        for sample in family.samples
        if sample.name == "upbridge_remote_calls_total" and labels.items() <= sample.labels.items()
    )


def timed(**labels: str) -> float:
    return REGISTRY.get_sample_value("upbridge_remote_call_seconds_count", labels) or 0.0


def remote(handler: Handler, *, deadline: float = 60.0) -> Remote:
    return Remote(
        "test",
        httpx.AsyncClient(transport=httpx.MockTransport(handler)),
        lambda: NOON,
        replace(ANSWER, seconds=deadline),
    )


def failing(error: Exception) -> Handler:
    def fail(_request: httpx.Request) -> httpx.Response:
        raise error

    return fail


class _Broken(httpx.AsyncByteStream):
    """A body that is cut in the middle."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield b'{"a": 1'
        raise httpx.ReadError("connection reset")


class _Endless(httpx.AsyncByteStream):
    """A body that never ends."""

    def __init__(self) -> None:
        self.sent = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            await asyncio.sleep(0)
            self.sent += 1000
            yield b" " * 1000


class TestRequest:
    async def test_it_says_who_we_are_and_keeps_no_cookie(self) -> None:
        requests: list[httpx.Request] = []

        def handle(request: httpx.Request) -> httpx.Response:
            requests.append(request)
            return httpx.Response(200, headers={"Set-Cookie": "session=1"})

        shop = remote(handle)
        for _ in range(2):
            await shop.exchange("POST", URL, operation="POST /orders", content=b"{}", params={"page": 2})

        assert requests[1].headers["user-agent"].startswith("Upbridge (+https://")
        assert requests[1].headers["content-type"] == "application/json"
        assert requests[1].url.query == b"page=2"
        assert "cookie" not in requests[1].headers

    async def test_no_redirect_is_followed(self) -> None:
        shop = remote(lambda _: httpx.Response(302, headers={"Location": "https://evil.test/"}))

        answer = await shop.exchange("GET", URL, operation="GET /orders")

        assert answer.outcome.status == 302

    async def test_no_proxy_of_the_environment_sees_a_call(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, "http://127.0.0.1:9")
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        async with web_server() as server, http_client() as http:
            answer = await Remote("test", http, lambda: NOON).exchange(
                "POST", f"http://127.0.0.1:{server.port}/", operation="POST /", content=b"{}"
            )

        assert answer.outcome.status == 204

    async def test_nothing_keeps_a_body_that_was_sent(self) -> None:
        """A batch for Upp.ai is a megabyte, and Python's collector looks seldom in a worker."""
        async with web_server() as server, http_client() as http:
            body = b"[%s]" % b",".join([b"{}"] * 1000)
            before = sys.getrefcount(body)
            gc.disable()
            try:
                for _ in range(3):
                    await Remote("test", http, lambda: NOON).exchange(
                        "POST", f"http://127.0.0.1:{server.port}/", operation="POST /", content=body
                    )
                kept = sys.getrefcount(body) - before
            finally:
                gc.enable()

        assert kept == 0


class TestAnswer:
    async def test_numbers_are_exact(self) -> None:
        answer = await remote(lambda _: httpx.Response(200, content=b'{"price": 0.1}')).exchange(
            "GET", URL, operation="GET /orders"
        )

        assert answer.json() == {"price": Decimal("0.1")}

    @pytest.mark.parametrize("content", [b"", b"<html>", b'{"a": NaN}', b"[" * 100_000, b"\xff"])
    async def test_what_is_no_json_is_no_answer(self, content: bytes) -> None:
        answer = await remote(lambda _: httpx.Response(200, content=content)).exchange(
            "GET", URL, operation="GET /orders"
        )

        with pytest.raises(Unreachable, match="GET /orders: the answer is not JSON"):
            answer.json()

    async def test_a_body_that_is_cut_keeps_status_and_headers(self) -> None:
        answer = await remote(lambda _: httpx.Response(429, stream=_Broken(), headers={"X": "1"})).exchange(
            "GET", URL, operation="GET /orders"
        )

        assert (answer.outcome.action, answer.headers["x"]) == (Action.WAIT, "1")
        with pytest.raises(Unreachable, match="cut: ReadError"):
            answer.json()

    async def test_no_more_is_read_than_the_limit(self) -> None:
        body = _Endless()

        answer = await remote(lambda _: httpx.Response(200, stream=body)).exchange(
            "GET", URL, operation="GET /orders", limit=5000
        )

        assert body.sent == 6000
        with pytest.raises(Unreachable, match="too large"):
            answer.json()

    async def test_a_truncated_body_is_its_beginning(self) -> None:
        answer = await remote(lambda _: httpx.Response(400, content=b"x" * 9)).exchange(
            "POST", URL, operation="POST /orders", limit=5, truncate=True
        )

        assert (answer.body, answer.body_error) == (b"xxxxx", "")

    async def test_a_body_of_just_the_limit_is_whole(self) -> None:
        answer = await remote(lambda _: httpx.Response(200, content=b"12345")).exchange(
            "GET", URL, operation="GET /orders", limit=5
        )

        assert answer.json() == 12345


def _answered(status: int, **more: object) -> Handler:
    return lambda _request: httpx.Response(status, **more)  # type: ignore[arg-type]


class TestCounting:
    """The metrics `upbridge_remote_calls_total` and `upbridge_remote_call_seconds`."""

    @pytest.mark.parametrize(
        ("handler", "outcome"),
        [
            pytest.param(_answered(200), Action.ACCEPT, id="an answer"),
            pytest.param(_answered(429), Action.WAIT, id="a refusal"),
            pytest.param(_answered(200, stream=_Broken()), Action.CUT, id="an answer that is cut"),
            pytest.param(_answered(500, stream=_Broken()), Action.FAILED, id="a failure that is cut"),
            pytest.param(_answered(200, content=b" " * 101), Action.CUT, id="an answer that is too large"),
            pytest.param(failing(httpx.ReadTimeout("")), Action.TIMEOUT, id="no answer in time"),
            pytest.param(failing(httpx.RemoteProtocolError("")), Action.NO_ANSWER, id="no answer"),
            pytest.param(failing(httpx.ConnectError("")), Action.NOT_SENT, id="no connection"),
            pytest.param(failing(httpx.ConnectTimeout("")), Action.NOT_SENT, id="no connection in time"),
            pytest.param(_answered(200, stream=_Endless()), Action.CUT, id="an answer without end"),
        ],
    )
    async def test_a_call_is_counted_once_by_its_outcome(self, handler: Handler, outcome: Action) -> None:
        operation = f"GET /{outcome}"
        all_before, before = counted(system="test"), counted(operation=operation, outcome=outcome.value)
        times = timed(system="test", operation=operation)

        with suppress(Unreachable):
            await remote(handler).exchange("GET", URL, operation=operation, limit=100)

        assert counted(operation=operation, outcome=outcome.value) == before + 1
        assert counted(system="test") == all_before + 1
        assert timed(system="test", operation=operation) == times + 1

    async def test_a_call_that_was_abandoned_is_counted_too(self) -> None:
        started = asyncio.Event()

        async def hang(_request: httpx.Request) -> httpx.Response:
            started.set()
            await asyncio.Event().wait()
            raise AssertionError

        shop = Remote("test", httpx.AsyncClient(transport=httpx.MockTransport(hang)), lambda: NOON)
        before = counted(outcome="abandoned")
        call = asyncio.create_task(shop.exchange("GET", URL, operation="GET /orders"))
        await started.wait()

        call.cancel()
        await asyncio.wait([call])

        assert call.cancelled()
        assert counted(outcome="abandoned") == before + 1

    async def test_a_call_that_never_ends_is_given_up(self) -> None:
        before = counted(outcome="timeout")
        shop = remote(lambda _: httpx.Response(200, stream=_Endless()), deadline=0.01)

        with pytest.raises(Unreachable, match=r"GET /orders: no answer within 0\.01 s"):
            await shop.exchange("GET", URL, operation="GET /orders", limit=math.inf)  # type: ignore[arg-type]

        assert counted(outcome="timeout") == before + 1


async def test_who_waits_for_something_of_ours_does_not_count_the_time_of_a_call() -> None:
    async def slow(_request: httpx.Request) -> httpx.Response:
        timers.advance(3600)
        return httpx.Response(200)

    shop = Remote("test", httpx.AsyncClient(transport=httpx.MockTransport(slow)), lambda: NOON)

    with manual_timers() as timers:
        answer: HttpAnswer = await with_deadline(1, shop.exchange("GET", URL, operation="GET /orders"), own=True)

    assert answer.outcome.status == 200


class TestEncodedAnswers:
    """httpx undoes any number of encodings in one piece: some 1,800 bytes became 2 GB."""

    @pytest.mark.parametrize("encoding", ["gzip, gzip", "gzip,deflate", "br", "deflate", "x"])
    async def test_an_encoding_that_was_not_asked_for_is_no_answer(self, encoding: str) -> None:
        packed = gzip.compress(gzip.compress(bytes(1_000_000)))

        answer = await exchange(packed, encoding)

        assert (answer.body, answer.body_error) == (b"", "the answer is encoded in a way that was not asked for")

    async def test_one_layer_of_gzip_is_read(self) -> None:
        assert (await exchange(gzip.compress(b'{"a": 1}'), "GZIP")).json() == {"a": 1}

    async def test_what_is_too_large_only_when_it_is_unpacked_is_too_large(self) -> None:
        answer = await exchange(gzip.compress(bytes(3_000_000)), "gzip", limit=1_000_000)

        assert (answer.body, answer.body_error) == (b"", "the answer is too large")

    async def test_gzip_that_is_broken_is_cut(self) -> None:
        assert (await exchange(b"no gzip", "gzip")).body_error == "cut: error"

    async def test_more_values_than_any_answer_has_are_refused_before_they_are_parsed(self) -> None:
        answer = await exchange(b"[" + b"[]," * 1_000_001 + b"0]", "identity")

        with pytest.raises(Unreachable, match="is not JSON"):
            answer.json()


async def exchange(body: bytes, encoding: str, *, limit: int = 32_000_000) -> HttpAnswer:
    def handle(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers={"Content-Encoding": encoding}, stream=httpx.ByteStream(body))

    return await remote(handle).exchange("GET", URL, operation="GET /orders", limit=limit)
