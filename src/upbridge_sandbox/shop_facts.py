"""What a shop's lists say: languages, price lists, order statuses, ways to deliver and to pay, VAT.

Its owner may change all of it.
"""

from dataclasses import dataclass, field
from typing import Any

from upbridge_sandbox.seed.formats import MARKETS, PRICELISTS, Json
from upbridge_sandbox.seed.orders import STATUSES


@dataclass(slots=True)
class PriceList:
    """A price list; products name it by its name."""

    id: int
    name: str
    percent: int


@dataclass(slots=True)
class Status:
    """An order status; the name is the same in every language where it was made later."""

    id: int
    type: str
    colour: str
    names: dict[str, str]


@dataclass(slots=True)
class Choice:
    """A way to deliver or to pay."""

    id: int
    code: str | None
    type: str
    name: str
    active: bool = True


def _shipments() -> list[Choice]:
    return [Choice(4, "INB", "wedo", "WEDO (celá ČR)"), Choice(5, "ZAS", "zasilkovna", "Zásilkovna")]


def _payments() -> list[Choice]:
    return [
        Choice(2, None, "cashOnDelivery", "Dobírka"),
        Choice(3, None, "command", "Platba předem bankovním převodem"),
    ]


def _pricelists() -> list[PriceList]:
    return [PriceList(place, name, percent) for place, (name, percent) in enumerate(PRICELISTS, 1)]


def _statuses() -> list[Status]:
    return [
        Status(id_, kind, colour, dict(zip(MARKETS, names, strict=True))) for id_, kind, colour, *names in STATUSES
    ]


@dataclass(slots=True)
class ShopFacts:
    """The facts of one shop."""

    language: str = "cs"
    """The default one."""
    pricelist: int = 1
    """The id of the default one."""
    prices_with_vat: bool = True
    limit_orders: int | str = 0
    pricelists: list[PriceList] = field(default_factory=_pricelists)
    statuses: list[Status] = field(default_factory=_statuses)
    shipments: list[Choice] = field(default_factory=_shipments)
    payments: list[Choice] = field(default_factory=_payments)

    @property
    def default_pricelist(self) -> str:
        """The name of the default price list."""
        return next(one.name for one in self.pricelists if one.id == self.pricelist)

    def choices(self, listed: str) -> list[Choice]:
        """The `shipments` or the `payments`. Raises ValueError for another list."""
        if listed not in ("shipments", "payments"):
            raise ValueError("there are shipments and payments")
        return self.shipments if listed == "shipments" else self.payments

    def status(self, number: int | None) -> Status | None:
        """The status with this id."""
        return next((one for one in self.statuses if one.id == number), None)

    def status_name(self, number: int | None, language: str) -> str | None:
        """The name of a status."""
        status = self.status(number)
        return None if status is None else status.names.get(language)

    def as_json(self) -> dict[str, Any]:
        """The facts as the control API shows them."""
        return {
            "language": self.language,
            "pricelist": self.default_pricelist,
            "prices_with_vat": self.prices_with_vat,
            "limit_orders": self.limit_orders,
            "pricelists": {str(one.id): one.name for one in self.pricelists},
            "statuses": {str(one.id): one.names["cs"] for one in self.statuses},
            "shipments": {str(one.id): one.name for one in self.shipments if one.active},
            "payments": {str(one.id): one.name for one in self.payments if one.active},
        }


def renamed(products: list[Json], old: str, new: str) -> None:
    """Price list *old* is called *new* in every product; no product counts as changed by it."""
    for product in products:
        for source in (product, *product["variants"]):
            for row in source["prices"]:
                for entry in row["pricelists"]:
                    if entry["name"] == old:
                        entry["name"] = new
