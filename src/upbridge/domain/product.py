"""Products and variants as every system here understands them.

Source systems parse their wire format into these; target systems map these into theirs. So no system knows
another. Values are immutable, money and quantities are `Decimal`, moments are aware and in UTC, and what the
vendor left out is None.

What a variant inherits from its product is already resolved, with one exception: an `ean` is only ever the
variant's own, because an inherited one is the same for all variants and proves nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from upbridge.domain.unread import Unread
from upbridge.domain.value import Value


@dataclass(frozen=True, slots=True)
class ProductText:
    """A product's words in one language."""

    language: str
    title: str | None = None
    url: str | None = None
    description: str | None = None


@dataclass(frozen=True, slots=True)
class Price:
    """One price list's price in one language (= one currency) of a shop."""

    language: str
    currency: str | None
    pricelist: str
    with_vat: Decimal | None
    without_vat: Decimal | None
    sale: Decimal | None = None
    purchase: Decimal | None = None
    vat: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Variant:
    """One sellable thing. A product without variants has exactly one, whose id begins with `p-`."""

    id: str
    """`v-<variant_id>` or `p-<product_id>`: never changes and is always there."""
    product_id: int
    variant_id: int | None
    code: str | None
    """The variant's own code; never the product's, unless the product has no variants."""
    ean: str | None
    stock: Decimal | None
    """None: not tracked, neither here nor on the product."""
    stock_own: bool
    """False if the variant's own stock is null, i.e. inherited."""
    active: bool
    """Active, not archived, and can be put into the basket."""
    image: str | None
    prices: tuple[Price, ...]
    parameters: tuple[tuple[str, str], ...] = ()
    """Name and value of the parameters that tell variants apart, where they were read."""

    @property
    def priced(self) -> bool:
        """Whether any price is known."""
        return any(price.with_vat is not None for price in self.prices)


class Product(Value):
    """A product with its variants, inheritance resolved."""

    product_id: int
    code: str | None
    active: bool
    """Active and not archived: what a first import asks for."""
    is_set: bool
    texts: tuple[ProductText, ...]
    manufacturer: str | None
    category: str | None
    backorder: bool | None
    weight: int | None
    variants: tuple[Variant, ...]
    updated_at: datetime | None
    stocks: tuple[str, ...] = ()
    """The warehouses of the shop in which its pieces lie; none where the shop has only one."""
    unread: tuple[Unread, ...] = ()
    """Parts that could not be read. A target that needs one of them leaves the product as it has it."""

    @property
    def key(self) -> str:
        """The key of this product among a shop's changes."""
        return str(self.product_id)

    def text(self, language: str | None) -> ProductText | None:
        """The words in *language*, else the first that have a title, else None."""
        titled = [text for text in self.texts if text.title]
        return next((text for text in titled if text.language == language), titled[0] if titled else None)

    def with_parameters(self, parameters: Mapping[int, tuple[tuple[str, str], ...]]) -> "Product":
        """This product with the parameters of its variants filled in, where *parameters* has them."""
        variants = tuple(
            replace(variant, parameters=parameters[variant.variant_id])
            if variant.variant_id is not None and variant.variant_id in parameters
            else variant
            for variant in self.variants
        )
        return self.model_copy(update={"variants": variants})
