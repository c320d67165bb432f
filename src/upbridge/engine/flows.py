"""What the kinds of changes bring, and whether any system that a shop is connected to wants it."""

from collections.abc import Collection

from upbridge.domain.shop_settings import ShopSettings
from upbridge.store.changes import Kind
from upbridge.systems.base import Systems

#: The entity that a change of this kind brings.
ENTITY: dict[Kind, str] = {
    Kind.ORDER: "order",
    Kind.ORDERS_PAGE: "order",
    Kind.ORDERS_DELETED: "order",
    Kind.PRODUCT: "product",
    Kind.VARIANT: "product",
    Kind.PRODUCTS_PAGE: "product",
    Kind.COUNT: "product",
    Kind.ORDER_COUNT: "order",
}

#: The kind of change that reads one page of a list of such entities.
PAGES: dict[str, Kind] = {"order": Kind.ORDERS_PAGE, "product": Kind.PRODUCTS_PAGE}

#: The service of the shop's API that such entities come from, as GET /status names it.
SERVICES: dict[str, str] = {"order": "orders", "product": "products"}

#: What the shop has to have told about itself before such entities can be mapped: without its languages, price
#: lists and VAT settings no product has a price. An order brings its own, and waits alone for an unknown status.
NEEDED: dict[str, frozenset[str]] = {"product": frozenset({"languages", "pricelists", "config"})}


def wanted(systems: Systems, kind: Kind, targets: Collection[str]) -> bool:
    """Whether any of *targets* wants what a change of *kind* brings; what is about the shop itself always is."""
    entity = ENTITY.get(kind)
    return entity is None or any(name in targets for name in systems.taking(entity))


def shows_parameters(systems: Systems, shop_settings: ShopSettings, targets: Collection[str]) -> bool:
    """Whether any of *targets* shows the parameters of variants."""
    return any(
        system.parameters_setting is not None and shop_settings.yes(system.parameters_setting)
        for system in systems.connected
        if system.name in targets
    )
