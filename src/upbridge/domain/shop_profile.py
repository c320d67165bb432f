"""What rarely changes about a shop: languages, currencies, price lists, statuses, rights."""

from pydantic import Field

from upbridge.domain.value import Value


class ShopProfile(Value):
    """What rarely changes about a shop; read once and kept (R52)."""

    company: str | None = None
    company_number: str | None = None
    country: str | None = None
    email: str | None = None
    default_language: str | None = None
    currencies: dict[str, str] = Field(default_factory=dict)
    """Language to its currency, active languages only."""
    pricelists: tuple[str, ...] = ()
    default_pricelist: str | None = None
    status_types: dict[int, str] = Field(default_factory=dict)
    """Order status id to its type (`Received`, `Canceled`, `Sent`, …)."""
    status_names: dict[int, dict[str, str]] = Field(default_factory=dict)
    vat_payer: bool = True
    prices_with_vat: bool = True
    limit_orders: str | None = None
    """Whether orders are limited to what is in stock, where no product says so itself: `0`, `1` or `sale`."""
    rights: dict[str, str] = Field(default_factory=dict)
    """Service to `deny`, `readonly` or `all`."""

    def statuses_of(self, *types: str) -> tuple[int, ...]:
        """Ids of the order statuses of the given *types*, smallest first."""
        return tuple(sorted(number for number, kind in self.status_types.items() if kind in types))
