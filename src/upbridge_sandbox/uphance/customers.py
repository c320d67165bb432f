"""Customers (companies) of the simulated Uphance."""

from typing import Any

from upbridge_sandbox.seed.formats import Json, empty, names
from upbridge_sandbox.uphance.organisations import Organisation, Uphance
from upbridge_sandbox.uphance.sales import NotAcceptable, UnknownField

FIELDS = names(
    "name company_type customer_type country city vat_number channel_id currency notes reference people addresses"
)
PERSON = names("id first_name last_name position phone_1 phone_2 email notes buyer shipping billing")
ADDRESS = names("id line_1 line_2 line_3 city state country postcode default_for_shipping default_for_billing")
#: what is taken from the body as it is; nothing of it is needed
AS_WANTED = ("country", "city", "vat_number", "channel_id", "notes", "reference")


def accept_customer(body: Any, organisation: Organisation, uphance: Uphance) -> Json:
    """The customer that *body* makes. Raises NotAcceptable and changes nothing."""
    if not isinstance(body, dict):
        raise NotAcceptable("customer is an object")
    if unknown := sorted(set(body) - FIELDS):
        raise UnknownField(f"unknown: {', '.join(unknown)}")
    if not isinstance(body.get("name"), str) or not body["name"].strip():
        raise NotAcceptable("name is required")
    channel = next((row for row in organisation.channels if row["channel_ID"] == body.get("channel_id")), None)
    if body.get("channel_id") is not None and channel is None:
        raise NotAcceptable("channel_id is not a channel of this organisation")
    customer_id = uphance.next_id()
    return {
        **{name: body.get(name) for name in AS_WANTED},
        "id": customer_id,
        "name": body["name"],
        "company_type": "customer",
        "customer_type": body.get("customer_type") or "wholesale",
        "channel_name": channel["channel_name"] if channel else None,
        "currency": channel["currency"] if channel else None,
        "orders_count": 0,
        "last_order": None,
        "people": _rows(body.get("people"), PERSON, customer_id, uphance, "people"),
        "addresses": _rows(body.get("addresses"), ADDRESS, customer_id, uphance, "addresses"),
        **empty("outstanding_amounts purchase_amounts invoices agents"),
    }


def _rows(rows: Any, known: frozenset[str], customer: int, uphance: Uphance, name: str) -> list[Json]:
    if rows is None:
        return []
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise NotAcceptable(f"{name} is an array of objects")
    made: list[Json] = []
    for row in rows:
        if unknown := sorted(set(row) - known - {"customer_id"}):
            raise UnknownField(f"unknown: {name}.{', '.join(unknown)}")
        fixed = {"id": row.get("id") or uphance.next_id(), "customer_id": customer}
        made.append({**dict.fromkeys(sorted(known)), **row, **fixed})
    return made
