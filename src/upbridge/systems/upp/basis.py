"""Which facts of the shop decide what Upp.ai is sent. Pure."""

from upbridge.systems.base import MappingBasis, MappingContext


def mapping_basis(context: MappingContext) -> MappingBasis:
    """What `mapping` and the reading of products look at; a fact that a setting overrules is none of it."""
    facts, shop_settings = context.facts, context.settings
    language = shop_settings.text("upp.language") or facts.default_language
    pricelist = shop_settings.text("upp.pricelist") or facts.default_pricelist
    decide: dict[str, dict[str, object]] = {
        "product": {
            "language": (language, facts.has_language(language)),
            "currency": facts.currencies.get(language or ""),
            "pricelist": (pricelist, facts.has_pricelist(pricelist)),
            "default_pricelist": facts.default_pricelist,
            "vat_payer": facts.vat_payer,
            "prices_with_vat": facts.prices_with_vat,
            "limit_orders": facts.limit_orders,
        },
        "order": {"vat_payer": facts.vat_payer, "statuses": facts.known_statuses()},
    }
    return MappingBasis(facts=decide, language=language, pricelist=pricelist)
