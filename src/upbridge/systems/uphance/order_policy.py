"""Which orders Uphance is sent, by the shop's settings. Pure."""

from upbridge.domain.eligibility import Eligibility, OrderPolicy
from upbridge.domain.order import Order
from upbridge.domain.statuses import READY
from upbridge.systems.base import MappingContext


def order_policy(context: MappingContext) -> OrderPolicy:
    """Orders in a status that sends, from `uphance.orders_from` on, by default from the connection on."""
    shop_settings = context.settings
    return OrderPolicy(
        enabled=shop_settings.yes("uphance.send_orders"),
        since=shop_settings.moment("uphance.orders_from") or context.connection.connected_at,
        origins=shop_settings.get("uphance.origins"),
        statuses=shop_settings.get("uphance.order_statuses") or context.facts.statuses_of(*READY),
    )


def is_sent(order: Order, context: MappingContext) -> bool:
    """Whether Uphance is sent *order*."""
    return order_policy(context).judge(order, context.facts) is Eligibility.SENT
