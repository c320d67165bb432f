"""Upp.ai, as the rest of the house sees it."""

from upbridge.systems.base import Flow, System
from upbridge.systems.upp.settings import SETTINGS

UPP = System(
    name="upp",
    title="Upp.ai",
    url=lambda settings: settings.upp_url,
    settings=SETTINGS,
    flows=(Flow(kind="product", setting="upp.send"), Flow(kind="order", setting="upp.send")),
    parameters_setting="upp.variant_titles",
    language_setting="upp.language",
    cures={"product.no_price": "rules#upp.pricelist", "product.sku_twice": "products?show=doubled"},
)
