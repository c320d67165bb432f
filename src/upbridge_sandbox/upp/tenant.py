"""What one customer of Upp.ai holds there."""

import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from upbridge_sandbox.seed.formats import Json


@dataclass(slots=True)
class Tenant:
    """A client id with its products and orders. `sent_*` count how often each one was written."""

    client_id: str
    secret: str
    token_seconds: int = 86_400
    tokens: dict[str, datetime] = field(default_factory=dict)
    products: dict[str, Json] = field(default_factory=dict)
    orders: dict[str, Json] = field(default_factory=dict)
    cpa: list[Json] = field(default_factory=list)
    sent_products: dict[str, int] = field(default_factory=dict)
    sent_orders: dict[str, int] = field(default_factory=dict)

    def new_token(self, now: datetime) -> str:
        """A token that lives as long as the tenant's tokens do."""
        token = secrets.token_urlsafe(24)
        self.tokens[token] = now + timedelta(seconds=self.token_seconds)
        return token

    def take_products(self, products: list[Json]) -> None:
        """Full documents replace what was there."""
        for product in products:
            key = product["externalProductId"]
            self.products[key] = product
            self.sent_products[key] = self.sent_products.get(key, 0) + 1

    def take_orders(self, orders: list[Json]) -> None:
        """Upsert by externalOrderId."""
        for order in orders:
            key = order["externalOrderId"]
            self.orders[key] = order
            self.sent_orders[key] = self.sent_orders.get(key, 0) + 1

    def as_json(self) -> dict[str, Any]:
        """The tenant without its secret."""
        return {
            "client_id": self.client_id,
            "products": len(self.products),
            "orders": len(self.orders),
            "cpa": len(self.cpa),
            "product_writes": sum(self.sent_products.values()),
            "order_writes": sum(self.sent_orders.values()),
            "token_seconds": self.token_seconds,
        }
