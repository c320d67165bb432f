"""What is read from Uphance: its SKUs with their stock, and what it has shipped (docs/write-back.md)."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from upbridge.core.errors import BadRequest
from upbridge.core.parsing import key_of
from upbridge.store.changes import Kind
from upbridge.systems.base import Poll, Source, SystemReader
from upbridge.systems.uphance.shipments import POLL, read_shipments
from upbridge.systems.uphance.sku_sync import sync_skus
from upbridge.systems.uphance.stock import read_stock


def read_webhook(payload: Mapping[str, Any]) -> Mapping[Kind, list[str]]:
    """The keys to read again in `{"event": …, <object>: {…}}`; nothing else of the object is kept, for it has
    names and addresses of people."""
    event = payload.get("event")
    if not isinstance(event, str) or not event.isprintable():
        raise BadRequest("there is no event")
    keys: dict[Kind, list[str]] = {}
    if event.startswith("pick_ticket"):
        ticket = payload.get("pick_ticket")
        key = key_of(ticket.get("id")) if isinstance(ticket, Mapping) else None
        keys = {Kind.PICK_TICKETS: [key if key is not None and key.isdecimal() else POLL]}
    elif "product" in event:
        keys = {Kind.CATALOGUE: ["catalogue"]}
    return keys


SOURCE = Source(
    webhook=read_webhook,
    readers={
        Kind.CATALOGUE: SystemReader(sync_skus, 1),
        Kind.PICK_TICKETS: SystemReader(read_shipments, 1000),
        Kind.STOCK: SystemReader(read_stock, 1),
    },
    polls=(
        Poll(
            kind=Kind.CATALOGUE,
            key="catalogue",
            every=lambda settings: timedelta(seconds=settings.stock_poll_seconds),
        ),
    ),
)
