"""The settings of a shop: what a setting is, how a text becomes its value, and what a shop has chosen.

Each system declares its own settings (`systems/<name>/settings.py`); `systems/registry.py` puts them together.
The settings page, `upbridge shops settings` and the mapping use that one table. Only what a shop chose is stored;
a default that depends on the shop's facts (languages, statuses) is resolved by the mapping.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Generic, Protocol, TypeVar, cast

from upbridge.core.clock import PRAGUE
from upbridge.core.errors import BadRequest, WrongSettings
from upbridge.core.parsing import digits
from upbridge.domain.mail import NoAddress, email_address

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

_TRUE = {"true", "1", "yes", "on"}
_FALSE = {"false", "0", "no", "off"}
_CURRENCY_LETTERS = 3
_LAST_HOUR = 23


class WrongValue(ValueError):
    """The text is not a value of this setting; the message says what would be."""


# --- the kinds of values --------------------------------------------------------------------------------------


class ValueType(Protocol[T_co]):
    """What a setting can hold."""

    def parse(self, text: str) -> T_co:
        """The value of *text*; raises `WrongValue`."""


@dataclass(frozen=True, slots=True)
class YesNo:
    """True or false. *undecided*: the page says so until the shop has chosen, because "no" is an answer, too."""

    undecided: bool = False

    def parse(self, text: str) -> bool:
        """`true`, `yes`, `off`, …"""
        if text.lower() in _TRUE:
            return True
        if text.lower() in _FALSE:
            return False
        raise WrongValue("true or false")


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number from *low* to *high*."""

    low: int
    high: int

    def parse(self, text: str) -> int:
        """`12`"""
        try:
            number = int(text)
        except ValueError:
            raise WrongValue(f"a whole number from {self.low} to {self.high}") from None
        if not self.low <= number <= self.high:
            raise WrongValue(f"a whole number from {self.low} to {self.high}")
        return number


#: An id of something in another system.
REMOTE_ID = Whole(1, 2**31)


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few words."""

    values: tuple[str, ...]

    def parse(self, text: str) -> str:
        """The word itself."""
        if text not in self.values:
            raise WrongValue(f"one of {', '.join(self.values)}")
        return text


@dataclass(frozen=True, slots=True)
class Text:
    """Any text but an empty one."""

    def parse(self, text: str) -> str:
        """The text without blanks around it."""
        if not text.strip():
            raise WrongValue("some text, or nothing at all to go back to the default")
        return text.strip()


@dataclass(frozen=True, slots=True)
class Email:
    """An address that mails are sent to."""

    def parse(self, text: str) -> str:
        """`owner@example.com`"""
        try:
            return email_address(text)
        except NoAddress as wrong:
            raise WrongValue(str(wrong)) from None


@dataclass(frozen=True, slots=True)
class Hours:
    """Hours of each day in Prague, from the first to before the second, over midnight too; or the word `off`."""

    def parse(self, text: str) -> str:
        """`21-7`, `off`"""
        begin, _, end = (part.strip() for part in text.partition("-"))
        hours = [digits(part, longest=2) for part in (begin, end)]
        if text == "off":
            return text
        if any(hour is None or hour > _LAST_HOUR for hour in hours) or hours[0] == hours[1]:
            raise WrongValue("two different hours such as 21-7, or off")
        return f"{hours[0]}-{hours[1]}"

    @staticmethod
    def among(value: str, hour: int) -> bool:
        """Whether *hour* is one of the hours *value*."""
        if value == "off":
            return False
        begin, end = (int(part) for part in value.split("-"))
        return begin <= hour < end if begin < end else hour >= begin or hour < end


@dataclass(frozen=True, slots=True)
class Moment:
    """A moment, kept as ISO text in UTC; without an offset it is Prague's time."""

    def parse(self, text: str) -> str:
        """`2026-11-01`, `2026-11-01T08:00:00+01:00`"""
        try:
            moment = datetime.fromisoformat(text)
            if moment.tzinfo is None:
                moment = moment.replace(tzinfo=PRAGUE)
            moment.astimezone(
                PRAGUE
            )  # as the page shows it: the first and the last day of all years may have none
            return moment.astimezone(UTC).isoformat()
        except (ValueError, OverflowError):
            raise WrongValue("a date or moment such as 2026-11-01 or 2026-11-01T08:00:00+01:00") from None


@dataclass(frozen=True, slots=True)
class Many(Generic[T]):
    """Several values of one kind, separated by commas."""

    of: ValueType[T]

    def parse(self, text: str) -> list[T]:
        """`one, another`"""
        return [self.of.parse(part.strip()) for part in text.split(",") if part.strip()]


@dataclass(frozen=True, slots=True)
class PerMarket:
    """An id for each market of the shop, which is a language with its currency."""

    def parse(self, text: str) -> dict[str, int]:
        """`cs/CZK:6933,sk/EUR:7001` as {"cs/CZK": 6933, …}."""
        found: dict[str, int] = {}
        for part in text.split(","):
            market, _, number = part.strip().rpartition(":")
            language, _, currency = market.partition("/")
            if not language or len(currency) != _CURRENCY_LETTERS or not _is_id(number):
                raise WrongValue("language/currency:channel, e.g. cs/CZK:6933,sk/EUR:7001")
            found[f"{language}/{currency.upper()}"] = int(number)
        return found


@dataclass(frozen=True, slots=True)
class PerChoice:
    """A text for each of some things of the shop, by the thing's id."""

    def parse(self, text: str) -> dict[str, str]:
        """`4:DPD classic,5:Packeta` as {"4": "DPD classic", …}."""
        found: dict[str, str] = {}
        for part in text.split(","):
            number, _, meaning = part.strip().partition(":")
            if not _is_id(number.strip()) or not meaning.strip() or ":" in meaning:
                raise WrongValue("id:text, e.g. 4:DPD classic,5:Packeta")
            found[str(int(number))] = meaning.strip()
        return found


@dataclass(frozen=True, slots=True)
class Mode:
    """The word *plain*, or the word *numbered* with an id behind it."""

    plain: str
    numbered: str
    of: str
    """What the id is one of, for people."""

    def parse(self, text: str) -> str:
        """`per_shopper`, `collective:12`"""
        mode, _, number = text.partition(":")
        if text == self.plain or (mode == self.numbered and _is_id(number)):
            return text
        raise WrongValue(f"{self.plain} or {self.numbered}:<{self.of}>")


def _is_id(text: str) -> bool:
    return bool(digits(text))


# --- a setting ------------------------------------------------------------------------------------------------


class ShopList(StrEnum):
    """What a shop has several of: the settings page offers them where a setting is one of them."""

    LANGUAGES = "languages"
    PRICELISTS = "pricelists"
    STATUSES = "statuses"
    CARRIERS = "carriers"
    PAYMENTS = "payments"
    PARAMETERS = "parameters"
    """Of variants, as far as they were seen."""
    OWNER = "owner"
    """The address of the shop's owner: proposed, never taken by itself."""


#: What `Setting.affects` says of the limits of the shop's own API, and of mails to its people; any other value is
#: a target's name.
BUDGET = "budget"
NOTIFY = "notify"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting(Generic[T]):
    """One setting: what it can hold, its default, and what a change of it does."""

    type: ValueType[T]
    default: T
    affects: str
    """The target whose documents a change can change, `BUDGET` or `NOTIFY`."""
    rereads: tuple[str, ...] = ()
    """The kinds of entities that are read again for it: their documents alone cannot tell (e.g. a language)."""
    needs: tuple[str, ...] = ()
    """Settings that have to be chosen before this one can be switched on."""
    group: str
    """The part of the settings page in which it stands: one of the system's own, or one that all systems share
    (`web/rule_parts.py`)."""
    under: str | None = None
    """The setting that has to be switched on for this one to do anything."""
    status_types: tuple[str, ...] = ()
    """Of order statuses: the types of those that count where none is chosen."""
    odd_status_types: tuple[str, ...] = ()
    """Of order statuses: the types of those that are hardly ever meant."""
    offers: ShopList | str | None = None
    """Where the page finds the values to choose from: a list of the shop, or the name of one among the facts of
    the connection to the system that declares the setting."""
    among: str | None = None
    """Of one with a row for each thing of the shop: the list of the connection from which a row is chosen."""
    beyond: bool = False
    """Whether the lists hold what was seen, and not all that there is: another value may be typed."""


Declared = Mapping[str, Setting[Any]]


class Clash(BadRequest):
    """Another user has changed meanwhile what was to be changed."""

    status = 409
    code = "settings_clash"


@dataclass(frozen=True, slots=True)
class ShopSettings:
    """A shop's settings as chosen, with the defaults behind them. *declared*: all settings that there are."""

    declared: Declared
    chosen: Mapping[str, Any] = field(default_factory=dict)

    def get(self, key: str) -> Any:
        """The chosen value of *key*, else its default."""
        return self.chosen.get(key, self.declared[key].default)

    def yes(self, key: str) -> bool:
        """A true/false setting."""
        return bool(self.get(key))

    def text(self, key: str) -> str | None:
        """A text setting; None if it is not chosen."""
        return cast("str | None", self.get(key))

    def number(self, key: str) -> int | None:
        """A whole number; None if it is not chosen."""
        return cast("int | None", self.get(key))

    def moment(self, key: str) -> datetime | None:
        """A moment in UTC; None if it is not chosen."""
        value = self.get(key)
        return datetime.fromisoformat(value) if value else None

    def as_text(self) -> dict[str, str | None]:
        """Every setting as it would be typed; None where nothing is chosen and the shop decides."""
        return {key: as_text(self.get(key)) for key in self.declared}

    def changed(self, texts: Mapping[str, str]) -> "ShopSettings":
        """The settings after typing *texts*; an empty text goes back to the default.

        Raises `WrongSettings` with a line for each key that does not exist, whose text is no value of it, or that
        needs other settings that are not chosen.
        """
        after, complaints = self._typed(texts)
        complaints += [f"{key}: needs {' and '.join(needs)} first" for key, needs in _lacking(after) if needs]
        if complaints:
            raise WrongSettings("\n".join(complaints))
        return after

    def needed(self, texts: Mapping[str, str]) -> list[str]:
        """The settings that would have to be chosen too for *texts* to be typed."""
        after, _ = self._typed(texts)
        return sorted({need for _, needs in _lacking(after) for need in needs})

    def differing(self, other: "ShopSettings") -> list[str]:
        """The keys whose values differ in *other*."""
        return [key for key in self.declared if self.get(key) != other.get(key)]

    def _typed(self, texts: Mapping[str, str]) -> tuple["ShopSettings", list[str]]:
        chosen = dict(self.chosen)
        complaints = []
        for key, text in texts.items():
            setting = self.declared.get(key)
            if setting is None:
                complaints.append(f"{key}: there is no such setting (there are: {', '.join(self.declared)})")
            elif not text.strip():
                chosen.pop(key, None)
            else:
                try:
                    chosen[key] = setting.type.parse(text.strip())
                except WrongValue as wrong:
                    complaints.append(f"{key}: {text!r} is not {wrong}")
        return ShopSettings(self.declared, chosen), complaints


def _lacking(shop_settings: ShopSettings) -> list[tuple[str, list[str]]]:
    """The settings that are switched on, each with the settings that it needs and that are not chosen."""
    chosen = shop_settings.chosen
    return [
        (key, [need for need in setting.needs if not chosen.get(need)])
        for key, setting in shop_settings.declared.items()
        if setting.needs and chosen.get(key)
    ]


def as_text(value: Any) -> str | None:
    """A setting's value as it would be typed."""
    match value:
        case None:
            return None
        case bool():
            return "true" if value else "false"
        case dict():
            return ",".join(f"{key}:{item}" for key, item in value.items())
        case list() | tuple():
            return ",".join(str(item) for item in value)
        case _:
            return str(value)
