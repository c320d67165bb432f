"""Which orders Upp.ai is sent, by the shop's settings. Pure."""

from datetime import timedelta

from upbridge.domain.eligibility import OrderPolicy
from upbridge.systems.base import MappingContext


def order_policy(context: MappingContext) -> OrderPolicy:
    """Orders of the chosen origins that are in the statistics, from `upp.order_days` before the connection on."""
    shop_settings = context.settings
    return OrderPolicy(
        enabled=shop_settings.yes("upp.send"),
        since=context.connection.connected_at - timedelta(days=shop_settings.number("upp.order_days") or 0),
        origins=shop_settings.get("upp.origins"),
        statistics_only=True,
    )
