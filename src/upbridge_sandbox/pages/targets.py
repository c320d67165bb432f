"""What Upp.ai and Uphance hold, the faults, and the rules that were broken."""

import json
from html import escape

from starlette.responses import RedirectResponse, Response

from upbridge_sandbox.door import Call
from upbridge_sandbox.pages.html import ROWS, Html, do, entry, form, hidden, table
from upbridge_sandbox.pages.layout import Layout
from upbridge_sandbox.uphance.tickets import make_ticket, ship


class TargetPages(Layout):
    """Upp.ai, Uphance, faults, violations."""

    async def upp(self, call: Call) -> Response:
        """What Upp.ai holds of one tenant."""
        tenant = self.state.tenants[call.params["client"]]
        products = table(
            ("id", "SKU", "title", "#price", "#stock", "active"),
            (
                tuple(
                    item.get(name, "")
                    for name in ("externalProductId", "sku", "title", "price", "stock", "active")
                )
                for item in list(reversed(tenant.products.values()))[:ROWS]
            ),
        )
        orders = table(
            ("order", "submitted", "#net", "#gross", "currency", "#items"),
            (
                (
                    item["externalOrderId"],
                    item["orderSubmittedOn"],
                    item["netOrderAmount"],
                    item["grossOrderAmount"],
                    item["currency"],
                    len(item["items"]),
                )
                for item in list(reversed(tenant.orders.values()))[:ROWS]
            ),
        )
        body = f"<h2>{len(tenant.products)} products, the newest first</h2><section>{products}</section>"
        body += f"<h2>{len(tenant.orders)} orders</h2><section>{orders}</section>"
        return self.page(f"Upp.ai: {tenant.client_id}", body)

    async def uphance(self, call: Call) -> Response:
        """What one Uphance organisation holds; here its staff ship."""
        organisation = self.state.uphance.organisations[int(call.params["org"])]
        names = {item["id"]: item["name"] for item in organisation.customers.values()}
        orders = table(
            ("order", "reference", "customer", "#total", "state", ""),
            (
                (
                    item["order_number"],
                    item["purchase_order_ref"] or "",
                    names.get(item["company_id"], ""),
                    f"{item['grand_total']} {item['currency']}",
                    f"{item['status']}, {item['fulfillment_status']}",
                    Html(
                        form(
                            hidden("order", item["id"]), entry("tracking", "", hint="tracking"), do("ship", "Ship")
                        )
                        if item["fulfillment_status"] != "shipped"
                        else ""
                    ),
                )
                for item in list(reversed(organisation.orders.values()))[:ROWS]
            ),
        )
        skus = [
            (product["name"], row["color"], sku)
            for product in organisation.products.values()
            for row in product["variations"]
            for sku in row["skus"]
        ]
        stock = table(
            ("product", "colour, size", "SKU", "stock"),
            (
                (
                    name,
                    f"{colour}, {sku['size']}",
                    sku["sku_number"],
                    Html(
                        form(
                            hidden("sku", sku["id"]),
                            entry("stock", sku["in_stock"], kind="number"),
                            do("stock", "Set"),
                        )
                    ),
                )
                for name, colour, sku in skus[:ROWS]
            ),
        )
        url = entry("url", organisation.webhook_url or "", hint="webhook URL from the add-on", size=60)
        hook = form(url, do("hook", "Save webhook", ""))
        body = f"<section>{hook}</section><h2>{len(organisation.orders)} sales orders, the newest first</h2>"
        body += f"<section>{orders}</section><h2>Stock</h2><section>{stock}</section>"
        return self.page(f"Uphance: {organisation.name}", body)

    async def work_in_uphance(self, call: Call) -> Response:
        """A form of the Uphance page."""
        organisation, sent = self.state.uphance.organisations[int(call.params["org"])], call.form()
        hooks = self.m.uphance_hooks
        if sent.get("do") == "hook":
            organisation.webhook_url = sent["url"] or None
        elif sent.get("do") == "ship":
            order = organisation.orders[int(sent["order"])]
            ticket = make_ticket(order, organisation, self.state.uphance)
            ship(ticket, organisation, self.state.uphance, sent.get("tracking") or None, "dhl")
            hooks.send(organisation, "pick_ticket_update", "pick_ticket", ticket)
        elif sent.get("do") == "stock":
            found = organisation.sku(int(sent["sku"]))
            if found is not None:
                counts = ("in_stock", "available_to_sell", "available_to_sell_from_stock")
                found[2].update(dict.fromkeys(counts, int(sent["stock"])))
                hooks.send(organisation, "product_update", "product", found[0])
        return RedirectResponse(f"/uphance/{organisation.id}", 303)

    async def faults(self, _call: Call) -> Response:
        """The switches of every system."""
        sections = []
        for title, name, values in (
            *((system, system, faults.as_json()) for system, faults in self.state.faults.items()),
            *(
                (f"webhooks of {shop.name}", f"shop:{shop.name}", shop.webhook_faults.as_json())
                for shop in self.state.shops.values()
            ),
        ):
            inputs = "".join(
                f"<label>{escape(key)} {entry(key, json.dumps(value))}</label>" for key, value in values.items()
            )
            switches = form(f"<b>{escape(title)}</b>", hidden("system", name), inputs, "<button>Set</button>")
            sections.append(f"<section>{switches}</section>")
        body = (
            "".join(sections)
            + '<form method=post><button class=quiet name=system value="">Everything works again</button></form>'
        )
        return self.page("Faults", body)

    async def change_faults(self, call: Call) -> Response:
        """A form of the faults page."""
        sent = call.form()
        name = sent.pop("system")
        if not name:
            for faults in self.state.faults.values():
                faults.clear()
            for shop in self.state.shops.values():
                shop.webhook_faults.clear()
        else:
            values = {key: json.loads(value) for key, value in sent.items()}
            if name.startswith("shop:"):
                self.state.shops[name.removeprefix("shop:")].webhook_faults.set(values)
            else:
                self.state.faults[name].set(values)
        return RedirectResponse("/faults", 303)

    async def violations(self, _call: Call) -> Response:
        """Every request that a published rule forbids."""
        rows = table(
            ("time", "system", "rule", "request", "detail"),
            (
                (item.at.strftime("%H:%M:%S"), item.system, item.as_json()["says"], item.request, item.detail)
                for item in reversed(self.state.ledger.violations)
            ),
        )
        nothing = "<section class=ok>No request has broken a published rule.</section>"
        body = f"<section>{rows}</section>" if self.state.ledger.violations else nothing
        calls = self.state.ledger.totals()
        rows = table(
            ("system", "operation", "#status", "#calls"),
            (
                (system, operation, status, count)
                for system, entry in calls.items()
                for operation, statuses in entry["operations"].items()
                for status, count in statuses.items()
                if system != "admin"
            ),
        )
        return self.page("Rules and calls", f"{body}<h2>Calls</h2><section>{rows}</section>")
