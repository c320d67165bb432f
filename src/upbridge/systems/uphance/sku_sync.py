"""The catalogue of the connected Uphance organisation: its SKUs with their stock, its channels and seasons."""

from collections.abc import Mapping
from typing import Any

from upbridge.domain.lane import Lane
from upbridge.store import changes, connections, documents, sku_matching
from upbridge.store.changes import Change, Origin
from upbridge.store.connections import ConnectionRow
from upbridge.store.skus import replace_skus
from upbridge.systems.base import Reading
from upbridge.systems.connecting import Tools
from upbridge.systems.uphance import write_back
from upbridge.systems.uphance.client import UphanceClient
from upbridge.systems.uphance.connect import client_of
from upbridge.systems.uphance.reads import connect_facts
from upbridge.systems.uphance.sku_copy import read_skus

SOURCE = "uphance"


async def read_catalogue(reading: Reading, chunk: list[Change]) -> None:
    """Read the organisation's SKUs; orders that waited for one of them try again, and the way back begins."""
    shop, engine, connected = reading.shop, reading.tools.engine, reading.connected
    if connected is None:
        async with engine.begin() as tx:
            await changes.done(tx, shop.id, SOURCE, chunk)
        return
    row, client = connected.row, client_of(connected)
    skus = await read_skus(client)
    facts = await _look_around(reading.tools, row, client)
    now = reading.tools.clock()
    # One transaction: after a crash between saving the SKUs and releasing the waiting documents, the next run
    # would see no difference and never release them.
    async with engine.begin() as tx:
        refreshed = await replace_skus(tx, shop.id, skus)
        await sku_matching.rematch_all(tx, shop.id)
        await changes.done(tx, shop.id, SOURCE, chunk)
        await connections.set_polled(tx, shop.id, SOURCE, facts, now=now)
        may_go = refreshed.matching_changed or facts != row.facts
        released = await documents.release(tx, shop.id, SOURCE, now=now) if may_go else 0
        await write_back.look(tx, shop.id, origin=Origin.SCHEDULE, now=now)
    if released:
        await reading.wake(Lane.push(shop.id, SOURCE))


async def _look_around(tools: Tools, row: ConnectionRow, client: UphanceClient) -> Mapping[str, Any]:
    """The connection's facts: once a day, see whether the organisation has new channels or seasons.

    A list that comes empty is kept as it was: neither is documented, and an empty one would hold every order.
    """
    if row.polled_at is None or row.polled_at.date() == tools.clock().date():
        return row.facts
    found = await connect_facts(client, organisation=int(row.account))
    return {**row.facts, **{name: value for name, value in found.items() if value}}
