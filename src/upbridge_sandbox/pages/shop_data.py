"""Products and orders of a shop, to look at and to change."""

from starlette.responses import RedirectResponse, Response

from upbridge_sandbox.asgi.call import Call
from upbridge_sandbox.control.context import found
from upbridge_sandbox.pages.layout import Pages, page_of
from upbridge_sandbox.seed.formats import Json
from upbridge_sandbox.seed.products import price_of
from upbridge_sandbox.seed.vocabulary import COLOURS
from upbridge_sandbox.shop import Shop


class ShopDataPages(Pages):
    """What a shop holds."""

    async def products(self, call: Call) -> Response:
        """The products, a page at a time."""
        shop, wanted = self.shop_of(call), (call.last("q") or "").lower()
        rows = [item for item in shop.goods.products.values() if wanted in _searchable(item)]
        title = f"{shop.project_name}: products"
        page = page_of(call, rows)
        return self.page(title, "products.html", shop=shop, page=page, wanted=wanted, price_of=price_of)

    async def change_products(self, call: Call) -> Response:
        """The forms above the list of products."""
        shop, sent, changes = self.shop_of(call), call.fields(), self.context.changes
        path = f"/shops/{shop.name}/products"
        if sent.get("do") == "new":
            return RedirectResponse(f"{path}/{changes.create_product(shop)['product_id']}", 303)
        changes.many(shop, int(sent["count"]), self.state.rng.of("admin").randrange(10**6))
        return RedirectResponse(path, 303)

    async def product(self, call: Call) -> Response:
        """One product with its variants, to be edited."""
        shop = self.shop_of(call)
        product = self.product_of(shop, call)
        title = product["descriptions"][0]["title"]
        return self.page(title, "product.html", shop=shop, product=product, colours=COLOURS)

    async def change_product(self, call: Call) -> Response:
        """The forms of one product."""
        shop, sent, changes = self.shop_of(call), call.fields(), self.context.changes
        product, path = self.product_of(shop, call), f"/shops/{shop.name}/products"
        match sent.get("do"):
            case "delete":
                changes.delete_product(shop, product)
                return RedirectResponse(path, 303)
            case "variant":
                variants = {str(row["variant_id"]): row for row in product["variants"]}
                variant = found(variants.get(sent["variant"]), "variant")
                changes.edit_product(shop, product, variant, {"stock": _number_or_none(sent.get("stock"))})
            case "save":
                self._save_product(shop, product, sent)
        return RedirectResponse(f"{path}/{product['product_id']}", 303)

    def _save_product(self, shop: Shop, product: Json, sent: dict[str, str]) -> None:
        changes = self.context.changes
        if sent.get("title") != product["descriptions"][0]["title"]:
            changes.rename_product(shop, product, "cs", sent["title"])
        if int(sent.get("percent") or 0):
            changes.price_product(shop, product, int(sent["percent"]))
        values = {"stock": _number_or_none(sent.get("stock")), "active_yn": "active" in sent}
        if any(product[name] != value for name, value in values.items()):
            changes.edit_product(shop, product, None, values)

    async def orders(self, call: Call) -> Response:
        """The orders, newest first."""
        shop = self.shop_of(call)
        page, title = page_of(call, list(reversed(shop.orders.values()))), f"{shop.project_name}: orders"
        statuses = [(one.id, one.names["cs"]) for one in shop.facts.statuses]
        gone = list(reversed(shop.deleted_orders))
        return self.page(title, "orders.html", shop=shop, page=page, statuses=statuses, gone=gone)

    async def change_order(self, call: Call) -> Response:
        """A form of the orders page."""
        shop, sent, changes = self.shop_of(call), call.fields(), self.context.changes
        if sent.get("do") == "new":
            changes.create_order(shop)
            return RedirectResponse(f"/shops/{shop.name}/orders", 303)
        if sent.get("do") == "restore":
            changes.restore_order(shop, sent["order"])
            return RedirectResponse(f"/shops/{shop.name}/orders", 303)
        order = shop.orders[sent["order"]]
        match sent.get("do"):
            case "delete":
                changes.delete_order(shop, order)
            case "more":
                changes.edit_order_line(shop, order, int(order["products"][0]["quantity"]) + 1)
            case "status":
                changes.edit_order(shop, order, {"status_id": int(sent["status"])})
        return RedirectResponse(f"/shops/{shop.name}/orders", 303)


def _searchable(product: Json) -> str:
    codes = " ".join(str(row["code"]) for row in product["variants"])
    return f"{product['descriptions'][0]['title']} {product['code']} {codes}".lower()


def _number_or_none(text: str | None) -> int | float | None:
    if not text:
        return None
    value = float(text)
    return int(value) if value == int(value) else value
