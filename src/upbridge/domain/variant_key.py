"""The key of a variant everywhere in this program: in tables, documents, links and problems. Pure.

    v-4711   the variant 4711 of a product
    p-12     the product 12, which has no variants, and so is its own

Both are numbered by the shop, each for itself, so a bare number would be two things.
"""

_VARIANT, _PRODUCT = "v-", "p-"


def variant_key(variant_id: int | str) -> str:
    """The key of a variant by its number in the shop."""
    return f"{_VARIANT}{variant_id}"


def product_key(product_id: int | str) -> str:
    """The key of a product without variants by its number in the shop."""
    return f"{_PRODUCT}{product_id}"


def key_of(product_id: int, variant_id: int | None) -> str:
    """The key of what is sold: the variant, or the product that has none."""
    return product_key(product_id) if variant_id is None else variant_key(variant_id)


def is_product(key: str) -> bool:
    """Whether *key* is that of a product without variants."""
    return key.startswith(_PRODUCT)


def variant_number(key: str) -> int:
    """The number of the variant in the shop; 0 for a product without variants."""
    return 0 if is_product(key) else int(key.removeprefix(_VARIANT))
