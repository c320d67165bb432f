"""What Upp.ai should hold for a product or an order. Pure.

    Product ──product_documents()──► one document per sellable variant
    Order ────order_documents()────► one document, or none

Names and shapes are those of Upp's "Developer guide" (client onboarding), which fixes only `externalProductId`
and the order's fields; every other product property is free-form, and the names of the guide's own example are
used. No personal data: neither function looks at `Order.shopper`.

Assumption: a price has VAT and is the final one; an order item's price is per piece with VAT; totals include
shipping, payment, discounts and rounding; an item's `sku` is matched with the product's `sku`; an update replaces
the whole document, so everything is sent each time; a cancelled order cannot be taken back, so a delivered one
stays as it is (docs/vendors/upp.md#products, docs/vendors/upp.md#orders).
"""

import json
import re
from collections.abc import Iterable, Iterator
from datetime import UTC
from decimal import Decimal
from functools import lru_cache, partial
from typing import Any

import httpx

from upbridge.core.canonical_json import canonical
from upbridge.domain.allocation import sold_items
from upbridge.domain.delivery import DesiredDocument, Issue, Unmappable
from upbridge.domain.eligibility import Eligibility
from upbridge.domain.money import rounded
from upbridge.domain.order import Order, OrderLine
from upbridge.domain.product import Price, Product, ProductText, Variant
from upbridge.domain.sku import code_key, tidy
from upbridge.domain.totals import OrderTotals
from upbridge.domain.unread import Unread, places
from upbridge.systems.base import MappingContext
from upbridge.systems.upp.order_policy import order_policy

PRODUCT = "product"
ORDER = "order"

#: Parts of a product that are left out where they could not be read, and reported.
_TOLD = frozenset({"backorder", "image", "category", "manufacturer", "purchase", "texts"})

_HTTPS, _HTTP = "https://", "http://"
_HOST = re.compile(rb"[A-Za-z0-9.:-]+")
_PLAIN_ADDRESS = re.compile(
    r"https?://[A-Za-z0-9.-]+(?::\d+)?(?:[/?#](?:[A-Za-z0-9._~:/?#@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*)?"
)
_BROKEN_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
#: What browsers let pass behind the host, and stricter programs do not.
_UNSAFE = {ord(character): f"%{ord(character):02X}" for character in "[]|^\\"}
_UNSEEN = re.compile(r"[\x00-\x1f\x7f]")

_CHANNELS = {"frontend": "web", "admin": "admin", "api": "api", "cash-register": "pos"}


def sku_of(source: str, *, own_id: str | None, code: str | None, ean: str | None) -> str | None:
    """The SKU by which Upp knows a variant, the same for the product and for an order's line.

    *source* is the setting `upp.sku_from` (`code`, `ean`, `id`), *own_id* the `externalProductId`, which stands in
    for a missing code or EAN. A line that was typed in by hand has no id: its code, if there is one, must do.
    None: nothing identifies it. Assumption: of a variant that was never read, an order line's EAN is its own; with
    an inherited one the line and its variant would get different SKUs under `ean`.
    """
    chosen = {"code": code, "ean": ean}.get(source)
    return tidy(chosen) or own_id or tidy(code)


# --- products -----------------------------------------------------------------------------------------------


def product_documents(product: Product, context: MappingContext) -> Iterator[DesiredDocument | Unmappable]:
    """One document per variant that can be bought; the others only to take back what Upp already has.

    A variant that is inactive, has lost its price, or has an SKU that an older variant of this product or of an
    older product has too (Upp ignores case) is a document with stock 0, `active` false and `only_if_known`. The
    last two are also reported: `product.no_price` and `product.sku_twice`. An `Unmappable` may so stand beside a
    document of the same key.
    Where a price or the stock could not be read, Upp keeps what it has of the variants that need it
    (`product.unreadable_field`); a part that Upp can do without is left out and reported likewise.
    Where the language or the price list that is sent is none of the shop's (any more), Upp keeps what it has too
    (`product.unknown_language`, `product.unknown_pricelist`).
    Nothing is wanted while `upp.send` is off (`push` then drops what the engine withdraws).
    """
    if not context.settings.yes("upp.send"):
        return
    taken: dict[str, str] = {}
    text = product.text(_language(context))
    missing = [one for one in product.unread if _holds_product(one.part, context)]
    told = places(product.unread, _TOLD.__contains__)
    if product.active and told:
        yield Unmappable(PRODUCT, product.key, Issue("product.unreadable_field", {"fields": told}))
    # The oldest keeps its SKU: the order in which a shop lists its variants can change, their ids cannot.
    for variant in sorted(product.variants, key=lambda one: one.variant_id or 0):
        price = _price(variant, context)
        sku = _variant_sku(variant, context)
        offered = product.active and variant.active
        issue: Issue | None = None
        if offered and price is None and (gone := _unlisted(context)) is not None:
            yield Unmappable(PRODUCT, variant.id, gone, keeps=True)
            continue
        if offered and price is None:
            issue = Issue("product.no_price", {"title": _title(text, variant, context), "sku": sku})
        elif offered and (other := _older(sku, variant, taken, context)) is not None:
            issue = Issue("product.sku_twice", {"sku": sku, "other": other})
        if offered and (lacking := _lacking(variant, missing)):
            unread = Issue("product.unreadable_field", {"fields": lacking})
            yield Unmappable(PRODUCT, variant.id, unread, keeps=True)
            continue
        if issue is not None:
            yield Unmappable(PRODUCT, variant.id, issue)
        sellable = offered and issue is None
        yield DesiredDocument(
            kind=PRODUCT,
            key=variant.id,
            parent=product.key,
            body=canonical(_product_body(product, variant, text, price, context, sku=sku, active=sellable)),
            only_if_known=not sellable,
        )


def _holds_product(part: str, context: MappingContext) -> bool:
    """Whether a product goes nowhere without *part*: its stock, and its prices in the language that is sent."""
    if part == "stock":
        return True
    language = _language(context)
    return part == "prices." or (part.startswith("prices.") and language in (None, part.removeprefix("prices.")))


def _lacking(variant: Variant, missing: Iterable[Unread]) -> str:
    """The places of what is *missing* of this variant: what it states itself, or takes from its product."""
    concerning = (
        one
        for one in missing
        if one.variant == variant.id
        or (one.variant is None and not (one.part == "stock" and variant.stock is not None))
    )
    return ", ".join(dict.fromkeys(one.place for one in concerning))


def _holds_order(part: str, context: MappingContext) -> bool:
    """Whether an order goes nowhere without *part*."""
    source = context.settings.text("upp.sku_from") or "code"
    return part in ("statistics", "line.unit") or part == f"line.{source}"


def _older(sku: str, variant: Variant, taken: dict[str, str], context: MappingContext) -> str | None:
    """The variant that owns this SKU before *variant*; None if *variant* owns it now."""
    first = taken.setdefault(code_key(sku) or sku, variant.id)
    return context.name_owners.older(sku, variant.product_id) or (first if first != variant.id else None)


def _product_body(
    product: Product,
    variant: Variant,
    text: ProductText | None,
    price: Price | None,
    context: MappingContext,
    *,
    sku: str,
    active: bool,
) -> dict[str, Any]:
    stock = variant.stock if active else Decimal(0)
    body = {
        "externalProductId": _foreign_id(variant.id, context),
        "sku": sku,
        "groupId": _foreign_id(product.key, context),
        "title": _title(text, variant, context),
        "imageUrl": _absolute(variant.image),
        "stock": None if stock is None else max(stock, Decimal(0)),
        "active": active,
        "backorder": product.backorder,
        "ean": tidy(variant.ean),
        "brand": _words(product.manufacturer),
        "url": text and _absolute(text.url, also=_HTTP),
        "category": _words(product.category),
    }
    if price is not None:
        currency = price.currency or context.facts.currencies.get(price.language)
        body |= {
            "price": price.with_vat,
            "salePrice": _with_vat(price.sale, price, context),
            "priceCurrency": currency,
            "costOfGoods": _cost(price, context),
            "currency": currency,
        }
    # What is not known is left out: a cost of 0 would mean a margin of 100 %.
    return {name: value for name, value in body.items() if value is not None}


def _cost(price: Price, context: MappingContext) -> Decimal | None:
    """What the pieces cost the shop, typed in as its prices are, unless `upp.purchase_vat` says otherwise. None
    for 0, which stands for a price that was not filled in."""
    typed = context.settings.get("upp.purchase_vat")
    stored_with_vat = context.facts.prices_with_vat if typed == "shop" else typed == "with"
    return _with_vat(price.purchase, price, context, stored=stored_with_vat) if price.purchase else None


def _with_vat(
    typed: Decimal | None, price: Price, context: MappingContext, *, stored: bool | None = None
) -> Decimal | None:
    """A sale or a purchase price with VAT, like the price that it is compared with. *stored*: whether it has VAT
    already, where that does not follow from how the shop stores its prices.

    None where the VAT that is missing is not known: on another basis than the price it is a wrong discount or
    margin (docs/vendors/upgates.md#prices-of-a-product).
    """
    has_vat = context.facts.prices_with_vat if stored is None else stored
    if typed is None or has_vat or not context.facts.vat_payer:
        return typed
    return None if price.vat is None else rounded(typed * (1 + price.vat / 100))


def _price(variant: Variant, context: MappingContext) -> Price | None:
    """The price in the chosen language and price list, if it says an amount with VAT.

    A list without a name is the default one. Where neither a setting nor the shop says which language or list, any
    will do.
    """
    language, default = _language(context), context.facts.default_pricelist
    pricelist = context.settings.text("upp.pricelist") or default
    for price in variant.prices:
        if (
            price.with_vat is not None
            and language in (None, price.language)
            and pricelist in (None, price.pricelist or default)
        ):
            return price
    return None


def _unlisted(context: MappingContext) -> Issue | None:
    """What is wrong where the language or the price list that is sent is none of the shop's."""
    language = _language(context)
    if not context.facts.has_language(language):
        return Issue("product.unknown_language", {"language": language})
    pricelist = context.settings.text("upp.pricelist") or context.facts.default_pricelist
    if not context.facts.has_pricelist(pricelist):
        return Issue("product.unknown_pricelist", {"pricelist": pricelist})
    return None


def _language(context: MappingContext) -> str | None:
    return context.settings.text("upp.language") or context.facts.default_language


def _title(text: ProductText | None, variant: Variant, context: MappingContext) -> str | None:
    """The product's title in the chosen language; `upp.variant_titles` adds the parameter values."""
    title = text.title if text else None
    values = ", ".join(value for _, value in variant.parameters if value)
    if title and values and context.settings.yes("upp.variant_titles"):
        return f"{title} \N{EN DASH} {values}"
    return title


def _variant_sku(variant: Variant, context: MappingContext) -> str:
    own_id = _foreign_id(variant.id, context)
    return _sku(context, own_id=own_id, code=variant.code, ean=variant.ean) or own_id


@lru_cache(maxsize=256)  # the variants of a product show the same
def _absolute(address: str | None, *, also: str = _HTTPS) -> str | None:
    """*address* as an absolute https address that any program fetches, or None: Upp fetches it from elsewhere.
    One that begins with *also* is as good.

    What is no part of an address is percent-encoded, a host with diacritics written in its ASCII form. An address
    that needs none of that stays as it is.
    """
    address = tidy(address)
    if address is None:
        return None
    if address.startswith("//"):
        address = f"https:{address}"
    scheme = next((one for one in (_HTTPS, also) if address[: len(one)].lower() == one), None)
    if scheme is None:
        return None
    address = scheme + address[len(scheme) :]
    if _PLAIN_ADDRESS.fullmatch(address):
        return address
    try:
        encoded = httpx.URL(_BROKEN_PERCENT.sub("%25", _UNSEEN.sub("", address)))
    except (httpx.InvalidURL, UnicodeError):
        return None
    return str(encoded).translate(_UNSAFE) if _HOST.fullmatch(encoded.raw_host) else None


# --- orders -------------------------------------------------------------------------------------------------


def order_documents(order: Order, context: MappingContext) -> Iterator[DesiredDocument | Unmappable]:
    """The order as Upp should know it, or nothing: cancelled, not in the statistics, of another origin than
    `upp.origins`, or `upp.send` is off. Nothing takes an order back that Upp already has.

    One in an unknown status waits (`order.unknown_status`): it may be cancelled.
    An order from before the first import's reach (`upp.order_days` before the connection) goes only if it is
    known. One that lacks a part which could not be read is reported as `order.unreadable_field`; a line of an
    unknown type counts in the total and is no item. Parts that do not add up to the total are reported as
    `order.net_estimated` beside the document; net is then the gross amount in the proportion of the parts.

    Upp has one order under each number: where another order got the number, that one goes, with the remark
    `order.number_replaced`. One that got another number stays what it is (`order.renumbered`).
    """
    verdict = order_policy(context).judge(order, context.facts)
    if verdict is Eligibility.UNKNOWN:
        yield Unmappable(ORDER, order.key, Issue("order.unknown_status", {"status": order.status_id}), keeps=True)
    if verdict not in (Eligibility.SENT, Eligibility.TOO_OLD):
        return
    if (former := context.former_numbers.get(order.key)) is not None:  # a second sale would be counted
        issue = Issue("order.renumbered", {"number": order.key, "former": former})
        yield Unmappable(ORDER, order.key, issue, keeps=True)
        return
    if order.key in context.other_orders:
        yield Unmappable(ORDER, order.key, Issue("order.number_replaced", {"number": order.key}))
    if lacking := places(order.unread, partial(_holds_order, context=context)):
        if verdict is Eligibility.SENT:
            yield Unmappable(ORDER, order.key, Issue("order.unreadable_field", {"fields": lacking}), keeps=True)
        return
    totals, vat_payer = OrderTotals.of(order), context.facts.vat_payer
    if vat_payer and not totals.adds_up:
        said = {
            "total": str(order.total_before_round),
            "difference": str(totals.difference),
            "currency": order.currency,
        }
        yield Unmappable(ORDER, order.key, Issue("order.net_estimated", said))
    yield DesiredDocument(
        kind=ORDER,
        key=order.key,
        parent=order.key,
        body=canonical(
            {
                "externalOrderId": _foreign_id(order.order_number, context),
                "orderSubmittedOn": order.created_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
                "currency": order.currency,
                "netOrderAmount": totals.net(vat_payer=vat_payer),
                "grossOrderAmount": order.total,
                "sourceChannel": _CHANNELS.get(order.origin, order.origin),
                "items": list(_items(totals, context)),
            }
        ),
        only_if_known=verdict is Eligibility.TOO_OLD,
    )


def _items(totals: OrderTotals, context: MappingContext) -> Iterator[dict[str, Any]]:
    """What was sold and has an identity. Prices are those of one piece with VAT."""
    for line, price in sold_items(totals):
        # The variant may have got another code since it was sold, and Upp knows it by that one.
        code, ean = context.variant_names.get(line.variant_key or "", (line.code, line.ean))
        sku = _sku(context, own_id=_line_id(line, context), code=code, ean=ean)
        if sku is not None:
            yield {
                "sku": sku,
                "name": _words(line.title) or sku,
                "quantity": line.quantity,
                "price": price,
            }


def _line_id(line: OrderLine, context: MappingContext) -> str | None:
    return None if line.variant_key is None else _foreign_id(line.variant_key, context)


# --- taking back --------------------------------------------------------------------------------------------


def tombstone(kind: str, sent: bytes) -> bytes | None:
    """A product as last *sent*, but with stock 0 and inactive; None if that is what was sent. Orders stay.

    Upp publishes no way to delete anything; a product without stock is as close as it gets.
    """
    if kind != PRODUCT:
        return None
    body = canonical({**json.loads(sent), "stock": 0, "active": False})
    return None if body == sent else body


# --- helpers ------------------------------------------------------------------------------------------------


def _sku(context: MappingContext, *, own_id: str | None, code: str | None, ean: str | None) -> str | None:
    return sku_of(context.settings.text("upp.sku_from") or "code", own_id=own_id, code=code, ean=ean)


def _foreign_id(own: str, context: MappingContext) -> str:
    """An id as Upp knows it: with the shop's prefix where several shops share one Upp client."""
    return f"{context.connection.prefix}{own}"


def _words(text: str | None) -> str | None:
    """*text*, or None if it says nothing."""
    return text if text and text.strip() else None
