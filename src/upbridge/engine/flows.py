"""Which way things flow: one row per (source, kind, target). A third system adds rows here and a folder."""

from collections.abc import Collection
from dataclasses import dataclass

from upbridge.domain.shop_settings import ShopSettings
from upbridge.store.changes import Kind


@dataclass(frozen=True, slots=True)
class Flow:
    """Entities of *kind* that change at *source* make documents for *target*."""

    source: str
    kind: str
    target: str


FLOWS: tuple[Flow, ...] = (
    Flow("upgates", "product", "upp"),
    Flow("upgates", "order", "upp"),
    Flow("upgates", "product", "uphance"),
    Flow("upgates", "order", "uphance"),
    Flow("uphance", "stock", "upgates"),
    Flow("uphance", "shipment", "upgates"),
)

#: The entity that a change of this kind brings.
ENTITY: dict[Kind, str] = {
    Kind.ORDER: "order",
    Kind.ORDERS_PAGE: "order",
    Kind.PRODUCT: "product",
    Kind.VARIANT: "product",
    Kind.PRODUCTS_PAGE: "product",
    Kind.COUNT: "product",
}

#: The setting with which a target needs the parameters of variants, which are read by a call of their own.
PARAMETERS: dict[str, str] = {"upp": "upp.variant_titles", "uphance": "uphance.create_products"}


def shows_parameters(shop_settings: ShopSettings, targets: Collection[str]) -> bool:
    """Whether any target that the shop feeds needs them."""
    return any(shop_settings.yes(PARAMETERS[system]) for system in targets if system in PARAMETERS)


#: The kind of change that reads one page of a list of such entities.
PAGES: dict[str, Kind] = {"order": Kind.ORDERS_PAGE, "product": Kind.PRODUCTS_PAGE}


def wanted(kind: Kind, targets: Collection[str], *, source: str = "upgates") -> bool:
    """Whether any target that the shop feeds wants what a change of *kind* brings; what is about the shop itself
    always is."""
    entity = ENTITY.get(kind)
    return entity is None or any(
        flow.target in targets for flow in FLOWS if flow.source == source and flow.kind == entity
    )


#: The service of the shop's API that such entities come from, as GET /status names it.
SERVICES: dict[str, str] = {"order": "orders", "product": "products"}
