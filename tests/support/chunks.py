"""A body that comes in chunks."""

from collections.abc import AsyncIterator, Sequence

from starlette.types import Message


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
