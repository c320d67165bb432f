"""What the simulated Uphance shows of an organisation. A filter that it does not know filters nothing."""

from upbridge_sandbox.asgi.call import Call
from upbridge_sandbox.seed.formats import Json
from upbridge_sandbox.uphance.calls import one, page
from upbridge_sandbox.uphance.logins import Inside
from upbridge_sandbox.uphance.organisations import Organisation

TICKET_FILTERS = {
    "by_order_number": "order_number",
    "by_order_id": "order_id",
    "by_shipment_number": "shipment_number",
    "filter[warehouse_name]": "warehouse",
}


def everything(kind: str) -> Inside:
    """All of a *kind* at once."""
    return lambda _call, organisation: {kind: getattr(organisation, kind)}


def single(key: str, kind: str) -> Inside:
    """One of a *kind*, under *key*."""
    return lambda call, organisation: {key: one(call, getattr(organisation, kind))}


def products(call: Call, organisation: Organisation) -> Json:
    """Products; since_id and filter[product_identifier] filter."""
    items, wanted = _since(call, organisation.products), call.last("filter[product_identifier]")
    return page(call, "products", [item for item in items if wanted in (None, item["product_identifier"])])


def skus(call: Call, organisation: Organisation) -> Json:
    """SKUs with the ids above them; filter[ean] filters."""
    wanted = call.last("filter[ean]")
    items = [
        {**sku, "product_name": product["name"], "product_id": product["id"], "variation_id": variation["id"]}
        for product in organisation.products.values()
        for variation in product["variations"]
        for sku in variation["skus"]
        if wanted is None or sku["ean"] == wanted
    ]
    return page(call, "skus", items)


def customers(call: Call, organisation: Organisation) -> Json:
    """Customers; no filter is known."""
    return page(call, "customers", list(organisation.customers.values()))


def orders(call: Call, organisation: Organisation) -> Json:
    """Sales orders; since_id and by_order_number filter."""
    number = call.last("by_order_number")
    items = [item for item in _since(call, organisation.orders) if number in (None, item["order_number"])]
    return page(call, "sales_orders", items)


def order(call: Call, organisation: Organisation) -> Json:
    """One sales order, bare, as two public clients read it."""
    return one(call, organisation.orders)


def tickets(call: Call, organisation: Organisation) -> Json:
    """Pick tickets; since_id, since_created_at and `TICKET_FILTERS` filter."""
    items = _since(call, organisation.tickets)
    for parameter, name in TICKET_FILTERS.items():
        if (wanted := call.last(parameter)) is not None:
            items = [item for item in items if str(item[name]) == wanted]
    if (after := call.last("since_created_at")) is not None:
        items = [item for item in items if item["created_at"] >= after[:19]]
    return page(call, "pick_tickets", items)


def _since(call: Call, items: dict[int, Json]) -> list[Json]:
    since = call.last("since_id") or ""
    return [item for item in items.values() if not since.isdigit() or item["id"] > int(since)]
