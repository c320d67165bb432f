"""Things for the tests of Upp: made with sane defaults, every keyword overrides one."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from tests.support import orders
from tests.support.clock import NOON
from tests.support.shop_settings import make_settings
from upbridge.domain.delivery import DesiredDocument, Document, Unmappable
from upbridge.domain.order import Address, Order, OrderLine, Shopper
from upbridge.domain.product import Price, Product, ProductText, Variant
from upbridge.domain.shop_id import ShopId
from upbridge.domain.shop_profile import ShopProfile
from upbridge.systems.base import Connection, MappingContext

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
    return MappingContext(make_settings(chosen), facts, tx, NOON)


def make_price(**overrides: Any) -> Price:
    values: dict[str, Any] = {
        "language": "cs",
        "currency": "CZK",
        "pricelist": "Výchozí",
        "with_vat": Decimal(990),
        "without_vat": Decimal("818.18"),
        "purchase": Decimal("400.50"),
        "vat": Decimal(21),
    }
    return Price(**{**values, **overrides})


def make_variant(number: int | None = 4711, **overrides: Any) -> Variant:
    values: dict[str, Any] = {
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
    return Variant(**{**values, **overrides})


def make_product(*variants: Variant, **overrides: Any) -> Product:
    values = {
        "product_id": 12,
        "code": "AB",
        "active": True,
        "is_set": False,
        "texts": (
            ProductText(language="cs", title="Košile", url="https://shop.example.cz/p/kosile"),
            ProductText(language="sk", title="Košeľa", url="https://shop.example.sk/p/kosela"),
        ),
        "manufacturer": "Šicí dílna",
        "category": "Oblečení",
        "backorder": None,
        "weight": 300,
        "variants": variants or (make_variant(),),
        "updated_at": NOON,
    }
    return Product.model_validate({**values, **overrides})


money = orders.make_money


def make_line(
    unit: orders.Amount = "990", quantity: orders.Amount = "1", vat: orders.Amount = 21, **overrides: Any
) -> OrderLine:
    values = {"uuid": None, "product_id": 12, "variant_id": 4711, "ean": "0012345678905", "title": "Košile"}
    return orders.make_line(overrides.pop("code", "AB-4711"), unit, quantity, vat=vat, **{**values, **overrides})


def make_order(*lines: OrderLine, **overrides: Any) -> Order:
    values = {
        "order_number": "26000123",
        "created_at": datetime(2026, 11, 20, 9, 15, 0, tzinfo=UTC),
        "shopper": None,
    }
    return orders.make_order(*(lines or (make_line(),)), **{**values, **overrides})


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


def issues_of(wanted: Any) -> list[Unmappable]:
    return [one for one in wanted if isinstance(one, Unmappable)]


class MemoryVault:
    """A `Vault` in memory that remembers what was saved."""

    def __init__(self, secret: Mapping[str, str] | None = None) -> None:
        self._secret = {"client_id": "ours", "client_secret": "s3cr3t-of-ours"} if secret is None else secret
        self.kept: Mapping[str, Any] | None = None
        self.renew_at: datetime | None = None
        self.looks = 0
        """How often it was opened."""

    async def secret(self) -> Mapping[str, str]:
        self.looks += 1
        return self._secret

    async def tokens(self) -> Mapping[str, Any] | None:
        self.looks += 1
        return self.kept

    async def save_tokens(self, tokens: Mapping[str, Any], *, renew_at: datetime) -> None:
        self.kept, self.renew_at = dict(tokens), renew_at
