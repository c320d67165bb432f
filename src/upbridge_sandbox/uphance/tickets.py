"""Pick tickets of the simulated Uphance: made and shipped by staff, that is by the control API."""

from typing import Any

from upbridge_sandbox.seed.formats import Json, nulls
from upbridge_sandbox.uphance.organisations import Organisation, Uphance
from upbridge_sandbox.uphance.sales import NotAcceptable, stamp

LIKE_THE_ORDER = ("items_total", "items_tax", "subtotal", "total_tax", "grand_total", "currency", "order_number")


def reserve(order: Json, organisation: Organisation) -> None:
    """The order's pieces are destined for a customer now; they are still there."""
    for line in order["line_items"]:
        for entry in line["line_quantities"]:
            found = organisation.sku(entry["sku_id"])
            if found is not None:
                for name in ("available_to_sell", "available_to_sell_from_stock"):
                    found[2][name] -= entry["quantity"]


def confirm(order: Json, organisation: Organisation, uphance: Uphance) -> None:
    """Staff confirm a draft; from then on its pieces are reserved, if they were not as a draft."""
    if order["status"] == "draft" and not uphance.drafts_reserve:
        reserve(order, organisation)
    order["status"] = "confirmed"
    order["confirmed_at"] = order["updated_at"] = stamp(uphance.clock())


def make_ticket(
    order: Json, organisation: Organisation, uphance: Uphance, *, pieces: dict[int, int] | None = None
) -> Json:
    """A pick ticket for all that is left of *order*, or for *pieces* (SKU id -> quantity)."""
    if order["status"] == "draft":
        confirm(order, organisation, uphance)
    left = open_pieces(order, organisation)
    wanted = left if pieces is None else pieces
    if not wanted or any(count < 1 or count > left.get(sku, 0) for sku, count in wanted.items()):
        raise NotAcceptable("that is more than the order has left")
    lines: list[Json] = []
    taken = dict(wanted)
    for line in order["line_items"]:
        quantities = []
        for entry in line["line_quantities"]:
            count = min(entry["quantity"], taken.get(entry["sku_id"], 0))
            if count:
                taken[entry["sku_id"]] -= count
                quantities.append({**entry, "quantity": count, "upc_number": None})
        if quantities:
            lines.append({**line, "line_quantities": quantities})
    now, ticket_id = stamp(uphance.clock()), uphance.next_id()
    company = organisation.customers[order["company_id"]]
    ticket: Json = {
        **{name: order[name] for name in LIKE_THE_ORDER},
        "id": ticket_id,
        "created_at": now,
        "updated_at": now,
        "date": now,
        "total_quantity": sum(wanted.values()),
        "order_id": order["id"],
        "sale_id": order["id"],
        "warehouse": order["warehouse_name"],
        "channel": order["channel_name"],
        "shipment_number": str(ticket_id),
        "organisation_id": organisation.id,
        "customer_id": order["company_id"],
        "customer_name": company["name"],
        "shipping_cost": "0.0",
        "shipping_tax": "0.0",
        "status": "draft",
        "line_items": lines,
        **nulls("stock_adjusted_at tracking_number carrier service notes order_source shipping_method"),
        **nulls("address contact_name contact_email contact_phone"),
    }
    organisation.tickets[ticket_id] = ticket
    return ticket


def ship(
    ticket: Json, organisation: Organisation, uphance: Uphance, tracking: str | None, carrier: str | None
) -> Json:
    """The parcel leaves: what is physically there goes down (what can be sold did when the order was confirmed),
    the order's state follows. Returns the order."""
    if ticket["status"] == "shipped":
        raise NotAcceptable("it has been shipped already")
    now = stamp(uphance.clock())
    ticket.update(status="shipped", tracking_number=tracking, carrier=carrier)
    ticket.update(dict.fromkeys(("stock_adjusted_at", "updated_at", "date"), now))
    for line in ticket["line_items"]:
        for entry in line["line_quantities"]:
            found = organisation.sku(entry["sku_id"])
            if found is not None:
                found[2]["in_stock"] -= entry["quantity"]
    order = organisation.orders[ticket["order_id"]]
    shipped = sum(
        item["total_quantity"]
        for item in organisation.tickets.values()
        if item["order_id"] == order["id"] and item["status"] == "shipped"
    )
    order["fulfillment_status"] = "shipped" if shipped >= order["total_quantity"] else "partially_shipped"
    order["status"] = "complete" if shipped >= order["total_quantity"] else "confirmed"
    order["updated_at"] = now
    return order


def open_pieces(order: Json, organisation: Organisation) -> dict[int, int]:
    """What of *order* is on no pick ticket yet: SKU id -> quantity."""
    left: dict[int, int] = {}
    _count(left, order["line_items"], 1)
    for ticket in organisation.tickets.values():
        if ticket["order_id"] == order["id"]:
            _count(left, ticket["line_items"], -1)
    return {sku: count for sku, count in left.items() if count > 0}


def _count(left: dict[int, int], lines: list[Any], sign: int) -> None:
    for line in lines:
        for entry in line["line_quantities"]:
            left[entry["sku_id"]] = left.get(entry["sku_id"], 0) + sign * entry["quantity"]
