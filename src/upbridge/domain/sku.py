"""Codes of goods: when two are the same, and which variant of the shop is which SKU of a target. Pure.

    variant ─► its code ─► the SKUs of that code ─┐
         └──► else its EAN ─► the SKUs of it ─────┴─► one to one, or doubled

People type codes, copy them from spreadsheets and scan them. So they are compared in one normal form, everywhere:
`code_key`. Tables keep it beside the code as it was written; no SQL computes it.
"""

import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Generic, TypeAlias, TypeVar

T = TypeVar("T")
Key = TypeVar("Key", bound=str | int)

#: A code and an EAN, as they were written.
Names: TypeAlias = tuple[str | None, str | None]

#: Blanks, control and format characters: they are invisible, and copying brings them along.
_UNSEEN = frozenset({"Zs", "Zl", "Zp", "Cc", "Cf"})
_UNSEEN_ASCII = dict.fromkeys([*range(ord(" ") + 1), 0x7F])


#: No index of Postgres takes what is much longer.
_LONGEST_CODE = 500


@lru_cache(maxsize=2048)  # a page of products is asked for each of its codes several times
def code_key(code: str | None) -> str | None:
    """A code or an EAN as it is compared; None if nothing is left of it.

    Without case, in Unicode's composed form (NFC), without blanks, control and format characters around or within.
    Leading zeros stay. The key of a key is the key itself. What is longer than any code (500 characters) is none.
    """
    if code is None or len(code) > _LONGEST_CODE:
        return None
    if code.isascii():  # nearly every code is, and this is ten times as fast
        return code.translate(_UNSEEN_ASCII).lower() or None
    seen = "".join(
        sign for sign in unicodedata.normalize("NFD", code) if unicodedata.category(sign) not in _UNSEEN
    )
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", seen).casefold()) or None


def tidy(code: str | None) -> str | None:
    """A code or an EAN as it is sent: as the shop wrote it, without invisible characters around it; None if
    nothing is left. Its `code_key` stays the same."""
    if code is None:
        return None
    start, end = 0, len(code)
    while start < end and unicodedata.category(code[start]) in _UNSEEN:
        start += 1
    while end > start and unicodedata.category(code[end - 1]) in _UNSEEN:
        end -= 1
    return code[start:end] or None


def real_ean(written: str | None) -> str | None:
    """An EAN without blanks around it; None for what people type where there is none: zeros, a dash, a dot."""
    ean = tidy(written)
    return ean if ean and any(sign.isalnum() and sign != "0" for sign in ean) else None


@dataclass(frozen=True, slots=True)
class Sku:
    """What a catalogue sells by one number: one size of one colour of a product, with its stock as last read."""

    sku_id: int
    product_id: int
    variation_id: int | None
    season_id: int | None
    sku_number: str | None
    ean: str | None
    name: str | None = None
    in_stock: int | None = None
    available: int | None = None
    available_from_stock: int | None = None


class Match(StrEnum):
    """How a variant is matched with the SKUs of a target."""

    CODE = "code"
    EAN = "ean"
    UNMATCHED = "unmatched"
    DOUBLED = "doubled"
    """Its code or EAN is on several SKUs, or several variants of the shop have a claim to the same SKU."""


class CodeBook(Generic[T]):
    """Things that are found by their code, else by their EAN."""

    def __init__(self, things: Iterable[tuple[T, Names]]) -> None:
        self._by_code: dict[str, list[T]] = {}
        self._by_ean: dict[str, list[T]] = {}
        for thing, (code, ean) in things:
            if (key := code_key(code)) is not None:
                self._by_code.setdefault(key, []).append(thing)
            if (key := code_key(ean)) is not None:
                self._by_ean.setdefault(key, []).append(thing)

    def named(self, names: Names) -> tuple[Match, Sequence[T]]:
        """The things that *names* may mean and by which of the two, ambiguous ones included.

        The EAN counts only where no thing has the code: a doubled code is not made right by an EAN.
        """
        code, ean = names
        if found := self._by_code.get(code_key(code) or "", ()):
            return Match.CODE, found
        if found := self._by_ean.get(code_key(ean) or "", ()):
            return Match.EAN, found
        return Match.UNMATCHED, ()


def match_one_to_one(
    variants: Mapping[str, Names], skus: Mapping[Key, Names]
) -> dict[str, tuple[Match, Key | None]]:
    """How each of a shop's *variants* (by key) is matched with *skus* (by id), and with which.

    A variant is matched if it has a claim to one SKU alone and nothing else has a claim to that SKU or has the
    variant's code. A doubled one names the lowest of the SKUs to which it has a claim, if there is one.

    `store.sku_matching` is the twin of this in SQL.
    """
    book = CodeBook((sku, names) for sku, names in skus.items())
    claims = {key: book.named(names) for key, names in variants.items()}
    claimed = Counter(sku for _, found in claims.values() for sku in found)
    bearers = Counter(code_key(code) for code, _ in variants.values())
    matches: dict[str, tuple[Match, Key | None]] = {}
    for key, (how, found) in claims.items():
        code = code_key(variants[key][0])
        doubled = len(found) > 1 or any(claimed[sku] > 1 for sku in found) or (code and bearers[code] > 1)
        matches[key] = (Match.DOUBLED if doubled else how, min(found, default=None))
    return matches
