"""Control of Upp.ai and Uphance: tokens, stock, pick tickets, and what arrived."""

from decimal import Decimal
from typing import Any

from upbridge_sandbox.asgi.call import Call
from upbridge_sandbox.control.context import Calls, Controls, body_of, by_id, found
from upbridge_sandbox.seed.formats import Json
from upbridge_sandbox.uphance.organisations import COUNTS
from upbridge_sandbox.uphance.tickets import confirm, make_ticket, ship
from upbridge_sandbox.upp.tenant import Tenant


class TargetControls(Controls):
    """Tenants and organisations."""

    def operations(self) -> Calls:
        """Method, path and handler of each."""
        return (
            ("POST", "/upp", self.add_tenant),
            ("POST", "/upp/expire", self.expire_upp),
            ("GET", "/upp/{client}", lambda call: self.tenant_of(call).as_json()),
            ("GET", "/upp/{client}/{kind}", self.tenant_items),
            ("PUT", "/uphance", self.set_uphance),
            ("PUT", "/uphance/lists", self.set_lists),
            ("POST", "/uphance/expire", lambda _call: self.state.uphance.expire_tokens()),
            ("POST", "/uphance/{org}/webhook", self.uphance_webhook),
            ("POST", "/uphance/{org}/confirm", self.confirm),
            ("POST", "/uphance/{org}/tickets", self.make_ticket),
            ("POST", "/uphance/{org}/tickets/{id}/ship", self.ship),
            ("DELETE", "/uphance/{org}/tickets/{id}", self.drop_ticket),
            ("PUT", "/uphance/{org}/skus/{id}", self.edit_sku),
            ("DELETE", "/uphance/{org}/products/{id}", self.drop_product),
            ("GET", "/uphance/{org}/{kind}", self.uphance_items),
        )

    async def add_tenant(self, call: Call) -> Any:
        """`{"client_id", "secret", "token_seconds"?}`."""
        tenant = Tenant(**body_of(call))
        self.state.tenants[tenant.client_id] = tenant
        return tenant.as_json()

    async def expire_upp(self, _call: Call) -> Any:
        """Every token ends now."""
        for tenant in self.state.tenants.values():
            tenant.tokens.clear()

    async def tenant_items(self, call: Call) -> Any:
        """`products`, `orders` (with how often each was written) or `cpa`."""
        tenant, kind = self.tenant_of(call), call.path_params["kind"]
        if kind == "cpa":
            return {"cpa": tenant.cpa}
        held: dict[str, tuple[dict[str, Json], dict[str, int]]] = {
            "products": (tenant.products, tenant.sent_products),
            "orders": (tenant.orders, tenant.sent_orders),
        }
        items, writes = found(held.get(kind), kind)
        return {"items": items, "writes": writes}

    async def set_uphance(self, call: Call) -> Any:
        """`{"drafts_reserve"?, "tax_level"?}`: per cent on everything; null: the shop's rates again."""
        body, uphance = body_of(call), self.state.uphance
        if unknown := set(body) - {"drafts_reserve", "tax_level"}:
            raise ValueError(f"unknown: {', '.join(unknown)}")
        uphance.drafts_reserve = bool(body.get("drafts_reserve", uphance.drafts_reserve))
        if "tax_level" in body:
            uphance.tax_level = None if body["tax_level"] is None else Decimal(str(body["tax_level"]))
        return uphance.as_json()

    async def set_lists(self, call: Call) -> Any:
        """Short pages, and lists of goods that move between two of them."""
        self.state.uphance.lists.set(body_of(call))
        return self.state.uphance.lists.as_json()

    async def uphance_webhook(self, call: Call) -> Any:
        """`{"url"}`: what a person pastes under Apps > Uphance API."""
        self.organisation_of(call).webhook_url = body_of(call).get("url")

    async def confirm(self, call: Call) -> Any:
        """Staff confirm a draft: `{"order_id"}` or `{"purchase_order_ref"}`."""
        organisation = self.organisation_of(call)
        order = self.sales_order_of(organisation, call)
        confirm(order, organisation, self.state.uphance)
        return order

    async def make_ticket(self, call: Call) -> Any:
        """A pick ticket for an order, for all of it or for `{"pieces": {"SKU id": n}}`; fires an update only.
        With `{"ship": {"tracking_number"?, "carrier"?}}` it is shipped at once."""
        organisation, body = self.organisation_of(call), body_of(call)
        order, pieces = self.sales_order_of(organisation, call), body.get("pieces")
        wanted = None if pieces is None else {int(sku): int(count) for sku, count in pieces.items()}
        ticket = make_ticket(order, organisation, self.state.uphance, pieces=wanted)
        if (how := body.get("ship")) is not None:
            ship(ticket, organisation, self.state.uphance, how.get("tracking_number"), how.get("carrier"))
        self.context.uphance_hooks.send(organisation, "pick_ticket_update", "pick_ticket", ticket)
        return ticket

    async def ship(self, call: Call) -> Any:
        """Ship a pick ticket: `{"tracking_number"?, "carrier"?}`."""
        organisation, body = self.organisation_of(call), body_of(call)
        ticket = self.ticket_of(organisation, call)
        ship(ticket, organisation, self.state.uphance, body.get("tracking_number"), body.get("carrier"))
        self.context.uphance_hooks.send(organisation, "pick_ticket_update", "pick_ticket", ticket)
        return ticket

    async def drop_ticket(self, call: Call) -> Any:
        """Delete a pick ticket; the webhook holds little more than the id."""
        organisation = self.organisation_of(call)
        ticket = self.ticket_of(organisation, call)
        del organisation.tickets[ticket["id"]]
        self.context.uphance_hooks.send(organisation, "pick_ticket_delete", "pick_ticket", {"id": ticket["id"]})

    async def edit_sku(self, call: Call) -> Any:
        """`{"in_stock"?, "available_to_sell"?, "available_to_sell_from_stock"?, "ean"?, "sku_number"?}`, or
        `{"pieces"}`: so many are there and can be sold."""
        organisation, body = self.organisation_of(call), body_of(call)
        wanted = call.path_params["id"]
        product, _, sku = found(organisation.sku(int(wanted)), f"SKU {wanted}")
        counted = {} if (pieces := body.pop("pieces", None)) is None else dict.fromkeys(COUNTS, pieces)
        sku.update(body, **counted)
        self.context.uphance_hooks.send(organisation, "product_update", "product", product)
        return sku

    async def drop_product(self, call: Call) -> Any:
        """Staff delete goods: no list shows them any more, and no webhook says so."""
        organisation, wanted = self.organisation_of(call), call.path_params["id"]
        organisation.drop_product(by_id(organisation.products, wanted, "product")["id"])

    async def uphance_items(self, call: Call) -> Any:
        """`orders`, `customers`, `tickets`, `products` or `hooks` (webhook calls) of an organisation."""
        organisation, kind = self.organisation_of(call), call.path_params["kind"]
        held: dict[str, list[Json]] = {
            "orders": list(organisation.orders.values()),
            "customers": list(organisation.customers.values()),
            "tickets": list(organisation.tickets.values()),
            "products": list(organisation.products.values()),
            "hooks": organisation.webhook_log,
        }
        return {"items": found(held.get(kind), kind)}
