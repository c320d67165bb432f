"""No body is read further than its limit."""

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.chunks import Chunks
from upbridge.core.bodies import inflated, read_at_most


@given(chunks=st.lists(st.binary(max_size=9)), limit=st.integers(0, 40))
async def test_it_is_the_beginning_and_says_whether_it_is_all(chunks: list[bytes], limit: int) -> None:
    body = Chunks(chunks)

    read, complete = await read_at_most(body, limit)

    assert read == b"".join(chunks)[:limit]
    assert complete is (len(b"".join(chunks)) <= limit)
    assert len(b"".join(chunks[: max(body.taken - 1, 0)])) <= limit, "it reads no further than it must"


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
