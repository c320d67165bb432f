"""Noting the parcels of one order in its history, each exactly once: a repeated POST would add a note again."""

import json
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypeVar

from upbridge.core.canonical_json import canonical
from upbridge.core.clock import PRAGUE, Clock
from upbridge.core.errors import Rejected, Unreachable
from upbridge.domain.delivery import Attempt, Document, Link, LinkState
from upbridge.domain.order import Order
from upbridge.domain.purpose import Purpose
from upbridge.systems.http.idempotent_create import IdempotentCreate, InDoubt
from upbridge.systems.links import Links
from upbridge.systems.upgates.client import UpgatesClient
from upbridge.systems.upgates.payloads import ItemResult

SENDING, UNSENT = LinkState.SENDING, LinkState.UNSENT

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class HistoryNotes:
    """Notes on an order's parcels that are not in its history yet, as far as we know."""

    client: UpgatesClient
    links: Links
    clock: Clock
    document: Document
    missing: dict[int, tuple[str, str]]
    """By parcel: name and value of the note. The name finds it again."""
    written: bytes
    """What was written into the order itself: the link says so meanwhile."""
    known: Sequence[str | int]
    """The parcels that are in the history."""

    async def write(self) -> ItemResult | InDoubt:
        """Add what is missing in one call. Raises what the client raises."""
        link = self.document.link
        former = link.attempt if link is not None else None
        if former is not None:
            found = await self._once(former).look(former)
            if isinstance(found, InDoubt):
                return found
        if not self.missing:
            return ItemResult(self.document.key, updated=True)
        attempt = Attempt(self.clock(), trace={"tickets": sorted(self.missing)})
        result = await self._once(attempt).create(attempt, self._post)
        if isinstance(result, ItemResult) and result.updated is False:
            await self._save(None)
        return result

    def _once(self, attempt: Attempt) -> IdempotentCreate[ItemResult]:
        async def find() -> ItemResult | None:
            await self._look()
            sought = set(attempt.trace.get("tickets", self.missing))
            return None if self.missing.keys() & sought else ItemResult(self.document.key, updated=True)

        return IdempotentCreate(find, self._save, self.clock)

    async def _look(self) -> None:
        """Leave out what is in the history."""
        names = await asked(self.client.history_names(self.document.key, purpose=Purpose.ORDERS))
        for parcel in [parcel for parcel, (name, _) in self.missing.items() if name in names]:
            del self.missing[parcel]

    async def _post(self) -> ItemResult:
        return await self.client.add_history(self.document.key, list(self.missing.values()))

    async def _save(self, attempt: Attempt | None) -> None:
        link = self.document.link or Link(self.document.kind, self.document.key, state=UNSENT)
        before = UNSENT if link.state == SENDING else link.state
        await self.links.save(
            replace(
                link,
                parent=self.document.parent,
                state=before if attempt is None else SENDING,
                sent=self.written,
                created_keys=self.known,
                attempt=attempt,
            )
        )


def may_be_noted(document: Document, order: Order, *, put_back_at: datetime | None) -> bool:
    """Whether the order's history may say of a shipment what our links do not: a database that was put back to an
    earlier state has forgotten what was written.

    So it is for what was shipped before the database was put back, or before the other system was connected; and
    for an order that has that system's number as its external one, which is what we write beside the status. Else
    no call is spent on looking.
    """
    body = json.loads(document.body)
    if document.link is not None or not body["tickets"]:
        return False
    last = "" if put_back_at is None else put_back_at.astimezone(PRAGUE).date().isoformat()
    return (
        bool(body["backfill"])
        or order.external_order_number == their_number(body)
        or (put_back_at is not None and any((one["date"] or "") <= last for one in body["tickets"]))
    )


async def recalled(
    client: UpgatesClient, document: Document, order: Order, status: int | None, title: str
) -> Document:
    """*document* with a link that says what the history of *order* tells: which parcels are noted and, where all
    of a whole shipment are, that the *status* was written. It is written once: staff may have moved the order on.
    *title*: of the system that shipped it.
    """
    body = json.loads(document.body)
    names = await asked(client.history_names(document.key, purpose=Purpose.ORDERS))
    noted = [one["id"] for one in body["tickets"] if note_name(title, one["id"]) in names]
    if not noted:
        return document
    whole = body["complete"] and len(noted) == len(body["tickets"]) and order.external_order_number is not None
    before = {"status": status, "external": order.external_order_number} if whole and status is not None else {}
    link = Link(document.kind, document.key, document.parent, state=UNSENT, created_keys=noted)
    return replace(document, link=replace(link, sent=canonical(before) if before else None))


def note_name(title: str, ticket: int) -> str:
    """The name by which the note about a parcel of the system with this *title* is found again."""
    return f"{title} #{ticket}"


def their_number(body: Mapping[str, Any]) -> str:
    """The number that the order of a shipment has in the system that shipped it: each system names itself."""
    return str(next(value for name, value in body.items() if name.endswith("_order")))


async def asked(call: Awaitable[T]) -> T:
    """What a reading call answers; a refusal of one is about nothing that was sent."""
    try:
        return await call
    except Rejected as rejected:
        raise Unreachable(f"Upgates does not answer as published: {rejected}") from rejected
