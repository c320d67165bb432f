"""Orders as every system here understands them.

Source systems parse their wire format into these; target systems map these into theirs. So no system knows
another. Values are immutable, money and quantities are `Decimal`, moments are aware and in UTC, and what the
vendor left out is None.
"""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Literal

from upbridge.domain.unread import Unread
from upbridge.domain.value import Value
from upbridge.domain.variant_key import key_of

#: Where an order can come from, as Upgates names it.
ORIGINS = ("frontend", "admin", "api", "cash-register")


class LineType(StrEnum):
    """What an order's line is (Upgates: `products[].type`)."""

    PRODUCT = "product"
    SET = "set"
    SET_PART = "set_part"
    GIFT = "gift"
    DISCOUNT = "discount"
    UNKNOWN = "unknown"
    """A type of Upgates that Upbridge does not know. The line counts in the total; what it stands for is open."""


class Money(Value):
    """One amount with and without VAT, as the shop states it or as computed from its rate."""

    with_vat: Decimal
    without_vat: Decimal
    vat: Decimal

    def side(self, *, with_vat: bool) -> Decimal:
        """The amount with or without VAT."""
        return self.with_vat if with_vat else self.without_vat


class OrderLine(Value):
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

    @property
    def variant_key(self) -> str | None:
        """The variant that was sold, by its key (`Variant.id`); None if the line names none."""
        return None if self.product_id is None else key_of(self.product_id, self.variant_id)


class Discount(Value):
    """A discount on the whole order at one VAT level. Amounts are positive: what is taken off."""

    kind: Literal["voucher", "quantity", "loyalty"]
    code: str | None
    amount: Money


class Charge(Value):
    """Shipping or payment as charged. *id*: which of the shop's ways to deliver or to pay."""

    name: str | None
    code: str | None
    amount: Money
    branch_id: str | None = None
    branch_name: str | None = None
    carrier_id: str | None = None
    id: int | None = None


class Address(Value):
    """Where to send or to bill. Countries are upper-case ISO 3166-1 alpha-2 where the shop gave a code."""

    first_name: str | None
    last_name: str | None
    company: str | None
    street: str | None
    city: str | None
    state: str | None
    postcode: str | None
    country: str | None


class Shopper(Value):
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


class Order(Value):
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
    deleted: bool = False
    """Deleted, and listed all the same: it counts as missing."""
    unread: tuple[Unread, ...] = ()
    """Parts that could not be read. A target that needs one of them holds the order."""

    @property
    def key(self) -> str:
        """The key of this order among a shop's changes."""
        return self.order_number
