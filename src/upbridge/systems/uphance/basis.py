"""Which facts of the shop decide what Uphance is sent, and what is reserved there. Pure."""

from upbridge.systems.base import MappingBasis, MappingContext


def mapping_basis(context: MappingContext) -> MappingBasis:
    """An order's status says whether it is sent. What a product that is made there is made of is decided when it
    is sent, except what the shop's switches make of its prices when it is read."""
    facts = context.facts
    made = context.settings.yes("uphance.create_products")
    return MappingBasis(
        facts={
            "order": {"statuses": facts.known_statuses()},
            "product": {"prices_with_vat": facts.prices_with_vat} if made else {},
        }
    )
