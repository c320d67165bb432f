"""Products and orders of a shop, to look at and to change."""

from starlette.responses import Response

from upbridge_sandbox.asgi.call import Call
from upbridge_sandbox.pages.layout import ROWS, Pages
from upbridge_sandbox.seed.formats import Json
from upbridge_sandbox.seed.products import price_of
from upbridge_sandbox.seed.vocabulary import COLOURS


class ShopDataPages(Pages):
    """What a shop holds."""

    async def products(self, call: Call) -> Response:
        """The products, a page at a time."""
        shop, wanted = self.shop_of(call), (call.last("q") or "").lower()
        rows = [item for item in shop.goods.products.values() if wanted in _searchable(item)]
        title = f"{shop.project_name}: products"
        page = call.page(rows, ROWS)
        seed = self.state.rng.of("admin").randrange(10**6)
        return self.page(title, "products.html", shop=shop, page=page, wanted=wanted, price_of=price_of, seed=seed)

    async def product(self, call: Call) -> Response:
        """One product with its variants, to be edited."""
        shop = self.shop_of(call)
        product = self.product_of(shop, call)
        title = product["descriptions"][0]["title"]
        return self.page(title, "product.html", shop=shop, product=product, colours=COLOURS)

    async def orders(self, call: Call) -> Response:
        """The orders, newest first."""
        shop = self.shop_of(call)
        page, title = call.page(list(reversed(shop.orders.values())), ROWS), f"{shop.project_name}: orders"
        statuses = [(one.id, one.names["cs"]) for one in shop.facts.statuses]
        gone = list(reversed(shop.deleted_orders))[:ROWS]
        return self.page(title, "orders.html", shop=shop, page=page, statuses=statuses, gone=gone)


def _searchable(product: Json) -> str:
    codes = " ".join(str(row["code"]) for row in product["variants"])
    return f"{product['descriptions'][0]['title']} {product['code']} {codes}".lower()
