"""The catalogue of the connected Uphance organisation: its SKUs with their stock, its channels and seasons."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from upbridge.domain.lane import Lane
from upbridge.domain.shop_id import ShopId
from upbridge.domain.sku import Sku
from upbridge.store import changes, connections, documents, sku_matching
from upbridge.store.changes import Change, Origin
from upbridge.store.connections import ConnectionRow
from upbridge.store.problems import NewProblem, Stage, close_resolved, raise_problems, reopen
from upbridge.store.skus import of_products, product_ids, replace_skus
from upbridge.systems.base import ReaderContext
from upbridge.systems.connecting import Tools
from upbridge.systems.uphance import write_back
from upbridge.systems.uphance.client import UphanceClient
from upbridge.systems.uphance.connect import client_of
from upbridge.systems.uphance.reads import connect_facts, names_in_new_orders
from upbridge.systems.uphance.sku_copy import read_skus, read_skus_carefully

SOURCE = "uphance"
_ATTEMPTS = 2
"""So often the list of products is read as a whole before it is read carefully."""
_PARENT = "list of products"


async def sync_skus(reading: ReaderContext, chunk: list[Change]) -> None:
    """Read the organisation's SKUs; orders that waited for one of them try again, and the way back begins."""
    shop, engine, connected = reading.shop, reading.tools.engine, reading.connected
    if connected is None:
        async with engine.begin() as tx:
            await changes.done(tx, shop.id, SOURCE, chunk)
        return
    row, client = connected.row, client_of(connected)
    skus, missed = await _read(reading.tools, shop.id, client, attempts=chunk[0].attempts)
    facts = await _refresh_facts(reading.tools, row, client)
    now = reading.tools.clock()
    # One transaction: after a crash between saving the SKUs and releasing the waiting documents, the next run
    # would see no difference and never release them.
    async with engine.begin() as tx:
        kept = await of_products(tx, shop.id, missed)
        matching_changed = await replace_skus(tx, shop.id, [*skus, *kept])
        await _report_missed(tx, shop.id, missed, now=now)
        if matching_changed or _new_day(row, now):  # what a page of products brings is matched with the page
            await sku_matching.rematch_all(tx, shop.id)
        await changes.done(tx, shop.id, SOURCE, chunk)
        await connections.set_polled(tx, shop.id, SOURCE, facts, now=now)
        may_go = matching_changed or facts != row.facts
        released = await documents.release(tx, shop.id, SOURCE, now=now) if may_go else 0
        # What is switched off is put right at that moment; once a day what may be left of it.
        only = write_back.ALL if _new_day(row, now) else write_back.in_use(shop.settings)
        await write_back.look(tx, shop.id, only, origin=Origin.SCHEDULE, now=now)
    if released:
        await reading.wake(Lane.push(shop.id, SOURCE))


async def _read(
    tools: Tools, shop_id: ShopId, client: UphanceClient, *, attempts: int
) -> tuple[list[Sku], list[int]]:
    """The SKUs, and the products that cannot be read: what has failed a few times is looked at more closely."""
    if attempts < _ATTEMPTS:
        return await read_skus(client), []
    async with tools.engine.connect() as tx:
        known = await product_ids(tx, shop_id)
    return await read_skus_carefully(client, known)


async def _report_missed(tx: AsyncConnection, shop_id: ShopId, missed: Sequence[int], *, now: datetime) -> None:
    problems = [
        NewProblem(
            stage=Stage.READ,
            key="catalogue.products_missed",
            target=SOURCE,
            kind="list",
            entity="products",
            parent=_PARENT,
            params={"products": ", ".join(map(str, missed))},
        )
    ]
    if missed:
        await raise_problems(tx, shop_id, problems, now=now)
        await reopen(tx, shop_id, target=SOURCE, kind="list", entity="products")
    else:
        await close_resolved(tx, shop_id, stages=[Stage.READ], target=SOURCE, parents=[_PARENT])


def _new_day(row: ConnectionRow, now: datetime) -> bool:
    """Whether this is the first look of a day."""
    return row.polled_at is None or row.polled_at.date() != now.date()


async def _refresh_facts(tools: Tools, row: ConnectionRow, client: UphanceClient) -> Mapping[str, Any]:
    """The connection's facts: once a day, see whether the organisation has new channels or seasons, and what its
    newer orders name.

    A list that comes empty is kept as it was: neither is documented, and an empty one would hold every order.
    """
    if row.polled_at is None or not _new_day(row, tools.clock()):
        return row.facts
    found = await connect_facts(client, organisation=int(row.account))
    names = await names_in_new_orders(client, row.facts)
    return {**row.facts, **{name: value for name, value in {**found, **names}.items() if value}}
