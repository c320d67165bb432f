"""Which Uphance SKU a line or a variant is: by code, else by its own EAN. Pure; `sku_copy` fills the book."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Protocol

from upbridge.domain.order import OrderLine
from upbridge.domain.product import Variant
from upbridge.domain.sku import CodeBook, Match, Names, Sku, code_key
from upbridge.domain.variant_key import variant_key


class Coded(Protocol):
    """What can be a SKU of Uphance: an order's line, or a variant."""

    @property
    def code(self) -> str | None: ...

    @property
    def ean(self) -> str | None: ...

    @property
    def variant_id(self) -> int | None: ...


class Miss(StrEnum):
    """Why a line has no SKU."""

    UNKNOWN = "unknown"
    AMBIGUOUS = "ambiguous"
    NOT_READ = "not_read"
    """Its product was not read yet: only that says whether its EAN is the variant's own, and what the variant is
    called by now."""


@dataclass(frozen=True, slots=True)
class Renamed:
    """Why a line has no SKU: Uphance lacks what its variant is called by now, and what it was called when it was
    sold is the code of other goods."""

    name: str


@dataclass(frozen=True, slots=True)
class Doubled:
    """Codes and EANs, by their keys, that more than one variant of the shop has: they name none of them."""

    codes: frozenset[str] = frozenset()
    eans: frozenset[str] = frozenset()

    def without(self, variant: Variant) -> Variant | None:
        """*variant* with nothing that is doubled; None if its code is, or if nothing else is left of its names.

        One that never had a name is not doubled: `product_mapping` reports it.
        """
        code, ean = code_key(variant.code), code_key(variant.ean)
        if code in self.codes or (code is None and ean in self.eans):
            return None
        return replace(variant, ean=None) if ean in self.eans else variant


class SkuBook:
    """The SKUs that a batch of orders or products may mean.

    *named* has, for variants that the shop's catalogue has been read for (by key), their own code and EAN: an EAN
    that a variant inherits from its product is the same for all variants and proves nothing (Upgates API v2,
    `variants[].ean`). None: the catalogue was not looked up. *paired* has those that a person has paired by hand
    (by key), which goes before all names. *bearers* has the variants that have a code by now (by its key), for
    the codes that lines were sold under and whose variants are called otherwise by now.
    """

    def __init__(
        self,
        skus: Iterable[Sku] = (),
        named: Mapping[str, Names] | None = None,
        paired: Mapping[str, Sku] | None = None,
        bearers: Mapping[str, Collection[str]] | None = None,
    ) -> None:
        self._book = CodeBook((sku, (sku.sku_number, sku.ean)) for sku in skus)
        self._looked_up = named is not None
        self._named = named or {}
        self._paired = paired or {}
        self._bearers = bearers or {}

    def match(self, line: Coded) -> Sku | Miss:
        """The SKU of *line*, or why there is none. A doubled code is not made right by an EAN: it is ambiguous."""
        if (chosen := self._paired.get(_key(line) or "")) is not None:
            return chosen
        how, found = self._book.named((line.code, line.ean))
        if how is Match.UNMATCHED:
            return Miss.UNKNOWN
        if how is Match.EAN and line.variant_id is not None:
            own = self._named.get(variant_key(line.variant_id))
            if own is None:
                return Miss.NOT_READ
            if code_key(own[1]) != code_key(line.ean):
                return Miss.UNKNOWN
        return found[0] if len(found) == 1 else Miss.AMBIGUOUS

    def match_sold(self, line: OrderLine) -> Sku | Miss | Renamed:
        """The SKU of what was sold: by what its variant is called by now, else by what it was called then, unless
        that is what other goods are called by now."""
        own = self._named.get(line.variant_key or "")
        if own is not None and (line.variant_key or "") not in self._paired:
            how, found = self._book.named(own)
            if how is not Match.UNMATCHED:
                return found[0] if len(found) == 1 else Miss.AMBIGUOUS
            if was_renamed(line, own) and self._bearers.get(code_key(line.code) or ""):
                return Renamed(own[0] or own[1] or line.variant_key or "")
        match = self.match(line)
        unread = self._looked_up and own is None and line.variant_key is not None
        return Miss.NOT_READ if match is Miss.UNKNOWN and unread else match


def was_renamed(line: OrderLine, own: Names) -> bool:
    """Whether *line* was sold under another code than its variant has by now, which is called *own*."""
    return code_key(line.code) not in (None, code_key(own[0]))


def _key(line: Coded) -> str | None:
    """The key of the variant that *line* is about."""
    if isinstance(line, Variant):
        return line.id
    return line.variant_key if isinstance(line, OrderLine) else None
