"""What is read from Uphance besides the catalogue: the connection's facts, our own orders, pick tickets."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any

import structlog

from upbridge.core.clock import PRAGUE
from upbridge.core.errors import Rejected, Unreachable
from upbridge.systems.uphance.careful_read import ListById, read_carefully, read_each, still_there
from upbridge.systems.uphance.client import UphanceClient
from upbridge.systems.uphance.order_mapping import order_reference
from upbridge.systems.uphance.schemas import (
    Json,
    PickTicket,
    RemoteOrder,
    items,
    meta,
    moment,
    pick_ticket,
    remote_order,
    string,
    whole,
)

log = structlog.get_logger(__name__)

_TICKETS = ListById("/pick_tickets", "pick_tickets", "pick_ticket")
_ORDERS = ListById("/sales_orders", "sales_orders", "sales_order")
#: A list of names among the facts of a connection: the field of a sales order that has one.
_NAMES = {"warehouses": "warehouse_name", "payment_terms": "payment_term_name"}
_LAST = "names_seen_to"
#: Pages of orders that are looked at for names, a day.
_LOOKED_AT = 20


async def connect_facts(client: UphanceClient, *, organisation: int) -> dict[str, Any]:
    """The facts of a connection: what the settings are chosen from, and nothing secret.

    `organisation` {id, name}; `channels` [{id, name, currency}], one currency each; `seasons` [{id, name}].
    """
    rows = items(await client.get("/organisations"), "organisations") or []
    names = {whole(row.get("id")): string(row.get("name")) for row in rows}
    return {
        "organisation": {"id": organisation, "name": names.get(organisation) or str(organisation)},
        "channels": [channel for row in await _all(client, "channels") if (channel := _channel(row))],
        "seasons": [
            {"id": number, "name": string(row.get("name")) or str(number)}
            for row in await _all(client, "seasons")
            if (number := whole(row.get("id"))) is not None
        ],
    }


async def what_is_in(client: UphanceClient) -> dict[str, int | date | None]:
    """What tells an organisation apart for who has to choose one: `products`, how many it has, and `last_order`,
    the day on which its newest order was made, None if it has none. Three calls at most, which only read.

    Assumption: the newest order stands on the first page of the list or on its last one.
    """
    products = await client.get("/products")
    count = meta(products).total_count
    first = await client.get(_ORDERS.path)
    rows, last = list(items(first, _ORDERS.plural) or ()), meta(first).total_pages or 1
    if last > 1:
        rows += items(await client.get(_ORDERS.path, page=last), _ORDERS.plural) or ()
    made = [at for row in rows if (at := moment(row.get("created_at"))) is not None]
    return {
        "products": len(items(products, "products") or ()) if count is None else count,
        "last_order": max(made).astimezone(PRAGUE).date() if made else None,
    }


@dataclass(slots=True)
class NamesInOrders:
    """What sales orders call their warehouses and payment terms: Uphance has a list of neither
    (docs/vendors/uphance.md). *last*: the newest order that was looked at."""

    names: dict[str, set[str]] = field(default_factory=lambda: {name: set() for name in _NAMES})
    last: int = 0

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> "NamesInOrders":
        """What the *facts* of a connection have of them."""
        kept = {name: {str(one["id"]) for one in facts.get(name) or ()} for name in _NAMES}
        return cls(kept, int(facts.get(_LAST) or 0))

    def see(self, rows: Sequence[Json]) -> None:
        """Look at more orders."""
        for row in rows:
            self.last = max(self.last, whole(row.get("id")) or 0)
            for name, field_name in _NAMES.items():
                if said := string(row.get(field_name)):
                    self.names[name].add(said)

    def facts(self) -> dict[str, Any]:
        """What the facts of a connection keep of them: `warehouses` and `payment_terms` [{id, name}]."""
        lists = {name: [{"id": one, "name": one} for one in sorted(self.names[name])] for name in _NAMES}
        return {**lists, _LAST: self.last}


async def names_in_new_orders(client: UphanceClient, facts: Mapping[str, Any]) -> dict[str, Any]:
    """The names in *facts* with those of newer orders, at most `_LOOKED_AT` pages of them; as they were where
    orders cannot be read now: nothing waits for them."""
    names, pages = NamesInOrders.of(facts), 0
    try:
        async with aclosing(client.pages("/sales_orders", "sales_orders", since_id=names.last)) as read:
            async for rows in read:
                names.see(rows)
                pages += 1
                if pages >= _LOOKED_AT:
                    break
    except (Rejected, Unreachable) as error:
        log.warning("uphance_list_missing", name="sales_orders", error=str(error))
    return names.facts()


async def existing_orders(
    client: UphanceClient, shop_key: str, *, others: Collection[str] = (), names: NamesInOrders | None = None
) -> dict[str, RemoteOrder]:
    """Our sales orders in Uphance, by the shop's order number: for linking them again.

    Reads all sales orders (100 a call). If two have the same reference, the older one counts. *others* are the
    keys of all shops: they tell `shop` from `shop-2`, whose references begin alike. *names* sees each order.
    """
    prefix = order_reference(shop_key, "")
    longer = tuple(
        order_reference(key, "")
        for key in others
        if key != shop_key and order_reference(key, "").startswith(prefix)
    )
    found: dict[str, RemoteOrder] = {}
    async for page in client.pages("/sales_orders", "sales_orders"):
        if names is not None:
            names.see(page)
        for order in map(remote_order, page):
            if order is None or order.reference is None or not order.reference.startswith(prefix):
                continue
            if order.reference.startswith(longer):
                continue
            number = order.reference.removeprefix(prefix)
            if number and (number not in found or order.id < found[number].id):
                found[number] = order
    return found


async def pick_tickets(
    client: UphanceClient,
    *,
    since_id: int | None = None,
    since_created_at: datetime | None = None,
    order_id: int | None = None,
) -> AsyncIterator[list[PickTicket]]:
    """Pick tickets page by page (Inventory API, pick tickets: `since_id`, `since_created_at`, `by_order_id`).

    There is no "updated since": a ticket that was read before it was shipped has to be read again, by its order
    or by `tickets_now` after a webhook.
    """
    query: dict[str, str | int] = {}
    if since_id is not None:
        query["since_id"] = since_id
    if since_created_at is not None:
        query["since_created_at"] = since_created_at.isoformat()
    if order_id is not None:
        query["by_order_id"] = order_id
    async for page in client.pages("/pick_tickets", "pick_tickets", **query):
        yield [ticket for ticket in map(pick_ticket, page) if ticket is not None]


async def tickets_now(
    client: UphanceClient, ids: Collection[int], *, missed: list[int] | None = None
) -> dict[int, PickTicket | None]:
    """The pick tickets *ids* as they are now; None for one that was deleted. With a list *missed* each is asked
    for alone, and those that cannot be read are added to it."""
    rows = await _now(client, _TICKETS, ids, missed)
    return {number: pick_ticket(row) for number, row in rows.items()}


async def tickets_carefully(
    client: UphanceClient, known: Collection[int], *, missed: list[int], **since: str | int
) -> list[PickTicket]:
    """The pick tickets that `pick_tickets` gives, but those that cannot be read: they are added to *missed*.
    *known*: tickets from before."""
    above = int(since.pop("since_id", 0))
    read = await read_carefully(client, known, of=replace(_TICKETS, query=since), since=above)
    missed += read.missed
    return [ticket for ticket in map(pick_ticket, read.rows) if ticket is not None]


async def orders_now(
    client: UphanceClient, ids: Collection[int], *, missed: list[int] | None = None
) -> dict[int, RemoteOrder | None]:
    """The sales orders *ids* as they are now; None for one that is gone. *missed*: see `tickets_now`."""
    rows = await _now(client, _ORDERS, ids, missed)
    return {number: remote_order(row) for number, row in rows.items()}


async def _now(
    client: UphanceClient, of: ListById, ids: Collection[int], missed: list[int] | None
) -> dict[int, Json | None]:
    """The objects *ids* in few calls: the list from the oldest of them on, a hundred a call, for as long as that
    is cheaper than asking for each of those that have not come yet. Never more than twice the cheaper way.

    `since_id` is documented for other lists, for sales orders only presumed: what does not come is asked for. One
    that is said to be gone is believed if the list does not have it either.
    """
    if missed is not None:
        found, lost = await read_each(client, of, ids)
        missed += lost
        return found
    found = {}
    if len(ids) > 1:
        pages = client.pages(of.path, of.plural, since_id=min(ids) - 1)
        async with aclosing(pages):
            read = 0
            async for rows in pages:
                read += 1
                came = {whole(row.get("id")): row for row in rows}
                found |= {number: came[number] for number in ids if number in came}
                if read >= len(ids) - len(found):
                    break
    for number in sorted(set(ids) - found.keys()):
        row = await client.one(f"{of.path}/{number}", of.singular)
        found[number] = row if row is not None else await still_there(client, of, number)
    return found


async def read_order(client: UphanceClient, order_id: int) -> RemoteOrder | None:
    """One sales order as it is now (draft or confirmed, shipped or not); None if there is none."""
    return remote_order(await client.one(f"/sales_orders/{order_id}", "sales_order"))


async def _all(client: UphanceClient, name: str) -> list[Json]:
    """A short list. Neither /channels nor /seasons is documented, only used in practice: an Uphance that does
    not know one leaves it empty, and the settings ask for numbers instead."""
    try:
        return [row async for page in client.pages(f"/{name}", name) for row in page]
    except Rejected as rejected:
        log.warning("uphance_list_missing", name=name, status=rejected.answered)
        return []


def _channel(row: Json) -> dict[str, Any] | None:
    number = whole(row.get("channel_ID") or row.get("channel_id") or row.get("id"))
    currency = string(row.get("currency"))
    if number is None or currency is None:
        return None
    name = string(row.get("channel_name") or row.get("name")) or str(number)
    return {"id": number, "name": name, "currency": currency.upper()}
