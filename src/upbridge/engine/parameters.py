"""Colour, size and the like of variants: read where a target of the shop shows them."""

from collections.abc import Collection
from dataclasses import replace

from upbridge.domain.product import Product
from upbridge.domain.purpose import Purpose
from upbridge.domain.shop import Shop
from upbridge.domain.shop_profile import ShopProfile
from upbridge.domain.shop_settings import ShopList
from upbridge.engine.flows import shows_parameters
from upbridge.systems.base import Systems
from upbridge.systems.platform import Page, ShopApi

#: The key of a change of the facts that asks for the names of parameters alone.
PARAMETERS = "parameters"


async def with_shown_parameters(
    systems: Systems,
    shop: Shop,
    client: ShopApi,
    page: Page[Product],
    targets: Collection[str],
    *,
    purpose: Purpose,
) -> Page[Product]:
    """The same products with colour, size and the like of their variants: one call more, and only where one of
    the shop's *targets* shows them."""
    if not shows_parameters(systems, shop.settings, targets):
        return page
    ids = [product.product_id for product in page.items if any(one.variant_id for one in product.variants)]
    if not ids:
        return page
    facts = ShopProfile.model_validate(shop.facts or {})
    language = text_language(systems, shop, facts)
    found = await client.product_parameters(ids, language=language, purpose=purpose)
    parameters = {variant: pairs for one in found.items for variant, pairs in one.items()}
    return replace(page, items=[product.with_parameters(parameters) for product in page.items])


def offers_parameters(systems: Systems, targets: Collection[str]) -> bool:
    """Whether a setting of one of *targets* is chosen from the shop's parameters."""
    return any(
        setting.offers is ShopList.PARAMETERS
        for name in targets
        for setting in systems.named(name).settings.values()
    )


def text_language(systems: Systems, shop: Shop, facts: ShopProfile) -> str | None:
    """The language that was chosen for a system's texts, else the shop's own."""
    keys = (system.language_setting for system in systems.connected if system.language_setting is not None)
    chosen = next(filter(None, map(shop.settings.text, keys)), None)
    return chosen or facts.default_language
