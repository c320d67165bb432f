"""Products as GET /products lists them, read into the words of the trade with inheritance resolved.

Upgates API v2, "Produkty": a null on a variant means the product's value. That holds for stock, flags and
prices (per language and price list), but not for codes and EANs: an inherited one would be the same for all
variants and prove nothing.
"""

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Annotated, Any, TypeAlias

import msgspec
from pydantic import BeforeValidator, PlainValidator

from upbridge.core.parsing import array
from upbridge.core.parsing import key_of as key_or_none
from upbridge.domain.product import Price, Product, ProductText, Variant
from upbridge.domain.sku import real_ean
from upbridge.domain.unread import Unread
from upbridge.domain.variant_key import product_key, variant_key
from upbridge.systems.http.exact_json import decode
from upbridge.systems.upgates.errors import Unreadable
from upbridge.systems.upgates.fields import (
    Amount,
    Currency,
    Flag,
    Language,
    Limit,
    Many,
    Moment,
    Name,
    Number,
    Rate,
    Raw,
    Wire,
    Words,
    cents,
    gross,
    key_of,
    net,
    path,
    price,
    read_tolerantly,
    required,
    sale_price,
)
from upbridge.systems.upgates.product_wire import (
    Listed,
    Picture,
    Prices,
    Untidy,
    WireProduct,
    tidy,
)

_Price: TypeAlias = Annotated[Decimal | None, PlainValidator(price)]
_SalePrice: TypeAlias = Annotated[Decimal | None, PlainValidator(sale_price)]


class _Description(Wire):
    language: Language = None
    title: Words = None
    short_description: Words = None
    long_description: Words = None
    url: Words = None


class _Listed(Wire):
    name: Name = None
    price_original: _Price = None
    product_discount: Amount = None
    product_discount_real: Amount = None
    price_sale: _SalePrice = None
    price_with_vat: _Price = None
    price_without_vat: _Price = None


class _Prices(Wire):
    language: Language = None
    currency: Currency = None
    pricelists: Many[_Listed] = ()
    price_purchase: _Price = None
    vat: Rate = None


class _Image(Wire):
    url: Words = None
    main_yn: Flag = None
    position: Amount = None


class _Category(Wire):
    name: Words = None
    main_yn: Flag = None


def _address(value: Any) -> Any:
    return value.get("url") if isinstance(value, Mapping) else value


def _warehouses(value: Any) -> tuple[str, ...]:
    """Id, else code, of each of `stocks[]`; what makes no sense there is none: no number is taken from it."""
    rows = array(value)
    rows = [row for row in rows if isinstance(row, Mapping)] if isinstance(rows, list) else []
    named = (key_or_none(row.get("stock_id")) or key_or_none(row.get("code")) for row in rows)
    return tuple(name for name in named if name is not None)


_Stocks: TypeAlias = Annotated[tuple[str, ...], BeforeValidator(_warehouses)]


class _Variant(Wire):
    variant_id: Number = None
    code: Words = None
    ean: Words = None
    active_yn: Flag = None
    can_add_to_basket_yn: Flag = None
    stock: Amount = None
    stocks: _Stocks = ()
    image: Annotated[Words, BeforeValidator(_address)] = None
    images: Many[_Image] = ()
    prices: Many[_Prices] = ()


class _Product(Wire):
    product_id: Number = None
    code: Words = None
    ean: Words = None
    active_yn: Flag = None
    archived_yn: Flag = None
    can_add_to_basket_yn: Flag = None
    action_currently_yn: Flag = None
    set_yn: Flag = None
    descriptions: Many[_Description] = ()
    manufacturer: Words = None
    stock: Amount = None
    stocks: _Stocks = ()
    limit_orders: Limit = None
    weight: Amount = None
    images: Many[_Image] = ()
    categories: Many[_Category] = ()
    prices: Many[_Prices] = ()
    variants_exists_yn: Flag = None
    variants: Many[_Variant] = ()
    last_update_time: Moment = None


#: What a field that makes no sense is a part of; without any other field there is no product.
_PARTS = {
    "weight": "weight",
    "last_update_time": "updated_at",
    "limit_orders": "backorder",
    "action_currently_yn": "on_sale",
    "set_yn": "is_set",
    "manufacturer": "manufacturer",
    "stock": "stock",
    "variants.stock": "stock",
    "variants.image": "image",
    "variants_exists_yn": "unless",
}
_PARTS_BELOW = {
    "descriptions": "texts",
    "images": "image",
    "variants.images": "image",
    "categories": "category",
    "prices": "prices",
    "variants.prices": "prices",
}

_Entries: TypeAlias = dict[tuple[str, str], tuple[Listed, Prices]]


def parse_product(raw: Raw, *, prices_with_vat: bool = True, limit_orders: str | None = None) -> Product:
    """One product of GET /products, inheritance resolved; raises `Unreadable`.

    A field that makes no sense is as if it were null, and noted in `Product.unread`, if some target can do without
    it; so is a price or a text without a language, which is left out.

    Required: `product_id`, every variant's `variant_id`, and the variants themselves where `variants_exists_yn`
    says that there are some. `weight` is in grams. `active_yn` and
    `can_add_to_basket_yn` count as true where nothing is said, `archived_yn` as false. A text's description is
    the long one (HTML), else the short one.

    *prices_with_vat* (GET /config: which way the shop stores prices) is needed only for a price list entry that
    lacks both final prices: those are then computed from `price_sale`, else from `price_original` less
    `product_discount_real`, else less `product_discount`. The discounts of manufacturer and category are
    in `product_discount_real` alone, so without it the computed price may be too high
    (docs/vendors/upgates.md#prices-of-a-product). *limit_orders* (GET /config) holds for a product that does not
    say so itself.
    """
    key = key_of(raw, "product_id", "code")
    read, found = read_tolerantly(_Product, raw, key, _part_of)
    wire = msgspec.convert(read, WireProduct, from_attributes=True)
    return _product(wire, found, key, prices_with_vat=prices_with_vat, limit_orders=limit_orders)


def read_product(raw: msgspec.Raw, *, prices_with_vat: bool = True, limit_orders: str | None = None) -> Product:
    """The same from what was sent, and was measured. Raises `Unreadable`, and `ValueError` where it is no JSON."""
    try:
        wire = tidy(raw)
    except Untidy:
        return parse_product(decode(bytes(raw)), prices_with_vat=prices_with_vat, limit_orders=limit_orders)
    return _product(wire, {}, str(wire.product_id), prices_with_vat=prices_with_vat, limit_orders=limit_orders)


def _product(
    wire: WireProduct,
    found: dict[tuple[str | int, ...], str],
    key: str,
    *,
    prices_with_vat: bool,
    limit_orders: str | None,
) -> Product:
    product_id = required(wire.product_id, key, "product_id")
    if wire.variants_exists_yn and not wire.variants:
        raise Unreadable(key, "variants is empty although variants_exists_yn is true")
    return Product(
        product_id=product_id,
        code=wire.code,
        active=_active(wire),
        is_set=wire.set_yn is True,
        texts=tuple(_texts(wire)),
        manufacturer=wire.manufacturer,
        category=next((entry.name for entry in wire.categories if entry.main_yn), None),
        backorder=_backorder(wire, limit_orders),
        weight=None if wire.weight is None else int(cents(wire.weight, Decimal(1))),
        variants=tuple(_variants(wire, product_id, key, with_vat=prices_with_vat)),
        updated_at=wire.last_update_time,
        stocks=tuple(sorted({*wire.stocks, *(name for one in wire.variants for name in one.stocks)})),
        unread=tuple(dict.fromkeys(_unread(wire, found, key))),
    )


def _part_of(field: str) -> str | None:
    below = next((part for top, part in _PARTS_BELOW.items() if f"{field}.".startswith(f"{top}.")), None)
    return below or _PARTS.get(field)


def _unread(wire: WireProduct, found: dict[tuple[str | int, ...], str], key: str) -> Iterator[Unread]:
    """What of *found* some target can do without; raises `Unreadable` if there may be variants."""
    for place, part in found.items():
        if part == "unless":
            if not wire.variants:
                raise Unreadable(key, f"{path(*place)} makes no sense")
            continue
        said = part
        if part == "on_sale" and wire.limit_orders == "sale":
            said = "backorder"
        elif part == "prices" and place[-1] == "price_purchase":
            said = "purchase"
        elif part == "prices":
            said = f"prices.{_language_at(wire, place)}"
        yield Unread(part=said, place=path(*place), variant=_variant_at(wire, place))
    yield from _without_language(wire)
    for number, text in enumerate(wire.descriptions):
        if text.language is None:
            yield Unread(part="texts", place=path("descriptions", number, "language"))


def _without_language(wire: WireProduct) -> Iterator[Unread]:
    """Rows of prices that do not say which language they are for."""
    lists: list[tuple[tuple[str | int, ...], tuple[Prices, ...]]] = [(("prices",), wire.prices)]
    lists += [(("variants", number, "prices"), variant.prices) for number, variant in enumerate(wire.variants)]
    for where, rows in lists:
        for number, row in enumerate(rows):
            if row.language is None:
                place = (*where, number, "language")
                yield Unread(part="prices.", place=path(*place), variant=_variant_at(wire, place))


def _variant_at(wire: WireProduct, place: tuple[str | int, ...]) -> str | None:
    """The key of the variant that *place* is in, or None."""
    if len(place) < 2 or place[0] != "variants" or not isinstance(place[1], int):  # noqa: PLR2004
        return None
    number = wire.variants[place[1]].variant_id
    return None if number is None else variant_key(number)


def _language_at(wire: WireProduct, place: tuple[str | int, ...]) -> str:
    """The language of the price at *place*; empty where that is not known either, so that it may be any."""
    at, rows = (1, wire.prices)
    if place[0] == "variants" and isinstance(place[1], int):
        at, rows = (3, wire.variants[place[1]].prices)
    row = rows[number] if len(place) > at and isinstance(number := place[at], int) else None
    return (row.language if row else None) or ""


def _active(wire: WireProduct) -> bool:
    return wire.active_yn is not False and wire.archived_yn is not True


def _texts(wire: WireProduct) -> Iterator[ProductText]:
    for entry in wire.descriptions:
        if entry.language is not None:
            yield ProductText(
                language=entry.language,
                title=entry.title,
                url=entry.url,
                description=entry.long_description or entry.short_description,
            )


def _backorder(wire: WireProduct, inherited: str | None) -> bool | None:
    """Whether it can be ordered at stock 0, or None where neither the product nor the shop (*inherited*) says so.

    `limit_orders` (0 off, 1 on, "sale" during a sale only) limits orders to what is in stock
    (docs/vendors/upgates.md#stock).
    """
    match inherited if wire.limit_orders is None else wire.limit_orders:
        case None:
            return None
        case "sale":
            return wire.action_currently_yn is not True
        case "0" | "1" as limited:
            return limited == "0"
    return None


def _variants(wire: WireProduct, product_id: int, key: str, *, with_vat: bool) -> Iterator[Variant]:
    sellable = wire.can_add_to_basket_yn is not False
    listed = _entries(wire.prices)
    prices = tuple(_priced(listed, {}, wire.prices, (), with_vat=with_vat))
    picture = _picture(wire.images)
    if not wire.variants:
        yield Variant(
            id=product_key(product_id),
            product_id=product_id,
            variant_id=None,
            code=wire.code,
            ean=real_ean(wire.ean),
            stock=wire.stock,
            stock_own=wire.stock is not None,
            active=_active(wire) and sellable,
            image=picture,
            prices=prices,
        )
    shared: dict[int, tuple[Price, ...]] = {}
    for place, own in enumerate(wire.variants):
        variant_id = required(own.variant_id, key, "variants", place, "variant_id")
        priced = prices
        if own.prices and (priced := shared.get(id(own.prices), ())) == ():
            overrides = _entries(own.prices)
            priced = tuple(_priced(listed, overrides, wire.prices, own.prices, with_vat=with_vat))
            shared[id(own.prices)] = priced
        yield Variant(
            id=variant_key(variant_id),
            product_id=product_id,
            variant_id=variant_id,
            code=own.code,
            ean=real_ean(own.ean),
            stock=wire.stock if own.stock is None else own.stock,
            stock_own=own.stock is not None,
            active=_active(wire)
            and own.active_yn is not False
            and (sellable if own.can_add_to_basket_yn is None else own.can_add_to_basket_yn),
            image=own.image or _picture(own.images) or picture,
            prices=priced,
        )


def _picture(images: Iterable[Picture]) -> str | None:
    """The main image, else the first by position."""
    shown = [image for image in images if image.url]
    first = min(
        shown,
        key=lambda image: (not image.main_yn, image.position is None, image.position or Decimal(0)),
        default=None,
    )
    return first.url if first else None


def _entries(rows: Iterable[Prices]) -> _Entries:
    """Price list entries by language and list; a list without a name is the default one."""
    found: _Entries = {}
    for row in rows:
        for entry in row.pricelists if row.language is not None else ():
            found.setdefault((row.language or "", entry.name or ""), (entry, row))
    return found


def _priced(
    product: _Entries, variant: _Entries, rows: Iterable[Prices], own_rows: Iterable[Prices], *, with_vat: bool
) -> Iterator[Price]:
    """The prices that hold: the variant's own where it states one, else the product's."""
    near = _nearest(own_rows, rows)
    for place in {**product, **variant}:
        language, pricelist = place
        entry, row = variant.get(place) or product[place]
        if not entry.own and place in product:
            entry, row = product[place]
        currency, purchase, vat = near[language]
        vat = vat if row.vat is None else row.vat
        final, final_net = _final(entry, vat, stored_with_vat=with_vat)
        if final is None and final_net is None and purchase is None:
            continue
        yield Price(
            language=language,
            currency=currency,
            pricelist=pricelist,
            with_vat=final,
            without_vat=final_net,
            sale=entry.price_sale,
            purchase=purchase,
            vat=vat,
        )


def _nearest(
    own: Iterable[Prices], inherited: Iterable[Prices]
) -> dict[str | None, tuple[str | None, Decimal | None, Decimal | None]]:
    """Currency, purchase price and VAT by language: of the first row of the variant's *own* that has one, else of
    the product's."""
    found: dict[str | None, tuple[str | None, Decimal | None, Decimal | None]] = {}
    for rows in (own, inherited):
        first = {row.language: row for row in reversed(tuple(rows))}
        for language, row in first.items():
            currency, purchase, vat = found.get(language, (None, None, None))
            found[language] = (
                currency or row.currency,
                row.price_purchase if purchase is None else purchase,
                row.vat if vat is None else vat,
            )
    return found


def _final(entry: Listed, vat: Decimal | None, *, stored_with_vat: bool) -> tuple[Decimal | None, Decimal | None]:
    """The final price with and without VAT; what is absent is computed where that is possible."""
    final, final_net = entry.price_with_vat, entry.price_without_vat
    if final is None and final_net is None:
        stored = entry.price_sale
        if stored is None and entry.price_original is not None:
            discount = (
                entry.product_discount if entry.product_discount_real is None else entry.product_discount_real
            )
            stored = entry.price_original * (1 - (discount or Decimal(0)) / 100)
        if stored is None or stored < 0:  # a discount of more than all of it says no price
            return None, None
        final, final_net = (cents(stored), None) if stored_with_vat else (None, cents(stored))
    if vat is not None and final is None and final_net is not None:
        final = cents(gross(final_net, vat))
    if vat is not None and final_net is None and final is not None:
        final_net = cents(net(final, vat))
    return final, final_net
