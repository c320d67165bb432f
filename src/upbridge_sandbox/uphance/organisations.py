"""What Uphance holds: users, their tokens with the hidden organisation, and the organisations' data."""

import itertools
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeAlias

from upbridge_sandbox.faults import ListFaults
from upbridge_sandbox.seed.formats import Json

WEEK = 604_800
#: what a SKU counts: the pieces that are there, and those of them that can be sold
COUNTS = ("in_stock", "available_to_sell", "available_to_sell_from_stock")

Taxes: TypeAlias = Callable[[str | None, Json | None], Decimal | None]
"""The tax in per cent of a SKU (None: of the shipping) on the order with this reference, if it is known."""


def _no_taxes(_reference: str | None, _sku: Json | None) -> Decimal | None:
    return None


@dataclass(slots=True)
class Token:
    """An access token. The chosen organisation is state on the server, kept per token."""

    value: str
    refresh: str
    email: str
    expires_at: datetime
    organisation: int | None = None
    dead: bool = False


@dataclass(slots=True)
class Organisation:
    """One company with everything in it. Ids are unique over all organisations."""

    id: int
    name: str
    channels: list[Json]
    seasons: list[Json]
    products: dict[int, Json] = field(default_factory=dict)
    customers: dict[int, Json] = field(default_factory=dict)
    orders: dict[int, Json] = field(default_factory=dict)
    tickets: dict[int, Json] = field(default_factory=dict)
    taxes: Taxes = _no_taxes
    webhook_url: str | None = None
    webhook_log: list[Json] = field(default_factory=list)
    _skus: dict[int, tuple[Json, Json, Json]] = field(default_factory=dict)
    _indexed: int = 0

    def sku(self, sku_id: Any) -> tuple[Json, Json, Json] | None:
        """Product, variation and SKU of a SKU id."""
        if self._indexed != len(self.products):
            self._indexed = len(self.products)
            self._skus = {
                sku["id"]: (product, variation, sku)
                for product in self.products.values()
                for variation in product["variations"]
                for sku in variation["skus"]
            }
        return self._skus.get(sku_id)

    def drop_product(self, product_id: int) -> None:
        """Staff delete goods: no list shows them any more. Raises KeyError."""
        del self.products[product_id]
        self.index_anew()

    def unsold(self, sellable: set[str | None]) -> list[int]:
        """The products, by id, that no sales order has, and of which no SKU is *sellable*, by number or EAN."""
        sold = {line["product_id"] for order in self.orders.values() for line in order["line_items"]}
        return [
            number
            for number, product in self.products.items()
            if number not in sold
            and not any(
                {sku["sku_number"], sku["ean"]} & sellable for row in product["variations"] for sku in row["skus"]
            )
        ]

    def index_anew(self) -> None:
        """A product got SKUs."""
        self._indexed = -1

    def as_json(self) -> Json:
        """The organisation as the control API lists it."""
        return {
            **{name: getattr(self, name) for name in ("id", "name", "channels", "seasons")},
            **{name: len(getattr(self, name)) for name in ("products", "customers", "orders", "tickets")},
            "webhook": self.webhook_url is not None,
        }


def system_clock() -> datetime:
    """The moment by the machine."""
    return datetime.now(UTC)


@dataclass(slots=True)
class Uphance:
    """All users and organisations."""

    users: dict[str, str] = field(default_factory=dict)
    members: dict[str, list[int]] = field(default_factory=dict)
    tokens: dict[str, Token] = field(default_factory=dict)
    organisations: dict[int, Organisation] = field(default_factory=dict)
    drafts_reserve: bool = False
    tax_level: Decimal | None = None
    """Per cent on everything; None: what the shop charged."""
    lists: ListFaults = field(default_factory=ListFaults)
    clock: Callable[[], datetime] = system_clock
    ids: Iterator[int] = field(default_factory=lambda: itertools.count(8_000_001))

    def add_user(self, email: str, password: str, organisations: list[int]) -> None:
        """A login; there is no client id in Uphance, a connection is a user."""
        self.users[email] = password
        self.members.setdefault(email, [])
        self.members[email] += [item for item in organisations if item not in self.members[email]]

    def issue(self, email: str) -> Token:
        """A new token for *email*; it has chosen no organisation yet."""
        ends = self.clock() + timedelta(seconds=WEEK)
        token = Token(secrets.token_urlsafe(24), secrets.token_urlsafe(24), email, ends)
        self.tokens[token.value] = token
        return token

    def next_id(self) -> int:
        """An id that nothing else has."""
        return next(self.ids)

    def expire_tokens(self) -> None:
        """Every access token ends now; refresh tokens live on."""
        for token in self.tokens.values():
            token.expires_at = self.clock()

    def as_json(self) -> Json:
        """A picture without passwords and tokens."""
        return {
            "users": sorted(self.users),
            "drafts_reserve": self.drafts_reserve,
            "tax_level": None if self.tax_level is None else float(self.tax_level),
            "organisations": [item.as_json() for item in self.organisations.values()],
        }
