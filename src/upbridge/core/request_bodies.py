"""Read the body of a request to us: no more of it, and for no longer, than its bounds allow.

Only the web process imports this: a worker does without its libraries.
"""

import asyncio
from collections.abc import AsyncIterable, Coroutine
from typing import Any, TypeVar

from starlette.requests import ClientDisconnect, Request

from upbridge.core.bodies import read_at_most
from upbridge.core.bounds import Bounds
from upbridge.core.deadline import pause_deadline
from upbridge.core.errors import BadRequest, TooLarge, TooSlow

T = TypeVar("T")

_MOST_DECLARED = 2.0**53


async def skip_body(request: Request, bounds: Bounds) -> None:
    """Let the body of a request to us pass, and keep nothing of it. Raises what `request_body` raises."""
    if _declared(request) > bounds.bytes:
        raise TooLarge(f"the body is larger than {bounds.bytes} bytes")
    if not await _arriving(_passes(request.stream(), bounds.bytes), bounds):
        raise TooLarge(f"the body is larger than {bounds.bytes} bytes")


async def _passes(chunks: AsyncIterable[bytes], limit: int) -> bool:
    size = 0
    async for part in chunks:
        size += len(part)
        if size > limit:
            return False
    return True


async def _arriving(reading: Coroutine[Any, Any, T], bounds: Bounds) -> T:
    """What *reading* a body gives, within the seconds of *bounds*, which are no other's. Raises `TooSlow` and
    `BadRequest`."""
    try:
        with pause_deadline():
            async with asyncio.timeout(bounds.seconds):
                return await reading
    except TimeoutError:
        raise TooSlow from None
    except ClientDisconnect:
        raise BadRequest("the body did not arrive") from None


def declared_size(request: Request) -> int:
    """The bytes that a request says its body has; 0 if it does not say."""
    return int(min(_declared(request), _MOST_DECLARED))


def _declared(request: Request) -> float:
    text = request.headers.get("content-length", "")
    return float(text) if text.isascii() and text.isdigit() else 0.0


async def request_body(request: Request, bounds: Bounds) -> bytes:
    """The body of a request to us.

    Raises `TooLarge` as soon as it must have more bytes than *bounds* allow, `TooSlow` if it is not there within
    their seconds, and `BadRequest` if its sender hangs up. A deadline of the caller's does not count meanwhile:
    the sender is slow, and not what the caller waits for.
    """
    if _declared(request) <= bounds.bytes:
        body, complete = await _arriving(read_at_most(request.stream(), bounds.bytes), bounds)
        if complete:
            return body
    raise TooLarge(f"the body is larger than {bounds.bytes} bytes")
