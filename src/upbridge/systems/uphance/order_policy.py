"""Which orders Uphance is sent, by the shop's settings. Pure."""

from upbridge.domain.eligibility import OrderPolicy
from upbridge.domain.statuses import READY
from upbridge.systems.base import Shopfront


def order_policy(front: Shopfront) -> OrderPolicy:
    """Orders in a status that sends, from `uphance.orders_from` on, by default from the connection on."""
    rules = front.rules
    return OrderPolicy(
        enabled=rules.yes("uphance.send_orders"),
        since=rules.moment("uphance.orders_from") or front.connection.connected_at,
        origins=rules.get("uphance.origins"),
        statuses=rules.get("uphance.order_statuses") or front.facts.statuses_of(*READY),
    )
