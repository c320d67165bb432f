"""From a shopper to a customer record."""

import pytest

from tests.support.orders import EVA, HOME, OFFICE, make_order
from tests.support.shop_settings import make_settings
from tests.support.uphance import uphance_connection
from upbridge.domain.delivery import Issue
from upbridge.domain.order import Shopper
from upbridge.systems.uphance.customer_mapping import CustomerRecord, House, map_customer
from upbridge.systems.uphance.schemas import customer_body


def mapped(shopper: Shopper | None, mode: str = "per_shopper") -> CustomerRecord | House | Issue:
    return map_customer(
        make_order(shopper=shopper), make_settings({"uphance.customer_mode": mode}), uphance_connection()
    )


def customer(**overrides: object) -> CustomerRecord:
    found = mapped(EVA.model_copy(update=overrides))
    assert isinstance(found, CustomerRecord)
    return found


def test_an_account_is_known_by_its_id_a_guest_by_the_e_mail_in_lower_case() -> None:
    assert customer().reference == "UPG-shop-77"
    assert customer(customer_id=None).reference == "UPG-shop-eva@example.com"


@pytest.mark.parametrize("email", [None, "", "  "])
@pytest.mark.situation("customer")
def test_who_has_neither_account_nor_e_mail_is_held(email: str | None) -> None:
    held = mapped(EVA.model_copy(update={"customer_id": None, "email": email}))

    assert isinstance(held, Issue)
    assert held.key == "order.no_customer"
    assert mapped(None) == held


def test_in_the_collective_mode_one_customer_stands_for_all() -> None:
    assert mapped(None, "collective:4711") == House(4711)


def test_a_company_goes_by_its_name_and_numbers() -> None:
    found = customer(company="Nováková s.r.o.", company_number="12345678", vat_number="CZ12345678")

    assert (found.name, found.vat_number, found.notes) == ("Nováková s.r.o.", "CZ12345678", "IČO 12345678")


def test_a_nameless_shopper_goes_by_the_e_mail() -> None:
    nameless = HOME.model_copy(update={"first_name": None, "last_name": None})

    assert customer(billing=nameless).name == "Eva@Example.com"


def test_one_address_serves_for_both_and_two_for_one_each() -> None:
    flags = ("default_for_billing", "default_for_shipping")

    def addresses(found: CustomerRecord) -> list[tuple[object, ...]]:
        rows = customer_body(found, channel_id=3, idempotency_key="k")["customer"]["addresses"]
        return [(row["line_1"], row["line_2"], *(row[flag] for flag in flags)) for row in rows]

    assert addresses(customer()) == [("Dlouhá 1", None, True, True)]
    assert addresses(customer(shipping=OFFICE)) == [
        ("Dlouhá 1", None, True, False),
        ("Krátká 2", "Dílna s.r.o.", False, True),
    ]
