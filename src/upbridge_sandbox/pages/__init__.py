"""The simulated administration for a person: shops, products, orders, deliveries, what the targets hold, faults.

Plain HTML made here; forms post to the page that shows them and come back to it. Nothing of it is part of the
add-on.
"""

from collections.abc import Awaitable, Callable
from html import escape
from typing import TypeAlias

from starlette.responses import Response

from upbridge_sandbox.control.context import Context
from upbridge_sandbox.door import Call, Routes
from upbridge_sandbox.pages.layout import Layout
from upbridge_sandbox.pages.shop_data import ShopDataPages
from upbridge_sandbox.pages.shops import ShopPages
from upbridge_sandbox.pages.targets import TargetPages
from upbridge_sandbox.uphance.sales import NotAcceptable

Page: TypeAlias = Callable[[Call], Awaitable[Response]]


class Pages:
    """The pages of one sandbox."""

    def __init__(self, context: Context) -> None:
        self.frame = Layout(context)
        self.routes = Routes()
        shops, goods, targets = ShopPages(context), ShopDataPages(context), TargetPages(context)
        pages: tuple[tuple[str, str, Page], ...] = (
            ("GET", "/", shops.home),
            ("GET", "/shops/{shop}", shops.shop),
            ("POST", "/shops/{shop}", shops.act),
            ("GET", "/shops/{shop}/deliveries", shops.deliveries),
            ("GET", "/shops/{shop}/products", goods.products),
            ("POST", "/shops/{shop}/products", goods.change_product),
            ("GET", "/shops/{shop}/products/{id}", goods.product),
            ("POST", "/shops/{shop}/products/{id}", goods.change_product),
            ("GET", "/shops/{shop}/orders", goods.orders),
            ("POST", "/shops/{shop}/orders", goods.change_order),
            ("GET", "/upp/{client}", targets.upp),
            ("GET", "/uphance/{org}", targets.uphance),
            ("POST", "/uphance/{org}", targets.work_in_uphance),
            ("GET", "/faults", targets.faults),
            ("POST", "/faults", targets.change_faults),
            ("GET", "/violations", targets.violations),
        )
        for method, path, page in pages:
            self.routes.add(method, path, page)

    async def handle(self, call: Call) -> Response:
        """Answer one request of a browser."""
        page = self.routes.find(call, call.path)
        if isinstance(page, int):
            return self.frame.page("Not here", "<section>There is no such page.</section>", status=page)
        try:
            return await page(call)
        except (KeyError, StopIteration):
            return self.frame.page("Not here", "<section>There is no such thing.</section>", status=404)
        except (ValueError, TypeError, NotAcceptable) as error:
            text = f"<section class=bad>{escape(str(error))}</section>"
            return self.frame.page("That did not work", text, status=400)
