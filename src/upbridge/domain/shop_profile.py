"""What rarely changes about a shop: languages, currencies, price lists, statuses, rights."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet

from pydantic import Field

from upbridge.domain.value import Value

#: What is as it was where it was not read this time.
_ONCE_READ = ("carriers", "payments", "parameters")
#: The lists of which a row may be missing for a moment, as the API names them, with the facts that they bring.
LISTS: Mapping[str, tuple[str, ...]] = {
    "languages": ("default_language", "languages", "currencies"),
    "pricelists": ("pricelists", "pricelist_ids", "default_pricelist"),
    "order-statuses": ("status_types", "status_names"),
}


class ShopProfile(Value):
    """What rarely changes about a shop; read once and kept (R52)."""

    company: str | None = None
    company_number: str | None = None
    country: str | None = None
    email: str | None = None
    default_language: str | None = None
    languages: tuple[str, ...] = ()
    """All of them, those that are switched off too."""
    currencies: dict[str, str] = Field(default_factory=dict)
    """Language to its currency, active languages only."""
    pricelists: tuple[str, ...] = ()
    pricelist_ids: dict[int, str] = Field(default_factory=dict)
    """Their names by id: a list that is renamed keeps its id."""
    default_pricelist: str | None = None
    status_types: dict[int, str] = Field(default_factory=dict)
    """Order status id to its type (`Received`, `Canceled`, `Sent`, …)."""
    past_status_types: dict[int, str] = Field(default_factory=dict)
    """The same of statuses that are not listed any more: orders may still be in them."""
    status_names: dict[int, dict[str, str]] = Field(default_factory=dict)
    carriers: dict[int, dict[str, str]] | None = None
    """The ways of delivery that shoppers may choose: id to names by language. None: never read."""
    payments: dict[int, dict[str, str]] | None = None
    """The same of the ways to pay."""
    parameters: tuple[str, ...] | None = None
    """Names of the parameters that tell variants apart, as some products have them. None: never read."""
    vat_payer: bool = True
    prices_with_vat: bool = True
    limit_orders: str | None = None
    """Whether orders are limited to what is in stock, where no product says so itself: `0`, `1` or `sale`."""
    rights: dict[str, str] = Field(default_factory=dict)
    """Service to `deny`, `readonly` or `all`."""
    unread: tuple[str, ...] = ()
    """Lists that could never be read yet, as the API names them: what they would say has its default here."""

    def status_type(self, status_id: int | None) -> str | None:
        """The type of an order status, listed or not any more; None if it has none, or is not known."""
        if status_id is None:
            return None
        return self.status_types.get(status_id) or self.past_status_types.get(status_id)

    def known_statuses(self) -> dict[int, str | None]:
        """Each order status that was ever listed, by its id, with its type if it has one."""
        numbers = (*self.status_names, *self.status_types, *self.past_status_types)
        return {number: self.status_type(number) for number in numbers}

    def status_name(self, status_id: int) -> str:
        """What the shop calls an order status, in its own language where it has a name there; else its number."""
        return self.name_of(status_id, self.status_names.get(status_id, {}))

    def name_of(self, number: int, names: Mapping[str, str]) -> str:
        """Of *names* by language the one in the shop's own; else any, else the *number*."""
        return names.get(self.default_language or "") or next(iter(names.values()), str(number))

    def has_status(self, status_id: int | None) -> bool:
        """Whether an order status was ever listed; also where the shop shows us none of them, but not where the
        list is still to be read."""
        known = self.known_statuses()
        return status_id is None or not (known or "order-statuses" in self.unread) or status_id in known

    def has_pricelist(self, name: str | None) -> bool:
        """Whether there is a price list *name*; None is whichever there is."""
        return name is None or name in self.pricelists

    def has_language(self, name: str | None) -> bool:
        """Whether there is a language *name*; None is whichever there is."""
        return name is None or name in self.currencies or name in self.languages

    def renamed_pricelists(self, before: "ShopProfile") -> dict[str, str]:
        """The price lists that were called otherwise in the facts from *before*: former name to new one."""
        pairs = ((name, self.pricelist_ids.get(number)) for number, name in before.pricelist_ids.items())
        return {former: now for former, now in pairs if now is not None and now != former}

    def following(self, before: "ShopProfile") -> "ShopProfile":
        """These facts, with what is remembered of those from *before*: a status that was taken off the list means
        what it meant. A list that was not read this time is as it was."""
        remembered = {**before.past_status_types, **before.status_types}
        past = {number: kind for number, kind in remembered.items() if number not in self.status_types}
        kept = {name: getattr(before, name) for name in _ONCE_READ if getattr(self, name) is None}
        return self.model_copy(update={"past_status_types": past, **kept})

    def shortened(self, before: "ShopProfile") -> set[str]:
        """Those of `LISTS` that lack something which they had *before*, and have nothing new."""
        return {name for name in LISTS if self.rows_of(name) < before.rows_of(name)}

    def rows_of(self, name: str) -> AbstractSet[object]:
        """What stands in one of `LISTS`; a row that has an id is the same under another name."""
        match name:
            case "languages":
                return {*self.languages, *self.currencies}
            case "pricelists":
                return {*self.pricelist_ids} or {*self.pricelists}
            case _:
                return {*self.status_names, *self.status_types}

    def with_lists_of(self, before: "ShopProfile", names: AbstractSet[str]) -> "ShopProfile":
        """These facts, with the lists *names* as they were *before*."""
        return self.model_copy(update={field: getattr(before, field) for name in names for field in LISTS[name]})

    def statuses_of(self, *types: str) -> tuple[int, ...]:
        """Ids of the order statuses of the given *types*, smallest first."""
        return tuple(sorted(number for number, kind in self.status_types.items() if kind in types))
