"""What is read from Uphance: its SKUs with their stock, and what it has shipped (docs/write-back.md)."""

from datetime import timedelta

from upbridge.store.changes import Kind
from upbridge.systems.base import Poll, Reader, Source
from upbridge.systems.uphance.shipments import read_shipments
from upbridge.systems.uphance.sku_sync import read_catalogue
from upbridge.systems.uphance.stock import read_stock

SOURCE = Source(
    readers={
        Kind.CATALOGUE: Reader(read_catalogue, 1),
        Kind.PICK_TICKETS: Reader(read_shipments, 1000),
        Kind.STOCK: Reader(read_stock, 1),
    },
    polls=(
        Poll(
            kind=Kind.CATALOGUE,
            key="catalogue",
            every=lambda settings: timedelta(seconds=settings.stock_poll_seconds),
        ),
    ),
)
