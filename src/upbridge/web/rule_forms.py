"""The Rules form as texts: what a shop has chosen as the form shows it, and what a user typed.

The form holds each setting beside what it showed at first (`was.<key>`). A field that comes back as it was shown
is left alone: another user may have changed it since. A field that both have changed is a clash, which only the
user decides.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from upbridge.core.clock import PRAGUE
from upbridge.domain.shop import Shop
from upbridge.domain.shop_profile import ShopProfile
from upbridge.domain.shop_settings import (
    Choice,
    Declared,
    Many,
    Mode,
    Moment,
    PerChoice,
    PerMarket,
    Setting,
    WrongValue,
    YesNo,
    as_text,
)
from upbridge.web.formatting import read_day
from upbridge.web.forms import one


@dataclass(frozen=True, slots=True)
class Typed:
    """What a form asks for. *texts*: each setting that the user has changed, as it was typed; *changed*: those of
    them that differ from what the shop has, as they are saved; *clashes*: those that another user has changed
    meanwhile; *wrong*: those that cannot be saved, and why (a word of `ui.rules.wrong_…`)."""

    texts: Mapping[str, str]
    changed: Mapping[str, str]
    clashes: tuple[str, ...]
    wrong: Mapping[str, str]


def read_rules(form: Mapping[str, list[str]], shop: Shop, current: Mapping[str, str]) -> Typed:
    """What *form* asks for, where the shop has the texts *current* now."""
    declared = shop.settings.declared
    texts = {
        key: text
        for key, text in _typed(form, declared).items()
        if f"was.{key}" not in form or not same(declared[key], text, one(form, f"was.{key}"))
    }
    differing = {key: text for key, text in texts.items() if not same(declared[key], text, current[key])}
    clashes = tuple(
        key
        for key in differing
        if f"was.{key}" in form and not same(declared[key], one(form, f"was.{key}"), current[key])
    )
    wrong = {
        key: "none" if ticks(declared[key]) and not text else "value"
        for key, text in differing.items()
        if _unreadable(declared[key], text, shown=f"was.{key}" in form)
    }
    changed = {key: _saved(shop, key, text) for key, text in differing.items()}
    if not wrong:
        wrong = dict.fromkeys(shop.settings.needed(changed), "missing")
    return Typed(texts, changed, clashes, wrong)


def left_over(form: Mapping[str, list[str]], declared: Declared) -> dict[str, str]:
    """What a user has changed in *form*, for one that cannot be saved any more."""
    return {
        key: text
        for key, text in _typed(form, declared).items()
        if f"was.{key}" in form and not same(declared[key], text, one(form, f"was.{key}"))
    }


def current_texts(shop: Shop) -> dict[str, str]:
    """Every setting as its control holds it.

    Empty where the shop has not chosen and its profile decides, or where a user has to decide: "no" is not the
    same as nothing yet. Statuses that count where none is chosen are there: they are ticked.
    """
    texts = {}
    for key, setting in shop.settings.declared.items():
        value = shop.settings.get(key)
        texts[key] = as_text(value) or ""
        if value is not None and isinstance(setting.type, Moment):
            local = datetime.fromisoformat(value).astimezone(PRAGUE).replace(tzinfo=None)
            texts[key] = local.isoformat(timespec="minutes")
        if key not in shop.settings.chosen and (
            setting.default in (None, {}) or setting.type == YesNo(undecided=True)
        ):
            texts[key] = _by_type(shop, setting)
    return texts


def same(setting: Setting[Any], typed: str, current: str) -> bool:
    """Whether both texts mean the same (a mapping, or a list, may be spelled in another order)."""
    if typed == current or not typed or not current:
        return typed == current
    if not (readable(setting, typed) and readable(setting, current)):
        return False
    values = (setting.type.parse(typed), setting.type.parse(current))
    return values[0] == values[1] or (ticks(setting) and set(values[0]) == set(values[1]))


def readable(setting: Setting[Any], text: str) -> bool:
    """Whether *text* is a value of the setting."""
    try:
        setting.type.parse(text)
    except WrongValue:
        return False
    return True


def ticks(setting: Setting[Any]) -> bool:
    """Whether the setting is chosen by ticking."""
    return isinstance(setting.type, Many) and (setting.offers is not None or isinstance(setting.type.of, Choice))


def _unreadable(setting: Setting[Any], text: str, *, shown: bool) -> bool:
    """Whether *text* cannot be saved. *shown*: its boxes were, so that none of them ticked is no going back to
    the default, which would tick some."""
    return not readable(setting, text) if text else (shown and ticks(setting))


def _by_type(shop: Shop, setting: Setting[Any]) -> str:
    """The statuses that count where none is chosen."""
    if not (ticks(setting) and setting.status_types):
        return ""
    facts = ShopProfile.model_validate(shop.facts or {})
    return ",".join(map(str, facts.statuses_of(*setting.status_types)))


def _saved(shop: Shop, key: str, text: str) -> str:
    """*text* as it is saved: the statuses that count anyhow are no choice, so that new ones of their types do."""
    setting = shop.settings.declared[key]
    by_type = _by_type(shop, setting)
    return "" if by_type and same(setting, text, by_type) else text


def _typed(form: Mapping[str, Sequence[str]], declared: Declared) -> dict[str, str]:
    """What the form says, setting by setting; settings that it does not name are left alone."""
    fields = {name: list(values) for name, values in form.items()}
    typed = {}
    for key, setting in declared.items():
        if key not in fields:
            continue
        match setting:
            case Setting(type=PerMarket() | PerChoice()):
                typed[key] = _per_market(fields, key)
            case Setting(type=Mode(numbered=numbered)):
                mode, number = one(fields, key), one(fields, f"{key}.number")
                typed[key] = f"{numbered}:{number}" if mode == numbered else mode
            case Setting(type=Moment()):
                typed[key] = read_day(one(fields, key))
            case Setting(beyond=True):
                typed[key] = one(fields, f"{key}.other") or one(fields, key)
            case _ if ticks(setting):
                typed[key] = ",".join(dict.fromkeys(part.strip() for part in fields[key] if part.strip()))
            case _:
                typed[key] = one(fields, key)
    return typed


def _per_market(fields: dict[str, list[str]], key: str) -> str:
    """The hidden field holds markets that the table does not show; the rest is one field per market."""
    pairs = {}
    for part in one(fields, key).split(","):
        market, _, number = part.strip().partition(":")
        if market:
            pairs[market] = number
    for name in fields:
        market = name.removeprefix(f"{key}.")
        if name != market:
            pairs[market] = one(fields, name)
    return ",".join(f"{market}:{number}" for market, number in pairs.items() if number)
