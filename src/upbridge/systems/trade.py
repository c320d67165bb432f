"""The words of the trade: products, variants, orders as every system here understands them.

Source systems parse their wire format into these; target systems map these into theirs. So no system
knows another. Everything is immutable, money and quantities are `Decimal`, moments are aware and in UTC,
and what the vendor left out is None. What a variant inherits from its product is already resolved, with
one exception: an `ean` is only ever the variant's own, because an inherited one is the same for all
variants and proves nothing.
"""

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Text(_Value):
    """A product's words in one language."""

    language: str
    title: str | None = None
    url: str | None = None
    description: str | None = None


class Price(_Value):
    """One price list's price in one language (= one currency) of a shop."""

    language: str
    currency: str | None
    pricelist: str
    with_vat: Decimal | None
    without_vat: Decimal | None
    sale: Decimal | None = None
    purchase: Decimal | None = None
    vat: Decimal | None = None


class Variant(_Value):
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


class Product(_Value):
    """A product with its variants, inheritance resolved."""

    product_id: int
    code: str | None
    active: bool
    """Active and not archived: what a first import asks for."""
    is_set: bool
    texts: tuple[Text, ...]
    manufacturer: str | None
    category: str | None
    backorder: bool | None
    weight: int | None
    variants: tuple[Variant, ...]
    updated_at: datetime | None

    @property
    def key(self) -> str:
        """The key of this product among a shop's changes."""
        return str(self.product_id)

    def text(self, language: str | None) -> Text | None:
        """The words in *language*, else the first that have a title, else None."""
        titled = [text for text in self.texts if text.title]
        return next((text for text in titled if text.language == language), titled[0] if titled else None)


class LineType(StrEnum):
    """What an order's line is (Upgates: `products[].type`)."""

    PRODUCT = "product"
    SET = "set"
    SET_PART = "set_part"
    GIFT = "gift"
    DISCOUNT = "discount"


class Money(_Value):
    """One amount with and without VAT, as the shop states it or as computed from its rate."""

    with_vat: Decimal
    without_vat: Decimal
    vat: Decimal


class OrderLine(_Value):
    """One line of an order. `unit` and `total` may disagree by rounding; `total` is what was charged."""

    type: LineType
    uuid: str | None
    parent_uuid: str | None
    product_id: int | None
    variant_id: int | None
    code: str | None
    ean: str | None
    title: str | None
    quantity: Decimal
    unit: Money
    total: Money
    recycling_fee: Decimal | None = None
    configuration: str | None = None


class Discount(_Value):
    """A discount on the whole order at one VAT level. Amounts are positive: what is taken off."""

    kind: Literal["voucher", "quantity", "loyalty"]
    code: str | None
    amount: Money


class Charge(_Value):
    """Shipping or payment as charged."""

    name: str | None
    code: str | None
    amount: Money
    branch_id: str | None = None
    branch_name: str | None = None
    carrier_id: str | None = None


class Address(_Value):
    """Where to send or to bill. Countries are upper-case ISO 3166-1 alpha-2 where the shop gave a code."""

    first_name: str | None
    last_name: str | None
    company: str | None
    street: str | None
    city: str | None
    state: str | None
    postcode: str | None
    country: str | None


class Shopper(_Value):
    """Who ordered. Personal data: sealed at rest, gone when delivered, never to Upp."""

    customer_id: int | None
    code: str | None
    email: str | None
    phone: str | None
    company: str | None
    company_number: str | None
    vat_number: str | None
    note: str | None
    billing: Address
    shipping: Address | None
    """None: the same as `billing`."""

    @property
    def name(self) -> str | None:
        """The company, else first and last name, else None."""
        full = " ".join(part for part in (self.billing.first_name, self.billing.last_name) if part)
        return self.company or full or None


class Order(_Value):
    """An order as the shop has it now."""

    order_number: str
    order_id: int | None
    uuid: str | None
    external_order_number: str | None
    language: str | None
    currency: str
    status_id: int | None
    paid_on: str | None
    created_at: datetime
    updated_at: datetime | None
    origin: str
    """`frontend`, `admin`, `api` or `cash-register`."""
    in_statistics: bool
    total: Decimal
    """What the customer pays, with VAT, after rounding."""
    total_before_round: Decimal
    rounding: Decimal
    variable_symbol: str | None
    internal_note: str | None
    admin_url: str | None
    tracking_code: str | None
    shopper: Shopper | None
    lines: tuple[OrderLine, ...]
    discounts: tuple[Discount, ...]
    shipping: Charge | None
    payment: Charge | None

    @property
    def key(self) -> str:
        """The key of this order among a shop's changes."""
        return self.order_number

    def charges(self) -> Iterator[Charge]:
        """Shipping and payment, where the order has them."""
        yield from (charge for charge in (self.shipping, self.payment) if charge is not None)


class Facts(_Value):
    """What rarely changes about a shop; read once and kept (R52)."""

    company: str | None = None
    company_number: str | None = None
    country: str | None = None
    email: str | None = None
    default_language: str | None = None
    currencies: dict[str, str] = {}
    """Language to its currency, active languages only."""
    pricelists: tuple[str, ...] = ()
    default_pricelist: str | None = None
    status_types: dict[int, str] = {}
    """Order status id to its type (`Received`, `Canceled`, `Sent`, …)."""
    status_names: dict[int, dict[str, str]] = {}
    vat_payer: bool = True
    prices_with_vat: bool = True
    rights: dict[str, str] = {}
    """Service to `deny`, `readonly` or `all`."""

    def statuses_of(self, *types: str) -> tuple[int, ...]:
        """Ids of the order statuses of the given *types*, smallest first."""
        return tuple(sorted(number for number, kind in self.status_types.items() if kind in types))
