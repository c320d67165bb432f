"""Which Uphance SKU a line or a variant is: by code, then by its own EAN. Pure; `catalogue` fills the book."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from upbridge.domain.product import Variant


class Coded(Protocol):
    """What can be a SKU over there: an order's line, or a variant."""

    @property
    def code(self) -> str | None: ...

    @property
    def ean(self) -> str | None: ...

    @property
    def variant_id(self) -> int | None: ...


@dataclass(frozen=True, slots=True)
class Sku:
    """One size of one colour of an Uphance product, with its stock as last read."""

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


class Miss(StrEnum):
    """Why a line has no SKU."""

    UNKNOWN = "unknown"
    AMBIGUOUS = "ambiguous"
    NOT_READ = "not_read"
    """Only its EAN matches, and whether that EAN is the variant's own cannot be told yet."""


def spelled(code: str | None) -> str | None:
    """A code as it is compared: without blanks around it and without case; None if nothing is left."""
    return (code or "").strip().lower() or None


def plain_ean(ean: str | None) -> str | None:
    """An EAN as it is compared: the exact text, leading zeros kept; None if it is blank."""
    return (ean or "").strip() or None


@dataclass(frozen=True, slots=True)
class Doubled:
    """Codes and EANs (as they are compared) that more than one variant of the shop has: they name none of them."""

    codes: frozenset[str] = frozenset()
    eans: frozenset[str] = frozenset()

    def without(self, variant: Variant) -> Variant | None:
        """*variant* with nothing that is doubled; None if its code is, or if nothing else is left of its names.

        One that never had a name is not doubled: whoever needs one complains about that.
        """
        ean = plain_ean(variant.ean)
        if spelled(variant.code) in self.codes or (spelled(variant.code) is None and ean in self.eans):
            return None
        return variant.model_copy(update={"ean": None}) if ean in self.eans else variant


@dataclass(frozen=True, slots=True)
class SkuBook:
    """The SKUs that a batch of orders or products may mean.

    *own_eans* tells, for variants that the shop's catalogue has been read for, the EAN that is the variant's
    own (or None): an EAN that a variant inherits from its product is the same for all variants and proves
    nothing (Upgates API v2, `variants[].ean`).
    """

    by_code: Mapping[str, tuple[Sku, ...]] = field(default_factory=dict)
    by_ean: Mapping[str, tuple[Sku, ...]] = field(default_factory=dict)
    own_eans: Mapping[int, str | None] = field(default_factory=dict)

    @classmethod
    def of(cls, skus: Iterable[Sku], own_eans: Mapping[int, str | None] | None = None) -> "SkuBook":
        """A book of *skus*."""
        by_code: dict[str, list[Sku]] = {}
        by_ean: dict[str, list[Sku]] = {}
        for sku in skus:
            if (code := spelled(sku.sku_number)) is not None:
                by_code.setdefault(code, []).append(sku)
            if (ean := plain_ean(sku.ean)) is not None:
                by_ean.setdefault(ean, []).append(sku)
        return cls(
            {code: tuple(found) for code, found in by_code.items()},
            {ean: tuple(found) for ean, found in by_ean.items()},
            own_eans or {},
        )

    def match(self, line: Coded) -> Sku | Miss:
        """The SKU of *line*, or why there is none. A doubled code is not cured by an EAN: it is ambiguous."""
        by_code = self.by_code.get(spelled(line.code) or "", ())
        if by_code:
            return by_code[0] if len(by_code) == 1 else Miss.AMBIGUOUS
        ean = plain_ean(line.ean)
        by_ean = self.by_ean.get(ean or "", ())
        if not by_ean:
            return Miss.UNKNOWN
        if line.variant_id is not None:
            if line.variant_id not in self.own_eans:
                return Miss.NOT_READ
            if plain_ean(self.own_eans[line.variant_id]) != ean:
                return Miss.UNKNOWN
        return by_ean[0] if len(by_ean) == 1 else Miss.AMBIGUOUS
