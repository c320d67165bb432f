"""The sorts of things that are created in Uphance: where, and by which of its fields each is found again."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sort:
    """A sort of thing that can be created: where, and by which of its fields our reference is found again."""

    kind: str
    path: str
    list_name: str
    name: str
    reference: str


ORDERS = Sort("order", "/sales_orders", "sales_orders", "sales_order", "purchase_order_ref")
PRODUCTS = Sort("product", "/products", "products", "product", "product_identifier")
CUSTOMERS = Sort("customer", "/customers", "customers", "customer", "reference")
