"""A setting that is one of several things of the shop, or of a connection, is not set to one that does not exist.

Only what is new in it is looked at, and only by a list that was read: one that is not known refuses nothing.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from upbridge.core.errors import WrongSettings
from upbridge.domain.shop_profile import ShopProfile
from upbridge.domain.shop_settings import PerChoice, Setting, ShopList, ShopSettings
from upbridge.store.connections import ConnectionRow
from upbridge.systems.base import Systems

#: How the lists of the shop are named among those that could not be read yet.
_UNREAD = {ShopList.STATUSES: "order-statuses", ShopList.PRICELISTS: "pricelists", ShopList.LANGUAGES: "languages"}


def refuse_unknown(
    systems: Systems,
    before: ShopSettings,
    after: ShopSettings,
    facts: Mapping[str, Any] | None,
    rows: Mapping[str, ConnectionRow],
) -> None:
    """Raise `WrongSettings` with a line for each setting that *after* has, *before* had not, and that names what
    neither the shop's *facts* nor those of its connections *rows* list."""
    profile = ShopProfile.model_validate(facts or {})
    complaints = []
    for key in before.differing(after):
        setting = systems.settings[key]
        row = rows.get(systems.declaring(key).name)
        listed = _listed(setting, profile, {} if row is None else row.facts)
        unknown = [one for one in _values(after.get(key)) if one not in {*listed, *_values(before.get(key))}]
        if listed and unknown:
            there = ", ".join(f"{one} ({name})" if name != one else one for one, name in listed.items())
            complaints.append(f"{key}: {', '.join(unknown)} does not exist (there are: {there})")
    if complaints:
        raise WrongSettings("\n".join(complaints))


def _listed(setting: Setting[Any], shop: ShopProfile, connection: Mapping[str, Any]) -> dict[str, str]:
    """What there is to choose from, with its name; nothing where that is not known, or is not all."""
    if setting.beyond or isinstance(setting.type, PerChoice) or setting.offers is None:
        return {}
    if isinstance(setting.offers, ShopList):
        return {} if _UNREAD.get(setting.offers) in shop.unread else _of_shop(setting.offers, shop)
    return {str(one["id"]): str(one["name"]) for one in connection.get(setting.offers) or ()}


def _of_shop(listed: ShopList, shop: ShopProfile) -> dict[str, str]:
    match listed:
        case ShopList.LANGUAGES:
            return {one: one for one in (*shop.currencies, *shop.languages)}
        case ShopList.PRICELISTS:
            return {one: one for one in shop.pricelists}
        case ShopList.STATUSES:
            return {str(one): shop.status_name(one) for one in shop.known_statuses()}
        case _:
            return {}


def _values(value: object) -> Iterable[str]:
    """What a setting names: one thing, several, or one for each market."""
    match value:
        case None:
            return ()
        case dict():
            return [str(one) for one in value.values()]
        case list():
            return [str(one) for one in value]
        case _:
            return [str(value)]
