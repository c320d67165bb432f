"""Control of what a shop holds: products and orders."""

from typing import Any

from upbridge_sandbox.asgi.call import Call
from upbridge_sandbox.control.context import Calls, Controls, body_of, found


class ShopDataControls(Controls):
    """Products and orders."""

    def operations(self) -> Calls:
        """Method, path and handler of each."""
        return (
            ("GET", "/shops/{shop}/products", self.products),
            ("POST", "/shops/{shop}/products", self.add_product),
            ("PUT", "/shops/{shop}/products/{id}", self.edit_product),
            ("DELETE", "/shops/{shop}/products/{id}", self.drop_product),
            ("GET", "/shops/{shop}/orders", self.orders),
            ("GET", "/shops/{shop}/versions", lambda call: {"versions": self.shop_of(call).versions}),
            ("GET", "/shops/{shop}/history", lambda call: {"history": self.shop_of(call).history}),
            ("POST", "/shops/{shop}/orders", self.add_order),
            ("PUT", "/shops/{shop}/orders/{number}", self.edit_order),
            ("DELETE", "/shops/{shop}/orders/{number}", self.drop_order),
            ("POST", "/shops/{shop}/orders/{number}/restore", self.restore_order),
            ("POST", "/shops/{shop}/orders/{number}/renumber", self.renumber_order),
            ("POST", "/shops/{shop}/orders/{number}/replace", self.replace_order),
        )

    async def products(self, call: Call) -> Any:
        """Products as GET /products shows them, and the deleted ones."""
        shop = self.shop_of(call)
        return {"items": list(shop.goods.products.values()), "deleted": list(shop.deleted_products.values())}

    async def add_product(self, call: Call) -> Any:
        """A new product; `{"as_is": product}` takes one exactly as an API showed it."""
        shop, body = self.shop_of(call), body_of(call)
        if isinstance(body.get("as_is"), dict):
            return self.context.changes.take_product(shop, body["as_is"])
        return self.context.changes.create_product(shop)

    async def edit_product(self, call: Call) -> Any:
        """`{"variant_id"?, "title"?, "price_percent"?, field: value, ...}`."""
        shop, body = self.shop_of(call), body_of(call)
        product = self.product_of(shop, call)
        variant = None
        if (variant_id := body.pop("variant_id", None)) is not None:
            variants = {row["variant_id"]: row for row in product["variants"]}
            variant = found(variants.get(variant_id), f"variant {variant_id}")
        if (percent := body.pop("price_percent", None)) is not None:
            self.context.changes.price_product(shop, product, int(percent))
        if (title := body.pop("title", None)) is not None:
            self.context.changes.rename_product(shop, product, "cs", str(title))
        if unknown := set(body) - set(variant or product):
            raise ValueError(f"unknown: {', '.join(sorted(unknown))}")
        if body:
            self.context.changes.edit_product(shop, product, variant, body)
        return product

    async def drop_product(self, call: Call) -> Any:
        """Delete a product with its variants."""
        shop = self.shop_of(call)
        self.context.changes.delete_product(shop, self.product_of(shop, call))

    async def orders(self, call: Call) -> Any:
        """Orders as GET /orders shows them, and the deleted ones."""
        shop = self.shop_of(call)
        return {"items": list(shop.orders.values()), "deleted": list(shop.deleted_orders.values())}

    async def add_order(self, call: Call) -> Any:
        """A new order; `{"broken": reason}` makes a bad one, `{"as_is": order}` takes one as an API showed it."""
        shop, body = self.shop_of(call), body_of(call)
        if isinstance(body.get("as_is"), dict):
            return self.context.changes.take_order(shop, body["as_is"])
        return self.context.changes.create_order(shop, broken=body.get("broken", ""))

    async def edit_order(self, call: Call) -> Any:
        """`{"status_id"?, "quantity"?, field: value, ...}`."""
        shop, body = self.shop_of(call), body_of(call)
        order = self.order_of(shop, call)
        if (quantity := body.pop("quantity", None)) is not None:
            try:
                self.context.changes.edit_order_line(shop, order, int(quantity))
            except (LookupError, AttributeError, ArithmeticError) as error:  # it was placed as an API showed it
                raise ValueError("the order has no line whose quantity could be changed") from error
        if unknown := set(body) - set(order):
            raise ValueError(f"unknown: {', '.join(sorted(unknown))}")
        if body:
            self.context.changes.edit_order(shop, order, body)
        return order

    async def drop_order(self, call: Call) -> Any:
        """Delete an order."""
        shop = self.shop_of(call)
        self.context.changes.delete_order(shop, self.order_of(shop, call))

    async def restore_order(self, call: Call) -> Any:
        """Bring a deleted order back."""
        shop, number = self.shop_of(call), call.path_params["number"]
        found(shop.deleted_orders.get(number), f"deleted order {number}")
        return self.context.changes.restore_order(shop, number)

    async def renumber_order(self, call: Call) -> Any:
        """`{"number"}`: the order gets another number and stays the order that it is."""
        shop, number = self.shop_of(call), str(body_of(call)["number"])
        order = self.order_of(shop, call)
        if number in shop.versions:
            raise ValueError(f"there was an order {number} already")
        self.context.changes.renumber_order(shop, order, number)
        return order

    async def replace_order(self, call: Call) -> Any:
        """The order is deleted for good, and another one is placed under its number."""
        shop = self.shop_of(call)
        return self.context.changes.replace_order(shop, self.order_of(shop, call))
