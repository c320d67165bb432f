"""What rarely changes about a shop, put together from six small answers (R52)."""

from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, TypeAlias, TypeVar

from pydantic import PlainValidator

from upbridge.domain.shop_profile import ShopProfile
from upbridge.systems.accesses import Access
from upbridge.systems.upgates import accesses
from upbridge.systems.upgates.fields import (
    Currency,
    Flag,
    Language,
    Many,
    Name,
    Number,
    One,
    Raw,
    Wire,
    Words,
    flag,
    limit,
    number_of,
    parse_list,
    read,
)

Piece: TypeAlias = dict[str, Any]
T = TypeVar("T")


def _if_any(parse: Callable[[Any], T]) -> Callable[[Any], T | None]:
    """What *parse* says, or None where it refuses: for what a row can do without."""

    def said(value: Any) -> T | None:
        try:
            return parse(value)
        except ValueError:
            return None

    return said


_IfAny: TypeAlias = Annotated[int | None, PlainValidator(_if_any(number_of))]
_FlagIfAny: TypeAlias = Annotated[bool | None, PlainValidator(_if_any(flag))]
_LimitIfAny: TypeAlias = Annotated[str | None, PlainValidator(_if_any(limit))]


class _Owner(Wire):
    company: Words = None
    company_number: Words = None
    country_id: Words = None
    language_id: Language = None
    email: Words = None


class _Owners(Wire):
    owner: Many[_Owner] = ()


class _Language(Wire):
    language_id: Language = None
    active_yn: _FlagIfAny = None
    default_yn: Flag = None
    currency_id: Currency = None


class _Languages(Wire):
    languages: Many[_Language] = ()


class _Pricelist(Wire):
    id: _IfAny = None
    name: Name = None
    default_yn: Flag = None


class _Pricelists(Wire):
    pricelists: Many[_Pricelist] = ()


class _Settings(Wire):
    prices_with_vat_yn: Flag = None
    vat_payer_yn: Flag = None
    limit_orders: _LimitIfAny = None


class _Config(Wire):
    config: One[_Settings] = None


class _Name(Wire):
    language_id: Language = None
    name: Words = None


class _Status(Wire):
    id: Number = None
    type: Words = None
    descriptions: Many[_Name] = ()


class _Choice(Wire):
    id: Number = None
    active_yn: Flag = None
    descriptions: Many[_Name] = ()


class _Service(Wire):
    service: Words = None
    url: Words = None
    privilege: Words = None


class _Services(Wire):
    services: Many[_Service] = ()


def parse_owner(raw: Raw, *, language: str | None = None) -> Piece:
    """Company, number, country and e-mail of GET /owner: the owner for *language* of several, else the first."""
    owners = read(_Owners, raw, "owner").owner
    owner = next((one for one in owners if one.language_id == language), owners[0] if owners else _Owner())
    return {
        "company": owner.company,
        "company_number": owner.company_number,
        "country": owner.country_id.upper() if owner.country_id else None,
        "email": owner.email,
    }


def parse_languages(raw: Raw) -> Piece:
    """The languages, the default one, and the currency of each active one, of GET /languages."""
    rows = [row for row in read(_Languages, raw, "languages").languages if row.language_id]
    active = [row for row in rows if row.active_yn is not False]
    default = next((row.language_id for row in rows if row.default_yn), active[0].language_id if active else None)
    return {
        "default_language": default,
        "languages": tuple(row.language_id for row in rows),
        "currencies": {row.language_id: row.currency_id for row in active if row.currency_id},
    }


def parse_pricelists(raw: Raw) -> Piece:
    """The names of the price lists, by id too, and of the default one, of GET /pricelists."""
    rows = [row for row in read(_Pricelists, raw, "pricelists").pricelists if row.name]
    return {
        "pricelists": tuple(row.name for row in rows),
        "pricelist_ids": {row.id: row.name for row in rows if row.id is not None},
        "default_pricelist": next((row.name for row in rows if row.default_yn), None),
    }


def parse_config(raw: Raw) -> Piece:
    """Whether the owner pays VAT and whether prices are stored with it, of GET /config; yes where not said. And
    whether orders are limited to the stock."""
    settings = read(_Config, raw, "config").config or _Settings()
    return {
        "vat_payer": settings.vat_payer_yn is not False,
        "prices_with_vat": settings.prices_with_vat_yn is not False,
        "limit_orders": settings.limit_orders,
    }


def parse_order_statuses(raw: Raw) -> Piece:
    """Type and names of each order status, by its id, of GET /order-statuses. One that cannot be read is as if it
    were not listed: an order in it waits. Raises `Unreadable` if that is so of all."""
    rows, broken = parse_list(raw.get("order_statuses"), lambda row: read(_Status, row, "order-statuses"))
    if broken and not rows:
        raise broken[0]
    known = {row.id: row for row in rows if row.id is not None}
    return {
        "status_types": {number: row.type.strip() for number, row in known.items() if row.type},
        "status_names": {number: _by_language(row.descriptions) for number, row in known.items()},
    }


def parse_choice(raw: Raw) -> tuple[int, dict[str, str]] | None:
    """Id and names by language of one row of GET /shipments or /payments; None if shoppers cannot choose it."""
    row = read(_Choice, raw, "id")
    if row.id is None or row.active_yn is False:
        return None
    return row.id, _by_language(row.descriptions)


def _by_language(names: Iterable[_Name]) -> dict[str, str]:
    return {entry.language_id: entry.name for entry in names if entry.language_id and entry.name}


def parse_status(raw: Raw) -> Piece:
    """What the API user may do, of GET /status: endpoint (`orders`, `order-statuses`) to its privilege.

    The vendor does not list the names of the services, so the key is the last part of the service's `url`,
    else its name.
    """
    rights: dict[str, str] = {}
    for row in read(_Services, raw, "status").services:
        endpoint = row.url.partition("?")[0].rstrip("/").rpartition("/")[2] if row.url else row.service
        if endpoint and row.privilege:
            rights[endpoint.strip().lower()] = row.privilege.strip().lower()
    return {"rights": rights}


#: The lists of a shop's facts in the order in which they are asked for, by name: the call, what its answer means
#: beside the facts read before it, and which facts it brings. The rights say what may be asked for, the languages
#: which owner of several it is.
FACTS: Mapping[str, tuple[Access, Callable[[ShopProfile, Raw], Piece], tuple[str, ...]]] = {
    "status": (accesses.GET_STATUS, lambda _, raw: parse_status(raw), ("rights",)),
    "languages": (
        accesses.GET_LANGUAGES,
        lambda _, raw: parse_languages(raw),
        ("default_language", "languages", "currencies"),
    ),
    "owner": (
        accesses.GET_OWNER,
        lambda facts, raw: parse_owner(raw, language=facts.default_language),
        ("company", "company_number", "country", "email"),
    ),
    "pricelists": (
        accesses.GET_PRICELISTS,
        lambda _, raw: parse_pricelists(raw),
        ("pricelists", "pricelist_ids", "default_pricelist"),
    ),
    "config": (
        accesses.GET_CONFIG,
        lambda _, raw: parse_config(raw),
        ("vat_payer", "prices_with_vat", "limit_orders"),
    ),
    "order-statuses": (
        accesses.GET_ORDER_STATUSES,
        lambda _, raw: parse_order_statuses(raw),
        ("status_types", "status_names"),
    ),
}
