"""A shop's settings as a test chooses them."""

from collections.abc import Mapping
from typing import Any

from upbridge.domain.shop_settings import ShopSettings
from upbridge.systems.registry import SYSTEMS


def make_settings(chosen: Mapping[str, Any] | None = None) -> ShopSettings:
    """The settings of a shop that has chosen these values, and nothing else."""
    return ShopSettings(SYSTEMS.settings, chosen or {})


#: A value of each setting that is not its default.
OTHER = {
    "upp.send": "false",
    "upp.language": "sk",
    "upp.pricelist": "B2B",
    "upp.sku_from": "ean",
    "upp.purchase_vat": "without",
    "upp.variant_titles": "true",
    "upp.order_days": "60",
    "upp.guard_percent": "50",
    "upp.origins": "frontend,admin",
    "uphance.send_orders": "false",
    "uphance.origins": "frontend",
    "uphance.services": "SHORTENING",
    "uphance.orders_from": "2026-01-01",
    "uphance.order_statuses": "1",
    "uphance.channels": "cs/CZK:3",
    "uphance.season": "7",
    "uphance.warehouse": "Main",
    "uphance.payment_term": "Paid",
    "uphance.payment_terms": "2:Cash on delivery",
    "uphance.carriers": "5:Packeta",
    "uphance.customer_mode": "collective:42",
    "uphance.prices_with_tax": "true",
    "uphance.create_products": "true",
    "uphance.color_parameter": "Colour",
    "uphance.size_parameter": "Size",
    "stock.write": "true",
    "stock.quantity": "in_stock",
    "stock.drafts_reserve": "true",
    "stock.safety": "1",
    "stock.guard_percent": "50",
    "shipments.write": "false",
    "shipments.status": "5",
    "shipments.notify": "true",
    "notify.email": "owner@example.com",
    "notify.digest": "daily",
    "notify.quiet": "22-6",
    "budget.tariff": "gold",
    "budget.packages": "1",
}
