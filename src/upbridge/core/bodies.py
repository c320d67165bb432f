"""Reading a body of HTTP, a caller's or another system's, without taking more of it than is wanted."""

from collections.abc import AsyncIterable

from starlette.requests import Request

from upbridge.core.errors import TooLarge


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


async def request_body(request: Request, *, limit: int) -> bytes:
    """The body of a request to us. Raises `TooLarge` as soon as it must have more than *limit* bytes."""
    declared = request.headers.get("content-length", "")
    complete = not (declared.isascii() and declared.isdigit() and float(declared) > limit)
    body = b""
    if complete:
        body, complete = await read_at_most(request.stream(), limit)
    if not complete:
        raise TooLarge(f"the body is larger than {limit} bytes")
    return body
