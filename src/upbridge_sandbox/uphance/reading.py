"""What the simulated Uphance shows of an organisation. A filter that it does not know filters nothing."""

from upbridge_sandbox.asgi.call import Call
from upbridge_sandbox.seed.formats import Json
from upbridge_sandbox.uphance.calls import one, page
from upbridge_sandbox.uphance.logins import Inside
from upbridge_sandbox.uphance.organisations import Organisation


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


def customers(call: Call, organisation: Organisation) -> Json:
    """Customers; no filter is known."""
    return page(call, "customers", list(organisation.customers.values()))


def orders(call: Call, organisation: Organisation) -> Json:
    """Sales orders; since_id filters."""
    return page(call, "sales_orders", _since(call, organisation.orders))


def order(call: Call, organisation: Organisation) -> Json:
    """One sales order, bare, as two public clients read it."""
    return one(call, organisation.orders)


def tickets(call: Call, organisation: Organisation) -> Json:
    """Pick tickets; since_id, since_created_at and by_order_id filter."""
    items, order_id = _since(call, organisation.tickets), call.last("by_order_id")
    after = call.last("since_created_at") or ""
    chosen = [row for row in items if order_id in (None, str(row["order_id"])) and row["created_at"] >= after[:19]]
    return page(call, "pick_tickets", chosen)


def _since(call: Call, items: dict[int, Json]) -> list[Json]:
    since = call.last("since_id") or ""
    return [item for item in items.values() if not since.isdigit() or item["id"] > int(since)]
