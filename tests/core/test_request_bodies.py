"""No request is read further, or waited for longer, than its bounds allow."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest
from starlette.requests import Request
from starlette.types import Message

from tests.support.chunks import Chunks
from upbridge.core.bounds import FORM
from upbridge.core.errors import BadRequest, TooLarge, TooSlow
from upbridge.core.request_bodies import request_body


def request(body: Chunks, headers: Sequence[tuple[bytes, bytes]] = ()) -> Request:
    return Request({"type": "http", "headers": list(headers)}, body.receive)


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
