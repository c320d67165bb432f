"""Which Uphance SKU a line or a variant is: by code, else by its own EAN. Pure; `sku_copy` fills the book."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from upbridge.domain.product import Variant
from upbridge.domain.sku import CodeBook, Match, Sku, code_key


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
    """Only its EAN matches, and it is not known yet whether that EAN is the variant's own."""


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
        return variant.model_copy(update={"ean": None}) if ean in self.eans else variant


class SkuBook:
    """The SKUs that a batch of orders or products may mean.

    *own_eans* has, for variants that the shop's catalogue has been read for, the EAN that is the variant's own (or
    None): an EAN that a variant inherits from its product is the same for all variants and proves nothing (Upgates
    API v2, `variants[].ean`).
    """

    def __init__(self, skus: Iterable[Sku] = (), own_eans: Mapping[int, str | None] | None = None) -> None:
        self._book = CodeBook((sku, (sku.sku_number, sku.ean)) for sku in skus)
        self._own_eans = own_eans or {}

    def match(self, line: Coded) -> Sku | Miss:
        """The SKU of *line*, or why there is none. A doubled code is not cured by an EAN: it is ambiguous."""
        how, found = self._book.named((line.code, line.ean))
        if how is Match.UNMATCHED:
            return Miss.UNKNOWN
        if how is Match.EAN and line.variant_id is not None:
            if line.variant_id not in self._own_eans:
                return Miss.NOT_READ
            if code_key(self._own_eans[line.variant_id]) != code_key(line.ean):
                return Miss.UNKNOWN
        return found[0] if len(found) == 1 else Miss.AMBIGUOUS
