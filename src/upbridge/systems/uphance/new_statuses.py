"""Which new statuses of a shop a person has to map, before an order is in one of them. Pure."""

from collections.abc import Iterator

from upbridge.domain.delivery import Issue, Unmappable
from upbridge.domain.shop_profile import ShopProfile
from upbridge.domain.statuses import ENDED, SHIPPED
from upbridge.systems.base import MappingContext

KIND = "status"


def new_statuses(before: ShopProfile, context: MappingContext) -> Iterator[Unmappable]:
    """What is to be decided about statuses that *before* has not heard of.

    Where the shop chose the statuses that send orders (`uphance.order_statuses`), a new one does not send: that is
    asked. Where it chose none, the type decides. A second status of shipped orders makes it unclear which of them
    is written (`shipments.status`).
    """
    facts, shop_settings = context.facts, context.settings
    known = before.known_statuses()
    chosen = shop_settings.get("uphance.order_statuses")
    sends, ships = shop_settings.yes("uphance.send_orders"), shop_settings.yes("shipments.write")
    shipped = facts.statuses_of(SHIPPED)
    for number in sorted({*facts.status_names, *facts.status_types} - known.keys()):
        said = {"status": number, "name": facts.status_name(number)}
        type_ = facts.status_type(number)
        if type_ == SHIPPED:
            if ships and len(shipped) > 1 and shop_settings.number("shipments.status") is None:
                yield Unmappable(KIND, str(number), Issue("status.several_shipped", said))
        elif type_ not in ENDED and sends and chosen and number not in chosen:
            yield Unmappable(KIND, str(number), Issue("status.not_chosen", said))
