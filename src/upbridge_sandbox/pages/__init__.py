"""The simulated administration for a person: shops, products, orders, deliveries, what arrived elsewhere, faults.

Plain HTML made here; forms post to the page that shows them and come back to it. Nothing of it is part of the
add-on.
"""

from collections.abc import Awaitable, Callable
from html import escape
from typing import TypeAlias

from starlette.responses import Response

from upbridge_sandbox.control.machinery import Machinery
from upbridge_sandbox.door import Call, Routes
from upbridge_sandbox.pages.elsewhere import ElsewherePages
from upbridge_sandbox.pages.frame import Frame
from upbridge_sandbox.pages.goods import GoodsPages
from upbridge_sandbox.pages.shops import ShopPages
from upbridge_sandbox.uphance.sales import NotAcceptable

Page: TypeAlias = Callable[[Call], Awaitable[Response]]


class Pages:
    """The pages of one sandbox."""

    def __init__(self, machinery: Machinery) -> None:
        self.frame = Frame(machinery)
        self.routes = Routes()
        shops, goods, elsewhere = ShopPages(machinery), GoodsPages(machinery), ElsewherePages(machinery)
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
            ("GET", "/upp/{client}", elsewhere.upp),
            ("GET", "/uphance/{org}", elsewhere.uphance),
            ("POST", "/uphance/{org}", elsewhere.work_in_uphance),
            ("GET", "/faults", elsewhere.faults),
            ("POST", "/faults", elsewhere.change_faults),
            ("GET", "/violations", elsewhere.violations),
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
