"""The control API: everything that a test or a demo wants to do to the simulated systems, as JSON.

docs/sandbox.md lists the calls. Nothing here is part of any simulated vendor.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeAlias

from starlette.responses import Response

from upbridge.sandbox.changes import Changes
from upbridge.sandbox.door import Call, Json, Routes, answer
from upbridge.sandbox.marketplace import Marketplace, NoAddon
from upbridge.sandbox.seed.plan import Plan, credentials, open_shop, tariff_of
from upbridge.sandbox.shop import Shop
from upbridge.sandbox.upgates.announcements import Announcer, timings
from upbridge.sandbox.uphance.company import Organisation
from upbridge.sandbox.uphance.hooks import UphanceHooks
from upbridge.sandbox.uphance.sales import NotAcceptable
from upbridge.sandbox.uphance.tickets import confirm, make_ticket, ship
from upbridge.sandbox.upp.tenant import Tenant
from upbridge.sandbox.world import World

PAGE = 500
Handler: TypeAlias = Callable[[Call], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Machinery:
    """What the control API and the admin pages work with."""

    world: World
    changes: Changes
    announcer: Announcer
    marketplace: Marketplace
    uphance_hooks: UphanceHooks


class Missing(Exception):
    """There is no such thing; the text says which."""


class Control:
    """The calls of the control API."""

    def __init__(self, machinery: Machinery) -> None:
        self.m = machinery
        self.world = machinery.world
        self.routes = Routes()
        self._add_routes()

    async def handle(self, call: Call) -> Response:
        """Answer one call; bad input is a 400 that says what is wrong."""
        handler = self.routes.find(call, call.path)
        if isinstance(handler, int):
            return answer({"error": "no such control call"}, handler)
        try:
            return await handler(call)
        except Missing as error:
            return answer({"error": f"there is no {error}"}, 404)
        except NoAddon:
            return answer({"error": "the sandbox was started without the add-on's address"}, 409)
        except (ValueError, KeyError, TypeError, NotAcceptable) as error:
            return answer({"error": f"{type(error).__name__}: {error}"}, 400)

    def _add(self, method: str, path: str, handler: Handler) -> None:
        async def respond(call: Call) -> Response:
            result = await handler(call)
            return result if isinstance(result, Response) else answer(result)

        self.routes.add(method, f"/control{path}", respond)

    def _add_routes(self) -> None:
        for method, path, handler in (
            ("GET", "/state", self.state),
            ("GET", "/addresses", self.addresses),
            ("POST", "/addon", self.set_addon),
            ("POST", "/clock", self.clock),
            ("POST", "/key", self.key),
            ("GET", "/violations", self.violations),
            ("DELETE", "/violations", self.forget),
            ("GET", "/calls", self.calls),
            ("GET", "/calls/log", self.call_log),
            ("GET", "/faults", self.faults),
            ("PUT", "/faults/{system}", self.set_faults),
            ("DELETE", "/faults", self.clear_faults),
            ("POST", "/lock", self.lock),
            ("DELETE", "/lock", self.unlock),
            ("POST", "/shops", self.create_shop),
            ("GET", "/shops", self.shops),
            ("GET", "/shops/{shop}", self.one_shop),
            ("POST", "/shops/{shop}/activate", self.activate),
            ("POST", "/shops/{shop}/open", self.open),
            ("POST", "/shops/{shop}/deactivate", self.deactivate),
            ("POST", "/shops/{shop}/version", self.version),
            ("PUT", "/shops/{shop}/settings", self.shop_settings),
            ("PUT", "/shops/{shop}/rights", self.rights),
            ("PUT", "/shops/{shop}/tariff", self.tariff),
            ("PUT", "/shops/{shop}/access", self.access),
            ("POST", "/shops/{shop}/move", self.move),
            ("PUT", "/shops/{shop}/webhooks", self.webhook_faults),
            ("GET", "/shops/{shop}/webhooks", self.webhooks),
            ("GET", "/shops/{shop}/deliveries", self.deliveries),
            ("GET", "/shops/{shop}/timings", self.timings),
            ("POST", "/shops/{shop}/mutate", self.mutate),
            ("POST", "/shops/{shop}/announce", self.announce),
            ("GET", "/shops/{shop}/products", self.products),
            ("POST", "/shops/{shop}/products", self.add_product),
            ("PUT", "/shops/{shop}/products/{id}", self.edit_product),
            ("DELETE", "/shops/{shop}/products/{id}", self.drop_product),
            ("GET", "/shops/{shop}/orders", self.orders),
            ("GET", "/shops/{shop}/versions", self.versions),
            ("GET", "/shops/{shop}/history", self.history),
            ("POST", "/shops/{shop}/orders", self.add_order),
            ("PUT", "/shops/{shop}/orders/{number}", self.edit_order),
            ("DELETE", "/shops/{shop}/orders/{number}", self.drop_order),
            ("POST", "/upp", self.add_tenant),
            ("POST", "/upp/expire", self.expire_upp),
            ("GET", "/upp/{client}", self.tenant),
            ("GET", "/upp/{client}/{kind}", self.tenant_items),
            ("PUT", "/uphance", self.set_uphance),
            ("POST", "/uphance/expire", self.expire_uphance),
            ("POST", "/uphance/{org}/webhook", self.uphance_webhook),
            ("POST", "/uphance/{org}/confirm", self.confirm),
            ("POST", "/uphance/{org}/tickets", self.make_ticket),
            ("POST", "/uphance/{org}/tickets/{id}/ship", self.ship),
            ("DELETE", "/uphance/{org}/tickets/{id}", self.drop_ticket),
            ("PUT", "/uphance/{org}/skus/{id}", self.edit_sku),
            ("GET", "/uphance/{org}/{kind}", self.uphance_items),
        ):
            self._add(method, path, handler)

    # -- the world -------------------------------------------------------------------------------------------------

    async def state(self, _call: Call) -> Any:
        """A small picture of everything."""
        return self.world.state()

    async def addresses(self, _call: Call) -> Any:
        """Where the systems listen."""
        return self.world.addresses.as_json() if self.world.addresses else {}

    async def set_addon(self, call: Call) -> Any:
        """Where the add-on listens: `{"url", "signature_token"?}`."""
        body = _body(call)
        self.world.addon_url = body["url"]
        self.world.signature_token = body.get("signature_token", self.world.signature_token)
        return {"url": self.world.addon_url}

    async def clock(self, call: Call) -> Any:
        """`{"advance_seconds"}` pushes the sandbox's own clock forward; `{"factor"}` shortens its delays."""
        body = _body(call)
        self.world.shift += timedelta(seconds=float(body.get("advance_seconds", 0)))
        self.world.clock_factor = float(body.get("factor", self.world.clock_factor))
        return {"time": self.world.now().isoformat(), "factor": self.world.clock_factor}

    async def key(self, call: Call) -> Any:
        """`{"kind": "rsa" | "ec"}`: a new signing key."""
        self.world.signer.rotate(_body(call).get("kind", "rsa"))
        return {"pem": self.world.signer.public_pem.decode()}

    async def violations(self, _call: Call) -> Any:
        """Every request that a published rule forbids."""
        return {"violations": [item.as_json() for item in self.world.ledger.violations]}

    async def forget(self, _call: Call) -> Any:
        """Forget violations and calls."""
        self.world.ledger.clear()
        return {}

    async def calls(self, _call: Call) -> Any:
        """Calls per system, operation and status."""
        return self.world.ledger.totals()

    async def call_log(self, call: Call) -> Any:
        """Every call with its time; `?system=` narrows."""
        system = call.last("system")
        return {"calls": [item.as_json() for item in self.world.ledger.calls if system in (None, item.system)]}

    async def faults(self, _call: Call) -> Any:
        """The switches of every system."""
        return {name: faults.as_json() for name, faults in self.world.faults.items()}

    async def set_faults(self, call: Call) -> Any:
        """Change the switches of upgates, upp, uphance or key."""
        if call.params["system"] not in self.world.faults:
            raise Missing(call.params["system"])
        faults = self.world.faults[call.params["system"]]
        faults.set(_body(call))
        return faults.as_json()

    async def clear_faults(self, _call: Call) -> Any:
        """Everything works again."""
        for faults in self.world.faults.values():
            faults.clear()
        for shop in self.world.shops.values():
            shop.webhook_faults.clear()
            shop.refuse_puts.clear()
        return {}

    async def lock(self, call: Call) -> Any:
        """Lock an address as five wrong logins do: `{"ip"}`."""
        self.world.wrong_logins[_body(call).get("ip", "127.0.0.1")] = [self.world.now()] * 5
        return {}

    async def unlock(self, _call: Call) -> Any:
        """Forget wrong logins."""
        self.world.wrong_logins.clear()
        return {}

    # -- shops -----------------------------------------------------------------------------------------------------

    async def create_shop(self, call: Call) -> Any:
        """A new shop from a plan, with its counterparts and how to connect them."""
        plan = Plan.read(_body(call))
        shop = await asyncio.to_thread(open_shop, self.world, plan)
        return {**shop.as_json(), "credentials": credentials(self.world, shop)}

    async def shops(self, _call: Call) -> Any:
        """All shops."""
        return {"shops": [shop.as_json() for shop in self.world.shops.values()]}

    async def one_shop(self, call: Call) -> Any:
        """One shop, with how to connect its counterparts."""
        shop = self._shop(call)
        return {**shop.as_json(), "credentials": credentials(self.world, shop), "log": list(shop.log)}

    async def activate(self, call: Call) -> Any:
        """Signed install: `{"version"?, "overrides"?}`."""
        body = _body(call)
        return await self.m.marketplace.activate(
            self._shop(call), version=body.get("version"), overrides=body.get("overrides")
        )

    async def open(self, call: Call) -> Any:
        """Signed open: the answer holds the url of the iframe."""
        return await self.m.marketplace.open(self._shop(call), overrides=_body(call).get("overrides"))

    async def deactivate(self, call: Call) -> Any:
        """Delete the API user and tell the add-on; `{"silent": true}` does not tell it."""
        body = _body(call)
        return await self.m.marketplace.deactivate(
            self._shop(call), overrides=body.get("overrides"), silent=bool(body.get("silent"))
        )

    async def version(self, call: Call) -> Any:
        """Signed version change: `{"version", "new_access"?}`."""
        body = _body(call)
        return await self.m.marketplace.change_version(
            self._shop(call), int(body["version"]), new_access=bool(body.get("new_access"))
        )

    async def shop_settings(self, call: Call) -> Any:
        """`{"language"?, "ignore_page_items"?, "refuse_puts"?}`."""
        shop, body = self._shop(call), _body(call)
        shop.language = body.get("language", shop.language)
        shop.ignore_page_items = bool(body.get("ignore_page_items", shop.ignore_page_items))
        shop.refuse_puts = set(body.get("refuse_puts", shop.refuse_puts))
        return shop.as_json()

    async def rights(self, call: Call) -> Any:
        """`{"orders": "readonly", ...}`: changed rights deactivate the webhooks."""
        shop = self._shop(call)
        self.m.marketplace.change_rights(shop, _body(call))
        return shop.as_json()

    async def tariff(self, call: Call) -> Any:
        """`{"tariff": "bronze" | {"hour", "day"} | null, "packages"}`."""
        shop, body = self._shop(call), _body(call)
        shop.tariff = tariff_of(body.get("tariff"), int(body.get("packages", 0)))
        shop.closed_since = shop.closed_until = None
        return shop.as_json()

    async def access(self, call: Call) -> Any:
        """`{"active": false}` suspends the API user: 403."""
        shop = self._shop(call)
        if shop.access is not None:
            shop.access.active = bool(_body(call)["active"])
        return shop.as_json()

    async def move(self, call: Call) -> Any:
        """Move the shop to another server: the old address answers 301."""
        shop = self._shop(call)
        shop.old_prefixes[shop.prefix] = 0
        shop.prefix = f"/server{len(shop.old_prefixes)}"
        return {"prefix": shop.prefix}

    async def webhook_faults(self, call: Call) -> Any:
        """Lose, double, delay, reorder."""
        shop = self._shop(call)
        shop.webhook_faults.set(_body(call))
        return shop.webhook_faults.as_json()

    async def webhooks(self, call: Call) -> Any:
        """The add-on's subscriptions; their URLs hold secrets and are cut."""
        hooks = [hook.as_json() for hook in self._shop(call).webhooks.values()]
        return {"webhooks": [{**hook, "url": hook["url"].rpartition("/")[0] + "/…"} for hook in hooks]}

    async def deliveries(self, call: Call) -> Any:
        """Every webhook call, and the records that were lost on purpose."""
        shop = self._shop(call)
        return {
            "pending": self.m.announcer.pending(shop),
            "lost": [{"event": event, "id": key} for event, key in shop.lost_records],
            "deliveries": [item.as_json() for item in shop.deliveries],
        }

    async def timings(self, call: Call) -> Any:
        """How fast the add-on answered."""
        shop = self._shop(call)
        return {**timings(shop), "pending": self.m.announcer.pending(shop), "lost": len(shop.lost_records)}

    async def mutate(self, call: Call) -> Any:
        """`{"changes", "seed"?}`: random changes of a busy day."""
        body = _body(call)
        done = self.m.changes.many(self._shop(call), int(body.get("changes", 1)), int(body.get("seed", 1)))
        return {"done": done, "changes": sum(done.values())}

    async def announce(self, call: Call) -> Any:
        """`{"event", "key", "body", "array"?}`: a webhook of your own making."""
        shop, body = self._shop(call), _body(call)
        self.m.announcer.announce(shop, body["event"], str(body["key"]), body["body"], array=body.get("array", ""))
        return {"pending": self.m.announcer.pending(shop)}

    # -- what a shop holds -----------------------------------------------------------------------------------------

    async def products(self, call: Call) -> Any:
        """Products as GET /products shows them, and the deleted ones."""
        shop = self._shop(call)
        return {**_page(call, shop.goods.products.values()), "deleted": list(shop.deleted_products.values())}

    async def add_product(self, call: Call) -> Any:
        """A new product."""
        return self.m.changes.create_product(self._shop(call))

    async def edit_product(self, call: Call) -> Any:
        """`{"variant_id"?, "title"?, "price_percent"?, field: value, ...}`."""
        shop, body = self._shop(call), _body(call)
        product = self._product(shop, call)
        variant = None
        if (variant_id := body.pop("variant_id", None)) is not None:
            variant = next((row for row in product["variants"] if row["variant_id"] == variant_id), None)
            if variant is None:
                raise Missing(f"variant {variant_id}")
        if (percent := body.pop("price_percent", None)) is not None:
            self.m.changes.price_product(shop, product, int(percent))
        if (title := body.pop("title", None)) is not None:
            self.m.changes.rename_product(shop, product, "cs", str(title))
        if unknown := set(body) - set(variant or product):
            raise ValueError(f"unknown: {', '.join(sorted(unknown))}")
        if body:
            self.m.changes.edit_product(shop, product, variant, body)
        return product

    async def drop_product(self, call: Call) -> Any:
        """Delete a product with its variants."""
        shop = self._shop(call)
        self.m.changes.delete_product(shop, self._product(shop, call))
        return {}

    async def orders(self, call: Call) -> Any:
        """Orders as GET /orders shows them, and the deleted ones."""
        shop = self._shop(call)
        return {**_page(call, shop.orders.values()), "deleted": list(shop.deleted_orders.values())}

    async def versions(self, call: Call) -> Any:
        """Every state that every order has been in."""
        return {"versions": self._shop(call).versions}

    async def history(self, call: Call) -> Any:
        """What the add-on wrote into orders' histories."""
        return {"history": self._shop(call).history}

    async def add_order(self, call: Call) -> Any:
        """A new order; `{"broken": reason}` makes a bad one."""
        return self.m.changes.create_order(self._shop(call), broken=_body(call).get("broken", ""))

    async def edit_order(self, call: Call) -> Any:
        """`{"status_id"?, "quantity"?, field: value, ...}`."""
        shop, body = self._shop(call), _body(call)
        order = shop.orders.get(call.params["number"])
        if order is None:
            raise Missing(f"order {call.params['number']}")
        if (quantity := body.pop("quantity", None)) is not None:
            self.m.changes.edit_order_line(shop, order, int(quantity))
        if unknown := set(body) - set(order):
            raise ValueError(f"unknown: {', '.join(sorted(unknown))}")
        if body:
            self.m.changes.edit_order(shop, order, body)
        return order

    async def drop_order(self, call: Call) -> Any:
        """Delete an order."""
        shop = self._shop(call)
        if call.params["number"] not in shop.orders:
            raise Missing(f"order {call.params['number']}")
        self.m.changes.delete_order(shop, shop.orders[call.params["number"]])
        return {}

    # -- Upp.ai ----------------------------------------------------------------------------------------------------

    async def add_tenant(self, call: Call) -> Any:
        """`{"client_id", "secret", "token_seconds"?}`."""
        tenant = Tenant(**_body(call))
        self.world.tenants[tenant.client_id] = tenant
        return tenant.as_json()

    async def expire_upp(self, _call: Call) -> Any:
        """Every token ends now."""
        for tenant in self.world.tenants.values():
            tenant.tokens.clear()
        return {}

    async def tenant(self, call: Call) -> Any:
        """How much a tenant holds."""
        return self._tenant(call).as_json()

    async def tenant_items(self, call: Call) -> Any:
        """`products`, `orders` (with how often each was written) or `cpa`."""
        tenant, kind = self._tenant(call), call.params["kind"]
        if kind == "cpa":
            return {"cpa": tenant.cpa}
        held: dict[str, tuple[dict[str, Json], dict[str, int]]] = {
            "products": (tenant.products, tenant.sent_products),
            "orders": (tenant.orders, tenant.sent_orders),
        }
        if kind not in held:
            raise Missing(kind)
        return {"items": held[kind][0], "writes": held[kind][1]}

    # -- Uphance ---------------------------------------------------------------------------------------------------

    async def set_uphance(self, call: Call) -> Any:
        """`{"token_seconds"?, "rotate_refresh"?, "keep_organisation_on_refresh"?, "drafts_reserve"?}`."""
        for name, value in _body(call).items():
            if name not in ("token_seconds", "rotate_refresh", "keep_organisation_on_refresh", "drafts_reserve"):
                raise ValueError(f"unknown: {name}")
            setattr(self.world.uphance, name, value)
        return self.world.uphance.as_json()

    async def expire_uphance(self, _call: Call) -> Any:
        """Every access token ends now."""
        self.world.uphance.expire_tokens()
        return {}

    async def uphance_webhook(self, call: Call) -> Any:
        """`{"url"}`: what a person pastes under Apps > Uphance API."""
        self._organisation(call).webhook_url = _body(call)["url"]
        return {}

    async def confirm(self, call: Call) -> Any:
        """Staff confirm a draft: `{"order_id"}` or `{"purchase_order_ref"}`."""
        order = self._sales_order(call)
        confirm(order, self.world.uphance)
        return order

    async def make_ticket(self, call: Call) -> Any:
        """A pick ticket for an order, for all of it or for `{"pieces": {"SKU id": n}}`; fires an update only."""
        organisation, order = self._organisation(call), self._sales_order(call)
        pieces = _body(call).get("pieces")
        wanted = None if pieces is None else {int(sku): int(count) for sku, count in pieces.items()}
        ticket = make_ticket(order, organisation, self.world.uphance, pieces=wanted)
        self.m.uphance_hooks.send(organisation, "pick_ticket_update", "pick_ticket", ticket)
        return ticket

    async def ship(self, call: Call) -> Any:
        """Ship a pick ticket: `{"tracking_number"?, "carrier"?}`."""
        organisation, body = self._organisation(call), _body(call)
        ticket = self._ticket(organisation, call)
        ship(ticket, organisation, self.world.uphance, body.get("tracking_number"), body.get("carrier"))
        self.m.uphance_hooks.send(organisation, "pick_ticket_update", "pick_ticket", ticket)
        return ticket

    async def drop_ticket(self, call: Call) -> Any:
        """Delete a pick ticket; the webhook holds little more than the id."""
        organisation = self._organisation(call)
        ticket = self._ticket(organisation, call)
        del organisation.tickets[ticket["id"]]
        self.m.uphance_hooks.send(organisation, "pick_ticket_delete", "pick_ticket", {"id": ticket["id"]})
        return {}

    async def edit_sku(self, call: Call) -> Any:
        """`{"in_stock"?, "available_to_sell"?, "available_to_sell_from_stock"?, "ean"?, "sku_number"?}`."""
        organisation = self._organisation(call)
        found = organisation.sku(int(call.params["id"]))
        if found is None:
            raise Missing(f"SKU {call.params['id']}")
        product, _, sku = found
        sku.update(_body(call))
        self.m.uphance_hooks.send(organisation, "product_update", "product", product)
        return sku

    async def uphance_items(self, call: Call) -> Any:
        """`orders`, `customers`, `tickets`, `products` or `hooks` (webhook calls) of an organisation."""
        organisation, kind = self._organisation(call), call.params["kind"]
        held: dict[str, list[Json]] = {
            "orders": list(organisation.orders.values()),
            "customers": list(organisation.customers.values()),
            "tickets": list(organisation.tickets.values()),
            "products": list(organisation.products.values()),
            "hooks": organisation.webhook_log,
        }
        if kind not in held:
            raise Missing(kind)
        return {"items": held[kind]}

    # -- finding things --------------------------------------------------------------------------------------------

    def _shop(self, call: Call) -> Shop:
        wanted = call.params["shop"]
        shop = self.world.shops.get(wanted) or self.world.shop_of_token(wanted)
        if shop is None:
            raise Missing(f"shop {wanted}")
        return shop

    def _product(self, shop: Shop, call: Call) -> Json:
        wanted = call.params["id"]
        product = shop.goods.products.get(int(wanted)) if wanted.isdigit() else None
        if product is None:
            raise Missing(f"product {wanted}")
        return product

    def _tenant(self, call: Call) -> Tenant:
        if call.params["client"] not in self.world.tenants:
            raise Missing(f"tenant {call.params['client']}")
        return self.world.tenants[call.params["client"]]

    def _organisation(self, call: Call) -> Organisation:
        wanted = call.params["org"]
        organisation = self.world.uphance.organisations.get(int(wanted)) if wanted.isdigit() else None
        if organisation is None:
            raise Missing(f"organisation {wanted}")
        return organisation

    def _sales_order(self, call: Call) -> Json:
        organisation, body = self._organisation(call), _body(call)
        for order in organisation.orders.values():
            if order["id"] == body.get("order_id") or order["purchase_order_ref"] == body.get(
                "purchase_order_ref", 0
            ):
                return order
        raise Missing("such sales order")

    def _ticket(self, organisation: Organisation, call: Call) -> Json:
        wanted = call.params["id"]
        ticket = organisation.tickets.get(int(wanted)) if wanted.isdigit() else None
        if ticket is None:
            raise Missing(f"pick ticket {wanted}")
        return ticket


def _body(call: Call) -> Json:
    body = call.json() if call.body.strip() else {}
    if not isinstance(body, dict):
        raise TypeError("the body is a JSON object")
    return body


def _page(call: Call, items: Any) -> Json:
    rows, asked = list(items), call.last("page")
    if (since := call.last("since")) is not None:
        moment = datetime.fromisoformat(since)
        rows = [row for row in rows if datetime.fromisoformat(row["last_update_time"]) >= moment]
    if asked is None:
        return {"total": len(rows), "items": rows}
    first = (int(asked) - 1) * PAGE
    return {"total": len(rows), "items": rows[first : first + PAGE]}
