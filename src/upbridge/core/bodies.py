"""Read a body of HTTP without taking more of it than is wanted."""

import zlib
from collections.abc import AsyncGenerator, AsyncIterable


async def read_at_most(chunks: AsyncIterable[bytes], limit: int) -> tuple[bytes, bool]:
    """The first *limit* bytes of *chunks*, and whether that is all of them. Reads no further than it must."""
    parts: list[bytes] = []
    size = 0
    async for part in chunks:
        size += len(part)
        parts.append(part)
        if size > limit:
            return b"".join(parts)[:limit], False
    return b"".join(parts), True


#: What is taken out of a compressed body at once.
_PIECE = 65_536


async def inflated(chunks: AsyncIterable[bytes]) -> AsyncGenerator[bytes]:
    """What *chunks*, compressed by gzip once, say: in pieces, each made when it is wanted, because a few bytes may
    say gigabytes. Raises `zlib.error` for what is no gzip, or ends too early."""
    stream = zlib.decompressobj(wbits=31)
    async for chunk in chunks:
        rest = chunk
        while rest and not stream.eof:
            yield stream.decompress(rest, _PIECE)
            rest = stream.unconsumed_tail
    if not stream.eof:
        raise zlib.error("the compressed body ends too early")
