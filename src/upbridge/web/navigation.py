"""The pages in the order of the navigation: the last part of their address and of their texts' keys."""

from upbridge.web.queries.health import ShopHealth

PLACES = ("start", "orders", "problems", "products", "find", "connections", "rules", "history", "usage")


def places_for(health: ShopHealth) -> tuple[str, ...]:
    """The pages that the shop's navigation leads to: that of its calls only where a tariff limits them."""
    return PLACES if health.metered else tuple(place for place in PLACES if place != "usage")
