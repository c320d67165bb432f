"""The shop itself as a target: numbers of its stock, and what was shipped of its orders.

    stock      up to 100 numbers a PUT, absolute; each item's answer is read
    shipment   GET the orders ─► PUT status and tracking ─► POST a note per parcel, once

Both documents come from a connected system (docs/write-back.md). Shipments are sent first: they are the more
urgent purpose.
"""

import json
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

from upbridge.core.canonical_json import canonical
from upbridge.core.clock import Clock
from upbridge.core.errors import Rejected, Unreachable
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
from upbridge.domain.purpose import Purpose
from upbridge.domain.shop_settings import ShopSettings
from upbridge.domain.statuses import SHIPPED, is_cancelled
from upbridge.systems.base import Connection, MappingContext, UniqueName
from upbridge.systems.connecting import Vault
from upbridge.systems.http.batching import in_halves
from upbridge.systems.http.classify import about_items
from upbridge.systems.http.idempotent_create import InDoubt
from upbridge.systems.links import Links
from upbridge.systems.upgates.apart import Settled, batches, settled_apart
from upbridge.systems.upgates.client import UpgatesClient
from upbridge.systems.upgates.history_notes import (
    HistoryNotes,
    asked,
    may_be_noted,
    note_name,
    recalled,
    their_number,
)
from upbridge.systems.upgates.payloads import BATCH, ItemResult, OrderChange

STOCK = "stock"
SHIPMENT = "shipment"

#: So often an order is looked for that is not in the shop's answer, so far apart.
_LOOKS, _LAG = 2, timedelta(minutes=5)
_CLOSED = frozenset({"deny", "readonly"})

#: What of a number's document does not explain the number: whose it is, what it replaces, and when.
_NOT_NOTED = frozenset({"code", "level", "sku", "shown", "run", "undone"})


class UpgatesTarget:
    """The target `upgates` of one shop."""

    system = "upgates"

    def __init__(self, client: UpgatesClient, clock: Clock) -> None:
        self._client = client
        self._clock = clock

    def unique_name(self, shop_settings: ShopSettings) -> UniqueName | None:  # noqa: ARG002
        """By its own ids."""
        return None

    def order_policy(self, context: MappingContext) -> OrderPolicy | None:  # noqa: ARG002
        """None: the orders are its own."""
        return None

    def desired_documents(self, entity: Entity, context: MappingContext) -> Iterable[DesiredDocument | Unmappable]:  # noqa: ARG002
        """Nothing of what the shop itself has."""
        return ()

    def tombstone(self, kind: str, sent: bytes) -> bytes | None:  # noqa: ARG002
        """Nothing is taken back by itself: neither a number nor a shipment."""
        return None

    def sender(self, connection: Connection, vault: Vault, links: Links) -> "UpgatesSender":  # noqa: ARG002
        """Who sends for one slice; the client has the shop's credentials."""
        return UpgatesSender(self._client, self._clock, links)


@dataclass(frozen=True, slots=True)
class UpgatesSender:
    """`base.Sender`."""

    client: UpgatesClient
    clock: Clock
    links: Links

    async def push(self, documents: Sequence[Document], context: MappingContext) -> AsyncGenerator[Settled, None]:
        """Send shipments, then stock; each answer is settled before the next call.

        Raises `LoginRefused`, `Throttled` or `Unreachable`, which concern the whole shop.
        """
        work = Shipping(self.client, self.clock, context, self.links)
        for batch in batches([document for document in documents if document.kind == SHIPMENT], BATCH):
            async for settled in self._apart(batch, work.send(batch), Purpose.ORDERS):
                yield settled
        for batch in batches([document for document in documents if document.kind == STOCK], BATCH):
            async for settled in self._apart(batch, self._write(batch, context), Purpose.STOCK):
                yield settled

    async def _apart(
        self, batch: Sequence[Document], sending: AsyncGenerator[Settled, None], purpose: Purpose
    ) -> AsyncGenerator[Settled, None]:
        ask = partial(self.client.status, purpose=purpose)
        async for settled in settled_apart(batch, sending, ask, now=self.clock()):
            yield settled

    # --- stock ------------------------------------------------------------------------------------------------

    async def _write(
        self, documents: Sequence[Document], context: MappingContext
    ) -> AsyncGenerator[Settled, None]:
        """Send up to a hundred numbers."""
        if not context.settings.yes("stock.write"):
            # What a person takes back is written all the same: it undoes what was written before.
            stopped = [one for one in documents if "undone" not in json.loads(one.body)]
            if stopped:
                yield [(document, Dropped("stock is not written any more")) for document in stopped]
            documents = [one for one in documents if one not in stopped]
            if not documents:
                return
        if context.facts.rights.get("products") in _CLOSED:
            yield [(document, Parked(Issue("stock.no_right"))) for document in documents]
            return
        stock = [(document, json.loads(document.body)) for document in documents]
        async for batch, said in in_halves(stock, self._put, system="Upgates"):
            if isinstance(said, Rejected):
                ((document, body),) = batch
                issue = Issue("stock.refused", {"code": body["code"], "said": str(said)})
                yield [(document, Parked(issue))]
            else:
                yield [(document, self._came(body, said[body["level"], body["code"]])) for document, body in batch]

    async def _put(
        self, stock: Sequence[tuple[Document, Mapping[str, Any]]]
    ) -> Mapping[tuple[str, str], ItemResult]:
        """Write these numbers in one call; what Upgates says of each, by level and code."""
        asked = [(body["level"], (body["code"], Decimal(body["written"]))) for _, body in stock]
        results = await self.client.put_stock(
            variants=[item for level, item in asked if level == "variant"],
            products=[item for level, item in asked if level == "product"],
        )
        return {(result.kind, result.key): result for result in results}

    def _came(self, body: Mapping[str, Any], result: ItemResult) -> Outcome:
        """What the answer says of one number. One that it does not mention is read again to be sure."""
        if result.updated is False:
            said = "; ".join(result.messages) or "—"
            return Parked(Issue("stock.refused", {"code": body["code"], "said": said}))
        note = {name: value for name, value in body.items() if name not in _NOT_NOTED}
        return Delivered(metadata={**note, "at": self.clock().isoformat()}, confirmed=result.updated is True)


# --- shipments ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ShipmentStep:
    """What one shipment needs: a change of the order, and notes in its history."""

    document: Document
    body: Mapping[str, Any]
    change: OrderChange | None
    notes: Mapping[int, tuple[str, str]]
    """By ticket: name and value of an entry that is not in the history yet, as far as we know."""
    written: Mapping[str, Any]
    """What was written into the order once all of this is done."""


@dataclass(frozen=True, slots=True)
class Shipping:
    """Up to a hundred shipments on their way to the shop."""

    client: UpgatesClient
    clock: Clock
    context: MappingContext
    links: Links

    async def send(self, documents: Sequence[Document]) -> AsyncGenerator[Settled, None]:
        """Read the orders as they are now, change them in one call, note each parcel in its order's history."""
        if not self.context.settings.yes("shipments.write"):
            yield [(document, Dropped("shipments are not written any more")) for document in documents]
            return
        if self.context.facts.rights.get("orders") in _CLOSED:
            yield [(document, Parked(Issue("shipment.no_right"))) for document in documents]
            return
        numbers = [document.key for document in documents]
        put_back_at = await self.links.put_back_at()
        page = await asked(self.client.orders_by_numbers(numbers, purpose=Purpose.ORDERS))
        orders = {order.order_number: order for order in page.items if not order.deleted}
        broken = {bad.key: bad.reason for bad in page.broken}
        steps: list[ShipmentStep] = []
        settled: Settled = []
        for document in documents:
            if document.key in broken or (document.key not in orders and page.broken):
                settled.append((document, Retry(f"the order cannot be read: {broken.get(document.key, '?')}")))
                continue
            step = await self._decide(document, orders.get(document.key), put_back_at)
            if isinstance(step, ShipmentStep):
                steps.append(step)
            else:
                settled.append((document, step))
        for notify in (True, False):
            part = [step for step in steps if self._notifies(step) is notify]
            refused = await self._change(part, notify=notify)
            settled += [
                (step.document, refused[step.document.key]) for step in part if step.document.key in refused
            ]
            if settled:
                yield settled
                settled = []
            for step in part:
                if step.document.key not in refused:
                    yield [(step.document, await self._note(step))]

    async def _decide(
        self, document: Document, order: Order | None, put_back_at: datetime | None
    ) -> ShipmentStep | Outcome:
        """What the shipment means; where our links may have forgotten what was written, its history says so."""
        if order is not None and may_be_noted(document, order, put_back_at=put_back_at):
            title = self.context.connection.title
            document = await recalled(self.client, document, order, _status(self.context), title)
        return decide(document, order, self.context)

    def _notifies(self, step: ShipmentStep) -> bool:
        """Whether Upgates is to tell the shopper: never of what was shipped before it was connected."""
        return self.context.settings.yes("shipments.notify") and not step.body["backfill"]

    async def _change(self, steps: Sequence[ShipmentStep], *, notify: bool) -> dict[str, Outcome]:
        """Change the orders; returns the outcomes of those that were not changed."""
        changes = [step.change for step in steps if step.change is not None]
        put = partial(self.client.put_orders, notify=notify)
        outcomes: dict[str, Outcome] = {}
        async for batch, said in in_halves(changes, put, system="Upgates"):
            if isinstance(said, Rejected):
                number = batch[0].order_number
                outcomes[number] = _refused(number, str(said))
                continue
            for result in said:
                if result.updated is None:
                    outcomes[result.key] = Retry("the answer does not say whether the order was changed")
                elif not result.updated:
                    outcomes[result.key] = _refused(result.key, "; ".join(result.messages) or "—")
        return outcomes

    async def _note(self, step: ShipmentStep) -> Outcome:
        """Write each parcel into the history."""
        number, link = step.document.key, step.document.link
        written = set(link.created_keys if link is not None else ())
        missing = {ticket: note for ticket, note in step.notes.items() if ticket not in written}
        if missing:
            keep, known = canonical(dict(step.written)), sorted(written)
            notes = HistoryNotes(self.client, self.links, self.clock, step.document, missing, keep, known)
            try:
                noted = await notes.write()
            except Rejected as rejected:
                if not about_items(rejected.answered):
                    raise Unreachable(f"Upgates does not answer as published: {rejected}") from rejected
                return _refused(number, str(rejected))
            if isinstance(noted, InDoubt):
                return Retry(noted.reason, noted.until)
            if noted.updated is False:
                return _refused(number, "; ".join(noted.messages) or "—")
        tickets = sorted(written | step.notes.keys())
        return Delivered(
            keep=canonical(dict(step.written)),
            created_keys=tickets,
            metadata={"at": self.clock().isoformat()},
        )


def decide(document: Document, order: Order | None, context: MappingContext) -> ShipmentStep | Outcome:
    """What a shipment means for *order* as the shop has it now. Pure.

    The status is written once: where staff have moved the order on since, it stays so. The tracking code is that
    of the first parcel that has one; all of them are in the history. The other system's order number goes along
    where the shop has none and a call is made anyway.
    """
    body = json.loads(document.body)
    link = document.link
    before = json.loads(link.sent) if link is not None and link.sent is not None else {}
    number = document.key
    if order is None:
        # One look is not believed: what is behind the API may lag.
        if document.attempts < _LOOKS:
            return Retry("the order is not in the shop's answer", context.now + _LAG)
        return Dropped("the order is gone from the shop")
    tickets = {ticket["id"]: ticket for ticket in body["tickets"]}
    gone = [ticket for ticket in (link.created_keys if link is not None else ()) if ticket not in tickets]
    if gone or (before.get("status") is not None and not body["complete"]):
        lost = ", ".join(str(ticket) for ticket in gone) or "—"
        return Parked(Issue("shipment.taken_back", {"number": number, "tickets": lost}))
    if is_cancelled(order, context.facts):
        return Parked(Issue("shipment.order_canceled", {"number": number}))
    written = {name: before[name] for name in ("status", "tracking", "external") if name in before}
    change = None
    if body["complete"]:
        status = _status(context)
        if status is None:
            names = len(context.facts.statuses_of(SHIPPED))
            return Parked(Issue("shipment.no_status", {"number": number, "found": names}))
        tracking = next((ticket["tracking"] for ticket in body["tickets"] if ticket["tracking"]), None)
        change = _changed(order, status, tracking, their_number(body), before)
        written |= {"status": status, "tracking": tracking}
        if change is not None and change.external_order_number is not None:
            written["external"] = change.external_order_number
    notes = {ticket: _entry(one, context.connection.title) for ticket, one in tickets.items()}
    return ShipmentStep(document, body, change, notes, written)


def _status(context: MappingContext) -> int | None:
    """The status of a shipped order: the chosen one, else the only one of its type."""
    chosen = context.settings.number("shipments.status")
    if chosen is not None:
        return chosen
    fitting = context.facts.statuses_of(SHIPPED)
    return fitting[0] if len(fitting) == 1 else None


def _changed(
    order: Order, status: int, tracking: str | None, their_number: str, before: Mapping[str, Any]
) -> OrderChange | None:
    """Only what differs from what the shop has and from what was written before; None if that is nothing."""
    new_status = status if status not in (order.status_id, before.get("status")) else None
    new_tracking = tracking if tracking not in (None, order.tracking_code, before.get("tracking")) else None
    if new_status is None and new_tracking is None:
        return None
    external = their_number if not order.external_order_number and "external" not in before else None
    return OrderChange(order.order_number, new_status, new_tracking, external)


def _entry(ticket: Mapping[str, Any], title: str) -> tuple[str, str]:
    """One parcel in the history: the name finds it again, the value is for people."""
    facts = (ticket["shipment"], ticket["date"], ticket["carrier"], ticket["tracking"])
    return note_name(title, ticket["id"]), " · ".join(fact for fact in facts if fact) or "—"


def _refused(number: str, said: str) -> Parked:
    return Parked(Issue("shipment.refused", {"number": number, "said": said}))
