"""Upp.ai as a target: documents in, outcomes out.

    documents ─► products, then orders ─► batches of 1,000 ─► accepted: all delivered
                                              ▲     │
                                              └─────┴─ refused: halves, until the bad item is found and parked

Upp says nothing about single items, so a refused batch is halved. So is one that is answered with 500, for an item
that they choke on must not stop the others; while they only stumble, the whole connection waits. An accepted batch
is "delivered" in the sense that they accepted it: 202 promises no more.
"""

from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import TypeAlias

import msgspec

from upbridge.core.errors import Failed, Rejected
from upbridge.domain.delivery import (
    Delivered,
    DesiredDocument,
    Document,
    Dropped,
    Entity,
    Issue,
    Outcome,
    Parked,
    Retry,
    Unmappable,
)
from upbridge.domain.eligibility import OrderPolicy
from upbridge.domain.order import Order
from upbridge.domain.shop_settings import ShopSettings
from upbridge.systems.base import Connection, MappingContext, UniqueName
from upbridge.systems.connecting import Vault
from upbridge.systems.http.batching import WaitingBatches, pieces
from upbridge.systems.links import Links
from upbridge.systems.upp import mapping
from upbridge.systems.upp.client import BATCH, UppClient
from upbridge.systems.upp.order_policy import order_policy

Settled: TypeAlias = list[tuple[Document, Outcome]]
_Batch: TypeAlias = Sequence[Document]
_Send: TypeAlias = Callable[[Vault, Sequence[bytes]], Awaitable[None]]

#: After so many refused items and none accepted, the refusal is hardly about the items: the rest waits for later
#: instead of being tried one by one.
_ENOUGH = 10
#: To find one item among a thousand takes eleven halvings; a server that stumbles more often in a row is ill.
_STUMBLES = 12


class _Named(msgspec.Struct):
    """What a body is known by at Upp; the rest of it is not looked at."""

    externalProductId: str | None = None  # noqa: N815 - Upp's word
    externalOrderId: str | None = None  # noqa: N815


_NAMED = msgspec.json.Decoder(_Named)


class UppTarget:
    """The target `upp`."""

    system = "upp"

    def __init__(self, client: UppClient) -> None:
        self._client = client

    def unique_name(self, shop_settings: ShopSettings) -> UniqueName | None:
        """By the SKU without regard to case (Developer guide); `upp.sku_from` says what the SKU is."""
        return {"code": UniqueName.CODE, "ean": UniqueName.EAN}.get(shop_settings.text("upp.sku_from") or "code")

    def order_policy(self, context: MappingContext) -> OrderPolicy | None:
        """Orders that advertising can have caused (`order_policy.order_policy`)."""
        return order_policy(context)

    def desired_documents(self, entity: Entity, context: MappingContext) -> Iterable[DesiredDocument | Unmappable]:
        """All that Upp should hold for *entity* now."""
        if isinstance(entity, Order):
            return mapping.order_documents(entity, context)
        return mapping.product_documents(entity, context)

    def tombstone(self, kind: str, sent: bytes) -> bytes | None:
        """A product as last *sent* with stock 0 and inactive; None for an order, or if that was sent."""
        return mapping.tombstone(kind, sent)

    def sender(self, connection: Connection, vault: Vault, links: Links) -> "UppSender":  # noqa: ARG002
        """Who sends for one slice. Repeats are harmless on both endpoints, so *links* are not needed."""
        return UppSender(self._client, vault)


@dataclass(frozen=True, slots=True)
class UppSender:
    """`base.Sender`."""

    client: UppClient
    vault: Vault

    async def push(self, documents: Sequence[Document], context: MappingContext) -> AsyncGenerator[Settled, None]:
        """Send *documents*, products before the orders that name them; outcomes follow each call.

        A refused item is `Parked` with `upp.rejected` and the vendor's words. While `upp.send` is off everything
        is `Dropped`, what is withdrawn included: switching off is not taking back. Raises `LoginRefused`,
        `Throttled`, `Unreachable` for what concerns the whole connection.
        """
        if not context.settings.yes("upp.send"):
            yield [(document, Dropped("upp.send is off")) for document in documents]
            return
        calls: dict[str, _Send] = {mapping.PRODUCT: self.client.ingest, mapping.ORDER: self.client.send_orders}
        strange = {document.kind for document in documents} - calls.keys()
        if strange:
            raise ValueError(f"Upp.ai takes no {', '.join(sorted(strange))}")
        batches = [
            batch
            for kind in calls
            for batch in pieces([document for document in documents if document.kind == kind], BATCH)
        ]
        async with aclosing(_deliver(_Round(batches), calls, self.vault)) as steps:
            async for settled in steps:
                yield settled


async def _deliver(batches: "_Round", calls: Mapping[str, _Send], vault: Vault) -> AsyncGenerator[Settled, None]:
    """Send what *batches* hands out until nothing waits."""
    while batches.waiting:
        batch = batches.waiting.next()
        try:
            await calls[batch[0].kind](vault, [document.body for document in batch])
        except Rejected as refusal:
            settled = batches.refused(batch, refusal)
        except Failed as stumble:
            settled = batches.stumbled(batch, stumble)
        else:
            settled = batches.accepted(batch)
        if settled:
            yield settled
    if batches.choked:
        yield batches.rest()


class _Round:
    """What still waits in one round of sending, and what each answer means for it. No I/O."""

    def __init__(self, batches: Sequence[_Batch]) -> None:
        self.waiting = WaitingBatches(batches)
        """Each batch is of one kind."""
        self.choked: list[Document] = []
        """Answered with 500 one by one."""
        self._accepted: set[str] = set()
        self._refused: Counter[str] = Counter()
        self._stumbles = 0
        self._stumble: Failed | None = None

    def accepted(self, batch: _Batch) -> Settled:
        """They took *batch*."""
        self._accepted.add(batch[0].kind)
        self._stumbles = 0
        return [(document, _delivered(document)) for document in batch]

    def refused(self, batch: _Batch, refusal: Rejected) -> Settled:
        """Something in *batch* is wrong: its halves are next; a single item is parked."""
        if self.waiting.halve(batch, refusal):
            return []
        kind = batch[0].kind
        settled: Settled = [(batch[0], Parked(Issue("upp.rejected", {"said": str(refusal)})))]
        self._refused[kind] += 1
        if self._refused[kind] >= _ENOUGH and kind not in self._accepted:
            again = Retry(f"Upp.ai refuses everything: {refusal}")
            settled += [(document, again) for document in self.waiting.drop(lambda one: one[0].kind == kind)]
        return settled

    def stumbled(self, batch: _Batch, stumble: Failed) -> Settled:
        """They may choke on something in *batch*: its halves are next. Raises *stumble* if they are ill."""
        self._stumble = stumble
        self._stumbles += 1
        if self._stumbles > _STUMBLES:
            raise stumble
        if not self.waiting.halve(batch, stumble):
            self.choked += batch
        return []

    def rest(self) -> Settled:
        """A retry for each item on which Upp.ai failed. Raises Upp.ai's error if no other item was accepted: then
        no single item is the cause."""
        if self._stumble is not None and not self._accepted:
            raise self._stumble
        return [(document, Retry("Upp.ai answers 500 to this one")) for document in self.choked]


def _delivered(document: Document) -> Delivered:
    """A product's copy is kept, to be taken back from when the product is gone; an order is never taken back."""
    named = _NAMED.decode(document.body)
    if document.kind == mapping.PRODUCT:
        return Delivered(remote_id=named.externalProductId, keep=document.body)
    return Delivered(remote_id=named.externalOrderId)
