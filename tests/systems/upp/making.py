"""Things for the tests of Upp: made with sane defaults, every keyword overrides one."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from upbridge.domain.delivery import DesiredDocument, Document, Unmappable
from upbridge.domain.order import Address, Charge, Discount, LineType, Money, Order, OrderLine, Shopper
from upbridge.domain.product import Price, Product, Text, Variant
from upbridge.domain.shop_id import ShopId
from upbridge.domain.shop_profile import ShopProfile
from upbridge.domain.shop_settings import ShopSettings
from upbridge.systems.base import Connection, MappingContext

NOON = datetime(2026, 11, 24, 11, 0, 0, tzinfo=UTC)
SHOP = ShopId(UUID(int=1))


def make_front(prefix: str = "", connected_at: datetime = NOON, **shop_settings: Any) -> MappingContext:
    """A Czech shop with Slovak too; rules as `upp_sku_from="ean"`."""
    facts = ShopProfile(
        default_language="cs",
        currencies={"cs": "CZK", "sk": "EUR"},
        pricelists=("Výchozí", "VIP"),
        default_pricelist="Výchozí",
        status_types={1: "Received", 7: "Canceled", 8: "HomecreditCanceled"},
        vat_payer=shop_settings.pop("vat_payer", True),
    )
    chosen = {key.replace("_", ".", 1): value for key, value in shop_settings.items()}
    tx = Connection(SHOP, "shop", "upp", "client", prefix, connected_at, {})
    return MappingContext(ShopSettings(chosen), facts, tx, NOON)


def make_price(**overrides: Any) -> Price:
    values = {
        "language": "cs",
        "currency": "CZK",
        "pricelist": "Výchozí",
        "with_vat": Decimal(990),
        "without_vat": Decimal("818.18"),
        "purchase": Decimal("400.50"),
        "vat": Decimal(21),
    }
    return Price.model_validate({**values, **overrides})


def make_variant(number: int | None = 4711, **overrides: Any) -> Variant:
    values = {
        "id": "p-12" if number is None else f"v-{number}",
        "product_id": 12,
        "variant_id": number,
        "code": f"AB-{number or 0}",
        "ean": "0012345678905",
        "stock": Decimal(12),
        "stock_own": True,
        "active": True,
        "image": "https://cdn.example.com/1.jpg",
        "prices": (make_price(),),
        "parameters": (("Barva", "červená"), ("Velikost", "M")),
    }
    return Variant.model_validate({**values, **overrides})


def make_product(*variants: Variant, **overrides: Any) -> Product:
    values = {
        "product_id": 12,
        "code": "AB",
        "active": True,
        "is_set": False,
        "texts": (
            Text(language="cs", title="Košile", url="https://shop.example.cz/p/kosile"),
            Text(language="sk", title="Košeľa", url="https://shop.example.sk/p/kosela"),
        ),
        "manufacturer": "Šicí dílna",
        "category": "Oblečení",
        "backorder": None,
        "weight": 300,
        "variants": variants or (make_variant(),),
        "updated_at": NOON,
    }
    return Product.model_validate({**values, **overrides})


def money(with_vat: Decimal | str, vat: int = 21) -> Money:
    """An amount with VAT and the one without it, to the haléř."""
    gross = Decimal(with_vat)
    return Money(
        with_vat=gross, without_vat=(gross / (100 + vat) * 100).quantize(Decimal("0.01")), vat=Decimal(vat)
    )


def make_line(
    unit: Decimal | str = "990", quantity: Decimal | str = "1", vat: int = 21, **overrides: Any
) -> OrderLine:
    values: dict[str, Any] = {
        "type": LineType.PRODUCT,
        "uuid": None,
        "parent_uuid": None,
        "product_id": 12,
        "variant_id": 4711,
        "code": "AB-4711",
        "ean": "0012345678905",
        "title": "Košile",
        "quantity": Decimal(quantity),
        "unit": money(unit, vat),
        "total": money(Decimal(unit) * Decimal(quantity), vat),
    }
    return OrderLine.model_validate({**values, **overrides})


def make_order(
    *lines: OrderLine,
    discounts: tuple[Discount, ...] = (),
    shipping: Charge | None = None,
    payment: Charge | None = None,
    rounding: Decimal = Decimal(0),
    **overrides: Any,
) -> Order:
    """An order whose total is what its lines, charges and discounts come to."""
    lines = lines or (make_line(),)
    total = sum((line.total.with_vat for line in lines), Decimal(0))
    total += sum((charge.amount.with_vat for charge in (shipping, payment) if charge), Decimal(0))
    total -= sum((discount.amount.with_vat for discount in discounts), Decimal(0))
    values = {
        "order_number": "26000123",
        "order_id": 123,
        "uuid": "5d3e8b8e-0000-4000-8000-000000000123",
        "external_order_number": None,
        "language": "cs",
        "currency": "CZK",
        "status_id": 1,
        "paid_on": None,
        "created_at": datetime(2026, 11, 20, 9, 15, 0, tzinfo=UTC),
        "updated_at": NOON,
        "origin": "frontend",
        "in_statistics": True,
        "total": total + rounding,
        "total_before_round": total,
        "rounding": rounding,
        "variable_symbol": "26000123",
        "internal_note": None,
        "admin_url": "https://shop.admin.s1.upgates.com/orders/123",
        "tracking_code": None,
        "shopper": None,
        "lines": lines,
        "discounts": discounts,
        "shipping": shipping,
        "payment": payment,
    }
    return Order.model_validate({**values, **overrides})


def make_shopper(words: str) -> Shopper:
    """A shopper who is *words* all over."""
    address = Address(**dict.fromkeys(Address.model_fields, words))
    fields = {name: words for name in Shopper.model_fields if name not in ("customer_id", "billing", "shipping")}
    return Shopper(customer_id=77_000_077, billing=address, shipping=address, **fields)


def make_document(draft: DesiredDocument, seq: int = 1, attempts: int = 0) -> Document:
    """A draft as the outbox hands it out."""
    return Document(draft.kind, draft.key, draft.parent, seq, draft.body, draft.hash, attempts, None)


def drafts(wanted: Any) -> list[DesiredDocument]:
    return [one for one in wanted if isinstance(one, DesiredDocument)]


def troubles(wanted: Any) -> list[Unmappable]:
    return [one for one in wanted if isinstance(one, Unmappable)]


class MemoryVault:
    """A `Vault` in memory that remembers what was saved."""

    def __init__(self, secret: Mapping[str, str] | None = None) -> None:
        self._secret = {"client_id": "ours", "client_secret": "s3cr3t-of-ours"} if secret is None else secret
        self.kept: Mapping[str, Any] | None = None
        self.renew_at: datetime | None = None

    async def secret(self) -> Mapping[str, str]:
        return self._secret

    async def tokens(self) -> Mapping[str, Any] | None:
        return self.kept

    async def save_tokens(self, tokens: Mapping[str, Any], *, renew_at: datetime) -> None:
        self.kept, self.renew_at = dict(tokens), renew_at

    async def save_facts(self, facts: Mapping[str, Any]) -> None:
        raise AssertionError("Upp has no facts")
