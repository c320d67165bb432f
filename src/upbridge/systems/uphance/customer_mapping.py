"""Who ordered, as a customer of Uphance. Pure; the rules: docs/vendors/uphance.md#how-upbridge-maps-a-customer."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from upbridge.core.canonical_json import fingerprint
from upbridge.domain.delivery import Issue
from upbridge.domain.order import Address, Order, Shopper
from upbridge.domain.shop_settings import ShopSettings
from upbridge.systems.base import Connection


@dataclass(frozen=True, slots=True)
class House:
    """The one customer that stands for all shoppers (mode `collective:<id>`)."""

    customer_id: int


@dataclass(frozen=True, slots=True)
class Person:
    """The one contact of a customer: buyer, bill and goods receiver."""

    first_name: str | None
    last_name: str | None
    email: str | None
    phone: str | None


@dataclass(frozen=True, slots=True)
class CustomerAddress:
    """An address and what it is the default for."""

    address: Address
    shipping: bool
    billing: bool


@dataclass(frozen=True, slots=True)
class CustomerRecord:
    """A shopper's own customer record; `schemas.customer_body` spells it."""

    reference: str
    name: str
    vat_number: str | None
    notes: str | None
    person: Person
    places: tuple[CustomerAddress, ...]


def map_customer(
    order: Order, shop_settings: ShopSettings, connection: Connection
) -> CustomerRecord | House | Issue:
    """The customer that *order* belongs to.

    In the mode `per_shopper` that is a record of its own, found again by `reference`; an order that names
    neither an account nor an e-mail is held: `order.no_customer`.
    """
    mode, _, house = str(shop_settings.get("uphance.customer_mode")).partition(":")
    if mode == "collective":
        return House(int(house))
    shopper = order.shopper
    reference = customer_reference(connection.shop_key, shopper) if shopper else None
    if shopper is None or reference is None:
        return Issue("order.no_customer")
    return CustomerRecord(
        reference=reference,
        name=shopper.name or (shopper.email or "").strip() or reference,
        vat_number=shopper.vat_number,
        notes=f"IČO {shopper.company_number}" if shopper.company_number else None,
        person=Person(shopper.billing.first_name, shopper.billing.last_name, shopper.email, shopper.phone),
        places=_places(shopper),
    )


def customer_reference(shop_key: str, shopper: Shopper) -> str | None:
    """`UPG-<shop key>-<customer id, else the e-mail in lower case>`; None if there is neither."""
    email = (shopper.email or "").strip().lower()
    key = str(shopper.customer_id) if shopper.customer_id is not None else email
    return f"UPG-{shop_key}-{key}" if key else None


#: A reference that says nothing about a person: it ends with the shop's own number of its customer.
_PLAIN = re.compile(r"UPG-[a-z0-9-]+-[0-9]+")


def customer_key(reference: str) -> str:
    """The key of the link to the customer with this *reference*: links are kept in clear, so an e-mail address in
    it is a fingerprint there, by which the same person is recognised and which shows to no reader who it is."""
    return reference if _PLAIN.fullmatch(reference) else f"person-{fingerprint(reference.encode()).hex()}"


def customer_keys(shop_key: str, email: str | None, customer_id: int | None) -> Sequence[str]:
    """The keys under which a person's own record in Uphance may be linked."""
    tails = [str(customer_id)] if customer_id is not None else []
    tails += [text] if (text := (email or "").strip().lower()) else []
    return [customer_key(f"UPG-{shop_key}-{tail}") for tail in tails]


def _places(shopper: Shopper) -> tuple[CustomerAddress, ...]:
    if shopper.shipping is None:
        return (CustomerAddress(shopper.billing, shipping=True, billing=True),)
    return (
        CustomerAddress(shopper.billing, shipping=False, billing=True),
        CustomerAddress(shopper.shipping, shipping=True, billing=False),
    )
