"""No body is read further than its limit."""

import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.types import Message

from upbridge.core.bodies import inflated, read_at_most, request_body
from upbridge.core.bounds import FORM
from upbridge.core.errors import BadRequest, TooLarge, TooSlow


class Chunks:
    """A body in chunks, which knows how many of them were taken."""

    def __init__(self, chunks: Sequence[bytes]) -> None:
        self.chunks = list(chunks)
        self.taken = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self.chunks:
            self.taken += 1
            yield chunk

    async def receive(self) -> Message:
        """The next message of ASGI."""
        self.taken += 1
        more = self.taken < len(self.chunks)
        return {"type": "http.request", "body": self.chunks[self.taken - 1], "more_body": more}


def request(body: Chunks, headers: Sequence[tuple[bytes, bytes]] = ()) -> Request:
    return Request({"type": "http", "headers": list(headers)}, body.receive)


@given(chunks=st.lists(st.binary(max_size=9)), limit=st.integers(0, 40))
async def test_it_is_the_beginning_and_says_whether_it_is_all(chunks: list[bytes], limit: int) -> None:
    body = Chunks(chunks)

    read, complete = await read_at_most(body, limit)

    assert read == b"".join(chunks)[:limit]
    assert complete is (len(b"".join(chunks)) <= limit)
    assert len(b"".join(chunks[: max(body.taken - 1, 0)])) <= limit, "it reads no further than it must"


async def test_a_request_of_just_the_limit_is_taken() -> None:
    assert await request_body(request(Chunks([b"123", b"45"])), replace(FORM, bytes=5)) == b"12345"


async def test_a_request_is_given_up_as_soon_as_it_is_too_large() -> None:
    body = Chunks([b"123", b"456", b"789"])

    with pytest.raises(TooLarge):
        await request_body(request(body), replace(FORM, bytes=5))

    assert body.taken == 2


@pytest.mark.parametrize("length", [b"6", b"9" * 5000])
async def test_a_request_that_says_so_itself_is_not_read_at_all(length: bytes) -> None:
    body = Chunks([b"123456"])

    with pytest.raises(TooLarge):
        await request_body(request(body, [(b"content-length", length)]), replace(FORM, bytes=5))

    assert body.taken == 0


@pytest.mark.parametrize("length", [b"", b"-1", b"5.0", b"\xb2", b"soon"])
async def test_a_length_that_is_none_is_not_believed(length: bytes) -> None:
    assert (
        await request_body(request(Chunks([b"12345"]), [(b"content-length", length)]), replace(FORM, bytes=5))
        == b"12345"
    )


@given(body=st.binary(max_size=400), size=st.integers(1, 50))
async def test_a_compressed_body_says_what_it_said_before(body: bytes, size: int) -> None:
    packed = gzip.compress(body)
    chunks = Chunks([packed[start : start + size] for start in range(0, len(packed), size)])

    assert b"".join([piece async for piece in inflated(chunks)]) == body


async def test_of_a_body_that_says_gigabytes_no_more_is_unpacked_than_is_wanted() -> None:
    pieces = inflated(Chunks([gzip.compress(bytes(50_000_000))]))

    body, complete = await read_at_most(pieces, 1_000_000)

    assert (len(body), complete) == (1_000_000, False)


@pytest.mark.parametrize("body", [b"", b"no gzip", gzip.compress(b"cut", mtime=0)[:-1]])
async def test_what_is_no_whole_gzip_is_an_error(body: bytes) -> None:
    with pytest.raises(zlib.error):
        assert [piece async for piece in inflated(Chunks([body]))] == []


async def test_a_sender_who_hangs_up_has_sent_no_body() -> None:
    async def gone() -> Message:
        return {"type": "http.disconnect"}

    with pytest.raises(BadRequest, match="did not arrive"):
        await request_body(Request({"type": "http", "headers": []}, gone), replace(FORM, bytes=9))


async def test_a_sender_who_trickles_is_not_waited_for() -> None:
    async def trickle() -> Message:
        await asyncio.sleep(0)
        return {"type": "http.request", "body": b"", "more_body": True}

    with pytest.raises(TooSlow):
        await request_body(Request({"type": "http", "headers": []}, trickle), replace(FORM, bytes=9, seconds=0.0))
