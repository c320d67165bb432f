"""What Upp.ai and Uphance hold, the faults, and the rules that were broken."""

import json

from starlette.responses import RedirectResponse, Response

from upbridge_sandbox.asgi.call import Call
from upbridge_sandbox.faults import SAYS
from upbridge_sandbox.pages.layout import ROWS, Pages, newest
from upbridge_sandbox.uphance.tickets import make_ticket, set_stock, ship

PRODUCT_FIELDS = ("externalProductId", "sku", "title", "price", "stock", "active")
ORDER_FIELDS = ("externalOrderId", "orderSubmittedOn", "netOrderAmount", "grossOrderAmount", "currency")


class TargetPages(Pages):
    """Upp.ai, Uphance, faults, violations."""

    async def upp(self, call: Call) -> Response:
        """What Upp.ai holds of one tenant."""
        tenant = self.tenant_of(call)
        products = [[item.get(name, "") for name in PRODUCT_FIELDS] for item in newest(tenant.products)]
        orders = [[*(item[name] for name in ORDER_FIELDS), len(item["items"])] for item in newest(tenant.orders)]
        title = f"Upp.ai: {tenant.client_id}"
        return self.page(title, "upp.html", tenant=tenant, products=products, orders=orders)

    async def uphance(self, call: Call) -> Response:
        """What one Uphance organisation holds; here its staff ship."""
        organisation = self.organisation_of(call)
        skus = [
            (product["name"], row["color"], sku)
            for product in organisation.products.values()
            for row in product["variations"]
            for sku in row["skus"]
        ]
        orders, title = newest(organisation.orders), f"Uphance: {organisation.name}"
        return self.page(title, "uphance.html", organisation=organisation, orders=orders, skus=skus[:ROWS])

    async def work_in_uphance(self, call: Call) -> Response:
        """A form of the Uphance page."""
        organisation, sent, hooks = self.organisation_of(call), call.fields(), self.context.uphance_hooks
        match sent.get("do"):
            case "hook":
                organisation.webhook_url = sent["url"] or None
            case "ship":
                order = organisation.orders[int(sent["order"])]
                ticket = make_ticket(order, organisation, self.state.uphance)
                ship(ticket, organisation, self.state.uphance, sent.get("tracking") or None, "dhl")
                hooks.send(organisation, "pick_ticket_update", "pick_ticket", ticket)
            case "stock":
                product = set_stock(organisation, int(sent["sku"]), int(sent["stock"]))
                hooks.send(organisation, "product_update", "product", product)
        return RedirectResponse(f"/uphance/{organisation.id}", 303)

    async def faults(self, _call: Call) -> Response:
        """The switches of every system and of every shop's webhooks."""
        systems = [(name, name, faults.as_json()) for name, faults in self.state.faults.items()]
        lists = ("lists of uphance", "lists", self.state.uphance.lists.as_json())
        shops = [
            (f"API of {shop.name}", f"api:{shop.name}", shop.faults.as_json())
            for shop in self.state.shops.values()
        ]
        webhooks = [
            (f"webhooks of {shop.name}", f"shop:{shop.name}", shop.webhook_faults.as_json())
            for shop in self.state.shops.values()
        ]
        return self.page("Faults", "faults.html", switchboards=[*systems, lists, *shops, *webhooks], says=SAYS)

    async def change_faults(self, call: Call) -> Response:
        """A form of the faults page."""
        sent = call.fields()
        name = sent.pop("system")
        values = {key: json.loads(value) for key, value in sent.items()}
        if not name:
            self.state.clear_faults()
        elif name == "lists":
            self.state.uphance.lists.set(values)
        elif name.startswith("api:"):
            self.state.shops[name.removeprefix("api:")].faults.set(values)
        elif name.startswith("shop:"):
            self.state.shops[name.removeprefix("shop:")].webhook_faults.set(values)
        else:
            self.state.faults[name].set(values)
        return RedirectResponse("/faults", 303)

    async def violations(self, _call: Call) -> Response:
        """Every request that a published rule forbids, and how often each operation was called."""
        broken = [
            (item.at.strftime("%H:%M:%S"), item.system, item.as_json()["says"], item.request, item.detail)
            for item in reversed(self.state.ledger.violations)
        ]
        counts = sorted(self.state.ledger.counts.items())
        calls = [(*what, count) for what, count in counts if what[0] != "admin"]
        return self.page("Rules and calls", "violations.html", broken=broken, calls=calls)
