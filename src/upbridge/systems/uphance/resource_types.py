"""What is created in Uphance: where, and by which of its fields each is found again."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ResourceType:
    """One type of what can be created: where, and by which of its fields our reference is found again."""

    kind: str
    path: str
    list_name: str
    name: str
    reference: str


ORDERS = ResourceType("order", "/sales_orders", "sales_orders", "sales_order", "purchase_order_ref")
PRODUCTS = ResourceType("product", "/products", "products", "product", "product_identifier")
CUSTOMERS = ResourceType("customer", "/customers", "customers", "customer", "reference")
