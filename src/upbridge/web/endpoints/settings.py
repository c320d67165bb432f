"""Rules: the settings of the mapping, grouped by what a merchant thinks of, each with its consequence.

The form holds every setting as it would be typed; what does not differ is not touched. A wrong value comes back
with what was typed, and then nothing is changed.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Response

from upbridge.core.clock import PRAGUE
from upbridge.core.i18n import Texts
from upbridge.domain.shop import Shop
from upbridge.domain.shop_profile import ShopProfile
from upbridge.domain.shop_settings import (
    Choice,
    Declared,
    Email,
    Hours,
    Many,
    Mode,
    Moment,
    PerChoice,
    PerMarket,
    Setting,
    ShopList,
    Text,
    ValueType,
    Whole,
    WrongValue,
    YesNo,
    as_text,
)
from upbridge.operations.settings_preview import SettingsPreview
from upbridge.store import letters
from upbridge.systems.base import Systems
from upbridge.web.dependencies import PageContext, PageRoute, Posted, Session
from upbridge.web.forms import one
from upbridge.web.queries.problems import waiting_for

router = APIRouter(prefix="/s/{session}", route_class=PageRoute)

#: The parts of the page, as a merchant thinks of the settings; a system says of each into which it belongs.
GROUPS = ("orders", "money", "language", "stock", "shipments", "products", "notify", "calls")


@dataclass(frozen=True, slots=True)
class Option:
    """One value to choose, and how it is called."""

    value: str
    name: str


@dataclass(frozen=True, slots=True)
class Market:
    """A language with its currency, or one thing of the shop, and what could be chosen for it."""

    key: str
    name: str
    options: tuple[Option, ...]
    chosen: str


@dataclass(frozen=True, slots=True)
class Control:
    """A setting as the form shows it. *kind*: which control; *typed*: what stands in it."""

    key: str
    kind: str
    typed: str
    was: str
    """What the form showed at first: a field that comes back unchanged leaves its setting alone."""
    automatic: bool
    """Whether nothing need be chosen."""
    options: tuple[Option, ...]
    modes: tuple[str, ...]
    """The word that stands by itself, and the one that has a number."""
    markets: tuple[Market, ...]
    others: str
    """Chosen markets that the shop does not have (any more): kept as they are."""
    wrong: bool
    waiting: int
    """How many open problems this setting would cure."""

    @property
    def many(self) -> frozenset[str]:
        """The values that are ticked."""
        return frozenset(part.strip() for part in self.typed.split(",") if part.strip())

    @property
    def numbered(self) -> bool:
        """Whether the mode with a number is chosen."""
        return bool(self.modes) and self.typed.partition(":")[0] == self.modes[1]


@router.get("/rules")
async def rules(here: Session) -> Response:
    """The settings, as chosen or by default."""
    return await _page(here, _current(here.shop), wrong=())


@router.post("/rules")
async def save(here: Session, form: Posted) -> Response:
    """Change what differs; a wrong value, or one that is still missing, changes nothing."""
    current = _current(here.shop)
    declared = here.shop.settings.declared
    # A field that this user did not touch is not saved: another user may have changed it since the page was shown.
    typed = {
        key: text
        for key, text in _typed(form, declared).items()
        if not _left_alone(key, declared[key], text, form)
    }
    changed = {key: text for key, text in typed.items() if not _same(declared[key], text, current[key])}
    wrong = [key for key, text in changed.items() if text and not _readable(declared[key], text)]
    wrong = wrong or here.shop.settings.needed(changed)
    if wrong:
        return await _page(here, {**current, **typed}, wrong=wrong)
    if one(form, "look"):
        return await _page(here, {**current, **typed}, wrong=(), foreseen=await _foresee(here, current, changed))
    if changed:
        await here.pages.act().settings.change(here.shop, changed)
    return here.go("rules", "rules_saved" if changed else "rules_same", len(changed))


@dataclass(frozen=True, slots=True)
class Difference:
    """One setting that saving would change, as texts for people; empty is the default."""

    key: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Preview:
    """What saving would do."""

    differences: tuple[Difference, ...]
    foreseen: SettingsPreview


async def _foresee(here: PageContext, current: Mapping[str, str], changed: Mapping[str, str]) -> Preview:
    offered = await _Offered.of(here)

    def shown(key: str, typed: str) -> str:
        return _shown(key, here.shop.settings.declared[key], typed, offered.options(key), here.texts)

    return Preview(
        tuple(Difference(key, shown(key, current[key]), shown(key, text)) for key, text in changed.items()),
        await here.pages.act().previews.preview(here.shop, changed),
    )


def _shown(key: str, setting: Setting[Any], typed: str, options: Sequence[Option], texts: Texts) -> str:
    """*typed* as the page calls it."""
    names = {option.value: option.name for option in options}
    match setting.type:
        case Mode(plain=plain):
            mode, _, number = typed.partition(":")
            return " ".join(filter(None, (texts.get(f"ui.option.{key}.{mode or plain}"), number)))
        case Moment() if typed:
            moment = datetime.fromisoformat(typed)
            return texts.moment(moment if moment.tzinfo else moment.replace(tzinfo=PRAGUE))
        case PerChoice():
            pairs = (part.partition(":")[::2] for part in typed.split(",") if part)
            return ", ".join(f"{names.get(key.strip(), key)}: {text.strip()}" for key, text in pairs)
        case _ if typed in {"true", "false"}:
            return texts.get("ui.rules.yes" if typed == "true" else "ui.rules.no")
        case _:
            return ", ".join(names.get(part.strip(), part.strip()) for part in typed.split(",") if part.strip())


def _readable(setting: Setting[Any], text: str) -> bool:
    try:
        setting.type.parse(text)
    except WrongValue:
        return False
    return True


def _same(setting: Setting[Any], typed: str, current: str) -> bool:
    """Whether both texts mean the same (a mapping may be spelled in another order)."""
    if typed == current or not typed or not current:
        return typed == current
    if not (_readable(setting, typed) and _readable(setting, current)):
        return False
    return bool(setting.type.parse(typed) == setting.type.parse(current))


def _left_alone(key: str, setting: Setting[Any], typed: str, form: Mapping[str, list[str]]) -> bool:
    return f"was.{key}" in form and _same(setting, typed, one(form, f"was.{key}"))


def _current(shop: Shop) -> dict[str, str]:
    """Every setting as its control holds it; empty where the shop has not chosen and its profile decides, or where
    a user has to decide: "no" is not the same as nothing yet."""
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
            texts[key] = ""
    return texts


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
            case _ if _control(setting) == "many":
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


# --- the form -----------------------------------------------------------------------------------------------


async def _waiting(here: PageContext) -> Mapping[str, int]:
    return await waiting_for(here.pages.engine, here.pages.systems, here.shop.id)


async def _mail_refused_at(here: PageContext) -> datetime | None:
    """When the last mail to the shop's people was given up, where an address is chosen."""
    if not here.shop.settings.text("notify.email"):
        return None
    async with here.pages.engine.connect() as tx:
        return await letters.refused_last(tx, here.shop.id)


async def _page(
    here: PageContext, typed: Mapping[str, str], *, wrong: Sequence[str], foreseen: Preview | None = None
) -> Response:
    waiting, current = await _waiting(here), _current(here.shop)
    offered = await _Offered.of(here)
    groups = {
        group: [
            Control(
                key=key,
                kind=_kind(_control(setting), options := offered.options(key), typed[key]),
                typed=typed[key],
                was=current[key],
                automatic=setting.default is None,
                options=options,
                modes=(mode.plain, mode.numbered) if isinstance(mode := setting.type, Mode) else (),
                markets=offered.markets(key, typed[key]),
                others=offered.other_markets(key, typed[key]),
                wrong=key in wrong,
                waiting=waiting.get(key, 0),
            )
            for key, setting in here.shop.settings.declared.items()
            if setting.group == group
        ]
        for group in GROUPS
    }
    return here.page(
        "rules",
        status=HTTPStatus.UNPROCESSABLE_ENTITY if wrong else HTTPStatus.OK,
        groups=groups,
        wrong=len(wrong),
        preview=foreseen,
        sends_mail=here.pages.sends_mail,
        mail_refused_at=await _mail_refused_at(here),
        chosen=here.shop.settings.chosen,
    )


#: The control of each kind of value that is not chosen from a list.
_CONTROLS: Mapping[type[ValueType[Any]], str] = {
    YesNo: "yes_no",
    Moment: "moment",
    PerMarket: "market",
    PerChoice: "per_choice",
    Mode: "mode",
    Choice: "choice",
    Whole: "number",
    Email: "email",
    Hours: "hours",
}


def _control(setting: Setting[Any]) -> str:
    """The control into which a setting is typed."""
    match setting.type:
        case YesNo(undecided=True):
            return "decide"
        case Many(of=of):
            return "many" if setting.offers or isinstance(of, Choice) else "text"
        case Whole() | Text() if setting.offers:
            return "choice"
        case other:
            return _CONTROLS.get(type(other), "text")


def _kind(control: str, options: tuple[Option, ...], typed: str) -> str:
    """*control*, unless its values are not known: then they are typed."""
    known = {option.value for option in options}
    if control in {"choice", "many"} and (not options or not set(filter(None, typed.split(","))) <= known):
        return "text"
    return control


@dataclass(frozen=True, slots=True)
class _Offered:
    """What the shop and its connections offer to choose from."""

    systems: Systems
    facts: ShopProfile
    connections: Mapping[str, Mapping[str, Any]]
    """The facts of each connection, by system."""
    texts: Texts

    @classmethod
    async def of(cls, here: PageContext) -> "_Offered":
        rows = await here.pages.connections.of(here.shop.id)
        facts = ShopProfile.model_validate(here.shop.facts or {})
        return cls(here.pages.systems, facts, {name: row.facts for name, row in rows.items()}, here.texts)

    def options(self, key: str) -> tuple[Option, ...]:
        """What can be chosen for *key*; nothing where that is not known."""
        setting = self.systems.settings[key]
        match setting.offers:
            case ShopList() as listed:
                return self._of_shop(listed)
            case None:
                words = _words_of(setting.type)
                return tuple(Option(word, self.texts.get(f"ui.option.{key}.{word}")) for word in words)
            case _:
                return tuple(Option(str(one["id"]), str(one["name"])) for one in self._listed(key))

    def _of_shop(self, listed: ShopList) -> tuple[Option, ...]:
        facts = self.facts
        named: Mapping[ShopList, Iterable[tuple[object, str]]] = {
            ShopList.LANGUAGES: ((language, language) for language in facts.currencies),
            ShopList.PRICELISTS: ((name, name) for name in facts.pricelists),
            ShopList.STATUSES: ((one, self._name(one, facts.status_names)) for one in facts.status_types),
            ShopList.CARRIERS: ((one, self._name(one, facts.carriers)) for one in facts.carriers or ()),
            ShopList.PAYMENTS: ((one, self._name(one, facts.payments)) for one in facts.payments or ()),
            ShopList.OWNER: [(facts.email, facts.email)] if facts.email else [],
        }
        return tuple(Option(str(value), name) for value, name in named[listed])

    def markets(self, key: str, typed: str) -> tuple[Market, ...]:
        """Each market of the shop with what is offered in its currency, or each thing that *key* has a row for."""
        value_type = self.systems.settings[key].type
        chosen = dict(part.strip().partition(":")[::2] for part in typed.split(",") if ":" in part)
        if isinstance(value_type, PerChoice):
            return tuple(Market(one.value, one.name, (), chosen.get(one.value, "")) for one in self.options(key))
        if not isinstance(value_type, PerMarket):
            return ()
        return tuple(
            Market(
                key=f"{language}/{currency}",
                name=f"{language}/{currency}",
                options=tuple(
                    Option(str(one["id"]), f"{one['name']} ({one['id']})")
                    for one in self._listed(key)
                    if one["currency"] == currency
                ),
                chosen=chosen.get(f"{language}/{currency}", ""),
            )
            for language, currency in self.facts.currencies.items()
        )

    def other_markets(self, key: str, typed: str) -> str:
        """What is chosen for markets or things that the shop does not have (any more)."""
        known = {market.key for market in self.markets(key, typed)}
        if not isinstance(self.systems.settings[key].type, PerMarket | PerChoice):
            return ""
        return ",".join(part for part in typed.split(",") if part and part.strip().partition(":")[0] not in known)

    def _listed(self, key: str) -> Sequence[Mapping[str, Any]]:
        """The list among the facts of the connection that *key* chooses from."""
        facts = self.connections.get(self.systems.declaring(key).name, {})
        return facts.get(str(self.systems.settings[key].offers)) or ()

    def _name(self, number: int, listed: Mapping[int, Mapping[str, str]] | None) -> str:
        names = (listed or {}).get(number, {})
        return names.get(self.texts.language) or self.facts.name_of(number, names)


def _words_of(value_type: ValueType[Any]) -> tuple[str, ...]:
    match value_type:
        case Choice(values=values) | Many(of=Choice(values=values)):
            return values
        case _:
            return ()
