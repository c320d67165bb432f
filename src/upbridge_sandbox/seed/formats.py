"""How Upgates writes things down: numbers, dates, prices and their VAT."""

import sys
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

Json: TypeAlias = dict[str, Any]

PRAGUE = ZoneInfo("Europe/Prague")
CENT = Decimal("0.01")

#: language -> currency, the country whose VAT counts, domain; the first one is the default
MARKETS: dict[str, tuple[str, str, str]] = {
    "cs": ("CZK", "cz", "www.satnik-demo.cz"),
    "sk": ("EUR", "sk", "sk.satnik-demo.cz"),
    "en": ("EUR", "cz", "eu.satnik-demo.cz"),
}
PRICELISTS = (("Výchozí", 0), ("VIP", 10), ("Velkoobchod", 30))
EUR_RATE = Decimal(25)


def names(text: str) -> frozenset[str]:
    """The words of *text*: names of fields, written in a line."""
    return frozenset(_words(text))


def nulls(text: str) -> Json:
    """The fields that *text* names, empty."""
    return dict.fromkeys(_words(text))


def empty(text: str) -> Json:
    """The fields that *text* names, each an empty array of its own."""
    return {name: [] for name in _words(text)}


def _words(text: str) -> list[str]:
    # Interned like the names that code spells, so that looking a field up compares no letters.
    return [sys.intern(word) for word in text.split()]


def cents(value: Decimal) -> Decimal:
    """*value* on two decimals, halves away from zero as PHP's round() does."""
    return value.quantize(CENT, ROUND_HALF_UP)


def number(value: Decimal | int) -> int | float:
    """A number as PHP's json_encode writes it: 68, not 68.0."""
    exact = Decimal(value)
    return int(exact) if exact == exact.to_integral_value() else float(exact)


def net(gross: Decimal, vat: Decimal | int) -> Decimal:
    """*gross* without its VAT, on two decimals."""
    return cents(gross / (1 + Decimal(vat) / 100))


def moment(value: datetime) -> str:
    """A time as Upgates writes it today: `2024-02-29T14:24:49+01:00`."""
    return value.astimezone(PRAGUE).replace(microsecond=0).isoformat()


def php_moment(value: datetime) -> Json:
    """A time as PHP leaks it in places (`agreements[].valid_to`)."""
    local = value.astimezone(PRAGUE)
    return {
        "date": local.strftime("%Y-%m-%d %H:%M:%S.000000"),
        "timezone_type": 3,
        "timezone": "Europe/Prague",
    }


def ean(body: int) -> str:
    """A valid EAN-13 around twelve digits; small numbers keep their leading zeros."""
    digits = f"{body:012d}"
    total = sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(digits))
    return f"{digits}{-total % 10}"


def price_rows(
    base: Decimal, *, vat: int, purchase: Decimal | None, sale: bool, languages: tuple[str, ...] = tuple(MARKETS)
) -> list[Json]:
    """`prices[]` of a product or variant whose price in CZK with VAT is *base*."""
    rows: list[Json] = []
    for language in languages:
        currency, country, _ = MARKETS[language]
        rate = vat_in(country, vat)
        original = base if currency == "CZK" else cents(base / EUR_RATE)
        pricelists: list[Json] = []
        for name, percent in PRICELISTS[:2]:
            listed = cents(original * (100 - percent) / 100)
            final = cents(listed * Decimal("0.8")) if sale else listed
            pricelists.append(
                {
                    "name": name,
                    "price_original": number(original),
                    "product_discount": None,
                    "product_discount_real": percent,
                    "price_sale": number(final) if sale else None,
                    "price_with_vat": number(final),
                    "price_without_vat": number(net(final, rate)),
                }
            )
        cost = None if purchase is None else purchase if currency == "CZK" else cents(purchase / EUR_RATE)
        rows.append(
            {
                "currency": currency,
                "language": language,
                "pricelists": pricelists,
                "price_purchase": None if cost is None else number(cost),
                "price_common": 0,
                "vat": rate,
                "recycling_fee": None,
            }
        )
    return rows


def vat_in(country: str, czech: int) -> int:
    """The VAT of a country for goods of a Czech rate (OSS)."""
    return {21: 23, 12: 5}.get(czech, czech) if country == "sk" else czech
