"""Which orders Upp.ai is sent, by the shop's settings. Pure."""

from datetime import timedelta

from upbridge.domain.eligibility import OrderPolicy
from upbridge.systems.base import Shopfront


def order_policy(front: Shopfront) -> OrderPolicy:
    """Orders of the chosen origins that are in the statistics, from `upp.order_days` before the connection on."""
    rules = front.rules
    return OrderPolicy(
        enabled=rules.yes("upp.send"),
        since=front.connection.connected_at - timedelta(days=rules.number("upp.order_days") or 0),
        origins=rules.get("upp.origins"),
        statistics_only=True,
    )
