"""Control of what a shop holds: products and orders."""

from typing import Any

from upbridge_sandbox.control.context import Controls, Missing, body_of, page_of
from upbridge_sandbox.door import Call


class ShopDataControls(Controls):
    """Products and orders."""

    async def products(self, call: Call) -> Any:
        """Products as GET /products shows them, and the deleted ones."""
        shop = self.shop_of(call)
        return {**page_of(call, shop.goods.products.values()), "deleted": list(shop.deleted_products.values())}

    async def add_product(self, call: Call) -> Any:
        """A new product; `{"as_is": product}` takes one exactly as an API showed it."""
        shop, body = self.shop_of(call), body_of(call)
        if isinstance(body.get("as_is"), dict):
            return self.m.changes.take_product(shop, body["as_is"])
        return self.m.changes.create_product(shop)

    async def edit_product(self, call: Call) -> Any:
        """`{"variant_id"?, "title"?, "price_percent"?, field: value, ...}`."""
        shop, body = self.shop_of(call), body_of(call)
        product = self.product_of(shop, call)
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
        shop = self.shop_of(call)
        self.m.changes.delete_product(shop, self.product_of(shop, call))
        return {}

    async def orders(self, call: Call) -> Any:
        """Orders as GET /orders shows them, and the deleted ones."""
        shop = self.shop_of(call)
        return {**page_of(call, shop.orders.values()), "deleted": list(shop.deleted_orders.values())}

    async def versions(self, call: Call) -> Any:
        """Every state that every order has been in."""
        return {"versions": self.shop_of(call).versions}

    async def history(self, call: Call) -> Any:
        """What the add-on wrote into orders' histories."""
        return {"history": self.shop_of(call).history}

    async def add_order(self, call: Call) -> Any:
        """A new order; `{"broken": reason}` makes a bad one, `{"as_is": order}` takes one as an API showed it."""
        shop, body = self.shop_of(call), body_of(call)
        if isinstance(body.get("as_is"), dict):
            return self.m.changes.take_order(shop, body["as_is"])
        return self.m.changes.create_order(shop, broken=body.get("broken", ""))

    async def edit_order(self, call: Call) -> Any:
        """`{"status_id"?, "quantity"?, field: value, ...}`."""
        shop, body = self.shop_of(call), body_of(call)
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
        shop = self.shop_of(call)
        if call.params["number"] not in shop.orders:
            raise Missing(f"order {call.params['number']}")
        self.m.changes.delete_order(shop, shop.orders[call.params["number"]])
        return {}
