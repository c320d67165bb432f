"""Upp.ai as a target: documents in, outcomes out.

    documents ─► products, then orders ─► batches of 1,000 ─► accepted: all delivered
                                              ▲     │
                                              └─────┴─ refused: halves, until the bad item is found and parked

Upp says nothing about single items, so a refused batch is halved. An accepted batch is "delivered" in the sense
that they accepted it: 202 promises no more.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from http import HTTPStatus
from json import loads
from typing import TypeAlias

from upbridge.errors import Rejected
from upbridge.systems.delivery import (
    Again,
    Delivered,
    Document,
    Draft,
    Dropped,
    Entity,
    Links,
    Outcome,
    Parked,
    Shopfront,
    Trouble,
    Unmappable,
    Vault,
)
from upbridge.systems.trade import Order
from upbridge.systems.upp import mapping
from upbridge.systems.upp.client import BATCH, UppClient

Settled: TypeAlias = list[tuple[Document, Outcome]]
_Send: TypeAlias = Callable[[Vault, Sequence[bytes]], Awaitable[None]]

#: After so many refused items and none accepted, the refusal is hardly about the items: the rest waits for later
#: instead of being tried one by one.
_ENOUGH = 10


class UppTarget:
    """The target `upp`."""

    system = "upp"

    def __init__(self, client: UppClient) -> None:
        self._client = client

    def wants(self, entity: Entity, front: Shopfront) -> Iterable[Draft | Unmappable]:
        """All that Upp should hold for *entity* now."""
        if isinstance(entity, Order):
            return mapping.wants_order(entity, front)
        return mapping.wants_product(entity, front)

    def retire(self, kind: str, sent: bytes) -> bytes | None:
        """A product as last *sent* with stock 0 and inactive; None for an order, or if that was sent."""
        return mapping.retire(kind, sent)

    async def push(
        self, documents: Sequence[Document], front: Shopfront, vault: Vault, links: Links
    ) -> AsyncIterator[Settled]:
        """Send *documents*, products before the orders that name them; outcomes follow each call.

        A refused item is `Parked` with `upp.rejected` and the vendor's words. While `upp.send` is off everything
        is `Dropped`, what is withdrawn included: switching off is not taking back. Repeats are harmless on both
        endpoints, so *links* are not needed. Raises `LoginRefused`, `Throttled`, `Unreachable` for what concerns
        the whole connection.
        """
        del links
        if not front.rules.yes("upp.send"):
            yield [(document, Dropped("upp.send is off")) for document in documents]
            return
        calls: dict[str, _Send] = {mapping.PRODUCT: self._client.ingest, mapping.ORDER: self._client.send_orders}
        strange = {document.kind for document in documents} - calls.keys()
        if strange:
            raise ValueError(f"Upp.ai takes no {', '.join(sorted(strange))}")
        for kind, send in calls.items():
            chosen = [document for document in documents if document.kind == kind]
            async for settled in _deliver(chosen, send, vault):
                yield settled


async def _deliver(documents: Sequence[Document], send: _Send, vault: Vault) -> AsyncIterator[Settled]:
    """Send *documents* of one kind in order, as large batches as they take."""
    waiting = list(_pieces(documents, BATCH))[::-1]  # a stack: the next batch is the last
    accepted, refused = False, 0
    while waiting:
        batch = waiting.pop()
        try:
            await send(vault, [document.body for document in batch])
        except Rejected as refusal:
            if len(batch) > 1:
                half = (len(batch) + 1) // 2
                waiting += list(_pieces(batch, half))[::-1]
                if refusal.answered == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:  # the next ones would be, too
                    waiting = [piece for one in waiting for piece in list(_pieces(one, half))[::-1]]
                continue
            refused += 1
            yield [(batch[0], Parked(Trouble("upp.rejected", {"said": str(refusal)})))]
            if refused >= _ENOUGH and not accepted and waiting:
                again = Again(f"Upp.ai refuses everything: {refusal}")
                yield [(document, again) for one in reversed(waiting) for document in one]
                return
        else:
            accepted = True
            yield [(document, _delivered(document)) for document in batch]


def _pieces(documents: Sequence[Document], size: int) -> Iterator[Sequence[Document]]:
    for start in range(0, len(documents), size):
        yield documents[start : start + size]


def _delivered(document: Document) -> Delivered:
    """A product's copy is kept, to be taken back from when the product is gone; an order is never taken back."""
    body = loads(document.body)
    if document.kind == mapping.PRODUCT:
        return Delivered(remote_id=body["externalProductId"], keep=document.body)
    return Delivered(remote_id=body["externalOrderId"])
