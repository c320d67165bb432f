"""The rules of a shop: its settings, their defaults, their validation (docs/settings.md).

One table, used by the settings page, `upbridge shops settings`, and the mapping. Stored is only what somebody
chose; a default that depends on the shop's facts (languages, statuses) is resolved by `ShopSettings`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar, cast

from upbridge.core.clock import PRAGUE
from upbridge.core.errors import BadRequest
from upbridge.core.parsing import whole

T = TypeVar("T")

_TRUE = {"true", "1", "yes", "on"}
_FALSE = {"false", "0", "no", "off"}
_ORIGINS = ("frontend", "admin", "api", "cash-register")
_TARIFFS = ("bronze", "silver", "gold", "platinum", "exclusive")
_MAX_PACKAGES = 60


class _Wrong(ValueError):
    """The text is not a value of this setting; the message says what would be."""


def _boolean(text: str) -> bool:
    if text.lower() in _TRUE:
        return True
    if text.lower() in _FALSE:
        return False
    raise _Wrong("true or false")


def _whole(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            raise _Wrong(f"a whole number from {low} to {high}") from None
        if not low <= number <= high:
            raise _Wrong(f"a whole number from {low} to {high}")
        return number

    return parse


def _choice(*choices: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in choices:
            raise _Wrong(f"one of {', '.join(choices)}")
        return text

    return parse


def _text(text: str) -> str:
    if not text.strip():
        raise _Wrong("some text, or nothing at all to go back to the default")
    return text.strip()


def _moment(text: str) -> str:
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=PRAGUE)
        moment.astimezone(PRAGUE)  # as the page shows it: the first and the last day of all years may have none
        return moment.astimezone(UTC).isoformat()
    except (ValueError, OverflowError):
        raise _Wrong("a date or moment such as 2026-11-01 or 2026-11-01T08:00:00+01:00") from None


def _many(one: Callable[[str], T]) -> Callable[[str], list[T]]:
    def parse(text: str) -> list[T]:
        return [one(part.strip()) for part in text.split(",") if part.strip()]

    return parse


def _is_number(text: str) -> bool:
    """Whether *text* is an id."""
    return bool(whole(text))


def _channels(text: str) -> dict[str, int]:
    """`cs/CZK:6933,sk/EUR:7001` as {"cs/CZK": 6933, …}."""
    channels: dict[str, int] = {}
    for part in text.split(","):
        market, _, channel = part.strip().rpartition(":")
        language, _, currency = market.partition("/")
        if not language or len(currency) != len("CZK") or not _is_number(channel):
            raise _Wrong("language/currency:channel, e.g. cs/CZK:6933,sk/EUR:7001")
        channels[f"{language}/{currency.upper()}"] = int(channel)
    return channels


def _customer_mode(text: str) -> str:
    mode, _, number = text.partition(":")
    if text == "per_shopper" or (mode == "collective" and _is_number(number)):
        return text
    raise _Wrong("per_shopper or collective:<customer id>")


@dataclass(frozen=True, slots=True)
class Setting(Generic[T]):
    """One setting: how its text is read, and what holds while nobody chose. *affects*: which target's documents
    a change of it can change (`upp`, `uphance`, `stock`, `shipments`, `budget`)."""

    parse: Callable[[str], T]
    default: T
    affects: str
    kinds: tuple[str, ...] = field(default=())
    """Which kinds of entities have to be read again for it, if the documents cannot tell (e.g. a language)."""
    needs: tuple[str, ...] = field(default=())
    """Settings that have to be chosen before this one can be switched on."""


SETTINGS: Mapping[str, Setting[Any]] = {
    "upp.send": Setting(_boolean, True, "upp", ("product", "order")),
    "upp.language": Setting(_text, None, "upp", ("product",)),
    "upp.pricelist": Setting(_text, None, "upp", ("product",)),
    "upp.sku_from": Setting(_choice("code", "ean", "id"), "code", "upp", ("product", "order")),
    "upp.variant_titles": Setting(_boolean, False, "upp", ("product",)),
    "upp.order_days": Setting(_whole(0, 3650), 30, "upp", ("order",)),
    "upp.origins": Setting(_many(_choice(*_ORIGINS)), ["frontend"], "upp", ("order",)),
    "uphance.send_orders": Setting(_boolean, True, "uphance", ("order",)),
    "uphance.origins": Setting(_many(_choice(*_ORIGINS)), list(_ORIGINS), "uphance", ("order",)),
    "uphance.orders_from": Setting(_moment, None, "uphance", ("order",)),
    "uphance.order_statuses": Setting(_many(_whole(1, 2**31)), None, "uphance", ("order",)),
    "uphance.channels": Setting(_channels, {}, "uphance"),
    "uphance.season": Setting(_whole(1, 2**31), None, "uphance"),
    "uphance.warehouse": Setting(_text, None, "uphance"),
    "uphance.payment_term": Setting(_text, None, "uphance"),
    "uphance.customer_mode": Setting(_customer_mode, "per_shopper", "uphance"),
    "uphance.prices_with_tax": Setting(_boolean, False, "uphance"),
    "uphance.services": Setting(_many(_text), [], "uphance"),
    "uphance.create_products": Setting(
        _boolean,
        False,
        "uphance",
        ("product",),
        needs=("uphance.color_parameter", "uphance.size_parameter"),
    ),
    "uphance.color_parameter": Setting(_text, None, "uphance", ("product",)),
    "uphance.size_parameter": Setting(_text, None, "uphance", ("product",)),
    "stock.write": Setting(_boolean, False, "stock"),
    "stock.quantity": Setting(
        _choice("available_to_sell_from_stock", "in_stock", "available_to_sell"),
        "available_to_sell_from_stock",
        "stock",
    ),
    "stock.drafts_reserve": Setting(_boolean, False, "stock"),
    "stock.safety": Setting(_whole(0, 1_000_000), 0, "stock"),
    "stock.guard_percent": Setting(_whole(0, 100), 30, "stock"),
    "shipments.write": Setting(_boolean, True, "shipments"),
    "shipments.status": Setting(_whole(1, 2**31), None, "shipments"),
    "shipments.notify": Setting(_boolean, False, "shipments"),
    "budget.tariff": Setting(_choice(*_TARIFFS), None, "budget"),
    "budget.packages": Setting(_whole(0, _MAX_PACKAGES), 0, "budget"),
}


@dataclass(frozen=True, slots=True)
class ShopSettings:
    """A shop's settings as chosen, with the defaults behind them."""

    chosen: Mapping[str, Any] = field(default_factory=dict)

    def get(self, key: str) -> Any:
        """The chosen value of *key*, else its default."""
        return self.chosen.get(key, SETTINGS[key].default)

    def yes(self, key: str) -> bool:
        """A true/false setting."""
        return bool(self.get(key))

    def text(self, key: str) -> str | None:
        """A text setting; None if nobody chose."""
        return cast("str | None", self.get(key))

    def number(self, key: str) -> int | None:
        """A whole number; None if nobody chose."""
        return cast("int | None", self.get(key))

    def moment(self, key: str) -> datetime | None:
        """A moment in UTC; None if nobody chose."""
        value = self.get(key)
        return datetime.fromisoformat(value) if value else None

    def as_text(self) -> dict[str, str | None]:
        """Every setting as it would be typed; None where nothing is chosen and the shop decides."""
        return {key: as_text(self.get(key)) for key in SETTINGS}


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


def change(chosen: Mapping[str, Any], texts: Mapping[str, str]) -> dict[str, Any]:
    """*chosen* after typing *texts*; an empty text goes back to the default.

    Raises `BadRequest` with one line for each key that does not exist, whose text is no value of it, or that needs
    other settings which nobody has chosen.
    """
    result, complaints = _typed(chosen, texts)
    complaints += [f"{key}: needs {' and '.join(needs)} first" for key, needs in _lacking(result).items() if needs]
    if complaints:
        raise BadRequest("\n".join(complaints))
    return result


def needed(chosen: Mapping[str, Any], texts: Mapping[str, str]) -> list[str]:
    """The settings that would have to be chosen too for *texts* to be typed over *chosen*."""
    return sorted({need for needs in _lacking(_typed(chosen, texts)[0]).values() for need in needs})


def _typed(chosen: Mapping[str, Any], texts: Mapping[str, str]) -> tuple[dict[str, Any], list[str]]:
    result = dict(chosen)
    complaints = []
    for key, text in texts.items():
        rule = SETTINGS.get(key)
        if rule is None:
            complaints.append(f"{key}: there is no such setting (there are: {', '.join(SETTINGS)})")
        elif not text.strip():
            result.pop(key, None)
        else:
            try:
                result[key] = rule.parse(text.strip())
            except _Wrong as wrong:
                complaints.append(f"{key}: {text!r} is not {wrong}")
    return result, complaints


def _lacking(chosen: Mapping[str, Any]) -> dict[str, list[str]]:
    """The settings that are switched on, each with what it needs and nobody chose."""
    return {
        key: [need for need in rule.needs if not chosen.get(need)]
        for key, rule in SETTINGS.items()
        if rule.needs and chosen.get(key)
    }
