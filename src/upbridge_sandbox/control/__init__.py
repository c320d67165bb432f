"""The control API: everything that a test or a demo wants to do to the simulated systems, as JSON.

docs/sandbox.md lists the calls. Nothing here is part of any simulated vendor.
"""

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from starlette.responses import Response

from upbridge_sandbox.control.elsewhere import ElsewhereControls
from upbridge_sandbox.control.goods import GoodsControls
from upbridge_sandbox.control.machinery import Machinery, Missing
from upbridge_sandbox.control.outside import WorldControls
from upbridge_sandbox.control.shops import ShopControls
from upbridge_sandbox.door import Call, Routes, answer
from upbridge_sandbox.marketplace import NoAddon
from upbridge_sandbox.uphance.sales import NotAcceptable

__all__ = ["Control", "Machinery"]

Handler: TypeAlias = Callable[[Call], Awaitable[Any]]


class Control:
    """The calls of the control API."""

    def __init__(self, machinery: Machinery) -> None:
        self.routes = Routes()
        world, shops = WorldControls(machinery), ShopControls(machinery)
        goods, elsewhere = GoodsControls(machinery), ElsewhereControls(machinery)
        calls: tuple[tuple[str, str, Handler], ...] = (
            ("GET", "/state", world.state),
            ("GET", "/addresses", world.addresses),
            ("POST", "/addon", world.set_addon),
            ("POST", "/clock", world.clock),
            ("POST", "/key", world.key),
            ("GET", "/violations", world.violations),
            ("DELETE", "/violations", world.forget),
            ("GET", "/calls", world.calls),
            ("GET", "/calls/log", world.call_log),
            ("GET", "/faults", world.faults),
            ("PUT", "/faults/{system}", world.set_faults),
            ("DELETE", "/faults", world.clear_faults),
            ("POST", "/lock", world.lock),
            ("DELETE", "/lock", world.unlock),
            ("POST", "/shops", shops.create_shop),
            ("GET", "/shops", shops.shops),
            ("GET", "/shops/{shop}", shops.one_shop),
            ("POST", "/shops/{shop}/activate", shops.activate),
            ("POST", "/shops/{shop}/open", shops.open),
            ("POST", "/shops/{shop}/deactivate", shops.deactivate),
            ("POST", "/shops/{shop}/version", shops.version),
            ("PUT", "/shops/{shop}/settings", shops.shop_settings),
            ("PUT", "/shops/{shop}/rights", shops.rights),
            ("PUT", "/shops/{shop}/tariff", shops.tariff),
            ("PUT", "/shops/{shop}/access", shops.access),
            ("POST", "/shops/{shop}/move", shops.move),
            ("PUT", "/shops/{shop}/webhooks", shops.webhook_faults),
            ("GET", "/shops/{shop}/webhooks", shops.webhooks),
            ("GET", "/shops/{shop}/deliveries", shops.deliveries),
            ("GET", "/shops/{shop}/timings", shops.timings),
            ("POST", "/shops/{shop}/mutate", shops.mutate),
            ("POST", "/shops/{shop}/announce", shops.announce),
            ("GET", "/shops/{shop}/products", goods.products),
            ("POST", "/shops/{shop}/products", goods.add_product),
            ("PUT", "/shops/{shop}/products/{id}", goods.edit_product),
            ("DELETE", "/shops/{shop}/products/{id}", goods.drop_product),
            ("GET", "/shops/{shop}/orders", goods.orders),
            ("GET", "/shops/{shop}/versions", goods.versions),
            ("GET", "/shops/{shop}/history", goods.history),
            ("POST", "/shops/{shop}/orders", goods.add_order),
            ("PUT", "/shops/{shop}/orders/{number}", goods.edit_order),
            ("DELETE", "/shops/{shop}/orders/{number}", goods.drop_order),
            ("POST", "/upp", elsewhere.add_tenant),
            ("POST", "/upp/expire", elsewhere.expire_upp),
            ("GET", "/upp/{client}", elsewhere.tenant),
            ("GET", "/upp/{client}/{kind}", elsewhere.tenant_items),
            ("PUT", "/uphance", elsewhere.set_uphance),
            ("POST", "/uphance/expire", elsewhere.expire_uphance),
            ("POST", "/uphance/{org}/webhook", elsewhere.uphance_webhook),
            ("POST", "/uphance/{org}/confirm", elsewhere.confirm),
            ("POST", "/uphance/{org}/tickets", elsewhere.make_ticket),
            ("POST", "/uphance/{org}/tickets/{id}/ship", elsewhere.ship),
            ("DELETE", "/uphance/{org}/tickets/{id}", elsewhere.drop_ticket),
            ("PUT", "/uphance/{org}/skus/{id}", elsewhere.edit_sku),
            ("GET", "/uphance/{org}/{kind}", elsewhere.uphance_items),
        )
        for method, path, handler in calls:
            self._add(method, path, handler)

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
