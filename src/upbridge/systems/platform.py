"""The platform as the engine sees it: what a shop's API is asked for, in the words of the trade.

One folder of `systems` implements it; `System.open_shop` of the platform's descriptor is the way in.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Generic, Protocol, TypeVar

from upbridge.domain.order import Order
from upbridge.domain.product import Product
from upbridge.domain.purpose import Purpose
from upbridge.domain.shop_id import ShopId
from upbridge.domain.shop_profile import ShopProfile
from upbridge.rate_limits.ledger import Ledger
from upbridge.systems.connecting import Tools

#: The most entities of one page.
PAGE_SIZE = 100

T = TypeVar("T")


class Broken(Protocol):
    """An entity that could not be read."""

    @property
    def key(self) -> str:
        """Which one, or `?` where even that is missing."""

    @property
    def reason(self) -> str:
        """Which field and what is wrong with it; never the value."""


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a list, or all that was asked for by ids (then it is the only one)."""

    items: list[T]
    broken: Sequence[Broken]
    """Entities that could not be read, each with its key and the reason."""
    page: int
    pages: int
    total: int
    """How many entities the whole list has, as the server counts them."""


@dataclass(frozen=True, slots=True)
class ProductFilter:
    """Which products are listed; None asks for all."""

    updated_from: datetime | None = None
    active: bool | None = None
    archived: bool | None = None


@dataclass(frozen=True, slots=True)
class OrderFilter:
    """Which orders are listed; None asks for all. Oldest first: by change if only `updated_from` is given, else by
    creation."""

    created_from: datetime | None = None
    created_to: datetime | None = None
    updated_from: datetime | None = None
    deleted: bool = False
    """Only the deleted ones, which no other list has."""


@dataclass(frozen=True, slots=True)
class FactsRead:
    """What was read of the facts of a shop."""

    profile: ShopProfile
    failures: Mapping[str, str] = field(default_factory=dict)
    """The lists that could not be read, by their names, with why. What they say is as it was."""


class FactList(StrEnum):
    """A list among the facts of a shop."""

    STATUSES = "order-statuses"
    PRICELISTS = "pricelists"
    LANGUAGES = "languages"


@dataclass(frozen=True, slots=True)
class FailedCall:
    """The last call of a webhook, which failed. *status*: what we answered; None or 0 if no answer was sent."""

    event: str
    at: datetime
    status: int | None


@dataclass(frozen=True, slots=True)
class Subscribed:
    """What a comparison of the shop's webhooks with ours did, and what it saw."""

    created: int
    activated: int
    deleted: int
    failed: Sequence[FailedCall] = ()
    """The webhooks that stay and whose last call had failed."""
    denied: Sequence[str] = ()
    """Events that we want and that our API user may not subscribe to: nothing announces them."""


class ShopApi(Protocol):
    """The API of one shop. Every method raises `LoginRefused`, `Throttled` (also where the budget is spent),
    `Unreachable` or `Rejected`."""

    async def status(self, *, purpose: Purpose) -> Mapping[str, str]:
        """What our API user may do: endpoint to `deny`, `readonly` or `all`. Needs no right itself."""

    async def facts(self, purpose: Purpose, *, known: ShopProfile | None = None, owner: bool = True) -> FactsRead:
        """What rarely changes about the shop. *known*: those of before. *owner*: whether to ask who it is, too."""

    async def relisted(self, known: ShopProfile, names: Iterable[FactList]) -> ShopProfile:
        """The facts *known*, with these lists as they are now. What may not be read stays."""

    async def subscribe(self, url_for: Callable[[str], str], *, now: datetime) -> Subscribed:
        """Have the shop call us for what we want to hear of. *url_for* gives the secret address of an event."""

    async def products_page(
        self, page: int, *, filters: ProductFilter | None = None, size: int = PAGE_SIZE, purpose: Purpose
    ) -> Page[Product]:
        """One page of products, *size* of them where the server lets the caller choose."""

    async def products_by_ids(self, ids: Iterable[int], *, purpose: Purpose) -> Page[Product]:
        """The products with these *ids*, complete; those that are missing do not exist any more."""

    async def product_parameters(
        self, ids: Iterable[int], *, language: str | None = None, purpose: Purpose
    ) -> Page[dict[int, tuple[tuple[str, str], ...]]]:
        """Name and value of the parameters of each variant by its number, one mapping per product."""

    async def parameter_names(self, *, language: str | None = None, purpose: Purpose) -> tuple[str, ...] | None:
        """Names of the parameters that tell variants apart, as a page of products has them, in *language*; None if
        they cannot be read now: nothing waits for them."""

    async def orders_page(self, page: int, *, filters: OrderFilter | None = None, purpose: Purpose) -> Page[Order]:
        """One page of orders, oldest first."""

    async def orders_by_numbers(self, numbers: Iterable[str], *, purpose: Purpose) -> Page[Order]:
        """The orders with these *numbers*, complete; those that are missing do not exist any more."""


class AddressPolicy(Protocol):
    """Which addresses the API of a shop may have."""

    def check(self, url: str) -> str:
        """*url*, normalised. Raises `BadRequest` with the rule that it breaks; the address is not repeated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShopAccess:
    """What a shop's API is opened with."""

    tools: Tools
    ledger: Ledger
    shop_id: ShopId
    facts: ShopProfile
    api_url: str
    api_user: str
    api_key: str = field(repr=False)
    on_moved: Callable[[str], Awaitable[None]]
    """Keeps the new address of a shop that has moved."""
