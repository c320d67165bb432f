"""Send many things in one call, although one of them may be bad: a refused batch is sent again in halves.

    8 things ─refused─► 4 ─accepted
                        4 ─refused─► 2 ─accepted
                                     2 ─refused─► 1 ─accepted
                                                  1 ─refused: this is the one

One bad thing among n costs 2·log₂ n more calls. A half that the system accepted is not sent again.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator, Sequence
from typing import Generic, TypeVar

from upbridge.core.errors import Rejected, TooMany, Unreachable
from upbridge.systems.http.classify import about_items

T = TypeVar("T")
R = TypeVar("R")


class WaitingBatches(Generic[T]):
    """Batches that wait to be sent, in order. A batch that is halved stays first in line. No I/O."""

    def __init__(self, batches: Iterable[Sequence[T]] = ()) -> None:
        self._stack = list(batches)[::-1]

    def __bool__(self) -> bool:
        return bool(self._stack)

    def __iter__(self) -> Iterator[Sequence[T]]:
        return reversed(self._stack)

    def next(self) -> Sequence[T]:
        """The batch that is first in line; it waits no more."""
        return self._stack.pop()

    def halve(self, batch: Sequence[T], refusal: Exception) -> bool:
        """Put the halves of *batch* first in line; False if it is a single thing, which has no halves.

        If there were `TooMany` things in it, the batches behind it are cut to the size of its halves as well: they
        would be refused, too.
        """
        if len(batch) == 1:
            return False
        size = (len(batch) + 1) // 2
        self._stack += reversed(pieces(batch, size))
        if isinstance(refusal, TooMany):
            self._stack = [piece for one in self._stack for piece in reversed(pieces(one, size))]
        return True

    def drop(self, dropped: Callable[[Sequence[T]], bool]) -> list[T]:
        """Take out each batch that is to be *dropped*; returns what was in them, in order."""
        gone = [batch for batch in self if dropped(batch)]
        self._stack = [batch for batch in self._stack if not dropped(batch)]
        return [thing for batch in gone for thing in batch]


def pieces(things: Sequence[T], size: int) -> list[Sequence[T]]:
    """*things* in batches of at most *size*."""
    return [things[start : start + size] for start in range(0, len(things), size)]


async def in_halves(
    things: Sequence[T], send: Callable[[Sequence[T]], Awaitable[R]], *, system: str
) -> AsyncGenerator[tuple[Sequence[T], R | Rejected], None]:
    """Send *things* in one call, and in halves where the call is refused because of one of them.

    Yields each batch with the answer to it, or a single thing with its refusal; every thing once and in order.
    Raises what *send* raises, and `Unreachable` for a refusal that is not about the things: *system* is not what
    it should be then, and to look for the bad one would refuse all of them.
    """
    waiting = WaitingBatches([things] if things else [])
    while waiting:
        batch = waiting.next()
        try:
            answer = await send(batch)
        except Rejected as refusal:
            if not about_items(refusal.answered):
                raise Unreachable(f"{system} does not answer as published: {refusal}") from refusal
            if not waiting.halve(batch, refusal):
                yield batch, refusal
        else:
            yield batch, answer
