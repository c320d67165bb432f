"""Who ordered: the customer of an order in GET /orders."""

from upbridge.domain.order import Address, Shopper
from upbridge.systems.upgates.fields import Flag, Number, Wire, Words


class Customer(Wire):
    """`orders[].customer`. Personal data."""

    email: Words = None
    phone: Words = None
    code: Words = None
    customer_id: Number = None
    firstname_invoice: Words = None
    surname_invoice: Words = None
    street_invoice: Words = None
    city_invoice: Words = None
    state_invoice: Words = None
    zip_invoice: Words = None
    country_id_invoice: Words = None
    postal_yn: Flag = None
    firstname_postal: Words = None
    surname_postal: Words = None
    street_postal: Words = None
    city_postal: Words = None
    state_postal: Words = None
    zip_postal: Words = None
    country_id_postal: Words = None
    company_postal: Words = None
    company_yn: Flag = None
    company: Words = None
    ico: Words = None
    dic: Words = None
    customer_note: Words = None


def shopper(wire: Customer) -> Shopper | None:
    """Who ordered, or None where every field is empty (an order without a customer).

    An address without street, town and postcode is no delivery address, even if `postal_yn` says so: nothing can
    be delivered there.
    """
    if not any(wire.__dict__.values()):
        return None
    company = wire.company if wire.company_yn else None
    billing = Address(
        first_name=wire.firstname_invoice,
        last_name=wire.surname_invoice,
        company=company,
        street=wire.street_invoice,
        city=wire.city_invoice,
        state=wire.state_invoice,
        postcode=wire.zip_invoice,
        country=_country(wire.country_id_invoice),
    )
    shipping = Address(
        first_name=wire.firstname_postal,
        last_name=wire.surname_postal,
        company=wire.company_postal,
        street=wire.street_postal,
        city=wire.city_postal,
        state=wire.state_postal,
        postcode=wire.zip_postal,
        country=_country(wire.country_id_postal),
    )
    return Shopper(
        customer_id=wire.customer_id,
        code=wire.code,
        email=_email(wire.email),
        phone=wire.phone,
        company=company,
        company_number=wire.ico,
        vat_number=wire.dic,
        note=wire.customer_note,
        billing=billing,
        shipping=shipping
        if wire.postal_yn and any(map(_says, (shipping.street, shipping.city, shipping.postcode)))
        else None,
    )


def _email(written: str | None) -> str | None:
    """An address, or None for what is typed in where there is none: it would make one person of many."""
    stripped = written.strip() if written else ""
    mailbox, _, host = stripped.rpartition("@")
    return stripped if mailbox and host else None


def _says(line: str | None) -> bool:
    """Whether a line of an address says something: a dash or a zero is what is typed in where there is none."""
    return any(sign.isalnum() and sign != "0" for sign in line or "")


def _country(written: str | None) -> str | None:
    """`cz` as `CZ`; a country that is not given by its code stays as it is."""
    stripped = written.strip() if written else ""
    return (stripped.upper() if len(stripped) == 2 else stripped) or None  # noqa: PLR2004 - ISO 3166-1 alpha-2
