"""Orders made with sane defaults; every keyword overrides one."""

from decimal import Decimal
from typing import Any

from tests.support.clock import NOON
from upbridge.domain.money import rounded
from upbridge.domain.order import Address, Charge, Discount, LineType, Money, Order, OrderLine, Shopper

Amount = Decimal | str | int

HOME = Address(
    first_name="Eva",
    last_name="Nováková",
    company=None,
    street="Dlouhá 1",
    city="Praha",
    state=None,
    postcode="11000",
    country="CZ",
)
OFFICE = HOME.model_copy(update={"street": "Krátká 2", "city": "Brno", "company": "Dílna s.r.o."})
EVA = Shopper(
    customer_id=77,
    code=None,
    email="Eva@Example.com",
    phone="+420600000000",
    company=None,
    company_number=None,
    vat_number=None,
    note=None,
    billing=HOME,
    shipping=None,
)


def make_money(with_vat: Amount, vat: Amount = 21, **overrides: Any) -> Money:
    """An amount with VAT and the one without it, to the haléř."""
    gross, rate = Decimal(with_vat), Decimal(vat)
    values = {"with_vat": gross, "without_vat": rounded(gross / (1 + rate / 100)), "vat": rate}
    return Money.model_validate({**values, **overrides})


def make_line(
    code: str | None = "A1",
    unit: Amount = 100,
    quantity: Amount = 1,
    *,
    vat: Amount = 21,
    total: Amount | Money | None = None,
    **overrides: Any,
) -> OrderLine:
    """A product of *quantity* pieces at *unit* with VAT each."""
    charged = Decimal(unit) * Decimal(quantity) if total is None else total
    values: dict[str, Any] = {
        "type": LineType.PRODUCT,
        "uuid": f"line-{code}",
        "parent_uuid": None,
        "product_id": 1,
        "variant_id": None,
        "code": code,
        "ean": None,
        "title": f"Thing {code}",
        "quantity": Decimal(quantity),
        "unit": make_money(unit, vat),
        "total": charged if isinstance(charged, Money) else make_money(charged, vat),
    }
    return OrderLine.model_validate({**values, **overrides})


def make_charge(with_vat: Amount, vat: Amount = 21, **overrides: Any) -> Charge:
    """Shipping or payment."""
    values = {"name": "PPL", "code": None, "amount": make_money(with_vat, vat)}
    return Charge.model_validate({**values, **overrides})


def make_voucher(with_vat: Amount, vat: Amount = 21, **overrides: Any) -> Discount:
    """A discount on the whole order at one VAT level."""
    values = {"kind": "voucher", "code": "JARO", "amount": make_money(with_vat, vat)}
    return Discount.model_validate({**values, **overrides})


def make_order(*lines: OrderLine, **overrides: Any) -> Order:
    """An order that adds up as if every line were charged; a total that is not given follows from the others."""
    found = lines or (make_line(),)
    discounts: tuple[Discount, ...] = tuple(overrides.pop("discounts", ()))
    charges = [overrides.get(name) for name in ("shipping", "payment")]
    rounding: Decimal = overrides.pop("rounding", Decimal(0))
    total = (
        sum((one.total.with_vat for one in found), Decimal(0))
        + sum((one.amount.with_vat for one in charges if one is not None), Decimal(0))
        - sum((one.amount.with_vat for one in discounts), Decimal(0))
    )
    before = overrides.pop("total_before_round", total)
    values: dict[str, Any] = {
        "order_number": "26000001",
        "order_id": 1,
        "uuid": "order-uuid",
        "external_order_number": None,
        "language": "cs",
        "currency": "CZK",
        "status_id": 1,
        "paid_on": None,
        "created_at": NOON,
        "updated_at": NOON,
        "origin": "frontend",
        "in_statistics": True,
        "total": before + rounding,
        "total_before_round": before,
        "rounding": rounding,
        "variable_symbol": None,
        "internal_note": None,
        "admin_url": None,
        "tracking_code": None,
        "shopper": EVA,
        "lines": found,
        "discounts": discounts,
        "shipping": None,
        "payment": None,
    }
    return Order.model_validate({**values, **overrides})
