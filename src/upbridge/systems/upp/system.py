"""Upp.ai, as the rest of the house sees it."""

from upbridge.systems.base import Flow, System
from upbridge.systems.upp.basis import mapping_basis
from upbridge.systems.upp.connect import UppConnect, client_of
from upbridge.systems.upp.cpa import UppCosts
from upbridge.systems.upp.settings import SETTINGS
from upbridge.systems.upp.target import UppTarget

UPP = System(
    name="upp",
    title="Upp.ai",
    url=lambda settings: settings.upp_url,
    settings=SETTINGS,
    connect=UppConnect(),
    target=lambda tools: UppTarget(client_of(tools)),
    costs=UppCosts(),
    flows=(
        Flow(kind="product", setting="upp.send", repeatable=True),
        Flow(kind="order", setting="upp.send", repeatable=True),
    ),
    mapping_basis=mapping_basis,
    parameters_setting="upp.variant_titles",
    language_setting="upp.language",
    guard_setting="upp.guard_percent",
    resolutions={
        "catalogue.guard": "rules#upp.guard_percent",
        "product.no_price": "rules#upp.pricelist",
        "product.unknown_pricelist": "rules#upp.pricelist",
        "product.unknown_language": "rules#upp.language",
        "product.sku_twice": "products?show=doubled",
    },
)
