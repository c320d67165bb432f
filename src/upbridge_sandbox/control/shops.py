"""Control of the shops: the signed calls, rights, limits, webhooks."""

import asyncio
from typing import Any
from urllib.parse import urlsplit

from upbridge_sandbox.asgi.call import Call
from upbridge_sandbox.control.context import Calls, Controls, body_of, only
from upbridge_sandbox.seed.plan import Plan, credentials, open_shop, tariff_of
from upbridge_sandbox.upgates.announcements import timings

PRIVILEGES = frozenset({"deny", "readonly", "all"})
SETTINGS = ("language", "ignore_page_items", "refuse_puts")
FACTS = ("language", "pricelist", "rename", "status", "prices_with_vat", "limit_orders", "offer", "withdraw")


class ShopControls(Controls):
    """Shops and the add-on in them."""

    def operations(self) -> Calls:
        """Method, path and handler of each."""
        return (
            ("POST", "/shops", self.create_shop),
            ("GET", "/shops", lambda _call: {"shops": [shop.as_json() for shop in self.state.shops.values()]}),
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
            ("PUT", "/shops/{shop}/faults", self.shop_faults),
            ("PUT", "/shops/{shop}/facts", self.facts),
            ("PUT", "/shops/{shop}/webhooks", self.webhook_faults),
            ("GET", "/shops/{shop}/webhooks", self.webhooks),
            ("GET", "/shops/{shop}/deliveries", self.deliveries),
            ("GET", "/shops/{shop}/timings", self.timings),
            ("POST", "/shops/{shop}/mutate", self.mutate),
        )

    async def create_shop(self, call: Call) -> Any:
        """A new shop from a plan, with its counterparts and how to connect them."""
        plan = Plan.read(body_of(call))
        shop = await asyncio.to_thread(open_shop, self.state, plan)
        return {**shop.as_json(), "credentials": credentials(self.state, shop)}

    async def one_shop(self, call: Call) -> Any:
        """One shop, with how to connect its counterparts."""
        shop = self.shop_of(call)
        return {**shop.as_json(), "credentials": credentials(self.state, shop), "log": list(shop.log)}

    async def activate(self, call: Call) -> Any:
        """Signed install: `{"version"?, "overrides"?}`."""
        body = body_of(call)
        return await self.context.marketplace.activate(
            self.shop_of(call), version=body.get("version"), overrides=body.get("overrides")
        )

    async def open(self, call: Call) -> Any:
        """Signed open: the answer holds the url of the iframe."""
        return await self.context.marketplace.open(self.shop_of(call), overrides=body_of(call).get("overrides"))

    async def deactivate(self, call: Call) -> Any:
        """Delete the API user and tell the add-on; `{"silent": true}` does not tell it."""
        body = body_of(call)
        return await self.context.marketplace.deactivate(
            self.shop_of(call), overrides=body.get("overrides"), silent=bool(body.get("silent"))
        )

    async def version(self, call: Call) -> Any:
        """Signed version change: `{"version", "new_access"?}`."""
        body = body_of(call)
        return await self.context.marketplace.change_version(
            self.shop_of(call), int(body["version"]), new_access=bool(body.get("new_access"))
        )

    async def shop_settings(self, call: Call) -> Any:
        """`{"language"?, "ignore_page_items"?, "refuse_puts"?}`."""
        shop, body = self.shop_of(call), only(body_of(call), SETTINGS)
        shop.language = body.get("language", shop.language)
        shop.ignore_page_items = bool(body.get("ignore_page_items", shop.ignore_page_items))
        shop.refuse_puts = set(body.get("refuse_puts", shop.refuse_puts))
        return shop.as_json()

    async def rights(self, call: Call) -> Any:
        """`{"orders": "readonly", ...}`: changed rights deactivate the webhooks."""
        shop, rights = self.shop_of(call), body_of(call)
        if odd := {str(one) for one in rights.values()} - PRIVILEGES:
            raise ValueError(f"no privilege: {', '.join(sorted(odd))}; there are {', '.join(sorted(PRIVILEGES))}")
        self.context.marketplace.change_rights(shop, rights)
        return shop.as_json()

    async def tariff(self, call: Call) -> Any:
        """`{"tariff": "bronze" | {"hour", "day"} | null, "packages"}`."""
        shop, body = self.shop_of(call), body_of(call)
        shop.tariff = tariff_of(body.get("tariff"), int(body.get("packages", 0)))
        shop.closed_since = shop.closed_until = None
        return shop.as_json()

    async def access(self, call: Call) -> Any:
        """`{"active": false}` suspends the API user: 403."""
        shop = self.shop_of(call)
        if shop.access is not None:
            shop.access.active = bool(body_of(call)["active"])
        return shop.as_json()

    async def move(self, call: Call) -> Any:
        """Move the shop to another server, that is to this machine's other name: the old address answers 301."""
        shop = self.shop_of(call)
        old = urlsplit(self.state.api_url(shop)).hostname
        shop.server = "127.0.0.1" if old == "localhost" else "localhost"
        shop.old_servers = {str(old): 0}
        return {"api_url": self.state.api_url(shop)}

    async def shop_faults(self, call: Call) -> Any:
        """Moving lists, looks that come too soon, sizes of pages, shapes of answers."""
        shop = self.shop_of(call)
        shop.faults.set(body_of(call))
        return shop.faults.as_json()

    async def facts(self, call: Call) -> Any:
        """What the owner changes in the administration: `{"language"?, "pricelist"?: id, "rename"?: {id: name},
        "status"?: {"type", "name"}, "prices_with_vat"?, "limit_orders"?, "offer"?: {list: name}, "withdraw"?:
        {list: id}}`; a list is `shipments` or `payments`."""
        shop, body, changes = self.shop_of(call), only(body_of(call), FACTS), self.context.changes
        changes.set_defaults(shop, language=body.get("language"), pricelist=body.get("pricelist"))
        for number, name in body.get("rename", {}).items():
            changes.rename_pricelist(shop, int(number), str(name))
        if (status := body.get("status")) is not None:
            changes.add_status(shop, str(status["type"]), str(status["name"]))
        for listed, name in body.get("offer", {}).items():
            changes.offer(shop, str(listed), str(name))
        for listed, number in body.get("withdraw", {}).items():
            changes.withdraw(shop, str(listed), int(number))
        shop.facts.prices_with_vat = bool(body.get("prices_with_vat", shop.facts.prices_with_vat))
        shop.facts.limit_orders = body.get("limit_orders", shop.facts.limit_orders)
        return shop.facts.as_json()

    async def webhook_faults(self, call: Call) -> Any:
        """Lose, double, delay, reorder."""
        shop = self.shop_of(call)
        shop.webhook_faults.set(body_of(call))
        return shop.webhook_faults.as_json()

    async def webhooks(self, call: Call) -> Any:
        """The add-on's subscriptions; their URLs hold secrets and are cut."""
        hooks = [hook.as_json() for hook in self.shop_of(call).webhooks.values()]
        return {"webhooks": [{**hook, "url": hook["url"].rpartition("/")[0] + "/…"} for hook in hooks]}

    async def deliveries(self, call: Call) -> Any:
        """Every webhook call, and the records that were lost on purpose."""
        shop = self.shop_of(call)
        return {
            "pending": self.context.announcer.pending(shop),
            "lost": [{"event": event, "id": key} for event, key in shop.lost_records],
            "deliveries": [item.as_json() for item in shop.deliveries],
        }

    async def timings(self, call: Call) -> Any:
        """How fast the add-on answered."""
        shop = self.shop_of(call)
        return {**timings(shop), "pending": self.context.announcer.pending(shop), "lost": len(shop.lost_records)}

    async def mutate(self, call: Call) -> Any:
        """`{"changes", "seed"?}`: random changes of a busy day."""
        body = body_of(call)
        done = self.context.changes.many(self.shop_of(call), int(body.get("changes", 1)), int(body.get("seed", 1)))
        return {"done": done, "changes": sum(done.values())}
