"""No client keeps a connection, a head or a request open for ever, and none sends one without end."""

import asyncio
import json
import sys
from asyncio.subprocess import PIPE
from typing import Any

import pytest

from tests.support.raw_http import GENUINE, Caller, answer_204, web_server

SOON = {"sweep_seconds": 0.02}
HEAD = b"GET / HTTP/1.1\r\nHost: x\r\n"


async def test_a_genuine_request_is_answered_and_its_connection_goes_on() -> None:
    async with web_server() as server:
        client = await server.connect()
        for _ in range(3):
            await client.send(GENUINE)
            assert await client.answer() == 204


@pytest.mark.parametrize("filler", [b"X: " + b"y" * 70_000, b"X: y\r\n" * 20_000, b"a" * 70_000])
async def test_a_head_without_end_is_refused_and_the_connection_ended(filler: bytes) -> None:
    async with web_server() as server:
        client = await server.connect()
        await client.send(HEAD + filler)

        assert await client.answer() in {400, 431, 0}
        assert not await client.rest() or server.connections == 0


async def test_of_a_head_of_300_megabytes_next_to_nothing_is_taken() -> None:
    async with web_server() as server:
        client = await server.connect()
        sent = 0
        for _ in range(300):
            await client.send(HEAD + b"X: " + b"y" * 1_000_000)
            sent += 1
            if client.reader.at_eof() or client.writer.transport.is_closing():
                break

        assert sent < 50
        assert await server.genuine() == 204


async def test_more_headers_than_any_client_has_are_refused() -> None:
    async with web_server(headers=5) as server:
        client = await server.connect()
        await client.send(b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 6 + b"\r\n")

        assert await client.answer() == 431
        assert b'{"error": "bad_request"' in await client.rest()


async def test_headers_behind_a_body_in_pieces_are_counted_too() -> None:
    async with web_server(headers=5) as server:
        client = await server.connect()
        await client.send(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + b"X: y\r\n" * 9)

        assert await client.answer() == 431


async def test_bytes_that_are_no_http_get_an_answer_in_json() -> None:
    async with web_server() as server:
        client = await server.connect()
        await client.send(b"\x16\x03\x01 hello\r\n\r\n")

        assert await client.answer() == 400
        assert b'"detail": "this is not HTTP"' in await client.rest()


async def test_a_silent_connection_is_closed() -> None:
    async with web_server(head_seconds=0.1, **SOON) as server:
        client = await server.connect()

        assert await client.rest() == b""


@pytest.mark.parametrize("drip", [b"X: y\r\n", b"\r\n"])
async def test_a_head_that_trickles_is_given_up(drip: bytes) -> None:
    async with web_server(head_seconds=0.2, **SOON) as server:
        client = await server.connect()

        async def trickle() -> None:
            await client.send(HEAD if drip != b"\r\n" else drip)
            while not client.writer.transport.is_closing():
                await client.send(drip)
                await asyncio.sleep(0.02)

        dripping = asyncio.create_task(trickle())
        assert await client.answer() in {408, 0}
        await client.rest()
        dripping.cancel()
        assert await server.genuine() == 204


async def test_slow_heads_and_silence_leave_a_genuine_webhook_its_place() -> None:
    async with web_server(connections=20, **SOON) as server:
        for number in range(60):
            client = await server.connect()
            await client.send(HEAD if number % 2 else b"")

        for _ in range(5):
            assert await server.genuine() == 204
        assert server.connections <= 20


async def test_requests_that_are_being_answered_are_not_closed_for_newcomers() -> None:
    asked, go_on = asyncio.Event(), asyncio.Event()

    async def slow(scope: Any, receive: Any, send: Any) -> None:
        asked.set()
        await go_on.wait()
        await answer_204(scope, receive, send)

    async with web_server(slow, connections=3) as server:
        client = await server.connect()
        await client.send(GENUINE)
        await asked.wait()
        for _ in range(9):
            await server.connect()
        await asyncio.sleep(0)
        go_on.set()

        assert await client.answer() == 204


async def test_a_body_that_no_handler_reads_ends_as_well() -> None:
    async def hasty(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 404, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})

    async with web_server(hasty, request_seconds=0.2, **SOON) as server:
        client = await server.connect()
        await client.send(b"POST / HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n")
        assert await client.answer() == 404

        async def trickle() -> None:
            while not client.writer.transport.is_closing():
                await client.send(b"x")
                await asyncio.sleep(0.02)

        dripping = asyncio.create_task(trickle())
        await client.rest()
        dripping.cancel()


async def test_a_request_without_end_is_cut() -> None:
    async with web_server(request_bytes=100_000) as server:
        client = await server.connect()
        await client.send(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(100):
            await client.send(b"2710;" + b"e" * 20_000 + b"\r\n" + b"x" * 10_000 + b"\r\n")

        assert await client.answer() in {413, 0}
        assert await server.genuine() == 204


async def test_a_client_that_takes_nothing_of_its_answer_is_cut() -> None:
    ended = asyncio.Event()

    async def endless(_scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while (await asyncio.wait_for(send_and_look(receive, send), 60)) != "http.disconnect":
            pass
        ended.set()

    async def send_and_look(receive: Any, send: Any) -> str:
        await send({"type": "http.response.body", "body": b"x" * 100_000, "more_body": True})
        looking = asyncio.ensure_future(receive())
        done, _ = await asyncio.wait([looking], timeout=0.001)
        looking.cancel()
        return str(looking.result()["type"]) if done else ""

    async with web_server(endless, stalled_seconds=0.2, **SOON) as server:
        client = await server.connect()
        await client.send(HEAD + b"\r\n")

        await asyncio.wait_for(ended.wait(), 60)


async def test_requests_in_a_row_are_bounded() -> None:
    async with web_server() as server:
        client = await server.connect()
        await client.send(GENUINE * 50)
        assert [await client.answer() for _ in range(50)] == [204] * 50

        await client.send(GENUINE * 5_000)
        await client.rest()
        assert await server.genuine() == 204


async def test_more_connections_than_the_process_may_open_files_end_nothing() -> None:
    program = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.support.few_descriptors", "256", stdin=PIPE, stdout=PIPE
    )
    assert program.stdin is not None
    assert program.stdout is not None
    server = Caller(int(await program.stdout.readline()))
    silent = [await server.connect() for _ in range(400)]

    statuses = [await server.genuine() for _ in range(20)]
    program.stdin.close()
    said = json.loads(await program.stdout.read())
    await program.wait()
    for client in silent:
        client.writer.transport.abort()

    assert statuses == [204] * 20
    assert len(said["log"]) < 5, "a line for each connection would fill the disk"
