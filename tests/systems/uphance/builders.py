"""Orders, lines and connections with sane defaults; keyword arguments override."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from uuid import UUID

from upbridge.domain.order import Address, Charge, Discount, LineType, Money, Order, OrderLine, Shopper
from upbridge.domain.shop_id import ShopId
from upbridge.domain.shop_profile import ShopProfile
from upbridge.domain.shop_settings import ShopSettings
from upbridge.systems.base import Connection, MappingContext
from upbridge.systems.uphance.matching import Sku, SkuBook

NOON = datetime(2026, 11, 24, 11, 0, tzinfo=UTC)
CENT = Decimal("0.01")
FACTS: Mapping[str, Any] = {
    "organisation": {"id": 5, "name": "Hemline Ltd"},
    "channels": [{"id": 3, "name": "Web CZ", "currency": "CZK"}, {"id": 4, "name": "Web EU", "currency": "EUR"}],
    "seasons": [{"id": 9, "name": "AW26"}],
}
SHOP_FACTS = ShopProfile(
    status_types={1: "Received", 2: "PaymentSuccessful", 3: "Canceled", 4: "Sent", 5: "Unresolved"},
)


def cents(value: Decimal) -> Decimal:
    return value.quantize(CENT, ROUND_HALF_UP)


def money(with_vat: Decimal | str | int, vat: Decimal | str | int = 21) -> Money:
    gross, rate = Decimal(with_vat), Decimal(vat)
    return Money(with_vat=gross, without_vat=cents(gross / (1 + rate / 100)), vat=rate)


def line(
    code: str | None = "A1", unit: Decimal | str | int = 100, quantity: Decimal | str | int = 1, **overrides: Any
) -> OrderLine:
    vat = overrides.pop("vat", 21)
    total = overrides.pop("total", None)
    values: dict[str, Any] = {
        "type": LineType.PRODUCT,
        "uuid": overrides.get("uuid", f"line-{code}"),
        "parent_uuid": None,
        "product_id": 1,
        "variant_id": None,
        "code": code,
        "ean": None,
        "title": f"Thing {code}",
        "quantity": Decimal(quantity),
        "unit": money(unit, vat),
        "total": money(Decimal(unit) * Decimal(quantity) if total is None else total, vat),
        **overrides,
    }
    return OrderLine(**values)


def charge(with_vat: Decimal | str | int, vat: Decimal | str | int = 21, **overrides: Any) -> Charge:
    return Charge(**{"name": "PPL", "code": None, "amount": money(with_vat, vat), **overrides})


def voucher(with_vat: Decimal | str | int, vat: Decimal | str | int = 21) -> Discount:
    return Discount(kind="voucher", code="JARO", amount=money(with_vat, vat))


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


def order(*lines: OrderLine, **overrides: Any) -> Order:
    """An order whose totals add up unless they are overridden."""
    found = lines or (line(),)
    discounts: tuple[Discount, ...] = tuple(overrides.get("discounts", ()))
    charges = [overrides.get(name) for name in ("shipping", "payment")]
    total = (
        sum((one.total.with_vat for one in found), Decimal(0))
        + sum((one.amount.with_vat for one in charges if one is not None), Decimal(0))
        - sum((one.amount.with_vat for one in discounts), Decimal(0))
    )
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
        "total": total,
        "total_before_round": total,
        "rounding": Decimal(0),
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
    return Order(**{**values, **overrides, "lines": found, "discounts": discounts})


def sku(number: int, code: str | None = None, **overrides: Any) -> Sku:
    values: dict[str, Any] = {
        "sku_id": number,
        "product_id": 100,
        "variation_id": 200,
        "season_id": 9,
        "sku_number": code,
        "ean": None,
        **overrides,
    }
    return Sku(**values)


BOOK = SkuBook.of([sku(number, f"A{number}") for number in range(1, 10)])


def uphance_connection(**overrides: Any) -> Connection:
    values: dict[str, Any] = {
        "shop_id": ShopId(UUID(int=1)),
        "shop_key": "shop",
        "system": "uphance",
        "account": "5",
        "prefix": "",
        "connected_at": datetime(2026, 11, 1, tzinfo=UTC),
        "facts": FACTS,
        **overrides,
    }
    return Connection(**values)


def mapping_context(shop_settings: Mapping[str, Any] | None = None, **overrides: Any) -> MappingContext:
    return MappingContext(
        settings=ShopSettings(shop_settings or {}),
        facts=SHOP_FACTS,
        connection=uphance_connection(**overrides),
        now=NOON,
    )
