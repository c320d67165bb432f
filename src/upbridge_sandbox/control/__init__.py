"""The control API: everything that a test or a demo wants to do to the simulated systems, as JSON.

docs/sandbox.md lists the calls. Nothing here is part of any simulated vendor.
"""

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from starlette.responses import Response

from upbridge_sandbox.control.context import Context, Missing
from upbridge_sandbox.control.shop_data import ShopDataControls
from upbridge_sandbox.control.shops import ShopControls
from upbridge_sandbox.control.simulation import SimulationControls
from upbridge_sandbox.control.targets import TargetControls
from upbridge_sandbox.door import Call, Routes, answer
from upbridge_sandbox.marketplace import NoAddon
from upbridge_sandbox.uphance.sales import NotAcceptable

__all__ = ["Context", "Control"]

Handler: TypeAlias = Callable[[Call], Awaitable[Any]]


class Control:
    """The calls of the control API."""

    def __init__(self, context: Context) -> None:
        self.routes = Routes()
        simulation, shops = SimulationControls(context), ShopControls(context)
        goods, targets = ShopDataControls(context), TargetControls(context)
        calls: tuple[tuple[str, str, Handler], ...] = (
            ("GET", "/state", simulation.picture),
            ("GET", "/addresses", simulation.addresses),
            ("POST", "/addon", simulation.set_addon),
            ("POST", "/clock", simulation.clock),
            ("POST", "/key", simulation.key),
            ("GET", "/violations", simulation.violations),
            ("DELETE", "/violations", simulation.forget),
            ("GET", "/calls", simulation.calls),
            ("GET", "/calls/log", simulation.call_log),
            ("GET", "/faults", simulation.faults),
            ("PUT", "/faults/{system}", simulation.set_faults),
            ("DELETE", "/faults", simulation.clear_faults),
            ("POST", "/lock", simulation.lock),
            ("DELETE", "/lock", simulation.unlock),
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
            ("POST", "/upp", targets.add_tenant),
            ("POST", "/upp/expire", targets.expire_upp),
            ("GET", "/upp/{client}", targets.tenant),
            ("GET", "/upp/{client}/{kind}", targets.tenant_items),
            ("PUT", "/uphance", targets.set_uphance),
            ("POST", "/uphance/expire", targets.expire_uphance),
            ("POST", "/uphance/{org}/webhook", targets.uphance_webhook),
            ("POST", "/uphance/{org}/confirm", targets.confirm),
            ("POST", "/uphance/{org}/tickets", targets.make_ticket),
            ("POST", "/uphance/{org}/tickets/{id}/ship", targets.ship),
            ("DELETE", "/uphance/{org}/tickets/{id}", targets.drop_ticket),
            ("PUT", "/uphance/{org}/skus/{id}", targets.edit_sku),
            ("GET", "/uphance/{org}/{kind}", targets.uphance_items),
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
