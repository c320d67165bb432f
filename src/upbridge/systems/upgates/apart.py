"""One thing on which the shop stumbles does not speak for the shop: it is sent by itself, and waits by itself.

100 things ─500─► does the shop answer for its status? ─no──► the lane waits
                                                       └yes─► each waits for its turn, and is sent alone then
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from datetime import datetime, timedelta

from upbridge.core.backoff import pause_after
from upbridge.core.errors import NotSent, Rejected, Unreachable
from upbridge.domain.delivery import Document, Outcome, Retry
from upbridge.systems.http.batching import pieces

Settled = list[tuple[Document, Outcome]]

#: What has failed more often is tried again so seldom: a part of the shop may be down for an hour.
_OFTEN, _SELDOM = 3, timedelta(minutes=15)


def batches(documents: Sequence[Document], size: int) -> Iterator[Sequence[Document]]:
    """*documents* in batches of at most *size*; those that have failed before come last, each alone."""
    yield from pieces([one for one in documents if not one.attempts], size)
    yield from pieces([one for one in documents if one.attempts], 1)


async def settled_apart(
    batch: Sequence[Document],
    sending: AsyncGenerator[Settled, None],
    ask: Callable[[], Awaitable[object]],
    *,
    now: datetime,
) -> AsyncGenerator[Settled, None]:
    """The outcome of *sending* the *batch*. If it ends without a usable answer, and the shop answers when it is
    asked, what is left of the batch waits.

    Raises what *sending* raises where the shop does not answer, or was not even reached.
    """
    left = {document.key: document for document in batch}
    try:
        async for settled in sending:
            for document, _ in settled:
                left.pop(document.key, None)
            yield settled
    except NotSent:
        raise
    except Unreachable as error:
        try:
            await ask()
        except (Unreachable, Rejected):
            raise error from None
        yield [(document, Retry(str(error), _again(document, now))) for document in left.values()]


def _again(document: Document, now: datetime) -> datetime:
    return now + (pause_after(document.attempts + 1) if document.attempts < _OFTEN else _SELDOM)
