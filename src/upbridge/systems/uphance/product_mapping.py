"""A product of the shop as a product of Uphance, for shops that chose to have the missing ones made. Pure.

The rules: docs/vendors/uphance.md#how-upbridge-maps-a-product. A product in Uphance is a tree: product, a
variation for each colour, an SKU for each size. The shop has chosen which parameters are colour and size. Stock is
never sent, because Uphance is its master. What exists in Uphance is never changed: only what is missing is added.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from upbridge.core.canonical_json import canonical, fingerprint
from upbridge.domain.delivery import Issue
from upbridge.domain.product import Product, Variant
from upbridge.domain.sku import code_key, tidy
from upbridge.domain.unread import places
from upbridge.systems.base import MappingContext
from upbridge.systems.uphance.order_mapping import channel_of
from upbridge.systems.uphance.shown_text import shown_text

#: Of what has no colour, and what comes in one size.
NO_COLOR, ONE_SIZE = "\N{EM DASH}", "ONE"


@dataclass(frozen=True, slots=True)
class NewPrice:
    """What pieces of one colour cost in one channel: *wsp* is what its customers pay, *msrp* what is recommended
    to consumers, with VAT."""

    channel: str
    currency: str
    wsp: Decimal
    msrp: Decimal


@dataclass(frozen=True, slots=True)
class NewSku:
    """A variant that is to become an SKU. *key* is its id in the shop."""

    key: str
    sku_number: str | None
    ean: str | None
    color: str
    size: str

    @property
    def place(self) -> tuple[str, str]:
        """Colour and size, as they are compared: there is one SKU for each pair."""
        return self.color.casefold(), self.size.casefold()


@dataclass(frozen=True, slots=True)
class NewProduct:
    """What is missing of a product, and what a product that is missing altogether would be called;
    `schemas.product_body` and `schemas.product_additions` spell it. *prices* are by colour."""

    identifier: str
    name: str
    description: str | None
    season_id: int | None
    skus: tuple[NewSku, ...]
    prices: Mapping[str, tuple[NewPrice, ...]]


def wanted_variants(product: Product) -> list[Variant]:
    """The variants that should be SKUs: on sale, and no set, which Uphance knows by its parts only."""
    if not product.active or product.is_set:
        return []
    return [variant for variant in product.variants if variant.active]


def product_mark(product: Product) -> bytes:
    """The fingerprint of all that decides what is to be made; prices and stock move without being news."""
    rows = [
        [variant.id, variant.code, variant.ean, [list(pair) for pair in variant.parameters]]
        for variant in sorted(wanted_variants(product), key=lambda one: one.id)
    ]
    unread = places(product.unread, _is_needed)
    return fingerprint(canonical([product.code, rows, *([unread] if unread else [])]))


def _is_needed(part: str) -> bool:
    return part in ("is_set", "texts") or part.startswith("prices.")


def identifier_of(product: Product, shop_key: str) -> str:
    """The `product_identifier`: the code, else an own one with the shop in it (a code is optional in Upgates)."""
    return tidy(product.code) or f"upg-{shop_key}-{product.product_id}"


def map_product(product: Product, missing: Sequence[Variant], context: MappingContext) -> NewProduct | Issue:
    """*missing* of *product* as Uphance should have it, or why that cannot be said.

    Issues: `product.unreadable_field`, `product.no_key` (a variant with neither code nor EAN would never be
    found again) and `product.no_size` (a variant without colour and size, or with those of another one).
    """
    if unread := places(product.unread, _is_needed):
        return Issue("product.unreadable_field", {"fields": unread})
    nameless = [variant for variant in missing if not code_key(variant.code) and not code_key(variant.ean)]
    if nameless:
        return Issue("product.no_key", {"variants": _names(nameless)})
    skus = {variant.id: _sku(variant, context) for variant in missing}
    bare = [variant for variant in missing if skus[variant.id] is None]
    placed = [sku for sku in skus.values() if sku is not None]
    twice = {sku.place for sku in placed if sum(other.place == sku.place for other in placed) > 1}
    wrong = [*bare, *(one for one in missing if (sku := skus[one.id]) is not None and sku.place in twice)]
    if wrong:
        return Issue("product.no_size", {"variants": _names(wrong)})
    text = product.text(_language(context))
    identifier = identifier_of(product, context.connection.shop_key)
    first = {sku.color: variant for variant in reversed(missing) if (sku := skus[variant.id]) is not None}
    return NewProduct(
        identifier=identifier,
        name=(text.title if text else None) or identifier,
        description=shown_text(text.description) if text else None,
        season_id=_season(context),
        skus=tuple(placed),
        prices={color: tuple(_prices(variant, context)) for color, variant in first.items()},
    )


def _sku(variant: Variant, context: MappingContext) -> NewSku | None:
    """None for one of several variants that says neither its colour nor its size."""
    worn = {name.strip().casefold(): value.strip() for name, value in variant.parameters}
    color, size = (
        worn.get((context.settings.text(f"uphance.{which}_parameter") or "").strip().casefold())
        for which in ("color", "size")
    )
    if variant.variant_id is not None and not color and not size:
        return None
    return NewSku(
        key=variant.id,
        sku_number=tidy(variant.code),
        ean=tidy(variant.ean),
        color=color or NO_COLOR,
        size=size or ONE_SIZE,
    )


def _language(context: MappingContext) -> str | None:
    """Uphance has one language: the one in which the parameters were read."""
    return context.text_language or context.facts.default_language


def _season(context: MappingContext) -> int | None:
    """The chosen season, else the only one there is."""
    seasons: Sequence[Mapping[str, Any]] = context.connection.facts.get("seasons") or ()
    only = int(seasons[0]["id"]) if len(seasons) == 1 else None
    return context.settings.number("uphance.season") or only


def _prices(variant: Variant, context: MappingContext) -> Iterable[NewPrice]:
    """A price for each channel that a market of the shop sells through, from the default list. A price that is a
    sale right now says nothing about what the thing costs: it is left out."""
    names: dict[int, str] = {int(one["id"]): one["name"] for one in context.connection.facts.get("channels") or ()}
    default = context.facts.default_pricelist
    for language, currency in context.facts.currencies.items():
        channel = names.pop(channel_of(language, currency, context.settings, context.connection) or 0, None)
        price = next(
            (one for one in variant.prices if one.language == language and (one.pricelist or default) == default),
            None,
        )
        if channel is None or price is None or price.sale is not None:
            continue
        paid = price.with_vat if context.settings.yes("uphance.prices_with_tax") else price.without_vat
        if paid is not None and price.with_vat is not None:
            yield NewPrice(channel, currency, wsp=paid, msrp=price.with_vat)


def _names(variants: Iterable[Variant]) -> str:
    return ", ".join(dict.fromkeys(variant.code or variant.ean or variant.id for variant in variants))
