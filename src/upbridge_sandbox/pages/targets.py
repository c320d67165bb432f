"""What Upp.ai and Uphance hold, the faults, and the rules that were broken."""

from starlette.responses import Response

from upbridge_sandbox.asgi.call import Call
from upbridge_sandbox.faults import SAYS, Switches
from upbridge_sandbox.pages.layout import ROWS, Pages, newest

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

    async def faults(self, _call: Call) -> Response:
        """The switches of every system and of every shop's webhooks."""
        boards: list[tuple[str, str, Switches]] = [
            *((name, f"faults/{name}", faults) for name, faults in self.state.faults.items()),
            ("lists of uphance", "uphance/lists", self.state.uphance.lists),
        ]
        for shop in self.state.shops.values():
            boards.append((f"API of {shop.name}", f"shops/{shop.name}/faults", shop.faults))
            boards.append((f"webhooks of {shop.name}", f"shops/{shop.name}/webhooks", shop.webhook_faults))
        return self.page("Faults", "faults.html", switchboards=boards, says=SAYS)

    async def violations(self, _call: Call) -> Response:
        """Every request that a published rule forbids, and how often each operation was called."""
        broken = [
            (item.at.strftime("%H:%M:%S"), item.system, item.as_json()["says"], item.request, item.detail)
            for item in reversed(self.state.call_log.violations)
        ]
        counts = sorted(self.state.call_log.counts.items())
        calls = [(*what, count) for what, count in counts if what[0] != "admin"]
        return self.page("Rules and calls", "violations.html", broken=broken, calls=calls)
