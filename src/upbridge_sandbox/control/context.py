"""What the control API and the pages work with, and how they find things."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from upbridge_sandbox.changes import Changes
from upbridge_sandbox.door import Call, Json
from upbridge_sandbox.marketplace import Marketplace
from upbridge_sandbox.shop import Shop
from upbridge_sandbox.state import State
from upbridge_sandbox.upgates.announcements import Announcer
from upbridge_sandbox.uphance.company import Organisation
from upbridge_sandbox.uphance.hooks import UphanceHooks
from upbridge_sandbox.upp.tenant import Tenant

PAGE = 500


@dataclass(frozen=True, slots=True)
class Context:
    """What the control API and the admin pages work with."""

    state: State
    changes: Changes
    announcer: Announcer
    marketplace: Marketplace
    uphance_hooks: UphanceHooks


class Missing(Exception):
    """There is no such thing; the text says which."""


class Controls:
    """Finds what a control call names."""

    def __init__(self, context: Context) -> None:
        self.m = context
        self.state = context.state

    def shop_of(self, call: Call) -> Shop:
        wanted = call.params["shop"]
        shop = self.state.shops.get(wanted) or self.state.shop_of_token(wanted)
        if shop is None:
            raise Missing(f"shop {wanted}")
        return shop

    def product_of(self, shop: Shop, call: Call) -> Json:
        wanted = call.params["id"]
        product = shop.goods.products.get(int(wanted)) if wanted.isdigit() else None
        if product is None:
            raise Missing(f"product {wanted}")
        return product

    def tenant_of(self, call: Call) -> Tenant:
        if call.params["client"] not in self.state.tenants:
            raise Missing(f"tenant {call.params['client']}")
        return self.state.tenants[call.params["client"]]

    def organisation_of(self, call: Call) -> Organisation:
        wanted = call.params["org"]
        organisation = self.state.uphance.organisations.get(int(wanted)) if wanted.isdigit() else None
        if organisation is None:
            raise Missing(f"organisation {wanted}")
        return organisation

    def sales_order_of(self, call: Call) -> Json:
        organisation, body = self.organisation_of(call), body_of(call)
        for order in organisation.orders.values():
            if order["id"] == body.get("order_id") or order["purchase_order_ref"] == body.get(
                "purchase_order_ref", 0
            ):
                return order
        raise Missing("such sales order")

    def ticket_of(self, organisation: Organisation, call: Call) -> Json:
        wanted = call.params["id"]
        ticket = organisation.tickets.get(int(wanted)) if wanted.isdigit() else None
        if ticket is None:
            raise Missing(f"pick ticket {wanted}")
        return ticket


def body_of(call: Call) -> Json:
    body = call.json() if call.body.strip() else {}
    if not isinstance(body, dict):
        raise TypeError("the body is a JSON object")
    return body


def page_of(call: Call, items: Any) -> Json:
    rows, asked = list(items), call.last("page")
    if (since := call.last("since")) is not None:
        moment = datetime.fromisoformat(since)
        rows = [row for row in rows if datetime.fromisoformat(row["last_update_time"]) >= moment]
    if asked is None:
        return {"total": len(rows), "items": rows}
    first = (int(asked) - 1) * PAGE
    return {"total": len(rows), "items": rows[first : first + PAGE]}
