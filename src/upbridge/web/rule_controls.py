"""The Rules form as controls: what stands in each, what can be chosen for it, and how a value is called."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from upbridge.core.clock import PRAGUE
from upbridge.core.i18n import Texts
from upbridge.domain.shop_profile import ShopProfile
from upbridge.domain.shop_settings import (
    Choice,
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
    YesNo,
)
from upbridge.systems.base import Systems
from upbridge.web.rule_forms import ticks


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
    under: str | None
    """The setting that has to be switched on for this one to do anything, where it stands in the same part."""
    nothing: str
    """What holds where nothing is chosen; empty where something always is."""
    options: tuple[Option, ...]
    modes: tuple[str, ...]
    """The word that stands by itself, and the one that has a number."""
    markets: tuple[Market, ...]
    others: str
    """What is chosen for markets or things that the shop does not have (any more): kept as it is."""
    wrong: str
    """Why it cannot be saved; empty where it can."""
    clash: str
    """What another user has chosen meanwhile; empty where no user has."""
    odd: str
    """The ticked statuses that are hardly ever meant."""
    waiting: int
    """How many open problems this setting would cure."""

    @property
    def many(self) -> frozenset[str]:
        """The values that are ticked."""
        return frozenset(_parts(self.typed))

    @property
    def numbered(self) -> bool:
        """Whether the mode with a number is chosen."""
        return bool(self.modes) and self.typed.partition(":")[0] == self.modes[1]

    @property
    def grouped(self) -> bool:
        """Whether it is several controls with one name."""
        return self.kind in {"many", "market", "per_choice", "mode"}


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


def control_of(setting: Setting[Any], options: Collection[Option]) -> str:
    """The control into which a setting is typed; where the values to choose from are not known they are typed."""
    match setting.type:
        case YesNo(undecided=True):
            return "decide"
        case Many():
            return "many" if options and ticks(setting) else "text"
        case Whole() | Text() if setting.offers:
            if options:
                return "choice_or" if setting.beyond else "choice"
            return "number" if isinstance(setting.type, Whole) else "text"
        case other:
            return _CONTROLS.get(type(other), "text")


@dataclass(frozen=True, slots=True)
class Offered:
    """What a shop and its connections offer to choose from, in one language."""

    systems: Systems
    facts: ShopProfile
    connections: Mapping[str, Mapping[str, Any]]
    """The facts of each connection, by system."""
    texts: Texts
    wanted: Mapping[str, Collection[str]]
    """Markets that open problems ask for, by the setting that would cure them."""

    def options(self, key: str, typed: str = "") -> tuple[Option, ...]:
        """What can be chosen for *key*, and what of *typed* is not (any more) among it; nothing where what there
        is is not known."""
        known = self._known(key)
        if not known or isinstance(self.systems.settings[key].type, PerMarket | PerChoice | Mode | Email):
            return known
        values = {option.value for option in known}
        return (
            *known,
            *(
                Option(value, self.texts.get("ui.rules.not_offered", value=value))
                for value in (_parts(typed) if ticks(self.systems.settings[key]) else [typed])
                if value and value not in values
            ),
        )

    def _known(self, key: str) -> tuple[Option, ...]:
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
            ShopList.PARAMETERS: ((one, one) for one in facts.parameters or ()),
            ShopList.OWNER: [(facts.email, facts.email)] if facts.email else [],
        }
        return tuple(Option(str(value), name) for value, name in named[listed])

    def markets(self, key: str, typed: str) -> tuple[Market, ...]:
        """Each market of the shop, and each that a problem asks for, with what is offered in its currency; or each
        thing that *key* has a row for."""
        value_type = self.systems.settings[key].type
        chosen = dict(part.strip().partition(":")[::2] for part in typed.split(",") if ":" in part)
        if isinstance(value_type, PerChoice):
            among = self._among(key)
            return tuple(
                Market(one.value, one.name, _with(among, chosen.get(one.value, "")), chosen.get(one.value, ""))
                for one in self._known(key)
            )
        if not isinstance(value_type, PerMarket):
            return ()
        return tuple(
            Market(
                key=market,
                name=market,
                options=tuple(
                    Option(str(one["id"]), f"{one['name']} ({one['id']})")
                    for one in self._listed(key)
                    if one["currency"] == market.partition("/")[2]
                ),
                chosen=chosen.get(market, ""),
            )
            for market in self._markets(key)
        )

    def _among(self, key: str) -> tuple[Option, ...]:
        """The values from which each row of *key* is chosen."""
        name = self.systems.settings[key].among
        facts = self.connections.get(self.systems.declaring(key).name, {})
        return tuple(Option(str(one["id"]), str(one["name"])) for one in facts.get(name or "") or ())

    def other_markets(self, key: str, typed: str) -> str:
        """What is chosen for markets or things that the shop does not have (any more)."""
        if not isinstance(self.systems.settings[key].type, PerMarket | PerChoice):
            return ""
        known = {market.key for market in self.markets(key, typed)}
        return ",".join(part for part in typed.split(",") if part and part.strip().partition(":")[0] not in known)

    def shown(self, key: str, typed: str) -> str:
        """*typed* as the page calls it; where nothing is chosen, what then holds."""
        setting, texts = self.systems.settings[key], self.texts
        free = isinstance(setting.type, PerChoice)
        names = {} if free else {option.value: option.name for option in self._known(key)}
        rows = {market.key: market.name for market in self.markets(key, typed)}
        match setting.type:
            case Mode(plain=plain):
                mode, _, number = typed.partition(":")
                return " ".join(filter(None, (texts.get(f"ui.option.{key}.{mode or plain}"), number)))
            case _ if not typed:
                return self._nothing(key)
            case Moment():
                moment = datetime.fromisoformat(typed)
                return texts.moment(moment if moment.tzinfo else moment.replace(tzinfo=PRAGUE))
            case PerMarket() | PerChoice():
                pairs = (part.partition(":") for part in _parts(typed))
                return ", ".join(f"{rows.get(one, one)}: {names.get(text, text)}" for one, _, text in pairs)
            case YesNo():
                return texts.get("ui.rules.yes" if typed == "true" else "ui.rules.no")
            case _:
                return ", ".join(names.get(part, part) for part in _parts(typed))

    def named(self, key: str, values: Collection[str]) -> str:
        """*values* as the page calls them, in the order in which it shows them."""
        options = self.options(key, ",".join(values))
        return ", ".join(option.name for option in options if option.value in values)

    def odd(self, key: str, typed: str) -> str:
        """The statuses among *typed* that are hardly ever meant."""
        types = self.systems.settings[key].odd_status_types
        if not types:
            return ""
        numbers = {str(number) for number, kind in self.facts.status_types.items() if kind in types}
        return self.named(key, numbers & set(_parts(typed))) if numbers & set(_parts(typed)) else ""

    def nothing(self, key: str) -> str:
        """What holds where nothing is chosen; empty where something always is."""
        if self.systems.settings[key].default not in (None, {}, []):
            return ""
        return self._nothing(key)

    def _nothing(self, key: str) -> str:
        if self.systems.settings[key].type == YesNo(undecided=True):
            return self.texts.get("ui.rules.undecided")
        for name in (f"ui.undecided.{key}", f"ui.automatic.{key}"):
            if self.texts.has(name):
                return self.texts.get(name)
        return self.texts.get("ui.rules.preview_nothing")

    def _markets(self, key: str) -> list[str]:
        ours = [f"{language}/{currency}" for language, currency in self.facts.currencies.items()]
        return list(dict.fromkeys((*ours, *sorted(self.wanted.get(key, ())))))

    def _listed(self, key: str) -> Sequence[Mapping[str, Any]]:
        """The list among the facts of the connection that *key* chooses from."""
        facts = self.connections.get(self.systems.declaring(key).name, {})
        return facts.get(str(self.systems.settings[key].offers)) or ()

    def _name(self, number: int, listed: Mapping[int, Mapping[str, str]] | None) -> str:
        names = (listed or {}).get(number, {})
        return names.get(self.texts.language) or self.facts.name_of(number, names)


def _with(options: tuple[Option, ...], chosen: str) -> tuple[Option, ...]:
    """*options*, with what is chosen beyond them."""
    if not options or not chosen or any(option.value == chosen for option in options):
        return options
    return (*options, Option(chosen, chosen))


def _parts(typed: str) -> list[str]:
    return [part.strip() for part in typed.split(",") if part.strip()]


def _words_of(value_type: ValueType[Any]) -> tuple[str, ...]:
    match value_type:
        case Choice(values=values) | Many(of=Choice(values=values)):
            return values
        case _:
            return ()
