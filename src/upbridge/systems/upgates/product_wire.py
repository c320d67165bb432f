"""A product of GET /products as it comes, and the quick way to read one that is written as published.

    bytes ──► written as published? ──yes──► WireProduct
                      └─no─► `products.py` reads it field by field, forgives what can be forgiven ──► WireProduct

A catalogue is read through here once for each shop, so this decides what a first import costs. Both ways end in
the same: tests/systems/upgates/test_product_wire.py holds them against each other.
"""

import re
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Annotated, Any, TypeAlias, TypeVar

import msgspec

from upbridge.core.parsing import key_of
from upbridge.systems.upgates.fields import (
    amount,
    currency,
    flag,
    language,
    limit,
    moment,
    name,
    number_of,
    price,
    rate,
    sale_price,
    text,
)

T = TypeVar("T")


class Untidy(Exception):
    """The product is not written as published; the careful way has to read it."""


class Description(msgspec.Struct, gc=False):
    """A product's words in one language."""

    language: str | None = None
    title: str | None = None
    short_description: str | None = None
    long_description: str | None = None
    url: str | None = None


class Listed(msgspec.Struct, gc=False):
    """One price list's entry. The two final prices are in the answers of 2024 and in the blueprint of 2025, but
    the OpenAPI of 2026 does not list them."""

    name: str | None = None
    price_original: Decimal | None = None
    product_discount: Decimal | None = None
    product_discount_real: Decimal | None = None
    price_sale: Decimal | None = None
    price_with_vat: Decimal | None = None
    price_without_vat: Decimal | None = None

    @property
    def own(self) -> bool:
        """Whether a price is stated here, rather than inherited."""
        return not (
            self.price_with_vat is None
            and self.price_without_vat is None
            and self.price_original is None
            and self.price_sale is None
        )


class Prices(msgspec.Struct):
    """What holds in one language."""

    language: str | None = None
    currency: str | None = None
    pricelists: tuple[Listed, ...] = ()
    price_purchase: Decimal | None = None
    vat: Decimal | None = None


class Picture(msgspec.Struct, gc=False):
    """An image."""

    url: str | None = None
    main_yn: bool | None = None
    position: Decimal | None = None


class Category(msgspec.Struct, gc=False):
    """Where the product is shown."""

    name: str | None = None
    main_yn: bool | None = None


class WireVariant(msgspec.Struct):
    """One of several that a product is sold as; null means the product's value."""

    variant_id: int | None = None
    code: str | None = None
    ean: str | None = None
    active_yn: bool | None = None
    can_add_to_basket_yn: bool | None = None
    stock: Decimal | None = None
    stocks: tuple[str, ...] = ()
    image: str | None = None
    images: tuple[Picture, ...] = ()
    prices: tuple[Prices, ...] = ()


class WireProduct(msgspec.Struct):
    """A product; what is absent, null or blank is None."""

    product_id: int | None = None
    code: str | None = None
    ean: str | None = None
    active_yn: bool | None = None
    archived_yn: bool | None = None
    can_add_to_basket_yn: bool | None = None
    action_currently_yn: bool | None = None
    set_yn: bool | None = None
    descriptions: tuple[Description, ...] = ()
    manufacturer: str | None = None
    stock: Decimal | None = None
    stocks: tuple[str, ...] = ()
    limit_orders: str | None = None
    weight: Decimal | None = None
    images: tuple[Picture, ...] = ()
    categories: tuple[Category, ...] = ()
    prices: tuple[Prices, ...] = ()
    variants_exists_yn: bool | None = None
    variants: tuple[WireVariant, ...] = ()
    last_update_time: datetime | None = None


# --- as it is sent ------------------------------------------------------------------------------------------

_Words: TypeAlias = str | int | None
_Flag: TypeAlias = bool | int | str | None
_Id: TypeAlias = Annotated[int, msgspec.Meta(ge=1 - 2**63, le=2**63 - 1)]
_NOTHING = msgspec.Raw(b"[]")

#: A shop has few of them, and each product names them all.
_name, _language, _currency = (lru_cache(maxsize=256)(read) for read in (name, language, currency))


class _Description(msgspec.Struct, gc=False):
    language: _Words = None
    title: _Words = None
    short_description: _Words = None
    long_description: _Words = None
    url: _Words = None

    def read(self) -> Description:
        return Description(
            _language(self.language),
            text(self.title),
            text(self.short_description),
            text(self.long_description),
            text(self.url),
        )


class _Listed(msgspec.Struct, gc=False):
    name: _Words = None
    price_original: Decimal | None = None
    product_discount: Decimal | None = None
    product_discount_real: Decimal | None = None
    price_sale: Decimal | None = None
    price_with_vat: Decimal | None = None
    price_without_vat: Decimal | None = None

    def read(self) -> Listed:
        return Listed(
            _name(self.name),
            price(self.price_original),
            amount(self.product_discount),
            amount(self.product_discount_real),
            sale_price(self.price_sale),
            price(self.price_with_vat),
            price(self.price_without_vat),
        )


class _Prices(msgspec.Struct, gc=False):
    language: _Words = None
    currency: _Words = None
    pricelists: list[_Listed] | None = None
    price_purchase: Decimal | None = None
    vat: Decimal | None = None

    def read(self) -> Prices:
        return Prices(
            _language(self.language),
            _currency(self.currency),
            tuple([one.read() for one in self.pricelists or ()]),
            price(self.price_purchase),
            rate(self.vat),
        )


class _Image(msgspec.Struct, gc=False):
    url: _Words = None
    main_yn: _Flag = None
    position: Decimal | None = None

    def read(self) -> Picture:
        return Picture(text(self.url), flag(self.main_yn), amount(self.position))


class _Category(msgspec.Struct, gc=False):
    name: _Words = None
    main_yn: _Flag = None

    def read(self) -> Category:
        return Category(text(self.name), flag(self.main_yn))


class _Stock(msgspec.Struct, gc=False):
    stock_id: _Words = None
    code: _Words = None


class _Variant(msgspec.Struct):
    variant_id: _Id
    code: _Words = None
    ean: _Words = None
    active_yn: _Flag = None
    can_add_to_basket_yn: _Flag = None
    stock: Decimal | None = None
    stocks: list[_Stock] | None = None
    image: _Words = None
    images: list[_Image] | None = None
    prices: msgspec.Raw = _NOTHING

    def read(self, prices: tuple[Prices, ...]) -> WireVariant:
        return WireVariant(
            number_of(self.variant_id),
            text(self.code),
            text(self.ean),
            flag(self.active_yn),
            flag(self.can_add_to_basket_yn),
            amount(self.stock),
            _warehouses(self.stocks),
            text(self.image),
            tuple([one.read() for one in self.images or ()]),
            prices,
        )


class _Product(msgspec.Struct):
    product_id: _Id
    code: _Words = None
    ean: _Words = None
    active_yn: _Flag = None
    archived_yn: _Flag = None
    can_add_to_basket_yn: _Flag = None
    action_currently_yn: _Flag = None
    set_yn: _Flag = None
    descriptions: list[_Description] | None = None
    manufacturer: _Words = None
    stock: Decimal | None = None
    stocks: list[_Stock] | None = None
    limit_orders: _Words = None
    weight: Decimal | None = None
    images: list[_Image] | None = None
    categories: list[_Category] | None = None
    prices: msgspec.Raw = _NOTHING
    variants_exists_yn: _Flag = None
    variants: list[_Variant] | None = None
    last_update_time: str | dict[str, Any] | None = None

    def read(self) -> WireProduct:
        known: dict[bytes, tuple[Prices, ...]] = {}
        return WireProduct(
            number_of(self.product_id),
            text(self.code),
            text(self.ean),
            flag(self.active_yn),
            flag(self.archived_yn),
            flag(self.can_add_to_basket_yn),
            flag(self.action_currently_yn),
            flag(self.set_yn),
            tuple([one.read() for one in self.descriptions or ()]),
            text(self.manufacturer),
            amount(self.stock),
            _warehouses(self.stocks),
            limit(self.limit_orders),
            amount(self.weight),
            tuple([one.read() for one in self.images or ()]),
            tuple([one.read() for one in self.categories or ()]),
            _prices(self.prices, known),
            flag(self.variants_exists_yn),
            tuple([one.read(_prices(one.prices, known)) for one in self.variants or ()]),
            moment(self.last_update_time),
        )


#: `1_000` for instance: msgspec takes it for a number, as Python does.
_PYTHONS_OWN = re.compile(rb'"[^"a-zA-Z]*[0-9]_[0-9]')
_ZEROS = bytes.maketrans(b"123456789", b"000000000")
_PRODUCT = msgspec.json.Decoder(_Product)
_PRICES = msgspec.json.Decoder(list[_Prices] | None)


def tidy(raw: bytes | msgspec.Raw) -> WireProduct:
    """The product that *raw*, which was measured, says; variants that are sent with the same prices share them.

    Raises `Untidy` if anything is written otherwise than published: nothing is forgiven here.
    """
    sent = bytes(raw)
    if b"0_0" in sent.translate(_ZEROS) and _PYTHONS_OWN.search(sent):
        raise Untidy
    try:
        return _PRODUCT.decode(raw).read()
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise Untidy from error


def _prices(raw: msgspec.Raw, known: dict[bytes, tuple[Prices, ...]]) -> tuple[Prices, ...]:
    """The prices that *raw* says. Most variants of a product are sent with the same ones, sign for sign."""
    sent = bytes(raw)
    found = known.get(sent)
    if found is None:
        found = known[sent] = tuple([row.read() for row in _PRICES.decode(sent) or ()])
    return found


def _warehouses(rows: Iterable[_Stock] | None) -> tuple[str, ...]:
    """Id, else code, of each."""
    if not rows:
        return ()
    named = (key_of(row.stock_id) or key_of(row.code) for row in rows)
    return tuple(one for one in named if one is not None)
